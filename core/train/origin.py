"""What a run is: a folder's checkpoints are taken up only by a run of the same options, data, model and constraint."""

from dataclasses import asdict
from typing import Any

from torch import nn

from core.train.options import Constraint, TrainOptions


def run_origin(
    model: nn.Module, options: TrainOptions, precision: str, data: str, constraint: Constraint | None
) -> dict[str, Any]:
    """Return what the weights of a run depend on, as plain JSON; how often to save is no such thing."""
    entries = asdict(options) | {"precision": precision}
    return {
        "options": {name: value for name, value in entries.items() if not name.startswith("checkpoint_")},
        "data": data,
        "model": {name: list(tensor.shape) for name, tensor in model.state_dict().items()},
        "constraint": None if constraint is None else constraint.identity,
    }


def difference(theirs: object, mine: object) -> str:
    """Say where two entries differ, by the first name that does.

    >>> difference({"lr": 1, "steps": 9}, {"lr": 1, "steps": 8})
    'steps was 9, now 8'
    """
    if isinstance(theirs, dict) and isinstance(mine, dict):
        for name in sorted(theirs.keys() | mine.keys()):
            if theirs.get(name) != mine.get(name):
                return f"{name} was {theirs.get(name)}, now {mine.get(name)}"
    return f"was {theirs}, now {mine}"
