"""`assay evaluate`: all metrics of a model on labelled data, with bootstrap intervals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cards import exit_cells, exit_words, metric_cells
from apps.cli.console import emit_json, emit_table, note, parse_where, progress_bar
from apps.engines import engine_for
from apps.settings import load_settings
from apps.store import models
from apps.store.database import open_database
from core.runtime.engine import Engine

app = typer.Typer(add_completion=False)


@app.command()
def evaluate(
    name: Annotated[str, typer.Argument(help="NAME or NAME@VERSION")],
    data: Annotated[Path, typer.Option(help="labelled data: a table, or a split file of pictures")],
    where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: keep only these rows; again for more")] = None,
    seed: Annotated[int, typer.Option(help="seed of the bootstrap")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Measure a model on labelled data and keep the result for the dashboards.

    Example: assay evaluate loans --data loans.csv.gz --where split=test
    """
    settings = load_settings()
    db = open_database(settings)
    model = models.resolve(db, name)
    engine = engine_for(settings, model)
    chosen = parse_where(where or [])
    with progress_bar(f"evaluating {model.name}@{model.version}") as progress:
        document, curves = EVALUATORS[model.kind](engine, data, chosen, seed, progress)
    source = str(data) + "".join(f" {column}={value}" for column, value in chosen.items())
    models.save_evaluation(db, model, data=source, metrics=document, curves=curves)
    if as_json:
        emit_json({"model": model.name, "model_version": model.version, "data": source, **document})
        return
    title = f"{model.name}@{model.version} on {source}"
    emit_table(title, ("metric", "value", "95 % interval"), metric_cells(document))
    if exits := document.get("exits"):
        emit_table("exits", ("stage", "rows that left", "share", "operations a row"), exit_cells(exits))
        note(exit_words(exits))
    if (rate := document.get("base_rate")) and rate["differs"]:
        note(_rate_words(rate))
    counts = document.get("rows", {})
    if left_out := {words: n for words, n in counts.items() if words != "judged" and n}:
        note("left out: " + ", ".join(f"{n} rows {words.replace('_', ' ')}" for words, n in left_out.items()))


def _credit(
    engine: Engine, data: Path, where: Mapping[str, str], seed: int, _progress: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    from data.tables import read_table  # noqa: PLC0415  (each kind loads only its own)
    from pipelines.finance.evaluate import evaluate_table  # noqa: PLC0415

    spec = engine.bundle.manifest.spec
    text = [column["name"] for column in spec["columns"] if column["kind"] == "category"]
    table = read_table(data, text=text, where=where)
    evaluation = evaluate_table(table.frame, engine, seed=seed, row_errors=table.errors)
    return evaluation.to_json(), dict(evaluation.curves)


def _company(
    engine: Engine, data: Path, where: Mapping[str, str], seed: int, _progress: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    from apps.cases import read_companies  # noqa: PLC0415  (each kind loads only its own)
    from data.tables import open_source  # noqa: PLC0415
    from pipelines.finance.company_evaluate import evaluate_company  # noqa: PLC0415

    table = read_companies(open_source(data), engine.bundle.manifest, where=where)
    found = evaluate_company(table.frame, engine, seed=seed, row_errors=table.errors)
    return found.to_json(), dict(found.evaluation.curves)


def _rate_words(rate: Mapping[str, Any]) -> str:
    guess = rate["estimated"]
    words = f"{rate['seen']:.2%} of the judged rows are bad, the model assumes {rate['assumed']:.2%}"
    found = f"without their labels one would guess {guess['rate']:.2%} ({guess['low']:.2%} to {guess['high']:.2%})"
    return f"{words}; {found}; train with --base-rate or --unlabelled to mend the probabilities"


def _inspection(
    engine: Engine, data: Path, where: Mapping[str, str], _seed: int, progress: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    from data.inspection.split_file import read_split  # noqa: PLC0415  (each kind loads only its own)
    from pipelines.inspection.evaluate import evaluate_images  # noqa: PLC0415

    evaluation = evaluate_images(read_split(data, where=where), engine, progress)
    return evaluation.to_json(), dict(evaluation.curves)


def _fraud(
    engine: Engine, data: Path, where: Mapping[str, str], seed: int, progress: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    from apps.histories import Columns, read_history  # noqa: PLC0415  (each kind loads only its own)
    from pipelines.finance.fraud import ledger_of  # noqa: PLC0415
    from pipelines.finance.fraud_evaluate import evaluate_fraud  # noqa: PLC0415

    history = read_history(data, Columns.of_model(engine.bundle.manifest), where)
    progress(0.2, f"measuring {int(history.chosen[0].sum())} transactions")
    evaluation = evaluate_fraud(ledger_of(history.frame, engine, history.errors), history.chosen[0], engine, seed=seed)
    return evaluation.to_json(), dict(evaluation.curves)


def _volatility(
    engine: Engine, data: Path, where: Mapping[str, str], seed: int, _progress: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    from data.tables import read_table  # noqa: PLC0415  (each kind loads only its own)
    from pipelines.finance.volatility import columns_of, evaluate_series  # noqa: PLC0415

    table = read_table(data, text=[columns_of(engine).time, *where])
    evaluation, days = evaluate_series(table.frame, engine, where, seed=seed)
    for words in days.notes:
        note(f"{data}: {words}")
    return evaluation.to_json(), dict(evaluation.curves)


EVALUATORS = {
    "credit": _credit,
    "company": _company,
    "fraud": _fraud,
    "inspection": _inspection,
    "volatility": _volatility,
}
