"""Tagged reports beside edgartools in one process: time, facts found, memory; the floor is lxml's own parse.

Three figures of edgartools: its whole reading of a page (`HTMLParser.parse`), its step for facts alone, and its
reading of a package (`XBRL.from_directory`). Each reading is the best of a few, so that a busy machine disturbs less.
"""

import gzip
import logging
import re
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from lxml import etree

from pipelines.finance.reports.tags.ixbrl import read_ixbrl
from pipelines.finance.reports.tags.xbrl import read_package

pytestmark = [pytest.mark.bench, pytest.mark.realdata]
MEASURED = """
import re, sys
from pathlib import Path
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
own = peak()
from pipelines.finance.reports.tags.ixbrl import read_ixbrl
from pipelines.finance.reports.tags.xbrl import read_package
name = sys.argv[1]
if name.endswith(".zip"): kept = read_package(Path(name)); kept.links
elif name: kept = read_ixbrl(Path(name).read_bytes(), name)
print(own, peak())
"""


@pytest.fixture(scope="module")
def peer() -> ModuleType:
    reason = "edgartools is not installed: pip install -e .[bench]"
    documents = pytest.importorskip("edgar.documents", reason=reason)
    logging.getLogger("edgar").setLevel(logging.CRITICAL)
    assert isinstance(documents, ModuleType)
    return documents


@pytest.fixture(scope="module")
def reports(realdata: Path) -> Path:
    return realdata / "data/finance/reports"


def seconds(read: Callable[[], object], times: int) -> float:
    taken: list[float] = []
    for _ in range(times):
        begun = time.perf_counter()
        read()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def spread(ratios: list[float]) -> str:
    return f"median {statistics.median(ratios):.1f}, {min(ratios):.1f} to {max(ratios):.1f}"


def test_pages_are_read_four_times_faster_than_by_edgartools(reports: Path, peer: ModuleType) -> None:
    whole, facts_only, floor, ours_s = [], [], [], []
    for file in sorted((reports / "sec_ixbrl").glob("*.htm.gz")):
        content = gzip.decompress(file.read_bytes())
        text = content.decode("utf-8")
        parser = peer.HTMLParser
        ours = seconds(lambda: read_ixbrl(content, file.name), 5)  # noqa: B023
        bare = seconds(lambda: etree.fromstring(content.lstrip()), 5)  # noqa: B023
        theirs = seconds(lambda: parser(peer.ParserConfig()).parse(text), 2)  # noqa: B023
        step = seconds(lambda: parser(peer.ParserConfig())._extract_xbrl_pre_process(text), 3)  # noqa: B023
        report = read_ixbrl(content, file.name)
        found = {(fact.concept, str(fact.value)) for fact in (*report.facts, *report.texts)}
        print(
            f"{file.name:30} {ours * 1e3:4.0f} ms, edgartools {theirs / ours:.1f} times, facts step {step / ours:.1f}",
            end="",
        )
        print(
            f" times; {ours / bare:.1f} times lxml's parse; {len(report.facts)} numbers, {len(found)} different facts"
        )
        whole.append(theirs / ours)
        facts_only.append(step / ours)
        floor.append(ours / bare)
        ours_s.append(ours)
    print(f"edgartools / ours: {spread(whole)}; its facts step / ours: {spread(facts_only)}")
    print(f"ours / lxml's parse: {spread(floor)}; ours {statistics.median(ours_s) * 1e3:.0f} ms in median")
    assert statistics.median(whole) >= 4


def test_packages_are_read_twice_as_fast_with_at_least_the_facts(
    reports: Path, peer: ModuleType, tmp_path: Path
) -> None:
    xbrl = pytest.importorskip("edgar.xbrl")
    ratios, with_links, counts = [], [], [0, 0]
    for file in sorted((reports / "sec_xbrl").glob("*.zip")):
        folder = tmp_path / file.stem
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
        ours = seconds(lambda: read_package(folder), 5)  # noqa: B023
        linked = seconds(lambda: read_package(folder).links, 5)  # noqa: B023
        theirs = seconds(lambda: xbrl.XBRL.from_directory(str(folder)), 3)  # noqa: B023
        report = read_package(folder).report
        known = {(fact.element_id, fact.context_ref) for fact in xbrl.XBRL.from_directory(str(folder))._facts.values()}
        assert {re.sub("_", ":", name, count=1) for name, _ in known} <= {
            fact.concept for fact in (*report.facts, *report.texts)
        }
        counts[0] += len(report.facts) + len(report.texts)
        counts[1] += len(xbrl.XBRL.from_directory(str(folder))._facts)
        ratios.append(theirs / ours)
        with_links.append(theirs / linked)
        print(f"{file.name:24} {ours * 1e3:5.0f} ms, {linked * 1e3:5.0f} with links, edgartools {theirs * 1e3:5.0f}")
    print(f"facts: ours {counts[0]}, edgartools {counts[1]}; edgartools / ours: {spread(ratios)}", end="")
    print(f"; with labels, presentation and calculation read too: {spread(with_links)}")
    assert counts[0] >= counts[1]
    assert statistics.median(ratios) >= 2


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_reading_takes_less_than_300_mb_above_the_interpreter(reports: Path) -> None:
    above: list[float] = []
    for file in [*sorted((reports / "sec_ixbrl").glob("*.gz")), *sorted((reports / "sec_xbrl").glob("*.zip"))]:
        child = subprocess.run([sys.executable, "-c", MEASURED, str(file)], capture_output=True, text=True, check=True)
        own, peak = (float(number) for number in child.stdout.split())
        above.append(peak - own)
    print(f"peak above the interpreter's own: median {statistics.median(above):.0f} MB, at most {max(above):.0f} MB")
    assert max(above) < 300
