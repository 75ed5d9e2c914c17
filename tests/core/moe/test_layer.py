"""The layer: masks, shared experts, its loss, precision, and a bias that survives a resumption."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from core.errors import InputError
from core.moe.layer import MoELayer
from core.moe.options import MoEOptions, grouped, tiny
from core.train.loop import Losses, TrainOptions, train


@pytest.mark.parametrize("options", [tiny(16, shared=1), grouped(16), tiny(16, top_k=1, gate="sigmoid")])
def test_a_token_out_of_the_mask_gives_zero_and_changes_nothing(options: MoEOptions) -> None:
    torch.manual_seed(0)
    layer, x_BTD = MoELayer(options), torch.randn(2, 6, 16)
    mask_BT = torch.tensor([[True] * 4 + [False] * 2, [False] + [True] * 5])
    x_BTD[~mask_BT] = float("nan")
    mixed = layer(x_BTD, mask_BT)
    alone = layer(x_BTD[mask_BT].unsqueeze(0))
    assert not mixed.y_BTD[~mask_BT].any()
    torch.testing.assert_close(mixed.y_BTD[mask_BT], alone.y_BTD[0])
    torch.testing.assert_close(mixed.loss, alone.loss)
    assert torch.equal(mixed.load_E, alone.load_E)
    (mixed.y_BTD.sum() + mixed.loss).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in layer.parameters())


def test_shared_experts_see_every_token() -> None:
    torch.manual_seed(0)
    layer, x_BTD = MoELayer(tiny(16, shared=2)).eval(), torch.randn(2, 5, 16)
    assert layer.shared is not None
    with torch.no_grad():
        layer.experts.out_EHD.zero_()
    torch.testing.assert_close(layer(x_BTD).y_BTD, layer.shared(x_BTD))


def test_the_loss_is_for_training_only() -> None:
    torch.manual_seed(0)
    layer, x_BTD = MoELayer(tiny(16, z_weight=0.1)), torch.randn(2, 5, 16)
    assert layer(x_BTD).loss.item() > 0.01
    assert float(layer.eval()(x_BTD).loss) == 0


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"x_BTD must be \(batch, tokens, 16\), got \(2, 16\)"):
        MoELayer(tiny(16))(torch.randn(2, 16))


def test_under_autocast_experts_compute_in_bfloat16() -> None:
    torch.manual_seed(0)
    layer, x_BTD = MoELayer(tiny(16, shared=1)), torch.randn(2, 5, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = layer(x_BTD)
    assert mixed.y_BTD.dtype == torch.bfloat16
    assert mixed.loss.dtype == torch.float32
    torch.testing.assert_close(mixed.y_BTD.float(), layer(x_BTD).y_BTD, rtol=0.05, atol=0.02)
    (mixed.y_BTD.float().sum() + mixed.loss).backward()
    assert layer.experts.in_EDF.grad is not None
    assert layer.experts.in_EDF.grad.dtype == torch.float32


def test_the_bias_follows_the_load_once_per_step_also_where_activations_are_computed_anew() -> None:
    torch.manual_seed(0)
    plain, x_BTD = MoELayer(tiny(16, balance="bias")), torch.randn(2, 5, 16)
    again = MoELayer(plain.options)
    again.load_state_dict(plain.state_dict())
    plain(x_BTD).y_BTD.sum().backward()
    checkpoint(lambda x: again(x).y_BTD, x_BTD, use_reentrant=False).sum().backward()  # type: ignore[no-untyped-call]
    assert plain.router.bias_E is not None
    assert plain.router.bias_E.abs().max() > 0
    assert torch.equal(plain.state_dict()["router.bias_E"], again.state_dict()["router.bias_E"])
    bias_E = plain.router.bias_E.clone()
    plain.eval()(x_BTD)
    with torch.no_grad():
        plain.train()(x_BTD)
    assert torch.equal(plain.router.bias_E, bias_E)


def test_a_run_that_is_cut_ends_with_the_bias_of_a_run_that_was_not(tmp_path: Path) -> None:
    class CutError(Exception):
        """The run ends here."""

    def step_loss(model: torch.nn.Module, x_BTD: Tensor) -> Losses:
        mixed = model(x_BTD)
        return Losses((mixed.y_BTD - x_BTD).square().mean() + mixed.loss)

    def batches(epoch: int) -> list[Tensor]:
        generator = torch.Generator().manual_seed(epoch)
        return [torch.randn(2, 8, 16, generator=generator) for _ in range(5)]

    def stop(share: float, words: str) -> None:
        if share >= 0.5:
            raise CutError

    def run(folder: Path, cut: bool) -> MoELayer:
        torch.manual_seed(0)
        layer = MoELayer(tiny(16, balance="bias", noise=0.1, expert_dropout=0.1))
        options = TrainOptions(steps=20, checkpoint_every_steps=3)
        if cut:
            with pytest.raises(CutError):
                train(layer, batches, step_loss, options, folder, stop)
            layer = MoELayer(layer.options)
        report = train(layer, batches, step_loss, options, folder)
        assert (report.resumed_at > 0) == cut
        return layer

    whole, resumed = run(tmp_path / "a", cut=False), run(tmp_path / "b", cut=True)
    assert whole.router.bias_E is not None
    assert whole.router.bias_E.any()
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
