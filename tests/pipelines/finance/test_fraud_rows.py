"""Which rows are learned from: after the warm-up, all frauds, a share of the others, no late labels."""

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from pipelines.finance.fraud_ledger import Ledger, open_ledger
from pipelines.finance.fraud_options import FraudOptions
from pipelines.finance.fraud_rows import choose_rows
from pipelines.finance.labels import LabelRule
from pipelines.finance.transactions.quantities import DAY_MS
from tests.pipelines.finance.fraud_samples import fraud_frame, fraud_plan


def asked(**changes: object) -> FraudOptions:
    own = {"target": "fraud", "time": "time", "amount": "amount", "entity": "card", "counterparts": ("shop",)}
    return FraudOptions(**(own | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    frame = fraud_frame(2_000, days=100)
    frame["fraud"] = frame["fraud"].astype(object)
    frame.loc[::50, "fraud"] = None
    return open_ledger(frame, fraud_plan(), LabelRule(bad="1", good="0"))


def all_of(ledger: Ledger) -> np.ndarray:
    return np.ones(len(ledger.frame), dtype=bool)


def test_rows_of_the_warm_up_are_history_alone(ledger: Ledger) -> None:
    start = ledger.times.min()
    for warm_up, days in ((None, 30), (0, 0), (10 * DAY_MS, 10)):
        parts = choose_rows(ledger, all_of(ledger), None, asked(warm_up_ms=warm_up))
        learned = parts.fit_R | parts.valid_R
        assert ledger.times[learned].min() >= start + days * DAY_MS
        assert parts.warm_up == ((ledger.times < start + days * DAY_MS) & ~np.isnan(ledger.y_R)).sum()
    assert asked(entity=None, counterparts=()).warm_up == 0  # where nothing has a past, nothing is half empty


def test_the_latest_fifth_validates_and_labels_not_known_by_then_are_not_learned_from(ledger: Ledger) -> None:
    parts = choose_rows(ledger, all_of(ledger), None, asked())
    usable = (ledger.times >= ledger.times.min() + 30 * DAY_MS) & ~np.isnan(ledger.y_R)
    assert parts.valid_R.sum() == pytest.approx(0.2 * usable.sum(), abs=2)
    cut = ledger.times[parts.valid_R].min()
    assert ledger.times[parts.fit_R].max() < cut - 7 * DAY_MS
    assert parts.fit_R.sum() + parts.valid_R.sum() + parts.unknown == usable.sum()
    assert parts.unknown > 0


def test_given_validation_rows_are_taken_as_they_are(ledger: Ledger) -> None:
    half = np.arange(2_000) % 2 == 0
    parts = choose_rows(ledger, half, ~half, asked(warm_up_ms=0))
    assert (parts.valid_R == ~half).all()
    assert (parts.fit_R == (half & ~np.isnan(ledger.y_R))).all()


def test_all_frauds_are_learned_from_and_a_seeded_share_of_the_others(ledger: Ledger) -> None:
    everything = choose_rows(ledger, all_of(ledger), ~all_of(ledger), asked())
    few = choose_rows(ledger, all_of(ledger), ~all_of(ledger), asked(most_learned=500))
    fraud = ledger.y_R == 1
    assert (few.fit_R & fraud).sum() == (everything.fit_R & fraud).sum()
    assert few.fit_R.sum() == 500
    assert few.drawn == pytest.approx((few.fit_R & ~fraud).sum() / (everything.fit_R & ~fraud).sum())
    for draw in few.more_R:  # with other good rows, as far as there are any
        assert (draw & fraud).sum() == (few.fit_R & fraud).sum()
        assert (draw != few.fit_R).any()
    options = [asked(most_learned=500, seed=seed) for seed in (0, 1)]
    again, turned = (choose_rows(ledger, all_of(ledger), ~all_of(ledger), one) for one in options)
    assert (again.fit_R == few.fit_R).all()
    assert (turned.fit_R != few.fit_R).any()


def test_a_history_shorter_than_its_warm_up_says_what_to_do(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="shorten --warm-up"):
        choose_rows(ledger, all_of(ledger), None, asked(warm_up_ms=1_000 * DAY_MS))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"alerts_per_day": 0}, "above 0"),
        ({"alerts_per_day": 5, "target_rate": 0.1}, "give one of them"),
        ({"warm_up_ms": -1}, "0 or more"),
        ({"floors": {"card_precision": 0.5}}, "card_precision_at_100"),
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        asked(**wrong)


@pytest.mark.parametrize(
    ("amounts", "unit"), [([12.5, 3.25], 0.01), ([100, 7], 1.0), ([1.5, None], 0.1), (["1,5", "x"], 0.01)]
)
def test_the_step_of_the_amounts_is_as_fine_as_they_are(amounts: list[object], unit: float) -> None:
    assert asked().plan(pd.DataFrame({"amount": amounts})).unit == unit
