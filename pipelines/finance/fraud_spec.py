"""The spec of a fraud model: the features made of the past, then the table's other columns. N rows."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from core.errors import InputError
from data.columns import LARGEST
from data.infer import number_bins
from data.spec import Column, FeatureSpec, infer_spec
from pipelines.finance.fraud_ledger import Cases, Singles
from pipelines.finance.fraud_options import FraudOptions


def make_spec(cases: Cases, options: FraudOptions) -> FeatureSpec:
    """Learn the columns from the cases that are learned from. Features that are always the same are left out.

    InputError: a column named is absent, or no feature is left.
    """
    plan = cases.ledger.plan
    made, notes = [], []
    for at, name in enumerate(plan.names):
        column = _made_column(cases.made_CF[:, at], name, plan.words)
        if column is None:
            notes.append(f"feature {name!r} is not used: it is the same in every row")
        else:
            made.append(column)
    others = _others(cases, options)
    if not made and not others.columns:
        raise InputError("no feature is left: all of them are the same in every row", code="NO_FEATURES")
    return replace(others, columns=(*made, *others.columns), notes=(*notes, *others.notes))


def _others(cases: Cases, options: FraudOptions) -> FeatureSpec:
    """Spec of the columns that play no part."""
    frame = cases.ledger.frame
    if absent := [column for column in (*options.parts, *options.ignore) if column not in frame.columns]:
        words = f"the table has no column {absent[0]!r}; it has {', '.join(map(str, frame.columns))}"
        raise InputError(words, code="UNKNOWN_COLUMN")
    unused = tuple(
        dict.fromkeys(c for c in (*options.parts, *options.ignore) if c not in (options.target, options.id_column))
    )
    try:
        return infer_spec(frame.iloc[cases.row_C], target=options.target, id_column=options.id_column, ignore=unused)
    except InputError as error:
        if error.code != "NO_FEATURES":
            raise
    ignored = tuple(str(name) for name in frame.columns if name != options.target)
    return FeatureSpec(columns=(), target=options.target, id_column=options.id_column, ignored=ignored)


def _made_column(x_N: Singles, name: str, words: Mapping[str, tuple[str, str]]) -> Column | None:
    present = x_N[np.isfinite(x_N) & (np.abs(x_N) <= LARGEST)].astype(np.float64)
    missing = 1.0 - len(present) / max(len(x_N), 1)
    if not len(present) or (missing == 0.0 and present.min() == present.max()):
        return None
    bins, shares = number_bins(present)
    english, chinese = words[name]
    return Column(
        name=name,
        kind="number",
        soft_low=float(present.min()),
        soft_high=float(present.max()),
        missing_rate=missing,
        words_en=english,
        words_zh=chinese,
        boolean=bool(np.isin(present, (0.0, 1.0)).all()),
        mean=float(present.mean()),
        std=float(present.std()),
        bins=bins,
        shares=shares,
    )
