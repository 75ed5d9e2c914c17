"""Events and series: what is absent changes nothing, time and order do, any length is answered."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.blocks import TrunkOptions
from core.encoders.columns import TableColumn, TableOptions
from core.encoders.series import (
    LONG_AGO,
    EventEncoder,
    EventOptions,
    PatchEncoder,
    SeriesOptions,
    last_before,
    to_level,
)
from core.errors import InputError
from core.moe.options import tiny
from core.runtime.export import export_onnx, parity
from core.runtime.sessions import OnnxRunner

NAN = math.nan
COLUMNS = (TableColumn(kind="number", mean=50, spread=20), TableColumn(kind="category", categories=3))
TRUNK = TrunkOptions(width=16, depth=1, heads=2)


def event_encoder() -> EventEncoder:
    torch.manual_seed(0)
    return EventEncoder(EventOptions(table=TableOptions(columns=COLUMNS, width=4, frequencies=3), trunk=TRUNK)).eval()


def patch_encoder() -> PatchEncoder:
    torch.manual_seed(0)
    return PatchEncoder(SeriesOptions(channels=2, trunk=TRUNK, patch=4)).eval()


def events(batch: int = 4, length: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Values, times and mask; the first row has no event, the last all."""
    torch.manual_seed(2)
    values = torch.stack([torch.randn(batch, length) * 20 + 50, torch.randint(0, 4, (batch, length)).float()], dim=-1)
    values[torch.rand(values.shape) < 0.2] = NAN
    mask_BT = torch.rand(batch, length) > 0.3
    mask_BT[0], mask_BT[-1] = False, True
    return values, -torch.rand(batch, length).cumsum(dim=1).flip(1) * 90, mask_BT


def test_absent_events_change_nothing_wherever_they_stand() -> None:
    values, times, mask = events()
    encoder = event_encoder()
    whole = encoder(values, times, mask)
    assert whole.x_BTD.isfinite().all()
    assert not whole.x_BTD[~mask].any()
    for row in range(len(values)):
        kept = mask[row]
        alone = encoder(values[row : row + 1, kept], times[row : row + 1, kept])
        assert torch.allclose(alone.x_BTD[0], whole.x_BTD[row, kept], atol=1e-5)
    noise = torch.where(mask, times, NAN)
    assert torch.allclose(encoder(values, noise).x_BTD, whole.x_BTD, atol=1e-6)


def test_events_may_come_in_any_order_and_gaps_count() -> None:
    values, times, mask = events()
    encoder = event_encoder()
    order = torch.randperm(values.shape[1])
    tokens = encoder(values, times, mask).x_BTD
    mixed = encoder(values[:, order], times[:, order], mask[:, order]).x_BTD
    assert torch.allclose(mixed, tokens[:, order], atol=1e-5)
    later = times.clone()
    later[-1, -1] = -0.01
    assert not torch.allclose(encoder(values, later, mask).x_BTD[-1, :-1], tokens[-1, :-1], atol=1e-4)
    assert not torch.allclose(encoder(values, times - 100, mask).x_BTD[-1], tokens[-1], atol=1e-4)  # age counts


def test_the_last_event_before_is_what_the_loop_finds() -> None:
    times = torch.tensor([[3.0, 1.0, 3.0, 2.0, 5.0], [0.0, 0.0, 0.0, -4.0, 1.0]])
    mask = torch.tensor([[True, True, True, False, True], [True, False, True, True, True]])
    came = last_before(times, mask)
    for row in range(2):
        for i in range(5):
            before = [
                float(times[row, j]) for j in range(5) if mask[row, j] and (times[row, j], j) < (times[row, i], i)
            ]
            assert float(came[row, i]) == max(before, default=LONG_AGO)


def test_a_series_is_told_apart_from_its_level() -> None:
    encoder = patch_encoder()
    x = torch.randn(3, 9, 2)
    tokens, moved = encoder(x).x_BTD, encoder(x * 7 + 300)
    z, _ = to_level(x, x.isfinite())
    z_moved, _ = to_level(x * 7 + 300, x.isfinite())
    assert torch.allclose(z, z_moved, atol=1e-3)
    assert not torch.allclose(tokens, moved.x_BTD, atol=1e-2)  # but the level is not lost
    assert tokens.shape == (3, 1 + 3, 16)
    assert moved.position_BT is not None
    assert moved.position_BT[0].tolist() == [1, -2, -1, 0]


def test_order_counts_and_what_is_unseen_does_not() -> None:
    encoder = patch_encoder()
    x = torch.randn(3, 8, 2)
    assert not torch.allclose(encoder(x).x_BTD[:, 1:], encoder(x.flip(1)).x_BTD[:, 1:].flip(1), atol=1e-3)
    mask = torch.rand(3, 8) > 0.4
    mask[0], mask[1, :4] = False, False
    hidden = torch.where(mask[..., None], x, NAN)
    noise = torch.where(mask[..., None], x, torch.randn_like(x) * 1e6)
    tokens = encoder(hidden)
    assert torch.equal(encoder(noise, mask).x_BTD, tokens.x_BTD)
    assert tokens.x_BTD.isfinite().all()
    assert not tokens.mask_BT[0].any()
    assert tokens.mask_BT[1].tolist() == [True, False, True]


@pytest.mark.parametrize("length", [1, 3, 4, 5, 17])
def test_any_length_is_answered_and_gradients_are_finite(length: int) -> None:
    values, times, mask = events(3, length)
    series = torch.randn(3, length, 2)
    series[0], series[1, :, 0] = NAN, 5.0
    for encoder, given in ((event_encoder(), (values, times, mask)), (patch_encoder(), (series,))):
        tokens = encoder(*given)
        assert tokens.x_BTD.shape[:2] == tokens.mask_BT.shape
        tokens.x_BTD.square().sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_no_event_at_all_is_answered() -> None:
    assert event_encoder()(torch.zeros(2, 0, 2), torch.zeros(2, 0)).x_BTD.shape == (2, 0, 16)


class Served(nn.Module):
    """Both encoders, as they would be exported."""

    def __init__(self) -> None:
        super().__init__()
        self.of_events, self.of_series = event_encoder(), patch_encoder()

    def forward(self, events: Tensor, times: Tensor, mask: Tensor, series: Tensor) -> dict[str, Tensor]:
        return {"of_events": self.of_events(events, times, mask).x_BTD, "of_series": self.of_series(series).x_BTD}


def test_both_export_with_any_batch_and_length(tmp_path: Path) -> None:
    def example(batch: int, length: int) -> dict[str, Tensor]:
        series = torch.randn(batch, 3 * length, 2)
        series[0, ::2] = NAN
        return dict(zip(("events", "times", "mask"), events(batch, length), strict=True)) | {"series": series}

    served, path = Served(), tmp_path / "series.onnx"
    assert export_onnx(served, example(4, 6), path, dynamic=dict.fromkeys(example(1, 1), (0, 1))).worst < 1e-4
    runner = OnnxRunner(path, device="cpu", threads=1)
    for batch, length in ((1, 1), (2, 9)):
        assert max(parity(served, example(batch, length), runner).values()) < 1e-4


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="must have 2 channels, got 3"):
        patch_encoder()(torch.zeros(1, 4, 3))
    with pytest.raises(InputError, match="heads > 0 and no experts"):
        PatchEncoder(SeriesOptions(channels=1, trunk=TrunkOptions(width=8, depth=1)))
    with pytest.raises(InputError, match="no experts"):
        PatchEncoder(SeriesOptions(channels=1, trunk=TrunkOptions(width=8, depth=1, heads=2, moe=tiny(8))))
