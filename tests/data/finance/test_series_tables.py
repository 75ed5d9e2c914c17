import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

from core.errors import InputError
from data.check import check_table
from data.finance.labelled_series import LABELS, LONGEST, SHORTEST, make_labelled_series
from data.finance.market_series import Market, make_prices
from data.finance.series_tables import make_series
from data.tables import read_table


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return make_prices(5_000, 1)


@pytest.fixture(scope="module")
def series() -> pd.DataFrame:
    return make_labelled_series(1_000, 1)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        (tmp_path / name).mkdir()
        paths = make_series(tmp_path / name, rows=500, seed=seed)
        assert [path.name for path in paths] == ["prices.csv", "series.csv", "README.md"]
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]
    assert not set(digests[0]) & set(digests[2])


def test_a_day_lies_between_its_low_and_its_high(prices: pd.DataFrame) -> None:
    whole = prices.dropna()
    assert 1 <= len(prices) - len(whole) < 30
    assert prices[["open", "high", "low", "close", "volume"]].isna().all(axis=1).sum() == len(prices) - len(whole)
    assert (whole["high"] >= whole[["open", "close"]].max(axis=1)).all()
    assert (whole["low"] <= whole[["open", "close"]].min(axis=1)).all()
    assert (whole[["low", "volume"]] > 0).all(axis=None)


def test_dates_rise_and_leave_out_weekends_and_holidays(prices: pd.DataFrame) -> None:
    date = pd.to_datetime(prices["date"])
    assert len(prices) == 5_000
    assert date.is_monotonic_increasing
    assert date.is_unique
    assert date.max() <= pd.Timestamp("2024-12-31")
    assert date.dt.day_of_week.max() == 4
    assert not prices["date"].str.endswith("-12-25").any()
    assert 248 < prices["date"].str.startswith("2015").sum() < 260
    ends = prices.groupby("split")["date"].agg(["min", "max"]).loc[["train", "val", "test"]]
    assert ends["max"].iloc[0] < ends["min"].iloc[1] < ends["max"].iloc[1] < ends["min"].iloc[2]


def test_returns_have_fat_tails_and_volatility_that_comes_in_clusters() -> None:
    whole = make_prices(20_000, 2).dropna()
    returned = np.diff(np.log(whole["close"]))
    assert stats.kurtosis(returned) > 2
    assert abs(np.corrcoef(returned[1:], returned[:-1])[0, 1]) < 0.05
    size = np.abs(returned)
    assert np.corrcoef(size[5:], size[:-5])[0, 1] > 0.1
    after = np.abs(returned[1:])
    assert after[returned[:-1] < 0].mean() > after[returned[:-1] > 0].mean()  # the leverage effect


def test_the_range_of_a_day_agrees_with_its_variance() -> None:
    """Parkinson (1980): the mean of ln(high / low)^2 / (4 ln 2) is the variance of the day's path."""
    whole = make_prices(20_000, 3).dropna()
    by_day = np.log(whole["close"] / whole["open"])
    range_variance = np.mean(np.log(whole["high"] / whole["low"]) ** 2) / (4 * np.log(2))
    assert range_variance == pytest.approx(by_day.var(), rel=0.1)
    night = np.log(whole["open"].to_numpy()[1:] / whole["close"].to_numpy()[:-1])
    assert night.var() / (night.var() + by_day.var()) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("rows", [250, 251, 30_000])
def test_rows_are_as_many_as_asked(rows: int) -> None:
    frame = make_prices(rows, 0)
    assert len(frame) == rows
    assert set(frame["split"]) == {"train", "val", "test"}
    assert frame["date"].str.len().eq(10).all()


@pytest.mark.parametrize("rows", [-5, 0, 249, 30_001])
def test_too_few_or_too_many_rows_are_refused(rows: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must lie in 250\.\.30,000"):
        make_series(tmp_path, rows=rows, seed=0)
    assert not any(tmp_path.iterdir())


def test_a_market_without_a_variance_is_refused() -> None:
    with pytest.raises(InputError, match="no variance"):
        Market(persistence=0.95)
    with pytest.raises(InputError, match="at least 20"):
        make_labelled_series(19, 0)


@pytest.mark.parametrize("count", [20, 50, 1_000])
def test_every_label_is_there(count: int) -> None:
    frame = make_labelled_series(count, 0)
    assert set(frame["label"]) == set(LABELS)
    assert frame["series_id"].nunique() == count


def test_series_keep_their_rules(series: pd.DataFrame) -> None:
    for _, one in series.groupby("series_id"):
        assert (np.diff(one["time"].to_numpy(dtype="datetime64[s]")).astype(int) > 0).all()
        assert (np.diff(one["total_cny"].dropna()) >= 0).all()
        assert one["step"].tolist() == list(range(len(one)))
        assert SHORTEST <= len(one) <= LONGEST
        assert one[["label", "split"]].nunique().tolist() == [1, 1]
        assert one[["amount_cny", "utilization"]].iloc[[0, -1]].notna().all(axis=None)
    assert (series["amount_cny"].dropna() >= 0).all()
    assert series["utilization"].dropna().between(0, 1).all()
    assert ((series["label"] == "normal") == (series.groupby("series_id")["abnormal"].transform("max") == 0)).all()
    assert series["amount_cny"].isna().mean() == pytest.approx(0.07, abs=0.02)
    begin = series[series["step"] == 0].groupby("split")["time"].agg(["min", "max"]).loc[["train", "val", "test"]]
    assert begin["max"].iloc[0] < begin["min"].iloc[1] < begin["max"].iloc[1] < begin["min"].iloc[2]


def features(one: pd.DataFrame) -> list[float]:
    time = one["time"].to_numpy(dtype="datetime64[s]").astype(np.int64)
    turn = np.exp(2j * np.pi * (time % 86_400) / 86_400)
    half = len(one) // 2
    use, amount = one["utilization"], np.log1p(one["amount_cny"])
    return [
        np.quantile(np.diff(time), 0.2),
        np.abs(turn.mean()),
        np.abs(np.angle(turn[:half].mean() / turn[half:].mean())),
        abs(use[:half].mean() - use[half:].mean()),
        amount[half:].mean() - amount[:half].mean(),
        amount[-6:].mean() - amount[:half].mean(),
        amount.rolling(5, min_periods=1).mean().max() - amount.mean(),
        np.log(pd.Series(np.diff(time)).rolling(4).sum().min()),
    ]


def test_labels_can_be_learned_and_not_without_errors(series: pd.DataFrame) -> None:
    groups = {name: one.reset_index(drop=True) for name, one in series.groupby("series_id")}
    x = np.array([features(one) for one in groups.values()])
    label, split = (np.array([one[column].iloc[0] for one in groups.values()]) for column in ("label", "split"))
    forest = RandomForestClassifier(200, class_weight="balanced", random_state=0, n_jobs=1)
    forest.fit(x[split == "train"], label[split == "train"])
    score = balanced_accuracy_score(label[split == "test"], forest.predict(x[split == "test"]))
    assert 0.5 < score < 0.97, score


def test_a_check_finds_nothing_wrong(tmp_path: Path) -> None:
    prices, series, _ = make_series(tmp_path, rows=3_000, seed=0)
    assert check_table(read_table(prices)).findings == ()
    for target in ("label", "abnormal"):
        assert check_table(read_table(series), target=target).findings == ()
