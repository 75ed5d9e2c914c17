"""`assay train fraud`: frauds in a history of transactions."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from apps.cli.console import Progress, parse_floors, parse_where
from apps.cli.training import (
    Cost,
    Data,
    Floor,
    Json,
    Resume,
    Seed,
    TargetRate,
    Valid,
    ValidWhere,
    Where,
    costs_of,
    run_folder,
    train_and_register,
)
from apps.settings import load_settings
from core.errors import InputError
from core.runtime.bundle import Bundle

if TYPE_CHECKING:
    from apps.histories import Columns, History


def fraud(
    data: Data,
    target: Annotated[str, typer.Option(help="column that says 1 for fraud, 0 for good, empty for unknown")],
    time: Annotated[str, typer.Option(help="column of the times; a number is seconds from any beginning")],
    amount: Annotated[str, typer.Option(help="column of the amounts, negative for refunds")],
    entity: Annotated[
        str | None, typer.Option(help="column of the card, account or customer; without it there is no past")
    ] = None,
    counterpart: Annotated[
        list[str] | None, typer.Option(help="column of the terminal, shop or device; again for more")
    ] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="column of the ids; default: the row number")] = None,
    label_delay: Annotated[str, typer.Option(help="after which a label is known, such as 7d or 12h")] = "7d",
    arrived: Annotated[str | None, typer.Option(help="column of the times at which transactions came in")] = None,
    declared: Annotated[
        Path | None, typer.Option("--features", help="a table of features of your own: scope, measure, windows")
    ] = None,
    unit: Annotated[float | None, typer.Option(help="smallest step of the amounts; default: as they are")] = None,
    warm_up: Annotated[
        str | None, typer.Option(help="rows so soon after the first are history alone; default 30d with --entity")
    ] = None,
    alerts_per_day: Annotated[
        float | None, typer.Option(help="cards a day to decline, instead of --cost or --target-rate")
    ] = None,
    valid: Valid = None,
    where: Where = None,
    valid_where: ValidWhere = None,
    ignore: Annotated[list[str] | None, typer.Option(help="column that is no feature; again for more")] = None,
    name: Annotated[str, typer.Option(help="name in the registry")] = "fraud",
    preset: Annotated[
        str, typer.Option(help="fast: boosted trees; full: trees stacked with networks over the card's last payments")
    ] = "fast",
    seed: Seed = 0,
    cost: Cost = None,
    target_rate: TargetRate = None,
    floor: Floor = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a fraud model on a history of transactions.

    --where says which rows are learned from, --valid-where which validate; all other rows stay as history. Features see
    only what was known at the time of a transaction: labels count after --label-delay. Without --valid and
    --valid-where the latest fifth validates.

    Example: assay train fraud --data transactions.csv --target is_fraud --entity card_id --counterpart terminal_id
    --time time --amount amount --id transaction_id --ignore fraud_kind --where split=train --valid-where split=val
    """
    from apps.histories import Columns  # noqa: PLC0415  (pandas, only when it is needed)
    from pipelines.finance.boosting import Preset  # noqa: PLC0415
    from pipelines.finance.fraud import train_fraud  # noqa: PLC0415
    from pipelines.finance.fraud_options import FraudOptions  # noqa: PLC0415
    from pipelines.finance.transactions.windows import parse_span  # noqa: PLC0415

    settings = load_settings()
    run = run_folder(settings, name, resume)
    chosen, valid_chosen = parse_where(where or []), parse_where(valid_where or [])
    limits = [text for text, given in (("--cost", cost), ("--target-rate", target_rate)) if given is not None]
    if alerts_per_day is not None and limits:
        raise InputError(f"--alerts-per-day and {limits[0]} both set the decision; give one of them")
    missed, false = costs_of(cost, target_rate, FraudOptions.cost_missed, FraudOptions.cost_false)
    keys = (*((entity,) if entity else ()), *(counterpart or ()))
    played = {target, time, amount, id_column, arrived, *keys}
    options = FraudOptions(
        target=target,
        time=time,
        amount=amount,
        entity=entity,
        counterparts=tuple(counterpart or ()),
        id_column=id_column,
        arrived=arrived,
        delay_ms=parse_span(label_delay),
        declared="" if declared is None else _text_of(declared),
        unit=unit,
        warm_up_ms=None if warm_up is None else parse_span(warm_up),
        alerts_per_day=alerts_per_day,
        ignore=tuple(column for column in (*(ignore or ()), *chosen, *valid_chosen) if column not in played),
        seed=seed,
        preset=cast(Preset, preset),
        cost_missed=missed,
        cost_false=false,
        target_rate=target_rate,
        floors=parse_floors(floor or []),
        name=name,
        device=settings.device,
        resume=run,
    )
    columns = Columns(
        time=time, text=(*keys, *((id_column,) if id_column else ())), numbers=(amount,), id_column=id_column
    )
    history = _read(data, valid, columns, chosen, valid_chosen)

    def make(folder: Path, progress: Progress) -> Bundle:
        masks = history.chosen
        held = masks[1] if len(masks) > 1 else None
        return train_fraud(history.frame, masks[0], held, options, folder, progress, history.errors)

    train_and_register(settings, name, make, as_json)
    shutil.rmtree(run, ignore_errors=True)


def _read(
    data: Path, valid: Path | None, columns: "Columns", chosen: dict[str, str], valid_chosen: dict[str, str]
) -> "History":
    """The history, with a mask of the rows to learn from and, where asked for, one of those that validate."""
    from apps.histories import joined, read_history  # noqa: PLC0415  (pandas, only when it is needed)

    if valid is None or valid.resolve() == data.resolve():
        filters = (chosen, valid_chosen) if valid_chosen or valid is not None else (chosen,)
        return read_history(data, columns, *filters)
    return joined(read_history(data, columns, chosen), read_history(valid, columns, valid_chosen))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text: {error}", code="FILE_MISSING") from error
