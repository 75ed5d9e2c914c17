"""Histories in a table: columns such as BILL_AMT1 ... BILL_AMT6 are one quantity month after month.

Found by their names and, as a number at the end of a name promises nothing (the 64 ratios of one table are X1 ... X64),
by the training values: steps of a history are the more alike the nearer they lie. No label is asked.

Legend: B rows, F features, T steps, C channels.
"""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.blocks import TrunkOptions
from core.cost import operations_of_block
from core.encoders.columns import TableColumn, TableOptions
from core.encoders.series import PatchEncoder, SeriesOptions
from core.encoders.table import Bins
from core.errors import InputError
from core.model import AssayModel
from data.spec import FeatureSpec

Floats = NDArray[np.float64]
NUMBERED = re.compile(r"(?P<stem>.*[^0-9_\- ]|.*[^_\- ][_\- ])(?P<number>[0-9]+)", re.DOTALL)
FEWEST_STEPS = 4
MOST_STEPS = 120  # ten years of months
ROWS_ASKED = 5_000
ALIKE = 0.3  # least mean |rank correlation| of neighbouring steps
FALL = -0.5  # highest rank correlation of that likeness with the distance of two steps; of unrelated columns near 0
PATCH = 2  # steps of a token


@dataclass(frozen=True)
class History:
    """Positions of columns in the table, [channel][step]; all channels have the same number of steps."""

    columns: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        lengths = sorted({len(steps) for steps in self.columns})
        if len(lengths) != 1 or lengths[0] < 1:
            raise InputError(f"a history needs channels of one length, at least 1, got lengths {lengths}")

    @property
    def channels(self) -> int:
        return len(self.columns)

    @property
    def steps(self) -> int:
        return len(self.columns[0])

    @property
    def tokens(self) -> int:
        """That it brings into the trunk: its level, and its patches."""
        return 1 + math.ceil(self.steps / PATCH)

    def names(self, spec: FeatureSpec) -> list[list[str]]:
        """The columns of each channel, in order."""
        return [[spec.columns[at].name for at in steps] for steps in self.columns]


def find_history(spec: FeatureSpec, x_BF: Floats) -> History | None:
    """Return the history that most columns take part in, or None; of equally many the one with more steps."""
    by_length: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for family in find_families(spec):
        if is_history(_plain(spec, x_BF, family)):
            by_length[len(family)].append(family)
    if not by_length:
        return None
    length = max(by_length, key=lambda steps: (steps * len(by_length[steps]), steps))
    return History(tuple(by_length[length]))


def find_families(spec: FeatureSpec) -> tuple[tuple[int, ...], ...]:
    """Return positions of the number columns of one stem with a number at the end, sorted by it: PAY_1, PAY_2 ...

    Between stem and number there may be `_`, `-` or a space, in all columns of a family alike. A number that stands
    twice (M1 and M01) spoils its family.
    """
    families: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for at, column in enumerate(spec.columns):
        found = NUMBERED.fullmatch(column.name)
        if found and column.kind == "number":
            families[found["stem"]].append((int(found["number"]), at))
    return tuple(
        tuple(at for _, at in sorted(family))
        for family in families.values()
        if FEWEST_STEPS <= len(family) <= MOST_STEPS and len({number for number, _ in family}) == len(family)
    )


