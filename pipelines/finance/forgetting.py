"""Whether an update forgot: the model before and after it on rows of the old kind, and the gate that refuses.

What a model knows about rows is the log loss by which it beats their base rate. What an update forgot is the share of
that which is gone:

    forgotten = (loss after - loss before) / (loss of the base rate - loss before)

Both models are first set to the base rate of the reference rows, by one number added to their log-odds: another share
of bad cases is what an update is there to learn, and no loss of knowledge. All else counts, ranking and slope.

The gate asks a paired bootstrap (both models on the same draws). It opens where the share forgotten seems to be within
the limit and twice the limit lies beyond its 90 % interval: so an update that forgot nothing, and one that forgot twice
as much as is allowed, are each taken for the other in few of many draws of rows. It refuses where more than the limit
seems forgotten and the interval lies above 0. Where the rows can tell neither, it stays shut too, and says how many
rows would do: noise lets no update pass, and is not called forgetting.

B rows.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import GateError, InputError
from core.metrics.binary import auc, log_loss
from core.metrics.bootstrap import Metric
from core.runtime.engine import logistic

Floats = NDArray[np.float64]
LIMIT = 0.05  # share of what the model knew: about .005 of AUC (README, Updates)
BEYOND = 2.0  # times the limit that must be out of the question
DRAWS = 1000
TAIL = 0.05  # on each side: both questions of the gate are one-sided
Verdict = Literal["kept", "forgot", "unclear"]


@dataclass(frozen=True, kw_only=True)
class Quality:
    """A model on labelled rows: as it is served, and its log loss at the rows' own base rate."""

    auc: float
    log_loss: float
    log_loss_at_rate: float
    declined: float  # share of the rows

    def to_json(self) -> dict[str, float]:
        """For the bundle."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class Forgetting:
    """What the reference rows say of an update. `forgotten` has the ends of its 90 % interval as low and high."""

    rows: int
    bad: int
    before: Quality
    after: Quality
    forgotten: Metric
    allowed: float

    @property
    def verdict(self) -> Verdict:
        """What the gate says."""
        share = self.forgotten
        if share.value <= self.allowed:
            return "kept" if share.high <= BEYOND * self.allowed else "unclear"
        return "forgot" if share.low > 0 else "unclear"

    def to_json(self) -> dict[str, Any]:
        """For the bundle."""
        sides = {"before": self.before.to_json(), "after": self.after.to_json()}
        return {"rows": self.rows, "bad": self.bad, **sides, "forgotten": self.forgotten.to_json()} | {
            "allowed": self.allowed
        }

    def check(self, name: str) -> None:
        """GateError (FORGOTTEN, UNCLEAR) in one line, with the metric before and after, what was allowed, and rows."""
        if self.verdict == "kept":
            return
        share, a, b = self.forgotten, self.before, self.after
        words = (
            f"log loss on {self.rows} reference rows {a.log_loss_at_rate:.4f} before, {b.log_loss_at_rate:.4f} after "
            f"(AUC {a.auc:.4f}, {b.auc:.4f}): forgot {share.value:.1%} of what {name} knew "
            f"({share.low:.1%} to {share.high:.1%}), allowed are {self.allowed:.1%}"
        )
        if self.verdict == "forgot":
            raise GateError(
                f"the update was not kept: {words}; nothing was registered: mix old rows into the new ones, or allow "
                "more with --forget-limit",
                code="FORGOTTEN",
            )
        raise GateError(
            f"the update was not kept, as so few rows cannot tell whether it forgot: {words}; nothing was registered: "
            f"give {self._more_rows()} by --reference, or allow more with --forget-limit",
            code="UNCLEAR",
        )

    def _more_rows(self) -> str:
        """How many reference rows would open the gate if the share forgotten is as it seems, where any would."""
        share = self.forgotten
        room = BEYOND * self.allowed - share.value
        if share.value > self.allowed or room <= 0:
            return "more rows"
        return f"about {np.ceil(self.rows * ((share.high - share.value) / room) ** 2):.0f} rows"


def compare(
    before_B: Floats, after_B: Floats, y_B: Floats, *, allowed: float, decline_at: tuple[float, float], seed: int
) -> Forgetting:
    """Compare calibrated log-odds (B,) of both models on rows that neither learned from; y is 0 or 1.

    `decline_at` are the probabilities above which each declines. InputError: one class, or the model before knew
    nothing about these rows.
    """
    if len(np.unique(y_B)) < 2:
        raise InputError("the reference rows hold one class only; both are needed: give others by --reference")
    rate_B = [at_rate(z_B, y_B) for z_B in (before_B, after_B)]
    loss_B, gone_B = _losses(rate_B[0], y_B), _losses(rate_B[1], y_B) - _losses(rate_B[0], y_B)
    if (known := _entropy(y_B.mean()) - loss_B.mean()) <= 0:
        raise InputError(
            f"the model that is updated knows nothing about the {len(y_B)} reference rows (it is no better than their "
            "base rate), so it can forget nothing there; give rows of the kind it was trained on by --reference",
            code="STRANGE_REFERENCE",
        )
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        w_B = np.bincount(rng.integers(0, len(y_B), len(y_B)), minlength=len(y_B)) / len(y_B)
        knew = _entropy(float(np.einsum("b,b", w_B, y_B))) - float(np.einsum("b,b", w_B, loss_B))
        gone = float(np.einsum("b,b", w_B, gone_B))
        drawn.append(gone / knew if knew > 0 else np.inf if gone > 0 else -np.inf)
    low, high = np.quantile(drawn, [TAIL, 1 - TAIL], method="nearest")
    value = float(gone_B.mean() / known)
    largest = float(np.finfo(np.float64).max)  # JSON has no word for infinity
    return Forgetting(
        rows=len(y_B),
        bad=int(y_B.sum()),
        before=quality(before_B, y_B, decline_at[0]),
        after=quality(after_B, y_B, decline_at[1]),
        forgotten=Metric(value=value, low=max(float(low), -largest), high=min(float(high), largest)),
        allowed=allowed,
    )


def quality(z_B: Floats, y_B: Floats, decline_above: float) -> Quality:
    """Measure calibrated log-odds (B,) on rows of both classes."""
    p_B = logistic(z_B)
    return Quality(
        auc=auc(y_B, z_B),
        log_loss=log_loss(y_B, p_B),
        log_loss_at_rate=float(_losses(at_rate(z_B, y_B), y_B).mean()),
        declined=float((p_B > decline_above).mean()),
    )


def at_rate(z_B: Floats, y_B: Floats) -> Floats:
    """Log-odds moved by one number, the likeliest, which makes their mean probability the rows' share of bad ones."""
    low, high = -60.0, 60.0
    for _ in range(80):  # bisection: the mean rises with the shift, and cannot overshoot
        middle = (low + high) / 2
        low, high = (middle, high) if logistic(z_B + middle).mean() < y_B.mean() else (low, middle)
    return np.asarray(z_B + (low + high) / 2, dtype=np.float64)


def _entropy(rate: float) -> float:
    """Log loss of the base rate itself."""
    return float(-sum(share * np.log(share) for share in (rate, 1 - rate) if share > 0))


def _losses(z_B: Floats, y_B: Floats) -> Floats:
    return np.asarray(np.logaddexp(0, z_B) - y_B * z_B, dtype=np.float64)
