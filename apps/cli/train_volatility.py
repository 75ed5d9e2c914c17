"""`assay train volatility`: the variance of a market series one day ahead, and updates of such a model."""

import shutil
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from apps.cli.console import Progress, emit_table, note, parse_floors, parse_where
from apps.cli.training import Data, Floor, Json, Resume, Seed, ValidWhere, Where, run_folder, train_and_register
from apps.settings import load_settings
from apps.store import models
from apps.store.database import open_database
from core.errors import InputError
from core.runtime.bundle import Bundle, open_bundle

Column = Annotated[str | None, typer.Option(help="its column; default: the one of that name")]


def volatility(
    data: Data,
    time: Annotated[str | None, typer.Option(help="column with the day; an update has it from its model")] = None,
    open_column: Annotated[str | None, typer.Option("--open", help="column; default: the one of that name")] = None,
    high: Column = None,
    low: Column = None,
    close: Annotated[str | None, typer.Option(help="column; default: close, or the one column of numbers")] = None,
    volume: Column = None,
    where: Where = None,
    valid_where: ValidWhere = None,
    name: Annotated[
        str | None, typer.Option(help="name in the registry; default: volatility, or the updated one")
    ] = None,
    seed: Seed = 0,
    floor: Floor = None,
    resume: Resume = False,
    update: Annotated[
        str | None, typer.Option(help="NAME or NAME@VERSION: let this model learn on from newer days of the file")
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(help="FIRST:LAST, an old period that an update must not forget; default: all it learned from"),
    ] = None,
    forget_limit: Annotated[
        float | None, typer.Option(help="by how much the mean loss on an old period may grow; default 0.01")
    ] = None,
    frozen: Annotated[
        str,
        typer.Option(help="which 90 % of all numbers an update leaves as they are: least or most sensitive"),
    ] = "least",
    as_json: Json = False,
) -> None:
    """Train a model of one-day-ahead variance on a market series, one row a day.

    --where and --valid-where say which days are learned from and validated on; the other rows of the file stay as
    history. Without high and low, squared returns stand for the range. --floor takes skill, qlike or mse.

    Example: assay train volatility --data sp500.csv.gz --time date --where split=train --valid-where split=val

    With --update NAME a model learns on from the days of the file that are newer than what it knows (--where chooses
    among them), and becomes the next version only where it forgot little, else the exit code is 3.

    Example: assay train volatility --data sp500.csv.gz --update sp500 --reference 2007-09:2009-06
    """
    settings = load_settings()
    asked = parse_where(where or [])
    if update is not None:
        given: dict[str, object] = {"--time": time, "--open": open_column, "--high": high, "--low": low}
        given |= {"--close": close, "--volume": volume, "--valid-where": valid_where or None, "--floor": floor or None}
        if named := [option for option, value in given.items() if value is not None]:
            raise InputError(
                f"{', '.join(named)} mean nothing beside --update: columns are the model's; leave them out"
            )
        run_update(update, data, asked, reference or [], forget_limit, frozen, name, seed, resume, as_json)
        return
    if reference or forget_limit is not None:
        raise InputError("--reference and --forget-limit say what an update may forget; name the model with --update")
    if time is None:
        raise InputError("--time names the column with the day; only an update does without it")

    from data.tables import read_table  # noqa: PLC0415  (pandas, only when it is needed)
    from pipelines.finance.volatility import KIND, SeriesRequest, train_volatility  # noqa: PLC0415  (torch)

    name = name or KIND
    run = run_folder(settings, name, resume)
    valid_asked = parse_where(valid_where or [])
    request = SeriesRequest(
        time=time,
        columns={"open": open_column, "high": high, "low": low, "close": close, "volume": volume},
        where=asked,
        valid_where=valid_asked,
        name=name,
        seed=seed,
        floors=parse_floors(floor or []),
        resume=run,
    )
    frame = read_table(data, text=[time, *asked, *valid_asked]).frame

    def make(folder: Path, progress: Progress) -> Bundle:
        return train_volatility(frame, request, folder, progress)

    train_and_register(settings, name, make, as_json)
    shutil.rmtree(run, ignore_errors=True)


def run_update(
    base: str,
    data: Path,
    where: dict[str, str],
    references: list[str],
    limit: float | None,
    frozen: str,
    name: str | None,
    seed: int,
    resume: bool,
    as_json: bool,
) -> None:
    """Let a registered model learn on; GateError where it forgot."""
    from core.train.continual import ElasticOptions, Frozen  # noqa: PLC0415  (torch, only when it is needed)
    from data.tables import read_table  # noqa: PLC0415
    from pipelines.finance.volatility import KIND  # noqa: PLC0415
    from pipelines.finance.volatility_update import (  # noqa: PLC0415
        LIMIT,
        LearnOptions,
        UpdateRequest,
        update_volatility,
    )

    settings = load_settings()
    model = models.resolve(open_database(settings), base)
    if model.kind != KIND:
        raise InputError(f"{model.name}@{model.version} is a model of kind {model.kind}; an update here needs {KIND}")
    bundle = open_bundle(models.model_folder(settings, model))
    name = name or model.name
    run = run_folder(settings, f"{name}.update", resume)
    request = UpdateRequest(
        base=f"{model.name}@{model.version}",
        where=where,
        references={period: parse_period(period) for period in references},
        forget_limit=LIMIT if limit is None else limit,
        name=name,
        resume=run,
        learn=LearnOptions(seed=seed, elastic=ElasticOptions(frozen=cast(Frozen, frozen))),
    )
    frame = read_table(data, text=[bundle.manifest.spec["series"]["time"], *where]).frame
    made: list[Bundle] = []

    def make(folder: Path, progress: Progress) -> Bundle:
        made.append(update_volatility(bundle, frame, request, folder, progress))
        return made[-1]

    train_and_register(settings, name, make, as_json)
    shutil.rmtree(run, ignore_errors=True)
    if not as_json:
        _tell(made[-1].manifest.about["learned_on"])


def parse_period(text: str) -> tuple[str, str]:
    """`"2007-09:2009-06"` -> its first and last month, day or year."""
    first, colon, last = text.partition(":")
    if not (first and colon and last):
        raise InputError(f"--reference takes FIRST:LAST such as 2007-09:2009-06, got {text!r}")
    return first, last


def _tell(update: dict[str, Any]) -> None:
    """Say what an update gained on new days and lost on old ones."""
    new = update["new"]
    found = {f"new: {new['first']} to {new['last']}": new, **update["old"]}
    cells = [(name, of["days"], f"{of['before']:.4f}", f"{of['after']:.4f}") for name, of in found.items()]
    emit_table("mean loss", ("days of", "days", "before", "after"), cells)
    note("the metrics above are of the new days, forecast before they were learned from")