def is_history(x_BT: Floats) -> bool:
    """Tell whether neighbouring columns are alike, and columns the less alike the farther apart. NaN is left out."""
    x_BT = x_BT[:: max(1, len(x_BT) // ROWS_ASKED)]
    alike_TT = pd.DataFrame(x_BT).corr("spearman", min_periods=FEWEST_STEPS).abs().fillna(0.0).to_numpy()
    own, other = np.triu_indices(x_BT.shape[1], k=1)
    distance, alike = pd.Series(other - own), pd.Series(alike_TT[own, other])
    if alike[distance == 1].mean() < ALIKE or alike.nunique() < 2:
        return False
    return bool(distance.corr(alike, "spearman") <= FALL)


def series_options(history: History, width: int) -> SeriesOptions:
    """How the history becomes tokens of that width."""
    trunk = TrunkOptions(width=width, depth=1, heads=4, hidden=2 * width)
    return SeriesOptions(channels=history.channels, trunk=trunk, patch=PATCH)


def series_operations(model: AssayModel, history: History) -> int:
    """Return the operations of a row in the encoder of its series, which `core.cost` leaves out."""
    encoder = model.encoders["series"]
    assert isinstance(encoder, PatchEncoder)
    trunk, patches = encoder.options.trunk, history.tokens - 1
    entry = 2 * (patches * encoder.mix.weight.numel() + encoder.level.weight.numel())
    return entry + trunk.depth * operations_of_block(trunk, history.tokens)


class HistoryReader(nn.Module):
    """Gathers the series from a table. It learns nothing, and adds nothing to the weights.

    Numbers become normal scores, on one scale a channel, so that its steps can be compared. Missing values, special
    codes and features that are hidden become NaN: steps that were not seen.
    """

    where_S: Tensor
    code_TCK: Tensor

    def __init__(self, history: History, table: TableOptions) -> None:
        super().__init__()
        self.history, self.drop = history, table.drop
        at_TC = np.asarray(history.columns).T
        most = max((len(table.columns[at].special_codes) for at in at_TC.flat), default=0)
        codes = [[*table.columns[at].special_codes, *[math.nan] * most][:most] for at in at_TC.flat]
        self.register_buffer("where_S", torch.from_numpy(at_TC.flatten()), persistent=False)
        code_TCK = torch.tensor(codes, dtype=torch.float32).reshape(*at_TC.shape, most)
        self.register_buffer("code_TCK", code_TCK, persistent=False)
        self.bins = Bins([_pooled([table.columns[at] for at in steps]) for steps in history.columns])

    def forward(self, x_BF: Tensor, given_BF: Tensor | None = None) -> Tensor:
        """Return the series (B, T, C)."""
        shape = (-1, self.history.steps, self.history.channels)
        x_BTC = x_BF.float()[:, self.where_S].reshape(shape)
        unseen_BTC = x_BTC.isnan()
        for at in range(self.code_TCK.shape[2]):
            unseen_BTC = unseen_BTC | (x_BTC == self.code_TCK[..., at])
        if given_BF is not None:
            unseen_BTC = unseen_BTC | ~given_BF[:, self.where_S].reshape(shape)
        z_BTC: Tensor = self.bins.score(self.bins(x_BTC))
        return torch.where(unseen_BTC, torch.full_like(z_BTC, math.nan), z_BTC)

    def inputs(self, x_BF: Tensor, given_BF: Tensor | None = None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return inputs and masks of the model; in training what is hidden of the table is hidden of the series too."""
        if self.training and self.drop:
            kept_BF = torch.rand_like(x_BF) >= self.drop
            given_BF = kept_BF if given_BF is None else kept_BF & given_BF
        inputs = {"table": x_BF, "series": self(x_BF, given_BF)}
        return inputs, {} if given_BF is None else {"table": given_BF}


def _plain(spec: FeatureSpec, x_BF: Floats, family: Sequence[int]) -> Floats:
    """Values of the columns (B, T), special codes as NaN."""
    x_BT = x_BF[:, list(family)].copy()
    for step, at in enumerate(family):
        x_BT[np.isin(x_BT[:, step], spec.columns[at].special_codes), step] = np.nan
    return x_BT


def _pooled(columns: Sequence[TableColumn]) -> TableColumn:
    """One scale for all steps of a channel: the mean of their normal scores, at edges of all of them."""
    scored = [column for column in columns if column.scores]
    if not scored:
        return TableColumn(kind="number", edges=(0.0, 1.0), scores=(0.0, 0.0))
    edges = np.unique(np.concatenate([column.edges for column in scored]))
    count = max(len(column.edges) for column in scored)
    edges = edges[np.unique(np.linspace(0, len(edges) - 1, count).round().astype(int))]
    scores = np.mean([np.interp(edges, column.edges, column.scores) for column in scored], axis=0)
    return TableColumn(kind="number", edges=tuple(edges.tolist()), scores=tuple(scores.tolist()))
