"""What a target column means: which of its two values is the bad one, and which rows have none.

The rule: of two numbers the larger is bad (0 and 1, -1 and 1, 1 and 2); of two words, one that is known for bad or good
settles both (true/false, yes/no, bad/good, 违约/正常). Anything else is refused: a guess would turn the model round.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError

ABSENT = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a", "?", "-", "缺失"})
BAD = frozenset(
    {
        "1",
        "yes",
        "y",
        "true",
        "t",
        "bad",
        "default",
        "defaulted",
        "charged_off",
        "late",
        "delinquent",
        "fraud",
        "failed",
    }
    | {"failure", "bankrupt", "loss", "positive", "pos", "是", "坏", "违约", "逾期", "欺诈", "破产", "亏损", "真"}
)
GOOD = frozenset(
    {"0", "no", "n", "false", "f", "good", "paid", "fully_paid", "current", "ok", "negative", "neg", "healthy"}
    | {"否", "好", "正常", "已还", "假"}
)
SHOWN = 5  # values named in a message


@dataclass(frozen=True, kw_only=True)
class LabelRule:
    """The two values as they are written in the target column, after trimming and lower-casing."""

    bad: str  # the value that the model gives the probability of
    good: str

    def to_json(self) -> dict[str, str]:
        """For the bundle."""
        return {"bad": self.bad, "good": self.good}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "LabelRule":
        """From the bundle."""
        return cls(bad=str(raw["bad"]), good=str(raw["good"]))


def find_rule(target: pd.Series) -> LabelRule:
    """Read the rule off a training column. InputError: no label, one class, more than two, or two that say nothing."""
    found = sorted(set(_written(target).unique()) - ABSENT)
    name = str(target.name)
    if len(found) < 2:
        what = f"only the value {found[0]!r}" if found else "no label at all"
        raise InputError(
            f"target {name!r} holds {what}; two classes are needed: check the column and the filter of rows",
            code="ONE_CLASS",
        )
    if len(found) > 2:
        shown = ", ".join(found[:SHOWN]) + (", ..." if len(found) > SHOWN else "")
        raise InputError(
            f"target {name!r} holds {len(found)} values ({shown}); two are needed: name another column, or recode it",
            code="NOT_BINARY",
        )
    return _bad_first(found[0], found[1], name)


def read_labels(target: pd.Series, rule: LabelRule) -> NDArray[np.float64]:
    """Return 1 for bad, 0 for good, NaN where there is no label, (B,). InputError: a value that is neither."""
    written = _written(target)
    y_B = np.full(len(target), np.nan)
    y_B[(written == rule.bad).to_numpy()] = 1.0
    y_B[(written == rule.good).to_numpy()] = 0.0
    odd = np.isnan(y_B) & ~written.isin(ABSENT).to_numpy()
    if odd.any():
        row = int(np.flatnonzero(odd)[0])
        raise InputError(
            f"target {str(target.name)!r} holds {written.iloc[row]!r} (row {row + 1}); "
            f"allowed: {rule.bad!r} (bad), {rule.good!r} (good), or empty",
            code="BAD_LABEL",
        )
    return y_B


def _bad_first(a: str, b: str, name: str) -> LabelRule:
    numbers = pd.to_numeric(pd.Series([a, b]), errors="coerce")
    if numbers.notna().all():
        good, bad = (a, b) if numbers[0] < numbers[1] else (b, a)
        return LabelRule(bad=bad, good=good)
    for bad, good in ((a, b), (b, a)):
        if (bad in BAD or good in GOOD) and bad not in GOOD and good not in BAD:
            return LabelRule(bad=bad, good=good)
    raise InputError(
        f"target {name!r} holds {a!r} and {b!r}, and which of them is bad cannot be told; recode it to 0 and 1",
        code="UNKNOWN_LABELS",
    )


def _written(target: pd.Series) -> pd.Series:
    """Values as trimmed lower-case text; whole numbers without a point, missing as empty."""
    if pd.api.types.is_bool_dtype(target.dtype):
        target = target.astype("str")  # True and False, as a CSV would hold them
    if pd.api.types.is_numeric_dtype(target.dtype):
        numbers = target.to_numpy(dtype=np.float64, na_value=np.nan)
        values, place_B = np.unique(numbers, return_inverse=True)  # NaN is one value
        words = np.asarray(["" if np.isnan(v) else f"{v:.15g}" for v in values], dtype=object)
        return pd.Series(words[place_B], index=target.index, name=target.name, dtype="str")
    text = target.astype("str").where(target.notna(), "")
    text = text.str.strip().str.lower().str.replace(" ", "_")
    return text.str.replace(r"^([+-]?\d+)\.0+$", r"\1", regex=True)
