"""Pixel metrics against scikit-learn and plain loops."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from core.metrics.pixels import (
    BINS,
    aupro,
    bins_of,
    grow,
    pixel_auroc,
    pixel_average_precision,
    sum_tallies,
    tally,
    tolerant_f1,
)

Map = NDArray[np.float64]
Mask = NDArray[np.bool_]


def pictures(seed: int, count: int = 3) -> list[tuple[Map, Mask]]:
    """Maps that know something of their masks, on the grid of the bins, so that both sides see the same ties."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        mask = ndimage.gaussian_filter(rng.normal(size=(40, 50)), 3) > 0.12
        logit = ndimage.gaussian_filter(rng.normal(size=(40, 50)), 1) * 4 + 1.5 * mask
        found.append((1 / (1 + np.exp(-logit)), mask))
    return found


def total_of(some: list[tuple[Map, Mask]], threshold: float = 0.5):  # type: ignore[no-untyped-def]
    return sum_tallies([tally(p, mask, threshold) for p, mask in some])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_auroc_and_average_precision_agree_with_scikit_learn(seed: int) -> None:
    some = pictures(seed)
    truth = np.concatenate([mask.ravel() for _, mask in some])
    score = np.concatenate([-bins_of(p).ravel() for p, _ in some])
    assert pixel_auroc(total_of(some)) == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
    assert pixel_average_precision(total_of(some)) == pytest.approx(average_precision_score(truth, score), abs=1e-12)


def test_binning_moves_the_metrics_by_less_than_a_thousandth() -> None:
    some = pictures(5)
    truth = np.concatenate([mask.ravel() for _, mask in some])
    score = np.concatenate([p.ravel() for p, _ in some])
    assert pixel_auroc(total_of(some)) == pytest.approx(roc_auc_score(truth, score), abs=1e-3)
    assert pixel_average_precision(total_of(some)) == pytest.approx(average_precision_score(truth, score), abs=1e-3)


def plain_aupro(some: list[tuple[Map, Mask]], limit: float) -> float:
    """The definition, threshold by threshold, with scipy's regions."""
    score = [-bins_of(p) for p, _ in some]
    clear = np.concatenate([s[~mask] for s, (_, mask) in zip(score, some, strict=True)])
    regions = []
    for s, (_, mask) in zip(score, some, strict=True):
        part, count = ndimage.label(mask, np.ones((3, 3)))
        regions += [s[part == number] for number in range(1, count + 1)]
    points = [(0.0, 0.0)]
    for line in sorted({int(value) for s in score for value in s.ravel()}, reverse=True):
        points.append((float((clear >= line).mean()), float(np.mean([(r >= line).mean() for r in regions]))))
    rate, overlap = np.array(points).T
    grid = np.unique(np.concatenate([rate[rate <= limit], [limit]]))
    area = 0.0
    for left, right in pairwise(grid):
        at_left = overlap[rate <= left].max()  # the curve may rise without a step of the rate
        at_right = (
            np.interp(right, rate, overlap) if right == limit and limit not in rate else overlap[rate == right].min()
        )
        area += (right - left) * (at_left + at_right) / 2
    return area / limit


@pytest.mark.parametrize("limit", [0.3, 0.05])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_aupro_agrees_with_a_plain_loop_over_thresholds(seed: int, limit: float) -> None:
    some = pictures(seed, count=2)
    assert aupro(total_of(some), limit) == pytest.approx(plain_aupro(some, limit), abs=2e-4)


def test_aupro_of_a_perfect_map_is_one() -> None:
    mask = np.zeros((20, 20), bool)
    mask[3:6, 4:9] = True
    assert aupro(tally(mask.astype(float), mask, 0.5)) == pytest.approx(1.0)


def test_a_small_region_counts_as_much_as_a_large_one_in_aupro() -> None:
    mask = np.zeros((40, 40), bool)
    mask[2:30, 2:30] = True
    mask[36:38, 36:38] = True
    only_large = np.where(mask, 0.9, 0.1)
    only_large[36:38, 36:38] = 1e-6
    assert aupro(tally(only_large, mask, 0.5)) == pytest.approx(0.5, abs=0.01)


def test_tolerant_f1_agrees_with_distances() -> None:
    for p, mask in pictures(3):
        predicted = p >= 0.5
        near_mask = ndimage.distance_transform_edt(~mask) <= 2
        near_predicted = ndimage.distance_transform_edt(~predicted) <= 2
        precision, recall = near_mask[predicted].mean(), near_predicted[mask].mean()
        expected = 2 * precision * recall / (precision + recall)
        assert tolerant_f1(tally(p, mask, 0.5)) == pytest.approx(expected, abs=1e-12)


def test_grow_is_a_disc_of_the_given_radius() -> None:
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    assert (grow(mask, 2) == (ndimage.distance_transform_edt(~mask) <= 2)).all()


def test_tallies_of_two_pictures_add_up() -> None:
    first, second = pictures(4, count=2)
    total = sum_tallies([tally(*first, 0.5), tally(*second, 0.5)])
    assert total.defect.sum() == first[1].sum() + second[1].sum()
    assert len(total.clear) == BINS


def test_metrics_without_a_defect_pixel_say_so() -> None:
    nothing = tally(np.full((5, 5), 0.5), np.zeros((5, 5), bool), 0.5)
    for metric in (pixel_auroc, pixel_average_precision, aupro):
        with pytest.raises(ValueError, match="both defect and clear"):
            metric(nothing)
    with pytest.raises(ValueError, match="no true pixel"):
        tolerant_f1(nothing)


def test_a_map_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        tally(np.zeros((4, 5)), np.zeros((5, 4), bool), 0.5)
