"""Floors: the least that a metric must reach on the validation rows before a model is kept."""

from collections.abc import Collection, Iterable, Mapping

from core.errors import GateError, InputError
from core.metrics.bootstrap import Metric

HIGHER = ("auc", "gini", "ks", "average_precision", "best_f1", "recall_at_1pct_fpr", "n", "positives")
LOWER = ("brier", "log_loss", "ece")  # here the floor is a ceiling: lower is better


def check_names(names: Iterable[str], own: Collection[str] = ()) -> None:
    """InputError where a floor names no metric; `own` are those of the kind of model, where higher is better."""
    allowed = (*HIGHER, *LOWER, *own)
    if unknown := sorted(set(names) - set(allowed)):
        raise InputError(f"no metric is called {', '.join(unknown)}; allowed: {', '.join(allowed)}")


def check_floors(metrics: Mapping[str, Metric], floors: Mapping[str, float], ceilings: Collection[str] = LOWER) -> None:
    """GateError naming every metric that is missing, under its floor, or (one of `ceilings`) over it."""
    failed = []
    for name, floor in floors.items():
        metric = metrics[name]
        if metric.missing is not None:
            failed.append(f"{name} is missing ({metric.missing})")
        elif not (metric.value <= floor if name in ceilings else metric.value >= floor):
            failed.append(f"{name} {metric.value:.4f} {'over' if name in ceilings else 'under'} {floor:g}")
    if failed:
        raise GateError(f"the model was not kept, on the validation rows: {'; '.join(failed)}")
