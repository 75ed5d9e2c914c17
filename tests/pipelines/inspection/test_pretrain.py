"""Masked-patch pretraining."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.encoders.image import open_trunk
from pipelines.inspection.attention import Known
from pipelines.inspection.expert_network import ExpertNet
from pipelines.inspection.options import Preset
from pipelines.inspection.prepare import Canvas
from pipelines.inspection.pretrain import even, pretrain
from pipelines.inspection.samples import Sample

PRESET = Preset(steps=1, pictures=4, pretrain_steps=40, lr=3e-3)


def pictures() -> list[Sample]:
    """Stripes of different widths: what is hidden can be told from its surroundings."""
    rows = np.arange(96)[:, None] + np.zeros((1, 96))
    stripes = [(110 + 60 * np.sin(rows / width)).astype(np.uint8) for width in (3, 5, 8, 13)]
    return [Sample(one, None, Known.LABEL, 1, f"g{at}", Canvas(96, 96)) for at, one in enumerate(stripes)]


def fresh() -> ExpertNet:
    torch.manual_seed(0)
    return ExpertNet(open_trunk("none"), 2, 96)


def silent(share: float, words: str) -> None:
    pass


class CutOffError(Exception):
    """Stands for the end of a process."""


def test_it_lowers_the_error_and_changes_the_experts_but_not_the_image_trunk() -> None:
    network = fresh()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    report = pretrain(network, pictures(), PRESET, 0, None, silent, "")
    assert report.history[-1]["16"] < 0.7 * report.history[0]["16"]
    after = network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("tokens.blocks") for name in moved)
    assert all(name.startswith("tokens.") for name in moved)


def test_a_run_that_was_cut_off_ends_with_the_same_weights(tmp_path: Path) -> None:
    def stop(share: float, words: str) -> None:
        if share > 0.5:
            raise CutOffError

    preset = replace(PRESET, pretrain_steps=6)
    whole, parted = fresh(), fresh()
    pretrain(whole, pictures(), preset, 0, None, silent, "")
    with pytest.raises(CutOffError):
        pretrain(parted, pictures(), preset, 0, tmp_path / "run", stop, "")
    again = fresh()
    pretrain(again, pictures(), preset, 0, tmp_path / "run", silent, "")
    done = fresh()
    pretrain(done, pictures(), preset, 0, tmp_path / "run", silent, "")  # nothing is left to do
    for name, value in whole.tokens.state_dict().items():
        torch.testing.assert_close(again.tokens.state_dict()[name], value)
        torch.testing.assert_close(done.tokens.state_dict()[name], value)


def test_features_are_brought_to_one_scale_at_each_point() -> None:
    x = even(torch.randn(2, 64, 3, 5) * 7 + 3)
    torch.testing.assert_close(x.mean(dim=1), torch.zeros(2, 3, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.var(dim=1, unbiased=False), torch.ones(2, 3, 5), atol=1e-3, rtol=0)
