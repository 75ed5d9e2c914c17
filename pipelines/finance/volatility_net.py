"""The network that forecasts the variance of the next day from the 64 days before.

    log variance = linear(lags) + what the experts add

The lags are those of HAR (Corsi 2009): log means of the variance over 1, 5, 22 and 64 days, with the losses of the
last 1, 5 and 22 days, after which variance rises more than after gains. The experts read the window through the
series encoder in units of its own mean variance, so that a calm and a wild year look alike to them; they start at
nothing, and add only what lowers the loss of days that they did not learn from.

Legend: B windows, L days, C channels, K lags, R members.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.blocks import TrunkOptions
from core.encoders.series import PatchEncoder, SeriesOptions
from core.errors import InputError
from core.fusion.adapters import Projection
from core.model import AssayModel, ModelOptions
from core.moe.options import PRESETS
from core.train.loop import Losses, Progress, TrainOptions, TrainReport, train
from pipelines.finance.volatility_days import CHANNELS, WINDOW, Days, Floats, Ints

LAGS = (1, 5, 22, WINDOW)  # days of the means of variance
LOSS_LAGS = (1, 5, 22)
SOFT = 0.05  # of the longest mean, added to the shorter ones: one quiet day has a logarithm far below
AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True)
class VolatilityOptions:
    """What the network is and how it learns; chosen on the validation years of the S&P 500."""

    width: int = 32  # of a token
    patch: int = 8  # days of a patch
    heads: int = 4
    experts: str = "tiny"  # preset of core.moe.options
    members: int = 4  # answers that are averaged
    dropout: float = 0.2
    lr: float = 1e-3
    weight_decay: float = 0.1
    batch: int = 256  # days
    steps: int = 300  # at most
    evaluate_every: int = 20  # steps
    patience: int = 4  # evaluations without gain

    def __post_init__(self) -> None:
        if self.experts not in PRESETS:
            raise InputError(f"experts must be one of {', '.join(PRESETS)}, got {self.experts!r}", code="BAD_OPTION")


class VolatilityNet(nn.Module):
    """Served: `series` (B, L, C), as Days.windows gives it, to `margin` (B,), the log variance in percent^2 a day."""

    def __init__(self, options: VolatilityOptions) -> None:
        super().__init__()
        width = options.width
        series = TrunkOptions(width=width, depth=1, heads=options.heads, dropout=options.dropout)
        trunk = TrunkOptions(
            width=width, depth=1, heads=options.heads, dropout=options.dropout, moe=PRESETS[options.experts](width)
        )
        self.experts = AssayModel(
            {"series": PatchEncoder(SeriesOptions(channels=CHANNELS, trunk=series, patch=options.patch))},
            {"series": Projection(width, width)},
            ModelOptions(trunk=trunk, members=options.members),
        )
        nn.init.zeros_(self.experts.exits[-1].weight_RD)  # type: ignore[arg-type]
        lags = len(LAGS) + len(LOSS_LAGS) + 1
        self.linear = nn.Linear(lags, 1)
        self.center_K: Tensor
        self.scale_K: Tensor
        self.register_buffer("center_K", torch.zeros(lags))
        self.register_buffer("scale_K", torch.ones(lags))

    def forward(self, series: Tensor) -> dict[str, Tensor]:
        return {"margin": self.members(series)[0].mean(dim=-1)}

    def members(self, x_BLC: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log variance of every member (B, R) and the loss of the experts' balance."""
        outputs = self.experts({"series": in_own_units(x_BLC)})
        lag_BK = (lags(x_BLC) - self.center_K) / self.scale_K
        return self.linear(lag_BK) + outputs.member_SBR[-1], outputs.loss

    def start_from(self, x_BLC: Tensor, variance_B: Tensor, target_B: Tensor) -> None:
        """Set the linear part by least squares on the log variance of the day after, its level by the target's."""
        lag_BK = lags(x_BLC).double()
        center_K, scale_K = lag_BK.mean(dim=0), lag_BK.std(dim=0).clamp_min(1e-6)
        z_BK = torch.cat([(lag_BK - center_K) / scale_K, torch.ones_like(lag_BK[:, :1])], dim=1)
        weight_K1 = torch.linalg.lstsq(z_BK, variance_B.double().log()[:, None], driver="gelsd").solution
        fit_B = (z_BK @ weight_K1)[:, 0]
        level = (target_B.double() * torch.exp(-fit_B)).mean().log()
        with torch.no_grad():
            self.center_K.copy_(center_K)
            self.scale_K.copy_(scale_K)
            self.linear.weight.copy_(weight_K1[:-1].T)
            self.linear.bias.copy_(weight_K1[-1] + level)


