"""What `assay augment` reads: series of a table, rules of the data, a policy, and what a search judges on."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from apps.cli.console import parse_where
from core.errors import InputError

if TYPE_CHECKING:
    from pipelines.finance.augment.judge import TreeJudge
    from pipelines.finance.augment.long_table import SeriesTable
    from pipelines.finance.augment.policy import DataRules, Policy


def read(
    data: Path, id_column: str, time: str, value: list[str] | None, label: str | None, where: list[str] | None,
    length: int | None,
) -> "SeriesTable":  # fmt: skip
    from data.tables import read_table  # noqa: PLC0415
    from pipelines.finance.augment.long_table import SeriesColumns, read_series  # noqa: PLC0415

    columns = SeriesColumns(id=id_column, time=time, values=tuple(value or ()), label=label, length=length)
    return read_series(read_table(data, text=[id_column], where=parse_where(where or [])).frame, columns)


def rules_of(
    declared: list[str] | None, values: tuple[str, ...], anchored: bool, time_channel: int | None
) -> "DataRules":
    """`["amount=non_negative", "time=calendar:7"]` as rules of the data; a column may be declared more than once."""
    from pipelines.finance.augment.constraints import TIME, Constraint  # noqa: PLC0415
    from pipelines.finance.augment.policy import DataRules  # noqa: PLC0415

    found: dict[int | str, list[Constraint]] = {}
    for text in declared or []:
        column, equals, kind = text.partition("=")
        name, colon, period = kind.partition(":")
        if not equals or (column not in values and column != TIME):
            raise InputError(f"--constraint takes COLUMN=KIND of a --value column or time, got {text!r}")
        try:
            constraint = Constraint(kind=name, period=float(period)) if colon else Constraint(kind=name)
        except ValueError as error:
            raise InputError(f"--constraint {text}: {error}") from error
        found.setdefault(values.index(column) if column in values else TIME, []).append(constraint)
    return DataRules(constraints=found, time_channel=time_channel, anchored=anchored)


def kinds_of(rules: "DataRules", channels: int) -> frozenset[str]:
    from pipelines.finance.augment.constraints import parse_constraints  # noqa: PLC0415

    return parse_constraints(rules.constraints, channels).all_kinds


def judge_of(table: "SeriesTable", judged: "SeriesTable | None", rules: "DataRules", seed: int) -> "TreeJudge":
    """Trees on summary features; a third of the series is held out where none are given to judge on."""
    import numpy as np  # noqa: PLC0415

    from apps.settings import load_settings  # noqa: PLC0415
    from pipelines.finance.augment import long_table  # noqa: PLC0415
    from pipelines.finance.augment.judge import Labelled, TreeJudge, summary_features, timed_features  # noqa: PLC0415

    if judged is not None and (judged.x_NTC.shape[1] != table.x_NTC.shape[1] or judged.even != table.even):
        raise InputError("the series to judge on have another number of steps, or other times; give --length")
    tables = [table] if judged is None else [table, judged]
    labels = [one.y_N for one in tables if one.y_N is not None]
    if len(labels) < len(tables):
        raise InputError(f"column {table.columns.label!r} changes within series; a search needs one class a series")
    y_N, _ = long_table.class_numbers(np.concatenate(labels))
    x_NTC = np.concatenate([long_table.with_times(one) for one in tables])
    if judged is None:
        fit, held = long_table.split_series(y_N, 1 / 3, seed)
    else:
        fit, held = np.arange(len(table.ids)), np.arange(len(table.ids), len(y_N))
    return TreeJudge(
        fit=Labelled(x_NTC=x_NTC[fit], y_N=y_N[fit]),
        valid=Labelled(x_NTC=x_NTC[held], y_N=y_N[held]),
        features=summary_features if table.even else timed_features,
        rules=rules,
        threads=load_settings().threads or 1,
    )


def chosen_policy(path: Path | None, patterns: list[str] | None, magnitude: str) -> "Policy":
    """The policy of a file, or of patterns that were named. Raises InputError where nothing is left to do."""
    from pipelines.finance.augment.policy import Policy  # noqa: PLC0415

    if path is not None and patterns:
        raise InputError("--policy and --pattern both say what to do; give one of them")
    if path is not None:
        found = _read_policy(path)
        if not found.patterns:
            raise InputError(f"{path} says that no augmentation is best; nothing was made")
        return found
    if not patterns:
        raise InputError("give a --pattern (assay augment patterns lists them), or the --policy of a search")
    low, high = _magnitudes(magnitude)
    return Policy(patterns=tuple(patterns), magnitude_low=low, magnitude_high=high)


def _read_policy(path: Path) -> "Policy":
    from pipelines.finance.augment.policy import Policy  # noqa: PLC0415

    if not path.is_file():
        raise InputError(f"{path} is no file; give policy.json of a search's run")
    try:
        return Policy.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise InputError(f"{path} is no policy: {error}; give policy.json of a search's run") from error


def _magnitudes(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    try:
        return float(low), float(high) if colon else float(low)
    except ValueError as error:
        raise InputError(f"--magnitude takes LOW:HIGH, two numbers above 0, got {text!r}") from error
