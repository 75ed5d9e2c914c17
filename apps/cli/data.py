"""`assay data make` and `assay data check`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.console import Progress, emit_json, emit_table, note, parse_where, progress_bar
from apps.settings import load_settings
from apps.store import models
from apps.store.database import open_database
from core.errors import InputError
from core.runtime.bundle import open_bundle
from data.check import TableReport, check_table
from data.finance.credit_tables import make_credit
from data.finance.report_set import make_reports
from data.finance.series_tables import make_series
from data.finance.transaction_tables import make_fraud
from data.inspection.defects import DEFECTS
from data.inspection.surfaces import make_surfaces
from data.inspection.textures import TEXTURES
from data.spec import FeatureSpec
from data.tables import TableWriter, open_source, read_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make data to try things on; check a file.")

USUAL_ROWS = {"credit": 20_000, "fraud": 200_000, "surfaces": 600, "reports": 2_000, "series": 5_000}
SHOWN = 6  # files named at the end


class Kind(StrEnum):
    """What can be made."""

    credit = "credit"
    fraud = "fraud"
    reports = "reports"
    surfaces = "surfaces"
    series = "series"


WRITERS = {Kind.fraud: make_fraud, Kind.reports: make_reports, Kind.series: make_series}


@app.command()
def make(
    kind: Annotated[
        Kind,
        typer.Argument(
            help="credit: a table of loans; fraud: a history of card transactions with six kinds of fraud; "
            "reports: statements of companies, some of which fail, and annual reports in every form; "
            "surfaces: pictures with defects and masks; "
            "series: daily prices of a market, and short labelled series of accounts"
        ),
    ],
    out: Annotated[Path, typer.Option(help="folder to write into; made if it is not there")],
    rows: Annotated[
        int | None, typer.Option(min=1, help="rows of a table (series: trading days), pictures, or company-years")
    ] = None,
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = 0,
    texture: Annotated[
        str | None, typer.Option(help=f"surfaces: one product line only: {', '.join(TEXTURES)}; default: all in turn")
    ] = None,
    defects: Annotated[
        str | None, typer.Option(help=f"surfaces: these kinds only, with commas: {','.join(DEFECTS)}; default: all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Make data of a KIND from a seed.

    Example: assay data make credit --out data/ --rows 20000 --seed 7

    Example: assay data make surfaces --out pictures/ --rows 480 --texture painted

    Example: assay data make reports --out reports/ --rows 4000

    Example: assay data make fraud --out cards/ --rows 200000

    Example: assay data make series --out series/ --rows 5000
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out takes a folder, but {out} is a file; name another")
    if (texture is not None or defects is not None) and kind is not Kind.surfaces:
        raise InputError(f"--texture and --defects are for surfaces; {kind.value} has none")
    out.mkdir(parents=True, exist_ok=True)
    with progress_bar(f"making {kind.value}") as progress:
        files = _made(kind, out, rows or USUAL_ROWS[kind.value], seed, texture, defects, progress)
    if as_json:
        emit_json({"kind": kind.value, "seed": seed, "files": [str(path) for path in files]})
    else:
        more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
        note(f"wrote {', '.join(map(str, files[:SHOWN]))}{more}")


def _made(
    kind: Kind, out: Path, rows: int, seed: int, texture: str | None, defects: str | None, progress: Progress
) -> list[Path]:
    if kind is Kind.credit:
        with TableWriter(out / "credit.csv") as writer:
            writer.write(make_credit(rows, seed))
        return [out / "credit.csv"]
    if kind in WRITERS:
        return list(WRITERS[kind](out, rows=rows, seed=seed, progress=progress))
    kinds = tuple(DEFECTS) if defects is None else tuple(name.strip() for name in defects.split(","))
    return list(make_surfaces(out, images=rows, seed=seed, texture=texture, defects=kinds, progress=progress))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="a table: CSV, CSV.GZ, Parquet or XLSX")],
    model: Annotated[str | None, typer.Option(help="hold the table against this model's training data")] = None,
    target: Annotated[str | None, typer.Option(help="column of labels: names columns that tell it too well")] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="column of ids: names doubles")] = None,
    where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: keep only these rows; again for more")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Say what is in a table and what is wrong with it: types, missing, ranges, leakage, drift.

    Example: assay data check loans.csv --model loans
    """
    manifest = None
    if model is not None:
        settings = load_settings()
        found = models.resolve(open_database(settings), model)
        manifest = open_bundle(models.model_folder(settings, found)).manifest
    columns = open_source(file).columns
    if absent := [column for column in (target, id_column) if column is not None and column not in columns]:
        raise InputError(f"{file} has no column {absent[0]!r}; it has {', '.join(columns)}")
    text = [id_column] if id_column else []
    chosen = parse_where(where or [])
    if manifest is not None and manifest.kind == "fraud":
        from apps.histories import as_the_model_sees  # noqa: PLC0415  (only for histories)

        table = as_the_model_sees(file, manifest, chosen)
    else:
        table = read_table(file, text=text, where=chosen)
    spec = None if manifest is None else FeatureSpec.from_json(manifest.spec)
    report = check_table(table, spec, target=target, id_column=id_column)
    if as_json:
        emit_json(report.to_json())
    else:
        _print(file, report)


def _print(file: Path, report: TableReport) -> None:
    columns = ("column", "type", "missing", "distinct", "low", "high", "mean", "frequent", "PSI")
    rows = [
        (
            column.name,
            column.type,
            f"{column.missing / max(report.rows, 1):.1%}",
            column.distinct,
            *(f"{v:.6g}" if isinstance(v, float) else v for v in (column.low, column.high, column.mean)),
            ", ".join(column.examples[:3]),
            None if column.psi is None else f"{column.psi:.3f}",
        )
        for column in report.columns
    ]
    emit_table(f"{file}: {report.rows} rows", columns, rows)
    if report.findings:
        findings = [(f.level, f.code, f.column, f.words) for f in report.findings]
        emit_table("findings", ("level", "code", "column", "what"), findings)
    else:
        note("nothing is wrong with it")
