"""How hard the made-up frauds are. Plain loops over the past, independent of the pipelines."""

from collections import defaultdict, deque

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from data.finance.transaction_tables import History, make_transactions
from data.leakage import leakage_of

HOUR, DAY = 3_600, 86_400
PLAIN = ["amount", "distance_km", "hour", "weekday", "category", "channel", "country", "currency"]


def past_of(frame: pd.DataFrame) -> pd.DataFrame:
    """A few features of what came before each row; labels are known after seven days."""
    second = frame["time"].to_numpy(dtype="datetime64[s]").astype(np.int64)
    hour = second % DAY / HOUR
    cards: dict[str, deque[tuple[int, float, float, float]]] = defaultdict(deque)
    met: dict[str, set[str]] = defaultdict(set)
    shops: dict[str, deque[tuple[int, int, str, float]]] = defaultdict(deque)
    found = []
    columns = (frame[name].tolist() for name in ("card_id", "terminal_id", "amount", "is_fraud", "distance_km"))
    for now, clock, card, shop, amount, fraud, away in zip(second, hour, *columns, strict=True):
        own, there = cards[card], shops[shop]
        while own and own[0][0] < now - 30 * DAY:
            own.popleft()
        while there and there[0][0] < now - 37 * DAY:
            there.popleft()
        paid = [row[1] for row in own]
        recent = [row for row in own if row[0] > now - DAY]
        turn = 2 * np.pi / 24
        usual = np.arctan2(sum(np.sin(turn * r[2]) for r in own), sum(np.cos(turn * r[2]) for r in own)) / turn
        known = [row[1] for row in there if row[0] < now - 7 * DAY]
        newest = known[-8:]
        expected = np.mean([row[3] for row in there]) * np.mean(paid) if there and paid else 0.0
        today = [row for row in there if row[0] > now - DAY]
        week = [row for row in there if row[0] > now - 7 * DAY]
        seen = [row[3] for row in recent if row[3] == row[3]]
        found.append(
            (
                len(own),
                len(recent),
                sum(row[0] > now - HOUR for row in recent),
                now - own[-1][0] if own else np.nan,
                amount / np.mean(paid) if sum(paid) else np.nan,
                sum(row[1] for row in recent),
                min((row[1] for row in own if row[0] > now - 5 * DAY), default=np.nan),
                abs((clock - usual + 12) % 24 - 12),
                shop in met[card],
                abs(away - seen[-1]) if seen else np.nan,
                len(known),
                np.mean(known) if known else np.nan,
                np.mean(newest) if newest else np.nan,
                amount / expected if expected else np.nan,
                len({row[2] for row in today}),
                len(today),
                len({row[2] for row in week}) / max(1, len(week)),
                sum(row[3] < 10 for row in today),
                now - there[0][0] if there else 0,
            )
        )
        own.append((now, amount, clock, away))
        met[card].add(shop)
        there.append((now, fraud, card, amount))
    return pd.DataFrame(found, dtype=np.float64).add_prefix("past_")


def precision(train: pd.DataFrame, test: pd.DataFrame, columns: list[str]) -> float:
    """Average precision of boosted trees on the test part."""
    options = {
        "objective": "binary",
        "learning_rate": 0.03,
        "num_leaves": 7,
        "min_data_in_leaf": 60,
        "lambda_l2": 5.0,
        "feature_fraction": 0.7,
        "num_threads": 1,
        "verbose": -1,
        "seed": 0,
    }
    model = lightgbm.train(options, lightgbm.Dataset(train[columns], train["is_fraud"]), 200)
    return float(average_precision_score(test["is_fraud"], model.predict(test[columns])))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_columns_alone_tell_little_and_the_past_tells_much(seed: int) -> None:
    frame = make_transactions(History(rows=100_000, seed=seed))
    time = pd.to_datetime(frame["time"])
    frame = frame.assign(hour=time.dt.hour + time.dt.minute / 60, weekday=time.dt.day_of_week)
    assert max(leakage_of(frame, "is_fraud", {"fraud_kind"}).values()) < 0.9
    for name in ("category", "channel", "country", "currency"):
        frame[name] = frame[name].astype("category")
    frame = pd.concat([frame, past_of(frame)], axis=1)
    train, test = frame[frame["split"] == "train"], frame[frame["split"] == "test"]
    past = [name for name in frame if name.startswith("past_")]
    plain, informed = precision(train, test, PLAIN), precision(train, test, PLAIN + past)
    print(f"\nseed {seed}: average precision {plain:.3f} by columns alone, {informed:.3f} with the past")
    assert plain < 0.15
    assert informed > max(0.15, 3 * plain)  # 0.5 with the usual 200,000 rows
