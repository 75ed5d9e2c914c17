"""`assay augment`: new series out of old ones, which policy is worth it, and labels that are likely wrong."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.augment_reading import chosen_policy, judge_of, kinds_of, read, rules_of
from apps.cli.augment_showing import judge_labels, show_noise, show_search, suspect_frame
from apps.cli.console import emit_json, emit_table, note, parse_where, progress_bar

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Augment series: make new ones, search policies, find label noise."
)

Data = Annotated[Path, typer.Option(help="table with a row a step (CSV, CSV.GZ, Parquet, XLSX)")]
Id = Annotated[str, typer.Option("--id", help="column that says which series a step belongs to")]
Time = Annotated[str, typer.Option(help="column with times, sorted within each series: dates or numbers")]
Value = Annotated[list[str] | None, typer.Option(help="column of values; again for more")]
Label = Annotated[str, typer.Option(help="column with the class of the series")]
AnyLabel = Annotated[
    str | None, typer.Option(help="column with labels: one class or target a series, or one label a step")
]
Where = Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: keep only these rows; again for more")]
Valid = Annotated[Path | None, typer.Option(help="table of series to judge on; default: a third of the series")]
ValidWhere = Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE for the series to judge on")]
Pattern = Annotated[list[str] | None, typer.Option(help="a pattern; again for more")]
Length = Annotated[int | None, typer.Option(min=1, help="keep the last steps of each series only")]
Declared = Annotated[
    list[str] | None,
    typer.Option("--constraint", help="COLUMN=KIND: non_negative, share, whole, cumulative, fixed, calendar:PERIOD"),
]
Anchored = Annotated[bool, typer.Option("--anchored", help="labels are about the last step, which stays as it is")]
Seed = Annotated[int, typer.Option(min=0, help="same seed, same answer")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]


@app.command()
def make(
    data: Data,
    id_column: Id,
    time: Time,
    out: Annotated[Path, typer.Option(help="table to write the new series to")],
    value: Value = None,
    label: AnyLabel = None,
    where: Where = None,
    pattern: Pattern = None,
    policy: Annotated[Path | None, typer.Option(help="policy.json of a search, in place of patterns")] = None,
    magnitude: Annotated[str, typer.Option(help="LOW:HIGH, 1 is a pattern's unit strength")] = "0.8:1.5",
    copies: Annotated[int | None, typer.Option(min=1, help="new series for each; default 1, or the policy's")] = None,
    length: Length = None,
    constraint: Declared = None,
    anchored: Anchored = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Make new series out of those of a table, their labels and constraints kept.

    With a policy of a search, as many as it says for every series, whatever its class.

    Example: assay augment make --data cards.csv --id card --time at --value amount --label fraud
    --constraint amount=non_negative --pattern time_warp --pattern jitter --copies 5 --out more.csv
    """
    from data.tables import TableWriter  # noqa: PLC0415  (pandas, only when it is needed)
    from pipelines.finance.augment.long_table import to_frame  # noqa: PLC0415
    from pipelines.finance.augment.policy import augmentor_of  # noqa: PLC0415

    table = read(data, id_column, time, value, label, where, length)
    rules = rules_of(constraint, table.columns.values, anchored, None)
    chosen = chosen_policy(policy, pattern, magnitude)
    augmentor = augmentor_of(chosen, seed, rules)
    given: dict[str, Any] = {"times": table.times, "points": table.points_NT}
    augmentor.fit(table.x_NTC, table.y_N, **given)
    made = augmentor.augment(table.x_NTC, table.y_N, **given, copies=copies or chosen.copies)
    with TableWriter(out) as writer:
        writer.write(to_frame(made, table))
    done = {"series": len(table.ids), "made": len(made.x), "steps": made.x.shape[1], "policy": chosen.name}
    done |= {"out": str(out), "even_steps": table.even}
    if as_json:
        emit_json(done)
    else:
        note(f"{len(made.x)} new series of {len(table.ids)} by {chosen.name}: {out}")


