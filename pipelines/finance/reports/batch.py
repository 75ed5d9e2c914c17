"""Many reports: those of a folder, read in several processes. A bad file stops nothing."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.errors import AssayError, InputError
from pipelines.finance.reports.document import Document, Features, to_document
from pipelines.finance.reports.extract import extract

PAGES = (".htm", ".html", ".xhtml")
SUFFIXES = (*PAGES, ".xml", ".xbrl", ".zip", ".json", ".pdf", ".xlsx", ".xlsm", ".csv", ".tsv", ".txt")
MOST_FILES = 100_000
AHEAD = 4  # files a process that are under way or done and not yet taken: memory stays bounded


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of one file."""

    source: Path
    company: str | None = None
    features: bool = False
    facts: bool = True
    last: Path | None = None  # the same company's report of the year before
    rules: tuple[Path, ...] = ()  # further tables of features
    peers: Mapping[str, tuple[float, ...]] | None = None  # what peers' features are spread like


def reports_in(sources: Sequence[Path]) -> list[Path]:
    """Files as they are, and all reports of the folders, by name; a folder that is an XBRL package is one report.

    InputError: a path that is not there, a folder without a report, or one with too many.
    """
    found: dict[Path, None] = {}
    for source in sources:
        if not source.exists():
            raise InputError(f"{source} is not there; give report files or folders of them")
        inside = list(_walk(source)) if source.is_dir() else [source]
        if not inside:
            raise InputError(f"{source} holds no report; read are {', '.join(SUFFIXES)}, each also with .gz")
        found.update(dict.fromkeys(inside))
        if len(found) > MOST_FILES:
            raise InputError(f"{source}: more than {MOST_FILES} files; give smaller folders")
    return list(found)


def read_all(wishes: Sequence[Wish], jobs: int) -> Iterator[Document]:
    """The documents in the order of the wishes; of a file that cannot be read, its name and `error`."""
    if jobs <= 1 or len(wishes) <= 1:
        yield from map(read_one, wishes)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(min(jobs, len(wishes)), mp_context=context) as pool:
        rest = iter(wishes)
        with deaf():
            waiting = deque(pool.submit(read_one, wish) for wish in islice(rest, AHEAD * jobs))
        try:
            while waiting:
                yield waiting.popleft().result()
                with deaf():
                    waiting.extend(pool.submit(read_one, wish) for wish in islice(rest, 1))
        except BrokenProcessPool:
            raise AssayError("a process that reads reports was ended from outside; try again with --jobs 1") from None
        finally:
            if waiting:  # nobody waits for what is under way
                for process in multiprocessing.active_children():
                    process.terminate()
            pool.shutdown(cancel_futures=True)


@contextmanager
def deaf() -> Iterator[None]:
    """Ctrl-C waits until afterwards; processes that begin meanwhile never hear it, which is for who asked them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def read_one(wish: Wish) -> Document:
    """The document of one file; the edge of a process, where every error ends in `error`."""
    try:
        last_text = None if wish.last is None else extract(wish.last).text
        features = Features(last_text=last_text, rules=wish.rules, peers=wish.peers) if wish.features else None
        return to_document(extract(wish.source, wish.company), features, wish.facts)
    except (AssayError, OSError) as error:
        return {"file": str(wish.source), "error": str(error)}
    except Exception as error:  # noqa: BLE001  one bad file must not end a batch
        name = type(error).__name__
        return {"file": str(wish.source), "error": f"{wish.source}: unexpected {name}: {error}; please report this"}


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _walk(folder: Path) -> Iterator[Path]:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    names = [entry.name.lower() for entry in entries]
    if any(name.endswith(".xsd") for name in names) and any(name.endswith((".xml", ".xbrl", *PAGES)) for name in names):
        yield folder
        return
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        elif entry.is_file() and entry.name.lower().removesuffix(".gz").endswith(SUFFIXES):
            yield entry
