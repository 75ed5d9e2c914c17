"""The origin of a run: it changes with what the weights depend on, and with nothing else."""

import pytest

from core.train.options import TrainOptions
from core.train.origin import difference, run_origin
from tests.core.train.small_run import make_net


class Held:
    identity = "held"

    def on_gradients(self) -> None: ...

    def on_weights(self) -> None: ...


def origin(data: str = "rows", constraint: Held | None = None, **changes: int) -> dict[str, object]:
    options = TrainOptions(**({"steps": 5} | changes))  # type: ignore[arg-type]
    return run_origin(make_net(), options, "fp32", data, constraint)


def test_how_often_a_run_is_saved_is_no_part_of_what_it_is() -> None:
    assert origin() == origin(checkpoint_every_steps=3)


@pytest.mark.parametrize("other", [origin("others"), origin(steps=6), origin(constraint=Held())])
def test_data_options_and_constraint_are_parts_of_what_a_run_is(other: dict[str, object]) -> None:
    assert origin() != other


def test_the_first_difference_is_told_by_name() -> None:
    assert difference({"a": 1, "b": 2}, {"a": 1}) == "b was 2, now None"
    assert difference("rows", "others") == "was rows, now others"
