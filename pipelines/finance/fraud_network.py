"""Networks that read the last transactions of a card and of its counterpart as events, beside the strongest features.

Each sequence (the card's transactions; the outcomes known of the card, and of the shop) stands in columns of the table,
`past_log.1n` ... and `since.1n` ..., so that whatever serves the table serves the networks too. Its events go through
the encoder of irregular events, and the row's answer tokens read them by attention in the trunk of experts.

B rows, F features, L steps, C channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.blocks import TrunkOptions
from core.encoders.columns import TableOptions, number_column
from core.encoders.series import EventEncoder, EventOptions
from core.encoders.table import TableEncoder
from core.fusion.adapters import Projection, Summary
from core.model import AssayModel, ModelOptions
from data.spec import FeatureSpec
from pipelines.finance.network import table_options
from pipelines.finance.network_options import NetworkOptions
from pipelines.finance.transactions.plan import TransactionPlan

Floats = NDArray[np.float64]
STEPS = 6  # transactions of a sequence
STRONGEST = 16  # features beside the sequences, by the gain of the trees
DAY_S = 86_400.0
EVENT_WIDTH, EVENT_HEADS, CELL_WIDTH = 16, 4, 8
TRUNK = NetworkOptions(
    width=32, members=2, history_heads=4, lr=3e-3, most_rows=256, most_epochs=8, patience=2, token=8, frequencies=8
)  # small: a row of twenty tokens costs .4 ms to learn from


@dataclass(frozen=True)
class EventColumns:
    """Columns of the table, the oldest first: seconds since each transaction, and one value of it."""

    name: str
    since: tuple[int, ...]
    value: tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """What the networks read of a table: positions of the strongest features, and the sequences."""

    table: tuple[int, ...]
    sequences: tuple[EventColumns, ...]


def find_reading(spec: FeatureSpec, plan: TransactionPlan, gain_F: Sequence[float]) -> Reading:
    """Find the sequences among the columns of a model, and the features with the highest gain besides."""
    place = {column.name: at for at, column in enumerate(spec.columns)}
    found = []
    if plan.entity is not None:
        found.append(_sequence("card", plan.entity, "since", "past_log", place))
        found.append(_sequence("card_known", plan.entity, "known_since", "past_known", place))
    found += [_sequence(f"shop_{k}", c, "known_since", "past_known", place) for k, c in enumerate(plan.counterparts)]
    sequences = tuple(sequence for sequence in found if sequence.since)
    taken = {at for sequence in sequences for at in (*sequence.since, *sequence.value)}
    ranked = [int(at) for at in np.argsort(-np.asarray(gain_F), kind="stable") if int(at) not in taken]
    return Reading(table=tuple(sorted(ranked[:STRONGEST])), sequences=sequences)


def _sequence(name: str, key: str, since: str, value: str, place: dict[str, int]) -> EventColumns:
    pairs = [(place.get(f"{key}.{since}.{k}n"), place.get(f"{key}.{value}.{k}n")) for k in range(STEPS, 0, -1)]
    there = [(a, b) for a, b in pairs if a is not None and b is not None]
    return EventColumns(name, tuple(a for a, _ in there), tuple(b for _, b in there))


class SequenceReader(nn.Module):
    """Gathers the networks' inputs from the table. What is hidden of an event's time or value hides the event."""

    def __init__(self, reading: Reading, hide: float) -> None:
        super().__init__()
        self.reading, self.hide = reading, hide

    def inputs(self, x_BF: Tensor, given_BF: Tensor | None = None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Inputs and masks of the model; in training some features are hidden, of the table and the sequences alike."""
        if self.training and self.hide:
            kept_BF = torch.rand_like(x_BF) >= self.hide
            given_BF = kept_BF if given_BF is None else kept_BF & given_BF
        shown_BF = x_BF if given_BF is None else torch.where(given_BF, x_BF, torch.full_like(x_BF, torch.nan))
        inputs = {"table": x_BF[:, list(self.reading.table)]}
        for sequence in self.reading.sequences:
            inputs[sequence.name] = shown_BF[:, list(sequence.value)][..., None]
            inputs[f"{sequence.name}_time"] = -shown_BF[:, list(sequence.since)] / DAY_S
        masks = {} if given_BF is None else {"table": given_BF[:, list(self.reading.table)]}
        return inputs, masks


def make_networks(
    reading: Reading, spec: FeatureSpec, x_BF: Floats, options: NetworkOptions, number: int, seed: int
) -> list[AssayModel]:
    """Networks with fresh weights; the columns are learned from training rows, and no label is asked."""
    narrow = replace(spec, columns=tuple(spec.columns[at] for at in reading.table))
    table = replace(table_options(narrow, x_BF[:, list(reading.table)], options), drop=0.0)
    events = {s.name: _events(x_BF[:, list(s.value)]) for s in reading.sequences}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [_network(table, events, options) for _ in range(number)]


def _events(value_BL: Floats) -> EventOptions:
    columns = (number_column(value_BL[~np.isnan(value_BL)]),)
    return EventOptions(
        table=TableOptions(columns=columns, width=CELL_WIDTH, frequencies=8),
        trunk=TrunkOptions(width=EVENT_WIDTH, depth=1, heads=EVENT_HEADS, hidden=2 * EVENT_WIDTH),
    )


def _network(table: TableOptions, events: dict[str, EventOptions], options: NetworkOptions) -> AssayModel:
    encoders: dict[str, nn.Module] = {"table": TableEncoder(table)}
    encoders |= {name: EventEncoder(of_events) for name, of_events in events.items()}
    adapters: dict[str, Summary | Projection] = {
        "table": Summary(len(table.columns), table.width, options.width, options.members)
    }
    adapters |= {name: Projection(EVENT_WIDTH, options.width) for name in events}
    heads = options.history_heads if events else 0
    trunk = TrunkOptions(
        width=options.width, depth=options.depth, moe=options.moe, dropout=options.dropout, heads=heads
    )
    model = ModelOptions(trunk=trunk, members=options.members, drop_parts=options.drop_parts if events else 0.0)
    return AssayModel(encoders, adapters, model)
