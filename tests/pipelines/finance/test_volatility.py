"""A volatility model from a table to a bundle that forecasts: point in time, the same bytes, floors, odd tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import GateError, InputError
from core.runtime.engine import Engine
from pipelines.finance.volatility import (
    SeriesRequest,
    columns_of,
    evaluate_series,
    forecast_days,
    score_series,
    train_volatility,
)
from pipelines.finance.volatility_days import WINDOW, read_days
from pipelines.finance.volatility_memory import FILE, unpack
from pipelines.finance.volatility_net import VolatilityOptions, forecast
from tests.pipelines.finance.series_samples import market, one_thread

pytestmark = pytest.mark.slow  # the export of a network takes seconds
one_thread = pytest.fixture(autouse=True)(one_thread)
SHORT = VolatilityOptions(width=16, steps=20, evaluate_every=10)
FRAME = market(500)


def request(**changes: object) -> SeriesRequest:
    base = {"time": "date", "where": {"split": "train"}, "valid_where": {"split": "val"}, "network": SHORT}
    return SeriesRequest(**(base | changes))  # type: ignore[arg-type]


def quiet(share: float, words: str) -> None:
    assert 0 <= share <= 1


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.open(train_volatility(FRAME, request(), tmp_path_factory.mktemp("model") / "bundle", quiet))


def test_the_bundle_forecasts_what_the_network_does(engine: Engine) -> None:
    days = read_days(FRAME, columns_of(engine))
    net = unpack((engine.bundle.folder / FILE).read_bytes()).net
    day = np.arange(WINDOW, len(days.row_N))
    assert np.allclose(forecast_days(engine, days, day), forecast(net, days, day), rtol=1e-4)


def test_the_manifest_says_what_it_is(engine: Engine) -> None:
    manifest = engine.bundle.manifest
    assert manifest.kind == "volatility"
    assert manifest.about["days"]["validation"] == manifest.metrics["validation"]["n"]["value"] == 100
    assert manifest.about["learned"]["until"] == FRAME["date"][FRAME["split"] == "train"].max()
    assert manifest.metrics["validation"]["qlike"]["value"] > 0


def test_a_change_of_the_future_moves_no_forecast_of_the_past(engine: Engine) -> None:
    other = FRAME.copy()
    other.loc[400:, ["open", "high", "low", "close", "volume"]] *= 1.9
    before, after = (score_series(frame, engine)[0] for frame in (FRAME, other))
    assert before["variance_pct2"][:400].equals(after["variance_pct2"][:400])
    assert not before["variance_pct2"][400:].equals(after["variance_pct2"][400:])


def test_a_row_is_forecast_from_as_if_it_were_the_last(engine: Engine) -> None:
    whole = score_series(FRAME, engine)[0]
    for rows in (WINDOW + 1, 300):
        cut = score_series(FRAME.iloc[:rows], engine)[0]
        last = cut["variance_pct2"].iloc[-1]
        assert last == pytest.approx(whole["variance_pct2"][rows - 1], rel=1e-5)


def test_every_row_keeps_its_place_and_bad_ones_say_why(engine: Engine) -> None:
    frame = FRAME.copy()
    frame.loc[200, "close"] = -1.0
    frame.loc[201, "close"] = np.nan
    order = np.random.default_rng(0).permutation(len(frame))
    scored, notes = score_series(frame.iloc[order].reset_index(drop=True), engine)
    assert scored["time"].tolist() == frame["date"].iloc[order].tolist()
    assert notes == ("rows were not in order of date; they were sorted",)
    by_time = scored.set_index("time")
    assert by_time.loc[frame["date"][200], "error"].startswith("BAD_PRICE")
    assert by_time.loc[frame["date"][201], "error"].startswith("NO_PRICE")
    assert by_time.loc[frame["date"][10], "error"] == "NO_HISTORY: a forecast needs 64 trading days, here are 10"
    assert (scored["error"].isna() == scored["variance_pct2"].notna()).all()
    assert scored["variance_pct2"].notna().sum() == len(frame) - 2 - WINDOW
    spread = np.sqrt(252 * scored["variance_pct2"])
    assert np.allclose(scored["volatility_annual_pct"].dropna(), spread.dropna())


def test_rows_that_are_judged_have_the_others_as_history(engine: Engine) -> None:
    found, _ = evaluate_series(FRAME, engine, {"split": "test"})
    assert found.metrics["n"].value == int((FRAME["split"] == "test").sum())
    assert 0 < found.metrics["qlike"].low <= found.metrics["qlike"].value <= found.metrics["qlike"].high


def test_a_table_without_a_column_of_the_model_is_refused(engine: Engine) -> None:
    with pytest.raises(InputError, match="no column 'high'"):
        score_series(FRAME.drop(columns="high"), engine)


def test_the_same_rows_and_seed_give_the_same_bytes(engine: Engine, tmp_path: Path) -> None:
    again = train_volatility(FRAME, request(), tmp_path / "bundle", quiet)
    assert again.manifest_sha256 == engine.bundle.manifest_sha256


def test_one_column_of_prices_is_enough(tmp_path: Path) -> None:
    frame = FRAME[["date", "close", "split"]].rename(columns={"close": "price_usd"})
    engine = Engine.open(train_volatility(frame, request(), tmp_path / "bundle", quiet))
    assert engine.bundle.manifest.about["target"] == "the squared return"
    found, _ = evaluate_series(frame, engine, {"split": "test"})
    assert np.isfinite(found.metrics["qlike"].value)


def test_without_validation_rows_the_newest_fifth_tells_when_to_stop(tmp_path: Path) -> None:
    bundle = train_volatility(FRAME, request(where={}, valid_where={}), tmp_path / "bundle", quiet)
    assert bundle.manifest.about["days"] == {"training": 348, "validation": 87}


def test_a_missed_floor_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"skill .* under 0\.99; qlike .* over 0\.001"):
        train_volatility(FRAME, request(floors={"skill": 0.99, "qlike": 0.001}), tmp_path / "bundle", quiet)
    assert not (tmp_path / "bundle").exists()


def test_a_floor_on_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no floor can be set on auc; allowed: skill, qlike, mse"):
        train_volatility(FRAME, request(floors={"auc": 0.7}), tmp_path / "bundle", quiet)


def test_days_to_learn_from_must_be_others_than_those_that_validate(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="100 days are both learned from and validated on"):
        train_volatility(FRAME, request(where={}), tmp_path / "bundle", quiet)


@pytest.mark.parametrize("rows", [0, 1, 64, 120])
def test_a_series_that_is_too_short_is_refused(rows: int, tmp_path: Path) -> None:
    frame: pd.DataFrame = FRAME.iloc[:rows]
    with pytest.raises(InputError, match=r"trading days and one price before it|at least 100"):
        train_volatility(frame, request(where={}, valid_where={}), tmp_path / "bundle", quiet)
