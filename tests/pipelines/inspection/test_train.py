"""Training end to end on a small generated set (see conftest)."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.batch import Batch
from core.errors import GateError, InputError
from core.runtime.engine import Engine
from pipelines.inspection.options import InspectionOptions
from pipelines.inspection.train import train_inspection


class CutOffError(Exception):
    """Stands for the end of a process."""


def test_a_bundle_says_what_it_was_made_of(engine: Engine) -> None:
    manifest = engine.bundle.manifest
    assert manifest.kind == "inspection"
    assert manifest.about["known"]["MASK"] > 0
    assert manifest.about["known"]["LABEL"] > 0
    assert manifest.about["parity"]["worst"] <= manifest.about["parity"]["tolerance"]
    assert 0 <= manifest.decision["review_above"] <= manifest.decision["reject_above"] <= 1
    assert "image_auroc" in manifest.metrics["validation"]


@pytest.mark.slow
def test_a_run_that_was_cut_off_goes_on_and_gives_the_same_answers(
    surfaces: SimpleNamespace, demo_options: InspectionOptions, engine: Engine, tmp_path: Path
) -> None:
    def stop_half_way(share: float, words: str) -> None:
        if share > 0.5:
            raise CutOffError

    options = replace(demo_options, resume=tmp_path / "run")
    with pytest.raises(CutOffError):
        train_inspection(surfaces.train, surfaces.valid, options, tmp_path / "bundle", stop_half_way)
    assert not (tmp_path / "bundle").exists()
    bundle = train_inspection(surfaces.train, surfaces.valid, options, tmp_path / "bundle")
    batch = Batch(inputs={"image": np.random.default_rng(0).normal(0, 0.4, (2, 3, 64, 64)).astype(np.float32)})
    one, two = engine.predict(batch), Engine.open(bundle, device="cpu", threads=1).predict(batch)
    assert np.allclose(one.outputs["margin"], two.outputs["margin"], atol=1e-4)
    assert np.allclose(one.outputs["defect_map"], two.outputs["defect_map"], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["normal", "weak"])
def test_every_regime_trains_and_holds_out_its_own_validation(
    surfaces: SimpleNamespace, demo_options: InspectionOptions, tmp_path: Path, regime: str
) -> None:
    options = replace(demo_options, regime=regime)  # type: ignore[arg-type]
    bundle = train_inspection([*surfaces.train, *surfaces.valid], (), options, tmp_path / "bundle")
    assert bundle.manifest.about["known"]["MASK"] == 0
    assert bundle.manifest.about["rows"]["validation"] > 0


@pytest.mark.slow
def test_a_missed_floor_keeps_no_bundle(
    surfaces: SimpleNamespace, demo_options: InspectionOptions, tmp_path: Path
) -> None:
    options = replace(demo_options, floors={"image_auroc": 1.1})
    with pytest.raises(GateError, match=r"the floor is 1\.1"):
        train_inspection(surfaces.train, surfaces.valid, options, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_picture_in_both_splits_is_refused_before_anything_is_learned(
    surfaces: SimpleNamespace, demo_options: InspectionOptions, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="must stay in one split"):
        train_inspection(surfaces.train, surfaces.train, demo_options, tmp_path / "bundle")


def test_training_without_any_defect_is_refused_unless_it_is_asked_for(
    surfaces: SimpleNamespace, demo_options: InspectionOptions, tmp_path: Path
) -> None:
    good = [image for image in surfaces.train if not image.defective]
    with pytest.raises(InputError, match="regime normal"):
        train_inspection(good, surfaces.valid, demo_options, tmp_path / "bundle")


@pytest.mark.parametrize(
    ("option", "value"),
    [("regime", "some"), ("preset", "slow"), ("size_px", 7), ("cost_missed", 0.0), ("target_rate", 2.0)],
)
def test_an_option_out_of_range_says_what_is_allowed(option: str, value: object) -> None:
    with pytest.raises(InputError, match="must"):
        InspectionOptions(**{option: value})  # type: ignore[arg-type]
