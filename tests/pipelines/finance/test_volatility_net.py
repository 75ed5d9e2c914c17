"""The network starts as a linear forecast, reads windows in their own units, and sees nothing of the future."""

import numpy as np
import pytest
import torch

from core.errors import InputError
from pipelines.finance.volatility_days import SeriesColumns, read_days
from pipelines.finance.volatility_net import (
    DayLoss,
    VolatilityNet,
    VolatilityOptions,
    fit_network,
    forecast,
    in_own_units,
    lags,
    likelihood_loss,
)
from tests.pipelines.finance.series_samples import market, one_thread

one_thread = pytest.fixture(autouse=True)(one_thread)
DAYS = read_days(market(600), SeriesColumns(time="date", close="close", open="open", high="high", low="low"))
FIT, VALID = np.arange(64, 450), np.arange(450, 598)
SHORT = VolatilityOptions(width=16, steps=30, evaluate_every=10)


def started() -> VolatilityNet:
    torch.manual_seed(0)
    net, loss = VolatilityNet(SHORT), DayLoss(DAYS, 256, 0)
    net.start_from(loss.window(FIT), torch.as_tensor(DAYS.variance_N[FIT]), torch.as_tensor(DAYS.target_N[FIT]))
    return net.eval()


def test_it_starts_as_the_least_squares_fit_at_the_level_of_the_target() -> None:
    net = started()
    with torch.no_grad():
        lag_BK = (lags(torch.from_numpy(DAYS.windows(FIT - 1))) - net.center_K) / net.scale_K
        linear = net.linear(lag_BK)[:, 0].double().numpy()
    assert np.allclose(np.log(forecast(net, DAYS, FIT)), linear, atol=1e-5)
    design = np.c_[lag_BK.numpy(), np.ones(len(FIT))]
    slow = np.linalg.lstsq(design, np.log(DAYS.variance_N[FIT]), rcond=None)[0]
    assert np.allclose(net.linear.weight.detach().numpy()[0], slow[:-1], atol=1e-3)
    assert np.mean(DAYS.target_N[FIT] / np.exp(linear)) == pytest.approx(1.0, abs=1e-4)


def test_a_window_in_its_own_units_does_not_depend_on_its_scale() -> None:
    x = torch.from_numpy(DAYS.windows(FIT[:5]))
    wild = x * torch.tensor([3.0, 9.0, 3.0, 1.0])
    assert torch.allclose(in_own_units(x), in_own_units(wild), atol=1e-4)


def test_lags_are_means_of_the_days_before() -> None:
    x = torch.from_numpy(DAYS.windows(np.array([200])))
    variance, returns = DAYS.variance_N[137:201], DAYS.x_NC[137:201, 0]
    found = lags(x)[0].numpy()
    assert found[1] == pytest.approx(np.log(variance[-5:].mean() + 0.05 * variance.mean()), rel=1e-4)
    assert found[5] == pytest.approx(np.minimum(returns[-5:], 0).mean(), rel=1e-4, abs=1e-6)
    assert found[7] == pytest.approx(returns[-1], rel=1e-4)


def test_training_does_not_end_worse_than_it_starts_on_the_days_that_validate() -> None:
    start = likelihood_loss(forecast(started(), DAYS, VALID), DAYS.target_N[VALID])
    net, report = fit_network(DAYS, FIT, VALID, SHORT, seed=0)
    end = likelihood_loss(forecast(net, DAYS, VALID), DAYS.target_N[VALID])
    assert end <= start + 0.01
    assert report.best_step is not None
    always = float(np.mean(DAYS.target_N[FIT]))
    assert end < likelihood_loss(np.full(len(VALID), always), DAYS.target_N[VALID])


def test_the_same_seed_gives_the_same_forecasts() -> None:
    one, other = (forecast(fit_network(DAYS, FIT, VALID, SHORT, seed=2)[0], DAYS, VALID) for _ in range(2))
    assert np.array_equal(one, other)


def test_the_loss_is_twice_the_normal_likelihood_up_to_a_constant() -> None:
    net, loss = started(), DayLoss(DAYS, 256, 0)
    day = VALID[:9]
    with torch.no_grad():
        found = float(loss(net, day).total)
    assert found == pytest.approx(likelihood_loss(forecast(net, DAYS, day), DAYS.target_N[day]), rel=1e-5)


def test_every_epoch_takes_the_days_in_an_order_of_its_own() -> None:
    loss = DayLoss(DAYS, 100, 0)
    first, again, second = (list(loss.batches(FIT, epoch)) for epoch in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], second[0])
    assert len(np.unique(np.concatenate(first))) == 300


def test_an_unknown_preset_of_experts_is_refused() -> None:
    with pytest.raises(InputError, match="experts must be one of"):
        VolatilityOptions(experts="huge")
