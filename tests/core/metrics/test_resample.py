"""Bootstrap weights and intervals."""

import numpy as np

from core.metrics.resample import draw_weights, with_interval


def test_the_first_draw_is_the_data_itself_and_groups_stay_whole() -> None:
    weights = draw_weights(["a", "a", "b", "c"], 50, seed=1)
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 1]).all()


def test_one_group_alone_is_drawn_by_case_and_gives_an_interval() -> None:
    weights = draw_weights(["a"] * 30, 50, seed=1)
    metric = with_interval(lambda w: float(np.dot(w, np.arange(30)) / w.sum()), weights)
    assert metric.low < metric.value < metric.high


def test_a_metric_that_cannot_be_had_is_missing_with_its_cause() -> None:
    def never(weights: np.ndarray) -> float:
        raise ValueError("one class")

    assert with_interval(never, draw_weights(["a", "b"], 5, 0)).to_json() == {"value": None, "missing": "one class"}


def test_the_mean_of_a_normal_sample_has_the_known_interval() -> None:
    x = np.random.default_rng(0).normal(size=400)
    metric = with_interval(lambda w: float(np.dot(w, x) / w.sum()), draw_weights([str(i) for i in range(400)], 2000, 0))
    assert abs((metric.high - metric.low) - 2 * 1.96 * x.std() / 20) < 0.02
