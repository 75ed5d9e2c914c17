"""Piece by piece, and part by part, the numbers are those of the whole table, and memory stays bounded."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.pieces import Carried, measure_pieces, measure_to_file
from tests.pipelines.finance.transactions.streams import make_plan, make_reading


def cut(events: Events, rows: int) -> Iterator[Events]:
    for start in range(0, len(events), rows):
        yield events.take(np.arange(start, min(start + rows, len(events))))


@pytest.mark.parametrize("late", [0.0, 0.1])
@pytest.mark.parametrize(("rows", "events"), [(1, 60), (37, 400), (300, 600)])
def test_pieces_give_what_the_whole_table_gives(rows: int, events: int, late: float) -> None:
    plan = make_plan(most_events=40)
    history = make_reading(np.random.default_rng(1), events, plan, late=late, days=200).events

    found = np.concatenate([*measure_pieces(cut(history, rows), plan)])

    np.testing.assert_array_equal(found, measure_table(history, plan))


@pytest.mark.parametrize("partitions", [1, 3])
def test_partitions_write_what_the_whole_table_gives(tmp_path: Path, partitions: int) -> None:
    plan = make_plan(most_events=40)
    events = make_reading(np.random.default_rng(2), 500, plan, late=0.05, cards=30).events

    measure_to_file(lambda: cut(events, 90), plan, tmp_path / "x.npy", rows=len(events), partitions=partitions)

    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), measure_table(events, plan))


def test_what_is_carried_on_is_bounded_by_the_newest_of_each_key() -> None:
    plan = make_plan(most_events=32, counterparts=())
    events = make_reading(np.random.default_rng(3), 3_000, plan, cards=3, days=30).events
    carried = Carried(plan, plan.scopes)

    for piece in cut(events, 200):
        carried.measure(piece)
        assert carried.events is not None
        assert len(carried.events) <= 3 * 32


def test_a_file_that_changes_between_the_readings_is_refused(tmp_path: Path) -> None:
    plan = make_plan()
    events = make_reading(np.random.default_rng(4), 50, plan).events

    with pytest.raises(InputError, match="50 instead of 60"):
        measure_to_file(lambda: cut(events, 20), plan, tmp_path / "x.npy", rows=60, partitions=1)
    with pytest.raises(InputError, match="more than 40"):
        measure_to_file(lambda: cut(events, 20), plan, tmp_path / "x.npy", rows=40, partitions=1)
    with pytest.raises(InputError, match="at least 1, got 0"):
        measure_to_file(lambda: cut(events, 20), plan, tmp_path / "x.npy", rows=50, partitions=0)
