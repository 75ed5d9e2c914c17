"""`assay data make` and `assay data check`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.console import emit_json, emit_table, note, parse_where, progress_bar
from core.errors import InputError
from data.finance.credit_tables import make_credit
from data.inspection.surfaces import make_surfaces
from data.tables import TableWriter

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make data to try things on; check a file.")


class Kind(StrEnum):
    credit = "credit"
    surfaces = "surfaces"


@app.command()
def make(
    kind: Annotated[Kind, typer.Argument(help="credit: a table of loans; surfaces: pictures with defects and masks")],
    out: Annotated[Path, typer.Option(help="folder to write into; made if it is not there")],
    rows: Annotated[int, typer.Option(min=0, help="rows of a table, or pictures; 0 takes the usual number")] = 0,
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Make data of a KIND from a seed.

    Example: assay data make credit --out data/ --rows 20000 --seed 7
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out takes a folder, but {out} is a file; name another")
    out.mkdir(parents=True, exist_ok=True)
    with progress_bar(f"making {kind}") as progress:
        if kind is Kind.credit:
            files = [out / "credit.csv"]
            with TableWriter(files[0]) as writer:
                writer.write(make_credit(rows or 20_000, seed))
        else:
            files = list(make_surfaces(out, images=rows or 600, seed=seed, progress=progress))
    if as_json:
        emit_json({"kind": kind.value, "seed": seed, "files": [str(path) for path in files]})
    else:
        note(f"wrote {', '.join(map(str, files))}")
