"""Reasons: the features that moved a case most, by exact contributions, as codes and words.

Contributions are SHAP values in log-odds before calibration: they sum, with the base value, to the margin, and the
calibration is strictly rising, so what raises the margin raises the probability. A reason speaks for the decision:
for review and decline what raised the risk, for approve what lowered it.

B rows, F features, K reasons a row.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from data.spec import Column, FeatureSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Language = Literal["en", "zh"]
LEAST = 0.005  # log-odds: what would be written as 0.00 is no reason
TIES = 9  # digits to which contributions are compared, so that equal ones keep the order of the columns
CODE_LENGTH = 48
NONE = -1  # feature number of an empty place


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One feature of one case. `contribution` is in log-odds, above 0 for more risk; `value` as it was scored.

    What stands beside the model (a hard rule, a doubt) has words alone: no feature and no contribution.
    """

    code: str
    words: str
    words_zh: str
    contribution: float | None = None
    feature: str | None = None
    value: float | str | None = None  # None: missing, or a category that training never saw

    def __str__(self) -> str:
        return f"{self.code}: {self.words}" + ("" if self.contribution is None else f" ({self.contribution:+.2f})")


class RowReasons(Sequence[tuple[Reason, ...]]):
    """Reasons by row, made when they are asked for: a batch of 100,000 rows keeps three small arrays."""

    def __init__(
        self,
        spec: FeatureSpec,
        feature_BK: Ints,
        contribution_BK: Floats,
        value_BK: Floats,
        codes: tuple[str, ...] | None = None,  # of the spec, where they were made before
    ) -> None:
        self.spec = spec
        self._given_codes = codes
        self.feature_BK = feature_BK
        self.contribution_BK = contribution_BK
        self.value_BK = value_BK

    def __len__(self) -> int:
        return len(self.feature_BK)

    @overload
    def __getitem__(self, row: int) -> tuple[Reason, ...]: ...
    @overload
    def __getitem__(self, row: slice) -> list[tuple[Reason, ...]]: ...
    def __getitem__(self, row: int | slice) -> tuple[Reason, ...] | list[tuple[Reason, ...]]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        return tuple(self._reasons(row))

    def placed(self, rows_B: NDArray[np.bool_], part: "RowReasons") -> "RowReasons":
        """These reasons with those of `part`, one after the other, at the rows marked."""
        feature_BK, contribution_BK, value_BK = (
            self.feature_BK.copy(),
            self.contribution_BK.copy(),
            self.value_BK.copy(),
        )
        k = part.feature_BK.shape[1]
        feature_BK[rows_B, :k], contribution_BK[rows_B, :k] = part.feature_BK, part.contribution_BK
        value_BK[rows_B, :k] = part.value_BK
        return RowReasons(self.spec, feature_BK, contribution_BK, value_BK)

    def without(self, codes: Mapping[int, Collection[str]]) -> "RowReasons":
        """These reasons but those with the codes named for a row; the rest move up."""
        feature_BK = self.feature_BK.copy()
        contribution_BK, value_BK = self.contribution_BK.copy(), self.value_BK.copy()
        for row, left_out in codes.items():
            kept = [f != NONE and self._codes[f] not in left_out for f in feature_BK[row].tolist()]
            order = np.argsort(~np.asarray(kept, dtype=np.bool_), kind="stable")
            feature_BK[row] = np.where(np.sort(kept)[::-1], feature_BK[row, order], NONE)
            contribution_BK[row], value_BK[row] = contribution_BK[row, order], value_BK[row, order]
        return RowReasons(self.spec, feature_BK, contribution_BK, value_BK)

    def texts(self, language: Language = "en") -> list[NDArray[np.object_]]:
        """K columns of B texts `CODE: words (contribution)`, None where there is no reason."""
        words_K = [np.full(len(self), None, dtype=object) for _ in range(self.feature_BK.shape[1])]
        for feature, column in enumerate(self.spec.columns):
            row_N, k_N = np.nonzero(self.feature_BK == feature)
            if len(row_N):
                words = _phrases(column, self.value_BK[row_N, k_N], language)
                moved = self.contribution_BK[row_N, k_N].tolist()
                code = self._codes[feature]
                text_N = np.asarray(
                    [f"{code}: {w} ({c:+.2f})" for w, c in zip(words, moved, strict=True)], dtype=object
                )
                for k, column_B in enumerate(words_K):
                    column_B[row_N[k_N == k]] = text_N[k_N == k]
        return words_K

    @cached_property
    def _codes(self) -> tuple[str, ...]:
        return self._given_codes or reason_codes(self.spec)

    def _reasons(self, row: int) -> Iterator[Reason]:
        for k, feature in enumerate(self.feature_BK[row].tolist()):
            if feature != NONE:
                column, value = self.spec.columns[feature], float(self.value_BK[row, k])
                yield Reason(
                    code=self._codes[feature],
                    words=phrase(column, value, "en"),
                    words_zh=phrase(column, value, "zh"),
                    contribution=float(self.contribution_BK[row, k]),
                    feature=column.name,
                    value=_plain(column, value),
                )


