"""The curves of an evaluation, brought into columns for drawing, from either form in which they are kept.

Rows, as the credit evaluation writes them: roc [[fpr, recall, threshold], ...], calibration [{forecast, rate, rows}],
histogram {edges (points), positives, negatives}. Columns: roc {fpr, tpr}, calibration {predicted, observed, low, high,
count}, histogram {edges, bad, good}. A curve that is absent (one class) or has neither form is left out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

Columns = Mapping[str, Sequence[float]]
_Z: Final = 1.959963984540054  # the normal's 97.5 % point


def roc(curves: Mapping[str, Any]) -> Columns | None:
    """Columns fpr and tpr."""
    told = curves.get("roc")
    if isinstance(told, list) and told:
        return {"fpr": [row[0] for row in told], "tpr": [row[1] for row in told]}
    return _with(told, "fpr", "tpr")


def calibration(curves: Mapping[str, Any]) -> Columns | None:
    """Columns predicted, observed, low, high, count; intervals after Wilson where none are kept."""
    told = curves.get("calibration")
    if isinstance(told, list) and told:
        told = {
            "predicted": [row["forecast"] for row in told],
            "observed": [row["rate"] for row in told],
            "count": [row["rows"] for row in told],
        }
    found = _with(told, "predicted", "observed", "count")
    if found is None or "low" in found:
        return found
    ends = [wilson(rate, rows) for rate, rows in zip(found["observed"], found["count"], strict=True)]
    return {**found, "low": [low for low, _ in ends], "high": [high for _, high in ends]}


def histogram(curves: Mapping[str, Any]) -> Columns | None:
    """Columns edges, good, bad."""
    told = curves.get("histogram")
    if isinstance(told, Mapping) and "positives" in told:
        told = {"edges": told["edges"], "good": told["negatives"], "bad": told["positives"]}
    return _with(told, "edges", "good", "bad")


def wilson(rate: float, rows: float) -> tuple[float, float]:
    """95 % interval of a rate over `rows` cases (Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953).

    >>> [round(end, 3) for end in wilson(0.1, 100)]
    [0.055, 0.174]
    """
    if rows <= 0:
        return 0.0, 1.0
    spread = _Z * math.sqrt(rate * (1 - rate) / rows + _Z**2 / (4 * rows**2))
    middle, size = rate + _Z**2 / (2 * rows), 1 + _Z**2 / rows
    return max((middle - spread) / size, 0.0), min((middle + spread) / size, 1.0)


def _with(told: object, *names: str) -> Columns | None:
    if isinstance(told, Mapping) and all(told.get(name) for name in names):
        return told
    return None
