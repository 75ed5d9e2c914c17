"""`assay report extract`: what company reports say, as tables or as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.console import emit_json, note, progress_bar
from apps.cli.report_tables import print_report, print_summary
from core.errors import InputError
from pipelines.finance.reports.batch import Wish, deaf, read_all, reports_in, usable_cores
from pipelines.finance.reports.document import Document

STOPPED = 130  # exit code after Ctrl-C

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Read company reports.")


@app.callback()
def _report() -> None:
    """Read company reports: facts, statements, sections, checks, features."""


@app.command()
def extract(
    files: Annotated[list[Path], typer.Argument(help="reports, or folders of them; an XBRL package is one report")],
    features: Annotated[bool, typer.Option("--features", help="add the features that the rules work out")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document; a list for several files")] = False,
    company: Annotated[str | None, typer.Option(help="whose reports they should be; another's is flagged")] = None,
    last: Annotated[
        Path | None, typer.Option(help="the report of the year before: features compare the wording with it")
    ] = None,
    rules: Annotated[list[Path] | None, typer.Option(help="a further table of feature rules; again for more")] = None,
    peers: Annotated[
        Path | None,
        typer.Option(help="a table of peers, a row each, in whole currency units: features rank against it"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder for one JSON document a report; --json lists them")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes; default: all cores")] = None,
) -> None:
    """Read reports: inline XBRL, XBRL packages, company facts, HTML, PDF, XLSX, CSV, text; English and Chinese.

    Every number comes with its place in the file; checks say what does not add up. A file that cannot be read is told
    on stderr and the others go on. Ctrl-C ends it; JSON on stdout is whole then too.

    Example: assay report extract annual-report.pdf

    Example: assay report extract filings/ --features --json > reports.json
    """
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(f"--out takes a folder, but {out} is a file; name another")
    sources = reports_in(files)
    several = len(sources) > 1 or any(path.is_dir() and sources != [path] for path in files)
    own = _check_wishes(features, last, rules or [], peers, len(sources))
    facts = as_json or out is not None
    wishes = [Wish(path, company, features, facts, last, tuple(rules or ()), own) for path in sources]
    documents = _told(wishes, jobs or usable_cores())
    try:
        if out is not None and as_json:
            failed = _print_kept(_kept(documents, out), out)
        else:
            shown = documents if out is None else (document for _, document in _kept(documents, out))
            failed = _print(shown, several, as_json)
    except KeyboardInterrupt:
        note("assay: stopped by Ctrl-C" + ("" if out is None else f"; what was read until then is in {out}"))
        raise typer.Exit(STOPPED) from None
    if failed == len(sources):
        raise typer.Exit(2)


def _check_wishes(
    features: bool, last: Path | None, rules: Sequence[Path], peers: Path | None, reports: int
) -> Mapping[str, tuple[float, ...]] | None:
    """Say what is wrong with the options before anything is read; return how the peers' features are spread."""
    if (last or rules or peers) and not features:
        raise InputError("--last, --rules and --peers are about features; add --features")
    if last is not None and reports > 1:
        raise InputError(f"--last is the earlier report of one company, but {reports} reports were given; give one")
    if not rules and peers is None:
        return None
    # the rules need numpy, and a table pandas, which a report without features does without
    from pipelines.finance.rules.rulebook import load_rules  # noqa: PLC0415

    book = load_rules(*rules)
    if peers is None:
        return None
    from data.tables import read_table  # noqa: PLC0415
    from pipelines.finance.rules.evaluate import fit_reference  # noqa: PLC0415
    from pipelines.finance.rules.panel import make_panel  # noqa: PLC0415

    return fit_reference(make_panel(read_table(peers).frame), book)


def _told(wishes: Sequence[Wish], jobs: int) -> Iterator[Document]:
    """The documents as they come, with progress; what could not be read is said at once."""
    with progress_bar(f"reading {len(wishes)} report{'s' * (len(wishes) > 1)}") as progress:
        for number, document in enumerate(read_all(wishes, jobs), 1):
            progress(number / len(wishes), f"{number} of {len(wishes)}: {Path(document['file']).name}")
            if "error" in document:
                note(f"assay: {document['error']}")
            yield document


def _print(documents: Iterator[Document], several: bool, as_json: bool) -> int:
    """Print them as they were asked for and count those that failed."""
    failed = 0
    if as_json and several:  # as they come: a list of thousands need not fit in memory
        number = 0
        try:
            for number, document in enumerate(documents, 1):
                text = json.dumps(document, ensure_ascii=False, allow_nan=False)
                with deaf():
                    print(("," if number > 1 else "[") + text, flush=True)  # noqa: T201
                failed += "error" in document
        finally:
            if number:  # the list is closed, also where it was stopped
                print("]")  # noqa: T201
        return failed
    found = list(documents)
    failed = sum("error" in document for document in found)
    if as_json:
        emit_json(found[0])
    elif several:
        print_summary(found)
    elif not failed:
        print_report(found[0])
    return failed


def _print_kept(kept: Iterator[tuple[Path, Document]], folder: Path) -> int:
    """Print one JSON document that says what was written where, and count the reports that failed."""
    files = []
    for path, document in kept:
        error = {"error": document["error"]} if "error" in document else {}
        files.append({"file": document["file"], "written": str(path), **error})
    failed = sum("error" in one for one in files)
    emit_json({"out": str(folder), "reports": len(files), "failed": failed, "files": files})
    return failed


def _kept(documents: Iterator[Document], folder: Path) -> Iterator[tuple[Path, Document]]:
    """Write each into the folder under its file's name; a name that was taken gets a number."""
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for document in documents:
        name, number = Path(document["file"]).name, 1
        while (written := f"{name}{'' if number == 1 else f'-{number}'}.json") in taken:
            number += 1
        taken.add(written)
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        (folder / written).write_text(text + "\n", encoding="utf-8")
        yield folder / written, document
