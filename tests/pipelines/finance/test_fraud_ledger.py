"""A ledger shows every row what was known then, and no more: a planted leak is found."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from data.leakage import leakage_of
from pipelines.finance.fraud_ledger import Ledger, open_ledger
from pipelines.finance.labels import LabelRule
from tests.pipelines.finance.fraud_samples import fraud_frame, fraud_plan

RULE = LabelRule(bad="1", good="0")
DAY_MS = 86_400_000


def opened(frame: pd.DataFrame, **changes: object) -> Ledger:
    return open_ledger(frame, fraud_plan(**changes), RULE)


def features(ledger: Ledger, rows: np.ndarray) -> np.ndarray:
    return ledger.cases(rows).made_CF


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return fraud_frame(800, 1, cards=15).sort_values("time", kind="stable", ignore_index=True)


def test_what_comes_later_changes_no_feature(frame: pd.DataFrame) -> None:
    seen = np.arange(len(frame)) < 500
    rng, changed = np.random.default_rng(0), frame.copy()
    later = np.flatnonzero(~seen)
    for column in ("card", "shop", "amount", "fraud", "channel"):
        changed.loc[later, column] = frame[column].to_numpy()[rng.permutation(later)]
    np.testing.assert_array_equal(features(opened(frame), seen), features(opened(changed), seen))


@pytest.mark.parametrize(("delay_days", "same"), [(7, True), (1, False)])
def test_labels_younger_than_the_delay_change_no_feature(frame: pd.DataFrame, delay_days: int, same: bool) -> None:
    """With a shorter delay the same change of labels shows: the test can fail."""
    first = opened(frame)
    last = np.arange(len(frame)) == len(frame) - 1
    shown = first.times > first.times[-1] - 7 * DAY_MS
    keys = frame["shop"] == frame["shop"].iloc[-1]
    turned = frame.assign(fraud=np.where(shown & keys, 1 - frame["fraud"], frame["fraud"]))
    plan = {"delay_ms": delay_days * DAY_MS}
    before, after = (features(opened(table, **plan), last) for table in (frame, turned))
    assert np.array_equal(before, after, equal_nan=True) is same


def test_a_column_made_of_the_label_is_found(frame: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    leaking = frame.assign(case_opened=np.where(rng.random(len(frame)) < 0.02, 1 - frame["fraud"], frame["fraud"]))
    told = leakage_of(leaking, "fraud", skip=("id", "time"))
    assert told["case_opened"] > 0.95
    assert all(area < 0.9 for name, area in told.items() if name != "case_opened")


def test_the_order_of_the_rows_does_not_matter(frame: pd.DataFrame) -> None:
    everything = np.ones(len(frame), dtype=bool)
    times = pd.to_datetime(frame["time"])
    alone = frame[~times.duplicated(keep=False)].reset_index(drop=True)  # equal times keep the order of the file
    order = np.random.default_rng(3).permutation(len(alone))
    mixed = features(opened(alone.iloc[order].reset_index(drop=True)), everything[: len(alone)])
    np.testing.assert_array_equal(mixed, features(opened(alone), everything[: len(alone)])[order])


def test_a_row_that_is_no_transaction_keeps_its_place_and_is_seen_by_nobody(frame: pd.DataFrame) -> None:
    broken = frame.astype({"time": object, "card": object, "amount": object})
    broken.loc[3, "time"] = "soon"
    broken.loc[4, "card"] = None
    broken.loc[5, "amount"] = "much"
    broken.loc[6, "id"] = broken.loc[2, "id"]
    ledger = opened(broken)
    cases = ledger.cases(np.ones(len(frame), dtype=bool))
    codes = {row: words.partition(":")[0] for row, words in cases.errors.items()}
    assert codes == {3: "NOT_A_TIME", 4: "NO_KEY", 5: "NOT_AN_AMOUNT", 6: "DUPLICATE_ID"}
    assert np.isnan(cases.made_CF[[3, 4, 5, 6]]).all()
    kept = np.setdiff1d(np.arange(len(frame)), [3, 4, 5, 6])
    alone = frame.iloc[kept].reset_index(drop=True)
    np.testing.assert_array_equal(cases.made_CF[kept], features(opened(alone), np.ones(len(alone), dtype=bool)))


def test_times_with_and_without_a_zone_are_not_mixed(frame: pd.DataFrame) -> None:
    mixed = frame.astype({"time": object})
    mixed.loc[7, "time"] = f"{mixed.loc[7, 'time']}+02:00"
    cases = opened(mixed).cases(np.ones(len(frame), dtype=bool))
    assert {row: words.partition(":")[0] for row, words in cases.errors.items()} == {7: "MIXED_ZONES"}


def test_a_card_is_known_to_be_compromised_a_delay_after_its_first_fraud(frame: pd.DataFrame) -> None:
    ledger = opened(frame)
    time = pd.to_datetime(frame["time"])
    first = time[frame["fraud"] == 1].groupby(frame["card"]).min()
    expected = time >= frame["card"].map(first) + pd.Timedelta(days=7)
    assert ledger.compromised.tolist() == expected.tolist()
    assert 0 < expected.sum() < len(frame)
    assert not opened(frame, entity=None).compromised.any()


def test_a_table_of_one_transaction_has_an_empty_past() -> None:
    cases = opened(fraud_frame(1)).cases(np.asarray([True]))
    made = dict(zip(cases.ledger.plan.names, cases.made_CF[0], strict=True))
    assert not cases.errors
    assert (made["card.count.30d"], made["shop.frauds.30d"], made["card+shop.first.90d"]) == (0, 0, 1)
    assert np.isnan(made["card.mean.30d"])
    assert np.isnan(made["shop.risk.30d"])


def test_without_labels_nothing_is_known(frame: pd.DataFrame) -> None:
    ledger = opened(frame.drop(columns="fraud"))
    made = ledger.cases(np.ones(len(frame), dtype=bool)).made_CF
    assert not ledger.compromised.any()
    at = ledger.plan.names.index("shop.frauds.30d")
    assert (made[:, at] == 0).all()


def test_a_column_with_the_name_of_a_feature_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="rename it"):
        opened(frame.assign(**{"card.count.7d": 1}))


def test_a_column_that_the_plan_names_must_be_there(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="no column 'shop'"):
        open_ledger(frame.drop(columns="shop"), replace(fraud_plan(), id_column=None), RULE)