def strongest_reasons(
    spec: FeatureSpec, values_BF: Floats, contributions_BF: Floats, lowering_B: NDArray[np.bool_], reasons: int
) -> RowReasons:
    """Choose at most `reasons` features a row: those that raised the risk most, or lowered it where `lowering_B`."""
    k = min(reasons, len(spec.columns))
    toward_BF = np.round(np.where(lowering_B[:, None], -contributions_BF, contributions_BF), TIES)
    feature_BK = np.argsort(-toward_BF, axis=1, kind="stable")[:, :k]
    rows = np.arange(len(values_BF))[:, None]
    kept_BK = toward_BF[rows, feature_BK] >= LEAST
    return RowReasons(
        spec, np.where(kept_BK, feature_BK, NONE), contributions_BF[rows, feature_BK], values_BF[rows, feature_BK]
    )


def no_reasons(spec: FeatureSpec, rows: int, reasons: int) -> RowReasons:
    """Room for `reasons` a row, all empty."""
    shape = (rows, reasons)
    return RowReasons(spec, np.full(shape, NONE), np.zeros(shape), np.full(shape, np.nan))


def reason_codes(spec: FeatureSpec) -> tuple[str, ...]:
    """One code a feature, from its name alone, so that it stays when the model is trained anew.

    Upper case with underscores; a name that this would cut short or mix up with another gets a mark from its hash.
    """
    plain = [re.sub(r"[^A-Z0-9]+", "_", _parted(column.name).upper()).strip("_") for column in spec.columns]
    codes = []
    for column, code in zip(spec.columns, plain, strict=True):
        if not (column.name.isascii() and 0 < len(code) <= CODE_LENGTH and plain.count(code) == 1):
            mark = hashlib.sha256(column.name.encode("utf-8", "surrogatepass")).hexdigest()[:6].upper()
            code = f"{code[: CODE_LENGTH - 7] or 'F'}_{mark}"
        codes.append(code)
    return tuple(codes)


def phrase(column: Column, value: float, language: Language = "en") -> str:
    """Say what a feature is in one case, as "age is 23" or "年龄为23"."""
    value_1 = np.asarray([value], dtype=np.float64)
    return _word(column, float((_four_digits(value_1) if column.kind == "number" else value_1)[0]), language)


def _phrases(column: Column, value_N: Floats, language: Language) -> list[str]:
    """Words for many values; each different value is worded once."""
    if column.kind == "number":
        value_N = _four_digits(value_N)
    different, place_N = np.unique(value_N, return_inverse=True)  # NaN is one value
    worded = np.asarray([_word(column, value, language) for value in different.tolist()], dtype=object)
    words: list[str] = worded[place_N].tolist()
    return words


def _word(column: Column, value: float, language: Language) -> str:
    english = language == "en"
    name = (column.words_en if english else column.words_zh) or column.name
    plain = _plain(column, value)
    if plain is None:
        unknown = ("missing", "缺失") if column.kind == "number" else ("missing or new", "缺失或未见过")
        return f"{name} is {unknown[0]}" if english else f"{name}{unknown[1]}"
    if isinstance(plain, float):
        number = _number(plain)
        if plain in column.special_codes:
            return f"{name} is the code {number}" if english else f"{name}为特殊代码{number}"
        return f"{name} is {number}" if english else f"{name}为{number}"
    return f"{name} is {plain}" if english else f"{name}为{plain}"


def _plain(column: Column, value: float) -> float | str | None:
    if np.isnan(value):
        return None
    return column.categories[int(value)] if column.kind == "category" else value


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _four_digits(value_N: Floats) -> Floats:
    """Round to four significant digits, amounts of 1000 and more to whole ones, as they are written."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits_N = np.clip(3 - np.floor(np.log10(np.abs(value_N))), 0, 300)
    steps_N = 10.0 ** np.where(np.isfinite(digits_N), digits_N, 0)
    return np.asarray(np.round(value_N * steps_N) / steps_N, dtype=np.float64)


def _parted(name: str) -> str:
    """Underscores between the words of camelCase."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
