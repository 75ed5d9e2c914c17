"""The model: any subset of inputs answers, members and exits are what they say, training drops parts but never all."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.blocks import TrunkOptions
from core.encoders.columns import TableColumn, TableOptions, number_column
from core.encoders.image import open_trunk
from core.encoders.image_tokens import ImageTokens
from core.encoders.series import EventEncoder, EventOptions, PatchEncoder, SeriesOptions
from core.encoders.table import TableEncoder
from core.errors import InputError
from core.fusion.adapters import Projection, Summary
from core.model import AssayModel, ModelOptions, ServedModel, table_model
from core.moe.options import tiny
from core.runtime.export import export_onnx

TABLE = TableOptions(
    columns=(TableColumn(kind="number"), TableColumn(kind="number"), TableColumn(kind="category", categories=3)),
    width=4,
    frequencies=3,
)
INSIDE = TrunkOptions(width=8, depth=1, heads=2)
TRUNK = TrunkOptions(width=16, depth=2, heads=2, moe=tiny(16, 8))


pytestmark = pytest.mark.usefixtures("one_thread")


def full_model(**changes: object) -> AssayModel:
    torch.manual_seed(0)
    encoders = {
        "table": TableEncoder(TABLE),
        "events": EventEncoder(EventOptions(table=TABLE, trunk=INSIDE)),
        "series": PatchEncoder(SeriesOptions(channels=1, trunk=INSIDE)),
        "image": ImageTokens(open_trunk("none"), 8),
    }
    adapters = {"table": Summary(3, 4, 16, 2), **{name: Projection(8, 16) for name in ("events", "series", "image")}}
    options = {"trunk": TRUNK, "members": 2, "exits": (0, 1), **changes}
    model = AssayModel(encoders, adapters, ModelOptions(**options))  # type: ignore[arg-type]
    for exit_ in model.exits:
        nn.init.normal_(exit_.weight_RD)  # so that small differences are seen
    return model


def inputs(batch: int = 3) -> dict[str, Tensor]:
    torch.manual_seed(1)
    rows = torch.randn(batch, 3)
    return {
        "table": rows,
        "events": torch.randn(batch, 5, 3),
        "events_time": -torch.rand(batch, 5) * 30,
        "series": torch.randn(batch, 20, 1),
        "image": torch.rand(batch, 3, 32, 32),
    }


SUBSETS = [
    ("table",),
    ("events", "events_time"),
    ("series",),
    ("image",),
    ("table", "image"),
    ("table", "events", "events_time", "series", "image"),
]


@pytest.mark.parametrize("names", SUBSETS)
def test_any_subset_of_inputs_answers(names: tuple[str, ...]) -> None:
    model = full_model().eval()
    given = {name: inputs()[name] for name in names}
    outputs = model(given)
    assert outputs.member_SBR.shape == (3, 3, 2)
    assert outputs.margin_SB.isfinite().all()
    assert torch.allclose(outputs.margin_SB, outputs.member_SBR.mean(dim=2))
    assert [len(load_E) for load_E in outputs.load_LE] == [8, 8]
    assert set(outputs.places) == {name for name in names if name not in ("table", "events_time")}
    for name, place in outputs.places.items():
        assert outputs.tokens.x_BTD[:, place].shape[1] == {"events": 5, "series": 4, "image": 5}[name]


def test_a_part_masked_away_is_a_part_that_did_not_come() -> None:
    model, whole = full_model().eval(), inputs()
    for gone in ("table", "events", "series", "image"):
        rest = {name: value for name, value in whole.items() if not name.startswith(gone)}
        masks = {gone: torch.tensor([False, True, False])}
        came, wanted = model(whole, masks).margin_SB, model(rest).margin_SB
        assert torch.allclose(came[:, ::2], wanted[:, ::2], atol=1e-5)
        assert not torch.allclose(came[:, 1], wanted[:, 1], atol=1e-3)


def test_a_table_of_hidden_features_is_no_absent_table() -> None:
    model, x = full_model().eval(), inputs()["table"]
    hidden = model({"table": x}, {"table": torch.zeros(3, 3, dtype=torch.bool)}).margin_SB
    absent = model({"table": x}, {"table": torch.zeros(3, dtype=torch.bool)}).margin_SB
    assert torch.allclose(hidden, hidden[:, :1])
    assert not torch.allclose(hidden, absent, atol=1e-3)
    served = ServedModel(table_model(TABLE, ModelOptions(trunk=TRUNK, members=2))).eval()
    given = torch.tensor([[1.0, 0, 1]] * 3)
    other = torch.cat([x[:, :1], torch.randn(3, 1), x[:, 2:]], dim=1)
    assert torch.equal(served(x, given)["margin"], served(other, given)["margin"])
    assert torch.equal(served(x, torch.ones(3, 3))["margin"], served(x)["margin"])


def test_every_input_counts_also_through_attention_alone() -> None:
    model, whole = full_model().eval(), inputs()
    margin = model(whole).margin_SB[-1]
    for name in whole:
        other = {**whole, name: whole[name].flip(0) + 0.5}
        assert not torch.allclose(model(other).margin_SB[-1], margin, atol=1e-4), name


def test_inputs_that_no_encoder_takes_are_refused() -> None:
    model = full_model()
    for names in ((), ("sound",), ("table", "sound"), ("events_time",)):
        with pytest.raises(InputError, match="at least one of table, events, series, image"):
            model({name: torch.zeros(2, 3) for name in names})


def test_training_drops_parts_at_random_but_never_all() -> None:
    model = full_model(drop_parts=0.6).train()
    many = {name: torch.zeros(500, 1) for name in ("table", "series", "image")}
    masks = {"image": torch.arange(500) % 2 == 0, "table": torch.arange(500) < 400, "series": torch.arange(500) < 450}
    torch.manual_seed(3)
    present_PB = model._present(list(many), many, masks)
    given_PB = torch.stack([masks[name] for name in many])
    assert not (present_PB & ~given_PB).any()
    assert torch.equal(present_PB.any(dim=0), given_PB.any(dim=0))
    assert 0.45 < float(present_PB.sum() / given_PB.sum()) < 0.75
    torch.manual_seed(3)
    assert torch.equal(model._present(list(many), many, masks), present_PB)
    model.eval()
    assert torch.equal(model._present(list(many), many, masks), given_PB)


def test_gradients_reach_every_part() -> None:
    model = full_model(drop_parts=0.5).train()
    torch.manual_seed(0)
    outputs = model(inputs(8))
    (outputs.member_SBR.square().mean() + outputs.loss).backward()
    assert float(outputs.loss.detach()) > 0
    for name in (
        "answer_RD",
        "absent.table",
        "encoders.table.vocabulary",
        "adapters.image.mark_D",
        "exits.0.weight_RD",
    ):
        gradient = model.get_parameter(name).grad
        assert gradient is not None
        assert float(gradient.abs().sum()) > 0


def test_the_same_seed_gives_the_same_model() -> None:
    one, other = (full_model(drop_parts=0.5)(inputs()).member_SBR for _ in range(2))
    assert torch.equal(one, other)


def test_a_later_start_goes_on_where_an_earlier_one_stopped() -> None:
    model = full_model().eval()
    tokens, places = model.encode(inputs(), {})
    whole = model.run_trunk(tokens, places)
    first = model.run_trunk(tokens, places, last=1)
    rest = model.run_trunk(first.tokens, places, first=1)
    assert torch.allclose(first.member_SBR, whole.member_SBR[:2], atol=1e-5)
    assert torch.allclose(rest.member_SBR, whole.member_SBR[1:], atol=1e-5)


def test_members_do_not_see_each_other_without_attention() -> None:
    trunk = TrunkOptions(width=16, depth=2, moe=tiny(16, 8))
    model = table_model(TABLE, ModelOptions(trunk=trunk, members=3)).eval()
    x = inputs()["table"]
    before = model({"table": x}).member_SBR
    with torch.no_grad():
        model.adapters["table"].bias_RD[0] += 1
    after = model({"table": x}).member_SBR
    assert torch.allclose(before[..., 1:], after[..., 1:], atol=1e-6)
    assert not torch.allclose(before[..., 0], after[..., 0], atol=1e-5)


def test_a_small_model_learns_what_no_line_can_tell() -> None:
    torch.manual_seed(0)
    x = torch.randn(2_000, 3)
    x[:, 2] = torch.randint(0, 3, (2_000,)).float()
    y = ((x[:, 0] * x[:, 1] > 0) ^ (x[:, 2] == 1)).float()
    columns = (*(number_column(x[:, at]) for at in range(2)), TABLE.columns[2])
    trunk = TrunkOptions(width=32, depth=1, moe=tiny(32, 16))
    table = TableOptions(columns=columns, width=8, frequencies=8, sigma=0.3)
    model = table_model(table, ModelOptions(trunk=trunk, members=4, exits=(0,)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(80):
        rows = slice(step % 5 * 300, step % 5 * 300 + 300)
        outputs = model({"table": x[rows]})
        target = y[rows][None, :, None].expand_as(outputs.member_SBR)
        loss = functional.binary_cross_entropy_with_logits(outputs.member_SBR, target) + outputs.loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        margin_SB = model({"table": x[1_500:]}).margin_SB
    right = ((margin_SB > 0) == (y[1_500:] > 0)).float().mean(dim=1)
    assert float(right[-1]) > 0.9


def test_the_served_model_exports_with_its_exits(tmp_path: Path) -> None:
    trunk = TrunkOptions(width=16, depth=2, moe=tiny(16, 8))
    model = table_model(TABLE, ModelOptions(trunk=trunk, members=3, exits=(1,)))
    for exit_ in model.exits:
        nn.init.normal_(exit_.weight_RD)
    x = torch.tensor([[0.5, math.nan, 2.0], [9.0, -1.0, math.nan], [0.0, 1.0, 7.0]])
    report = export_onnx(ServedModel(model), {"table": x}, tmp_path / "model.onnx")
    assert set(report.differences) == {"margin", "exit_0"}
    assert report.worst < 1e-4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exits": (2,)}, r"within 0\.\.1"),
        ({"exits": (1, 1)}, r"within 0\.\.1"),
        ({"members": 3}, "must have 3 members, got 2"),
        ({"drop_parts": 1.0}, r"drop_parts lie in 0\.\.1"),
        ({"trunk": TrunkOptions(width=16, depth=2)}, "need a trunk with attention"),
    ],
)
def test_models_that_cannot_be_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        full_model(**changes)


class ServedParts(nn.Module):
    """All modalities in one graph; pictures may be absent from a row."""

    def __init__(self) -> None:
        super().__init__()
        self.model = full_model(trunk=TrunkOptions(width=16, depth=1, heads=2), exits=())

    def forward(
        self, table: Tensor, events: Tensor, events_time: Tensor, series: Tensor, image: Tensor, has_image: Tensor
    ) -> dict[str, Tensor]:
        inputs = {"table": table, "events": events, "events_time": events_time, "series": series, "image": image}
        return {"margin": self.model(inputs, {"image": has_image > 0.5}).margin_SB[-1]}


@pytest.mark.slow
def test_all_modalities_export_in_one_graph_of_any_batch_and_length(tmp_path: Path) -> None:
    example = {**inputs(), "has_image": torch.tensor([1.0, 0.0, 1.0])}
    dynamic = {name: (0, 1) if name in ("events", "events_time", "series") else (0,) for name in example}
    assert export_onnx(ServedParts(), example, tmp_path / "parts.onnx", dynamic=dynamic).worst < 1e-4
