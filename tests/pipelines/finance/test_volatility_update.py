"""Updates of a volatility model: they learn from newer days, keep what is frozen, and are refused where they forget."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import GateError, InputError
from core.runtime.bundle import Bundle
from core.runtime.engine import Engine
from core.train.continual import ElasticOptions, choose_frozen
from pipelines.finance.volatility import SeriesRequest, columns_of, forecast_days, train_volatility
from pipelines.finance.volatility_days import find_columns, read_days
from pipelines.finance.volatility_evaluate import evaluate_forecasts
from pipelines.finance.volatility_memory import FILE, Knowledge, unpack
from pipelines.finance.volatility_net import VolatilityOptions
from pipelines.finance.volatility_update import (
    LearnOptions,
    UpdateRequest,
    learn,
    loss_on,
    period_days,
    update_volatility,
    with_old,
)
from tests.pipelines.finance.series_samples import market, one_thread

pytestmark = pytest.mark.slow  # the export of a network takes seconds
one_thread = pytest.fixture(autouse=True)(one_thread)
FRAME = market(500)
COLUMNS = find_columns(FRAME, "date", {}, ("split",))
REQUEST = UpdateRequest(base="sp@1", where={"split": "val"})


def quiet(share: float, words: str) -> None:
    assert 0 <= share <= 1


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    network = VolatilityOptions(width=16, steps=20, evaluate_every=10)
    request = SeriesRequest(time="date", where={"split": "train"}, valid_where={"split": "val"}, network=network)
    return train_volatility(FRAME, request, tmp_path_factory.mktemp("model") / "bundle", quiet)


@pytest.fixture(scope="module")
def known(base: Bundle) -> Knowledge:
    return unpack((base.folder / FILE).read_bytes())


def test_an_update_learns_and_says_what_it_did(base: Bundle, tmp_path: Path) -> None:
    strong = LearnOptions(elastic=ElasticOptions(share=0.5), lr=1e-3, steps=20, replay=0)
    bundle = update_volatility(base, FRAME, replace(REQUEST, learn=strong, forget_limit=9.0), tmp_path / "new", quiet)
    told = bundle.manifest.about["learned_on"]
    assert told["base"] == "sp@1"
    assert told["new"]["days"] == 100
    assert told["new"]["after"] < told["new"]["before"]
    assert bundle.manifest.about["learned"]["until"] == FRAME["date"][FRAME["split"] == "val"].max()
    (name,) = told["old"]
    assert name == "the days until " + base.manifest.about["learned"]["until"]
    assert Engine.open(bundle).bundle.manifest.kind == "volatility"


def test_its_metrics_are_forecasts_of_the_base_on_days_it_had_not_seen(base: Bundle, tmp_path: Path) -> None:
    bundle = update_volatility(base, FRAME, REQUEST, tmp_path / "new", quiet)
    engine = Engine.open(base)
    days = read_days(FRAME, columns_of(engine))
    new = np.flatnonzero(FRAME["split"].to_numpy()[days.row_N] == "val")
    judged = evaluate_forecasts(days, new, forecast_days(engine, days, new)).to_json()
    assert bundle.manifest.metrics["validation"]["qlike"]["value"] == pytest.approx(judged["qlike"]["value"], rel=1e-4)


def test_numbers_that_are_frozen_are_those_of_the_base(base: Bundle, known: Knowledge, tmp_path: Path) -> None:
    learned = unpack((update_volatility(base, FRAME, REQUEST, tmp_path / "new", quiet).folder / FILE).read_bytes())
    weights = learned.net.state_dict()
    moved = 0
    for name, mask in choose_frozen(known.fisher, 0.9).items():
        old = known.net.state_dict()[name]
        assert torch.equal(weights[name][mask], old[mask]), name
        moved += int((weights[name] != old).sum())
    assert moved > 0
    assert any(not torch.equal(learned.fisher[name], known.fisher[name]) for name in known.fisher)


def test_an_update_that_forgets_is_refused_and_leaves_nothing(base: Bundle, tmp_path: Path) -> None:
    wild = LearnOptions(elastic=ElasticOptions(share=0.0), lr=0.05, steps=40, replay=0)
    request = replace(REQUEST, learn=wild, references={"2001": ("2001", "2001")})
    with pytest.raises(GateError, match=r"the loss on 2001 grew by .*; allowed are 0\.01"):
        update_volatility(base, FRAME, request, tmp_path / "new", quiet)
    assert not (tmp_path / "new").exists()


def test_days_that_are_known_already_are_not_learned_again(base: Bundle, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sp@1 has learned until .*; give newer days"):
        update_volatility(base, FRAME, replace(REQUEST, where={"split": "train"}), tmp_path / "new", quiet)


def test_a_period_without_days_is_refused(base: Bundle, tmp_path: Path) -> None:
    request = replace(REQUEST, references={"1987": ("1987", "1987")})
    with pytest.raises(InputError, match="no day of 1987 with 64 trading days before it"):
        update_volatility(base, FRAME, request, tmp_path / "new", quiet)


def test_learning_leaves_the_network_that_it_starts_from_alone(known: Knowledge) -> None:
    days = read_days(FRAME, COLUMNS)
    before = {name: tensor.clone() for name, tensor in known.net.state_dict().items()}
    new = np.arange(300, 321)
    learned = learn(known, days, new, LearnOptions(elastic=ElasticOptions(share=0.0), lr=1e-3, replay=0))
    assert all(torch.equal(known.net.state_dict()[name], tensor) for name, tensor in before.items())
    assert loss_on(learned, days, new) < loss_on(known, days, new)


@pytest.mark.parametrize(
    ("first", "last", "start", "end"),
    [
        ("2001-06", "2001-07", "2001-06-01", "2001-07-31"),
        ("2002", "2002", "2002-01-01", "2002-11-29"),
        ("2001-06-05", "2001-06-05", "2001-06-05", "2001-06-05"),
    ],
)
def test_a_period_holds_its_first_and_its_last_day(first: str, last: str, start: str, end: str) -> None:
    days = read_days(FRAME, COLUMNS)
    found = days.time_N[period_days(days, first, last)]
    assert (str(found[0])[:10], str(found[-1])[:10]) == (start, end)


@pytest.mark.parametrize(("first", "last"), [("then", "2001"), ("2001", "now"), ("2001", "2001-13"), ("2001", "20011")])
def test_a_period_that_is_none_is_refused(first: str, last: str) -> None:
    days = read_days(FRAME, COLUMNS)
    with pytest.raises(InputError, match="a period is FIRST:LAST such as 2007-09:2009-06"):
        period_days(days, first, last)


def test_old_days_are_learned_again_beside_new_ones_and_never_later_ones() -> None:
    new = np.arange(300, 310)
    days = with_old(new, LearnOptions(replay=3))
    assert days[:10].tolist() == new.tolist()
    assert len(np.unique(days)) == 40
    assert days[10:].max() < 300
    assert days.min() >= 64
    assert with_old(new, LearnOptions(replay=0)).tolist() == new.tolist()
    assert len(with_old(new, LearnOptions(replay=1000))) == 10 + 300 - 64
    assert with_old(new, LearnOptions(replay=3)).tolist() == days.tolist()


def test_replay_is_no_negative_number() -> None:
    with pytest.raises(InputError, match="replay must be at least 0"):
        LearnOptions(replay=-1)