def lags(x_BLC: Tensor) -> Tensor:
    """Return (B, K): log means of the variance, mean losses of the last days, the last return."""
    return_BL, variance_BL = x_BLC[..., 0], x_BLC[..., 1]
    longest_B = variance_BL.mean(dim=1)
    means = [torch.log(variance_BL[:, -days:].mean(dim=1) + SOFT * longest_B) for days in LAGS]
    losses = [return_BL[:, -days:].clamp_max(0.0).mean(dim=1) for days in LOSS_LAGS]
    return torch.stack([*means, *losses, return_BL[:, -1]], dim=1)


def in_own_units(x_BLC: Tensor) -> Tensor:
    """Return the window with returns and gaps in spreads, and log variances, of its own mean variance."""
    mean_B1 = x_BLC[..., 1].mean(dim=1, keepdim=True)
    spread_B1 = mean_B1.sqrt()
    log_BL = torch.log(x_BLC[..., 1] / mean_B1)
    own = [x_BLC[..., 0] / spread_B1, log_BL, x_BLC[..., 2] / spread_B1, x_BLC[..., 3]]
    return torch.stack(own, dim=-1)


class DayLoss:
    """Days as the training loop takes them: batches of targets, each with the window of the days before it."""

    def __init__(self, days: Days, batch: int, seed: int) -> None:
        self.days, self.batch, self.seed = days, batch, seed
        self.target_N = torch.as_tensor(days.target_N, dtype=torch.float32)

    def batches(self, day_D: Ints, epoch: int) -> Iterator[Ints]:
        """Yield the days of an epoch in an order of its own; what does not fill a batch waits for another epoch."""
        order_D = np.random.default_rng((self.seed, epoch)).permutation(day_D)
        size = min(self.batch, len(order_D))
        for first in range(0, len(order_D) - size + 1, size):
            yield order_D[first : first + size]

    def window(self, day_D: Ints) -> Tensor:
        """What was known before each of these days."""
        return torch.from_numpy(self.days.windows(day_D - 1))

    def __call__(self, model: nn.Module, day_D: Ints) -> Losses:
        """QLIKE up to a constant (Patton 2011): log h + target / h, the mean over days and members."""
        assert isinstance(model, VolatilityNet)
        log_BR, balance = model.members(self.window(day_D))
        fit = (log_BR + self.target_N[day_D][:, None] * torch.exp(-log_BR)).mean()
        return Losses(total=fit + balance, parts={"fit": fit, "balance": balance})


@torch.no_grad()
def forecast(net: VolatilityNet, days: Days, day_D: Ints) -> Floats:
    """Return the variance (D,) forecast for these days, each from the days before it, in percent^2."""
    parts = [
        net(torch.from_numpy(days.windows(day_D[at : at + AT_ONCE] - 1)))["margin"].exp()
        for at in range(0, len(day_D), AT_ONCE)
    ]
    return np.asarray(torch.cat(parts).double().numpy()) if parts else np.empty(0)


def likelihood_loss(variance_D: Floats, target_D: Floats) -> float:
    """Return mean log h + target / h: what is learned from, of forecasts."""
    return float(np.mean(np.log(variance_D) + target_D / variance_D))


def fit_network(
    days: Days,
    fit_D: Ints,
    valid_D: Ints,
    options: VolatilityOptions,
    *,
    seed: int,
    folder: Path | None = None,
    progress: Progress | None = None,
    origin: str = "",
) -> tuple[VolatilityNet, TrainReport]:
    """Train on some days and stop where the loss on others is lowest. The days are numbers of targets."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = VolatilityNet(options)
    loss = DayLoss(days, options.batch, seed)
    variance_B = torch.as_tensor(days.variance_N[fit_D])
    net.start_from(loss.window(fit_D), variance_B, torch.as_tensor(days.target_N[fit_D]))

    def evaluate(model: nn.Module) -> dict[str, float]:
        assert isinstance(model, VolatilityNet)
        return {"gain": -likelihood_loss(forecast(model, days, valid_D), days.target_N[valid_D])}

    report = train(
        net,
        lambda epoch: loss.batches(fit_D, epoch),
        loss,
        TrainOptions(
            steps=options.steps,
            lr=options.lr,
            weight_decay=options.weight_decay,
            warmup=0.1,
            ema=0.95,
            seed=seed,
            best="gain",
            evaluate_every=options.evaluate_every,
            patience=options.patience,
            checkpoint_every_steps=50,
        ),
        folder,
        progress,
        evaluate,
        origin=origin,
    )
    return net, report
