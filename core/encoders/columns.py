"""What the table encoder must know of each column, and how it is learned from training values.

Legend: N values, T bins.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from numpy.typing import ArrayLike

from core.errors import InputError

RAREST = 1e-3  # ranks are kept this far from 0 and 1, so that normal scores stay within about 3.1


@dataclass(frozen=True, kw_only=True)
class TableColumn:
    """One column: numbers in the unit of the table, or category codes 0..categories - 1."""

    kind: Literal["number", "category"]
    categories: int = 0  # how many codes; of numbers 0
    special_codes: tuple[float, ...] = ()  # values that are words, not numbers (-9 "not asked"); each has its token
    edges: tuple[float, ...] = ()  # rising bin edges, usually quantiles; needed for piecewise-linear embeddings
    scores: tuple[float, ...] = ()  # what each edge is mapped to instead of (x - mean) / spread, straight in between
    mean: float = 0.0  # of the numbers that are neither missing nor special
    spread: float = 1.0  # their standard deviation

    def __post_init__(self) -> None:
        if (self.kind == "category") != (self.categories > 0):
            raise InputError(f"categories must be > 0 for a category and 0 for a number, got {self.categories}")
        if not all(low < high for low, high in zip(self.edges, self.edges[1:], strict=False)) or len(self.edges) == 1:
            raise InputError(f"edges must be none, or two and more that rise, got {self.edges}")
        if self.scores and len(self.scores) != len(self.edges):
            raise InputError(f"scores must be none or one an edge ({len(self.edges)}), got {len(self.scores)}")
        if not self.spread > 0 or not math.isfinite(self.mean) or not math.isfinite(self.spread):
            raise InputError(f"mean must be finite and spread > 0, got {self.mean} and {self.spread}")


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """How a table becomes tokens."""

    columns: tuple[TableColumn, ...]  # in the order of the table
    width: int  # of a token
    numbers: Literal["periodic", "piecewise"] = "periodic"  # embedding of numbers
    frequencies: int = 24  # of the periodic embedding, per column
    sigma: float = 0.05  # spread of the frequencies at the start; the setting that matters most
    drop: float = 0.0  # share of the features that training hides

    def __post_init__(self) -> None:
        if not self.columns or self.width < 1 or self.frequencies < 1:
            words = f"{len(self.columns)}, {self.width} and {self.frequencies}"
            raise InputError(f"columns, width and frequencies must be at least 1, got {words}")
        if self.sigma <= 0 or not 0 <= self.drop < 1:
            raise InputError(f"sigma must be > 0 and drop lie in 0..1, got {self.sigma} and {self.drop}")
        bare = [at for at, column in enumerate(self.columns) if column.kind == "number" and not column.edges]
        if self.numbers == "piecewise" and bare:
            raise InputError(f"piecewise needs edges for every number; column {bare[0]} has none")


def number_column(
    values_N: ArrayLike, *, special_codes: Sequence[float] = (), bins: int = 48, normal: bool = True
) -> TableColumn:
    """Learn a column of numbers: mean, spread, quantile edges and, if `normal`, the normal score of each edge.

    The score of an edge is the normal quantile of its mid-rank, so ties share one. A column of fewer than two distinct
    numbers gets no edges but around the one it has.

    >>> column = number_column([1, 2, 2, 3, float("nan"), -9], special_codes=[-9], bins=2)
    >>> column.mean, column.edges, [round(score, 2) for score in column.scores]
    (2.0, (1.0, 2.0, 3.0), [-1.15, 0.0, 1.15])
    """
    x_N = torch.as_tensor(values_N, dtype=torch.float64).flatten()
    x_N = x_N[x_N.isfinite() & ~torch.isin(x_N, torch.tensor(list(special_codes), dtype=torch.float64))]
    if len(torch.unique(x_N)) < 2:
        middle = float(x_N[0]) if len(x_N) else 0.0
        x_N = torch.tensor([middle - max(1.0, abs(middle)), middle, middle + max(1.0, abs(middle))])
    x_N = x_N.double().sort().values
    ranks = torch.linspace(0, len(x_N) - 1, bins + 1, dtype=torch.float64).round().long()
    edges = torch.unique(x_N[ranks].float()).double()  # unique in the encoder's precision
    below, upto = (
        torch.searchsorted(x_N.float(), edges.float()),
        torch.searchsorted(x_N.float(), edges.float(), right=True),
    )
    rank = ((below + upto) / 2 / len(x_N)).clamp(RAREST, 1 - RAREST).double()
    return TableColumn(
        kind="number",
        special_codes=tuple(float(code) for code in special_codes),
        edges=tuple(edges.tolist()) if len(edges) > 1 else (),
        scores=tuple(torch.special.ndtri(rank).tolist()) if normal and len(edges) > 1 else (),
        mean=float(x_N.mean()),
        spread=max(float(x_N.std(correction=0)), 1e-12),
    )
