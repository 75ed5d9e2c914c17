"""Options: presets are what they say, costs are those of the layer, what cannot work is refused."""

import pytest

from core.errors import InputError
from core.moe.layer import MoELayer
from core.moe.options import PRESETS, MoEOptions, count, grouped, wide


@pytest.mark.parametrize(
    ("name", "experts", "top_k", "least", "groups"),
    [("tiny", 8, 2, None, 1), ("base", 32, 2, None, 1), ("wide", 128, 4, None, 1), ("grouped", 128, 4, 2, 16)],
)
def test_presets_are_what_they_say(name: str, experts: int, top_k: int, least: int | None, groups: int) -> None:
    options = PRESETS[name](24)
    assert (options.experts, options.top_k, options.least, options.groups) == (experts, top_k, least, groups)
    assert options.hidden == 16  # half of the width, up to a multiple of 8
    assert PRESETS[name](24, 40, shared=1).hidden == 40


@pytest.mark.parametrize("options", [wide(16), grouped(16, shared=2), MoEOptions(width=8, hidden=5, top_k=1)])
def test_the_cost_counts_the_parameters_of_the_layer(options: MoEOptions) -> None:
    cost = count(options)
    assert cost.parameters == sum(parameter.numel() for parameter in MoELayer(options).parameters())
    unused = (options.experts - options.top_k) * 3 * options.width * options.hidden
    assert cost.active_parameters == cost.parameters - unused
    assert cost.operations_per_token == 2 * cost.active_parameters


def test_the_cost_tells_the_range_where_the_number_of_experts_depends_on_the_input() -> None:
    cost = count(grouped(256))
    assert cost.least_operations_per_token < cost.operations_per_token
    assert str(cost) == "12.62 M parameters, 0.43 M active, 0.46 to 0.85 M operations per token"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"top_k": 5}, r"top_k must lie in 1\.\.4, got 5"),
        ({"experts": 3, "top_k": 4}, r"top_k must lie in 1\.\.3, got 4"),
        ({"gate": "tanh"}, "gate must be one of softmax, sigmoid, got 'tanh'"),
        ({"balance": "luck"}, "balance must be one of"),
        ({"groups": 3}, "groups must divide the 8 experts, got 3"),
        ({"groups": 8, "groups_kept": 1, "top_k": 2}, "must leave at least top_k=2 experts"),
        ({"least": 3}, r"least must lie in 1\.\.2, got 3"),
        ({"expert_dropout": 1.0}, r"expert_dropout must lie in 0\.\.0\.999"),
        ({"mass": float("nan")}, "mass must lie in"),
    ],
)
def test_what_cannot_work_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        MoEOptions(**({"width": 8, "hidden": 8} | change))  # type: ignore[arg-type]
