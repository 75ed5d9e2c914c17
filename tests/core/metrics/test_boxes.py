"""Average precision of boxes against cases worked by hand and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from core.metrics.boxes import BoxList, match, mean_average_precision, overlaps


def boxes(rows: list[tuple[float, ...]], labels: list[int] | None = None, scores: list[float] | None = None) -> BoxList:
    return BoxList(
        np.array(rows, float).reshape(-1, 4),
        np.array(labels if labels is not None else [0] * len(rows), np.int64),
        np.array(scores if scores is not None else [1.0] * len(rows)),
    )


def test_overlap_of_half_shifted_squares_is_a_third() -> None:
    assert overlaps(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).tolist() == [[1 / 3, 0.0]]


def test_perfect_boxes_have_an_average_precision_of_one() -> None:
    true = [boxes([(0, 0, 4, 4), (6, 6, 9, 9)]), boxes([(1, 1, 3, 3)])]
    assert mean_average_precision(match(true, true, 0.5)) == 1.0


def test_a_second_box_on_the_same_defect_is_a_false_alarm() -> None:
    true = [boxes([(0, 0, 4, 4), (10, 10, 14, 14)])]
    found = [boxes([(0, 0, 4, 4), (0, 0, 4, 4), (10, 10, 14, 14)], scores=[0.9, 0.8, 0.7])]
    assert mean_average_precision(match(found, true, 0.5)) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_box_of_another_class_does_not_hit() -> None:
    true, found = [boxes([(0, 0, 4, 4)], [0])], [boxes([(0, 0, 4, 4)], [1])]
    assert mean_average_precision(match(found, true, 0.5)) == 0.0


def test_the_asked_overlap_decides() -> None:
    true, found = [boxes([(0, 0, 10, 10)])], [boxes([(0, 0, 10, 4)])]
    assert mean_average_precision(match(found, true, 0.33)) == 1.0
    assert mean_average_precision(match(found, true, 0.5)) == 0.0


def test_ranking_agrees_with_scikit_learn_when_precision_falls_anyway() -> None:
    """Interpolated and plain average precision are equal when hits come before false alarms within each recall step."""
    true = [boxes([(0, 0, 4, 4)]) for _ in range(4)]
    hit = [True, True, False, True]
    found = [
        boxes([(0, 0, 4, 4) if h else (20, 20, 22, 22)], scores=[s])
        for h, s in zip(hit, [0.9, 0.8, 0.3, 0.7], strict=True)
    ]
    expected = average_precision_score(hit, [0.9, 0.8, 0.3, 0.7]) * 3 / 4
    assert mean_average_precision(match(found, true, 0.5)) == pytest.approx(expected)


def test_weights_of_two_equal_a_doubled_set() -> None:
    true = [boxes([(0, 0, 4, 4)]), boxes([(0, 0, 4, 4)])]
    found = [boxes([(0, 0, 4, 4)], scores=[0.2]), boxes([(9, 9, 12, 12)], scores=[0.9])]
    doubled = mean_average_precision(match([*found, found[1]], [*true, true[1]], 0.5))
    assert mean_average_precision(match(found, true, 0.5), np.array([1.0, 2.0])) == pytest.approx(doubled)


def test_without_a_true_box_there_is_no_value() -> None:
    with pytest.raises(ValueError, match="no true box"):
        mean_average_precision(match([boxes([(0, 0, 1, 1)])], [boxes([])], 0.5))
