"""Alignment beside a plain loop over cells, and barycentres whose answer is known."""

import numpy as np
import pytest

from pipelines.finance.augment.dtw import align, barycentre, path


def slow_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The recurrence of Sakoe and Chiba, cell by cell."""
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            step = min(total[i, j], total[i, j + 1], total[i + 1, j])
            total[i + 1, j + 1] = np.nansum((a[i] - b[j]) ** 2) + step
    return float(total[-1, -1])


def test_many_alignments_at_once_equal_the_loop_over_cells() -> None:
    rng = np.random.default_rng(0)
    centre, others = rng.normal(size=(9, 2)), rng.normal(size=(5, 13, 2))
    others[1, 4, 0] = np.nan
    found, total = align(centre, others)
    assert found == pytest.approx([slow_distance(centre, one) for one in others])
    for number in range(5):
        pairs = path(total[number])
        assert pairs[0].tolist() == [0, 0]
        assert pairs[-1].tolist() == [8, 12]
        assert np.all(np.isin(np.diff(pairs, axis=0), (0, 1)))
        cost = np.nansum((centre[pairs[:, 0]] - others[number][pairs[:, 1]]) ** 2)
        assert cost == pytest.approx(found[number])


def test_a_band_of_nothing_compares_step_by_step() -> None:
    a, b = np.random.default_rng(1).normal(size=(2, 8, 1))
    assert align(a, b[None], band=0.0)[0][0] == pytest.approx(float(((a - b) ** 2).sum()))


def test_the_barycentre_of_shifted_peaks_is_one_peak_of_full_height_where_the_mean_has_two_low_ones() -> None:
    peaks = np.zeros((2, 30, 1))
    peaks[0, 10:13], peaks[1, 14:17] = 1.0, 1.0
    assert peaks.mean(axis=0).max() == 0.5
    assert barycentre(peaks, np.ones(2)).max() == pytest.approx(1.0)


def test_weights_draw_the_barycentre_towards_their_series() -> None:
    low, high = np.zeros((6, 1)), np.ones((6, 1))
    both = np.stack([low, high])
    assert barycentre(both, np.array([3.0, 1.0]))[:, 0] == pytest.approx(0.25)
    assert barycentre(both, np.array([1.0, 3.0]))[:, 0] == pytest.approx(0.75)


def test_a_barycentre_lowers_the_summed_distance_that_it_is_defined_by() -> None:
    rng = np.random.default_rng(3)
    many = np.sin(np.linspace(0, 6, 24) + rng.uniform(-0.7, 0.7, (5, 1)))[:, :, None]
    weight = np.array([1.0, 0.5, 0.5, 0.25, 0.25])

    def cost(centre: np.ndarray) -> float:
        return float(weight @ align(centre, many)[0])

    rounds = [cost(barycentre(many, weight, iterations=count)) for count in (0, 1, 3, 8)]
    assert np.all(np.diff(rounds) <= 1e-9)
    assert rounds[-1] < 0.8 * rounds[0]


def test_steps_missing_in_all_series_stay_missing() -> None:
    many = np.ones((3, 5, 1))
    many[:, 2] = np.nan
    assert np.isfinite(barycentre(many, np.ones(3), band=0.0)[:, 0]).tolist() == [True, True, False, True, True]
