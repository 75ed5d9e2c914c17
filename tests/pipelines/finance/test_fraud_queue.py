"""The queue of a day, against a plain loop over cards and days."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.metrics.binary import auc
from pipelines.finance.fraud_queue import (
    DAY_MS,
    NAMES,
    Judgements,
    alert_rate,
    card_days,
    ceiling_by_day,
    precision_by_day,
    queue_metrics,
)


def rows(seed: int, size: int = 400, *, cards: int = 30, days: int = 6) -> Judgements:
    rng = np.random.default_rng(seed)
    return Judgements(
        time_B=rng.integers(0, days * DAY_MS, size),
        card_B=rng.integers(0, cards, size) * 7_919 - 50_000,
        known_B=rng.random(size) < 0.3,
        y_B=(rng.random(size) < 0.1).astype(np.float64),
        p_B=np.round(rng.random(size), 2),  # with ties
    )


def by_loop(judged: Judgements, cards: int) -> tuple[list[float], list[float]]:
    """Precision and ceiling of each day, card by card."""
    found: dict[int, dict[int, tuple[float, bool]]] = {}
    assert judged.card_B is not None
    for time, card, y, p in zip(judged.time_B, judged.card_B, judged.y_B, judged.p_B, strict=True):
        day = found.setdefault(int(time) // DAY_MS, {})
        before, fraud = day.get(int(card), (-1.0, False))
        day[int(card)] = max(before, float(p)), fraud or y == 1
    precision, ceiling = [], []
    for day in sorted(found):
        ranked = sorted(found[day].items(), key=lambda item: (-item[1][0], item[0]))
        precision.append(sum(fraud for _, (_, fraud) in ranked[:cards]) / cards)
        ceiling.append(min(sum(fraud for _, (_, fraud) in ranked), cards) / cards)
    return precision, ceiling


@pytest.mark.parametrize("cards", [1, 5, 100])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 200))
def test_precision_and_ceiling_are_those_of_a_plain_loop(cards: int, seed: int, size: int) -> None:
    judged = rows(seed, size)
    queue = card_days(judged)
    precision, ceiling = by_loop(judged, cards)
    np.testing.assert_allclose(precision_by_day(queue, cards), precision, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ceiling_by_day(queue, cards), ceiling, rtol=0, atol=1e-12)


def test_a_card_stands_where_its_most_suspicious_transaction_puts_it() -> None:
    judged = Judgements(
        time_B=np.asarray([1, 2, 3, DAY_MS + 1]),
        card_B=np.asarray([7, 7, 8, 8]),
        known_B=np.zeros(4, dtype=bool),
        y_B=np.asarray([1.0, 0.0, 0.0, 0.0]),
        p_B=np.asarray([0.1, 0.9, 0.5, 0.2]),
    )
    queue = card_days(judged)
    assert queue.card_K.tolist() == [7, 8, 8]
    assert queue.row_K.tolist() == [1, 2, 3]
    assert queue.rows_K.tolist() == [2, 1, 1]
    assert queue.places.tolist() == [0, 1, 0]
    assert queue.fraud_K.tolist() == [True, False, False]  # the fraud was another transaction of that day


def test_known_cards_leave_the_queue_and_its_ceiling() -> None:
    judged = rows(3)
    found = queue_metrics(judged, cards=5)
    new = judged.without_known()
    precision, ceiling = by_loop(new, 5)
    assert found[NAMES[2]].value == pytest.approx(np.mean(precision))
    assert found[NAMES[3]].value == pytest.approx(np.mean(ceiling))
    assert found["auc_new_cards"].value == pytest.approx(auc(new.y_B, new.p_B))
    assert found[NAMES[3]].value < found[NAMES[1]].value


def test_a_perfect_ranking_reaches_the_ceiling_and_none_passes_it() -> None:
    judged = rows(4)
    perfect = queue_metrics(Judgements(**{**vars(judged), "p_B": judged.y_B}), cards=4)
    assert perfect[NAMES[0]].value == perfect[NAMES[1]].value
    assert queue_metrics(judged, cards=4)[NAMES[0]].value <= perfect[NAMES[1]].value


def test_the_interval_is_over_days() -> None:
    same = Judgements(
        time_B=np.arange(40) * DAY_MS // 4,
        card_B=np.arange(40) % 4,
        known_B=np.zeros(40, dtype=bool),
        y_B=np.tile([1.0, 0, 0, 0], 10),
        p_B=np.tile([0.9, 0.5, 0.4, 0.3], 10),
    )
    found = queue_metrics(same, cards=2)[NAMES[0]]
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)  # every day is like the others
    varied = queue_metrics(rows(5), cards=5)[NAMES[0]]
    assert varied.low < varied.value < varied.high


def test_without_an_entity_the_metrics_say_why_they_are_missing() -> None:
    none = Judgements(**{**vars(rows(1)), "card_B": None})
    assert {metric.missing for metric in queue_metrics(none).values()} == {"no --entity"}


@pytest.mark.parametrize("per_day", [1, 3, 10.5, 1_000])
def test_the_rate_of_declines_gives_so_many_new_cards_a_day(per_day: float) -> None:
    rng = np.random.default_rng(0)
    judged = Judgements(**{**vars(rows(6, 3_000)), "p_B": rng.permutation(3_000) / 3_000})
    rate = alert_rate(judged, per_day)
    declined = judged.p_B >= np.quantile(judged.p_B, 1 - rate)
    new = card_days(judged.without_known())
    queued = np.bincount(new.day_K, weights=new.p_K >= judged.p_B[declined].min()).sum()
    assert queued == pytest.approx(min(round(per_day * 6), len(new.p_K)), abs=1)
