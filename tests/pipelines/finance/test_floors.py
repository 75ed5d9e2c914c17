"""Floors stop a model that is not good enough."""

import pytest

from core.errors import GateError, InputError
from core.metrics.bootstrap import Metric
from pipelines.finance.floors import check_floors, check_names

METRICS = {
    "auc": Metric(value=0.7, low=0.6, high=0.8),
    "ece": Metric(value=0.03, low=0.02, high=0.05),
    "ks": Metric(missing="one class"),
}


def test_a_model_at_its_floors_passes() -> None:
    check_floors(METRICS, {"auc": 0.7, "ece": 0.03})


@pytest.mark.parametrize(
    ("floors", "words"),
    [({"auc": 0.71}, "auc 0.7000 under 0.71"), ({"ece": 0.02}, "ece 0.0300 over 0.02"), ({"ks": 0.1}, "ks is missing")],
)
def test_a_missed_floor_is_named(floors: dict[str, float], words: str) -> None:
    with pytest.raises(GateError, match=words):
        check_floors(METRICS, floors)


def test_a_floor_of_no_metric_is_refused() -> None:
    with pytest.raises(InputError, match="no metric is called acuracy"):
        check_names(["acuracy"])