@app.command()
def search(
    data: Data,
    id_column: Id,
    time: Time,
    label: Label,
    run: Annotated[Path, typer.Option(help="folder of the run; the same command goes on with what is there")],
    value: Value = None,
    where: Where = None,
    valid: Valid = None,
    valid_where: ValidWhere = None,
    pattern: Pattern = None,
    trials: Annotated[int, typer.Option(min=1, help="policies to try, no augmentation among them")] = 20,
    seconds: Annotated[float | None, typer.Option(min=0, help="no trial begins later")] = None,
    length: Length = None,
    constraint: Declared = None,
    anchored: Anchored = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Search the augmentation policy that helps most on validation series; no augmentation wins unless one helps.

    Judged by average precision of boosted trees on summary features. The policy goes to RUN/policy.json.

    Example: assay augment search --data cards.csv --id card --time at --value amount --label fraud --run runs/cards
    --trials 30 --seconds 600
    """
    from pipelines.finance.augment.patterns import PATTERNS, refusal  # noqa: PLC0415
    from pipelines.finance.augment.search import SearchOptions, search_policy  # noqa: PLC0415

    table = read(data, id_column, time, value, label, where, length)
    judged = None
    if valid is not None or valid_where:
        judged = read(valid or data, id_column, time, value, label, valid_where, table.x_NTC.shape[1])
    rules = rules_of(constraint, table.columns.values, anchored, None if table.even else 0)
    kinds = kinds_of(rules, len(table.columns.values))
    able = [name for name in PATTERNS if refusal(name, kinds, not table.even, anchored) is None]
    tried, most = tuple(pattern or able), seconds or float("inf")
    options = SearchOptions(patterns=tried, trials=trials, seconds=most, seed=seed)
    judge = judge_of(table, judged, rules, seed)
    with progress_bar("searching") as progress:
        found = search_policy(judge, run, options, progress)
    (run / "policy.json").write_text(json.dumps(found.policy.to_json()), encoding="utf-8")
    show_search(found, run, as_json)


@app.command()
def noise(
    data: Annotated[Path, typer.Option(help="table of cases, one a row (CSV, CSV.GZ, Parquet, XLSX)")],
    target: Annotated[str, typer.Option(help="column with the label")],
    id_column: Annotated[str | None, typer.Option("--id", help="column with the id; default: the row number")] = None,
    where: Where = None,
    ignore: Annotated[list[str] | None, typer.Option(help="column that is no feature; again for more")] = None,
    rule: Annotated[str, typer.Option(help="what counts: label, both (odd among its class too) or either")] = "label",
    folds: Annotated[int, typer.Option(min=2, help="parts of the cross-validation")] = 5,
    most: Annotated[int, typer.Option(min=1, help="rows to print, the most suspect first")] = 20,
    out: Annotated[Path | None, typer.Option(help="table to write all suspect rows to")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Report which labels are likely wrong and why. Nothing is dropped: the report is for a person to look at.

    Example: assay augment noise --data loans.csv --target defaulted --id loan_id --out suspects.csv
    """
    from data.tables import TableWriter  # noqa: PLC0415
    from pipelines.finance.augment.noise import NoiseOptions  # noqa: PLC0415

    options = NoiseOptions(rule=rule, folds=folds, seed=seed)
    with progress_bar("judging labels") as progress:
        report, ids = judge_labels(
            data, target, id_column, parse_where(where or []), ignore or [], options, progress
        )  # fmt: skip
    frame = suspect_frame(report, ids)
    if out is not None:
        with TableWriter(out) as writer:
            writer.write(frame)
    show_noise(report, frame.head(most).to_dict("records"), as_json)


@app.command()
def patterns(as_json: Json = False) -> None:
    """List the patterns, what each does to labels, and what it cannot keep.

    Example: assay augment patterns
    """
    from pipelines.finance.augment.patterns import PATTERNS  # noqa: PLC0415

    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "words": one.words,
            "label": one.label,
            "points": one.points,
            "injects": one.injects,
            "refuses": one.all_refusals,
        }
        for name, one in PATTERNS.items()
    ]
    if as_json:
        emit_json({"patterns": rows})
        return
    first = ("name", "words", "label", "points")
    cells = [(*(row[key] for key in first), row["injects"] or "", ", ".join(row["refuses"])) for row in rows]
    emit_table("patterns", ("name", "what", "label", "labels of steps", "puts events in", "refuses"), cells)
