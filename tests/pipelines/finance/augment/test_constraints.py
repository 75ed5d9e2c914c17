"""What is declared of a channel holds after every pattern that does not refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from pipelines.finance.augment.augmentor import TimeSeriesAugmentor
from pipelines.finance.augment.constraints import Constraint, parse_constraints, to_increments, to_totals
from pipelines.finance.augment.patterns import PATTERNS, refusal

DECLARED = {"amount": "non_negative", "total": "cumulative", "part": "share", "count": ["whole", "non_negative"],
            "kind": "fixed"}  # fmt: skip
NAMES = tuple(DECLARED)


def ledger(seed: int, rows: int = 4, steps: int = 24) -> np.ndarray:
    """Amounts near zero, their running total, shares near their limits, counts and a code."""
    rng = np.random.default_rng(seed)
    amount = rng.exponential(1.0, (rows, steps)) * (rng.random((rows, steps)) < 0.6)
    return np.stack([
        amount, np.cumsum(amount, axis=1), np.clip(rng.normal(0.5, 0.5, amount.shape), 0, 1),
        rng.poisson(1.0, amount.shape).astype(float), rng.integers(0, 3, amount.shape).astype(float),
    ], axis=2)  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
@given(seed=st.integers(0, 10_000), with_times=st.booleans())
@settings(max_examples=25, deadline=None)
def test_declared_constraints_hold_after_every_pattern(name: str, seed: int, with_times: bool) -> None:
    x = ledger(seed)
    times = np.cumsum(np.random.default_rng(seed).exponential(1.0, x.shape[:2]), axis=1) if with_times else None
    if with_times and PATTERNS[name].even_grid:
        return
    options = {"per_series": None, "constraints": DECLARED, "channels": NAMES, "anchored": PATTERNS[name].anchored}
    augmentor = TimeSeriesAugmentor([name, "jitter"], (1.0, 3.0), random_state=seed, **options)
    made = augmentor.fit(x, times=times).augment(x, times=times).x
    amount, total, part, count, kind = (made[:, :, channel] for channel in range(5))
    assert np.nanmin(amount, initial=0.0) >= 0
    assert np.all(np.isnan(total) | (total >= np.fmax.accumulate(total, axis=1) - 1e-9))
    assert np.nanmin(part, initial=0.0) >= 0
    assert np.nanmax(part, initial=0.0) <= 1
    assert np.all(np.isnan(count) | ((count == np.rint(count)) & (count >= 0)))
    assert set(np.unique(kind[np.isfinite(kind)])) <= {0.0, 1.0, 2.0}


def test_a_total_cut_into_segments_grows_by_the_same_increments_in_another_order() -> None:
    x = np.cumsum(np.array([[5.0, 1, 0, 2, 7, 0, 0, 3]]), axis=1)[:, :, None]
    augmentor = TimeSeriesAugmentor(["permutation"], constraints={0: "cumulative"}, random_state=1).fit(x)
    made = augmentor.augment(x).x[0, :, 0]
    assert not np.array_equal(made, x[0, :, 0])
    assert sorted(np.diff(made, prepend=5.0)) == sorted(np.diff(x[0, :, 0], prepend=5.0))


def test_totals_and_increments_are_inverse_and_step_over_missing_values() -> None:
    total = np.array([2.0, np.nan, 5.0, 5.0, np.nan, 9.0])[:, None]
    chosen = np.array([True])
    added = to_increments(total, chosen)
    assert added[:, 0] == pytest.approx([0, np.nan, 3, 0, np.nan, 4], nan_ok=True)
    assert to_totals(added, total, chosen) == pytest.approx(total, nan_ok=True)


def test_a_falling_total_is_refused_although_a_value_is_missing_between() -> None:
    x = np.array([[1.0, 3.0, np.nan, 2.0]])
    with pytest.raises(InputError, match="declared cumulative, but holds 1 values"):
        TimeSeriesAugmentor(constraints={0: "cumulative"}).fit(x)


def test_a_series_has_one_calendar() -> None:
    two = {0: Constraint(kind="calendar", period=7), "time": Constraint(kind="calendar", period=5)}
    with pytest.raises(InputError, match=r"one calendar, got periods \[5, 7\]"):
        parse_constraints(two, 1)
    with pytest.raises(InputError, match="period of a calendar must lie above 0"):
        Constraint(kind="calendar", period=0)


def test_only_the_barycentre_refuses_a_calendar_and_only_frequencies_uneven_steps() -> None:
    calendar = frozenset({"calendar"})
    assert [name for name in PATTERNS if refusal(name, calendar, has_times=False, anchored=True)] == ["barycentre"]
    assert [name for name in PATTERNS if refusal(name, frozenset(), has_times=True, anchored=True)] == [
        "frequency_mask"
    ]
