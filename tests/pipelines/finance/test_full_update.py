"""An update of the preset full: trees and networks learn on, nine in ten numbers stay, the cascade goes on working."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from core.batch import Batch
from core.errors import InputError
from core.metrics.binary import auc
from core.runtime.bundle import Bundle, write_bundle
from core.runtime.engine import Engine
from pipelines.finance.credit import CreditOptions, train_credit, update_credit
from pipelines.finance.features import extract
from pipelines.finance.network_options import NetworkOptions
from pipelines.finance.reference import Reference
from pipelines.finance.update import Base
from pipelines.finance.weights import FILE, unpack_weights

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SMALL = NetworkOptions(token=8, frequencies=8, width=64, members=4, depth=1, most_epochs=16)
OPTIONS = CreditOptions(target="bad", preset="full", seed=3, network=SMALL, name="loans")


class Stopped(BaseException):
    """Stands for the end of the process."""


def made(rows: int, seed: int, *, late: bool = False) -> pd.DataFrame:
    """Two sums of the columns must have the same sign: networks learn that from few rows. Late, x5 comes into play."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6))
    one, other = x @ np.asarray([1, 1, -1, 1, 0, 0]), x @ np.asarray([1, -1, 1, 1, 1, 0])
    z = 3 * np.tanh(0.75 * one) * np.tanh(0.75 * other) - 0.3 + (1.5 * x[:, 5] if late else 0)
    x[:, 5] += 6 if late else 0
    frame = pd.DataFrame({f"x{at}": x[:, at] for at in range(6)})
    return frame.assign(bad=(rng.random(rows) < expit(z)).astype(int))


def silent(share: float, words: str) -> None:
    assert 0 <= share <= 1
    assert words


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    bundle = train_credit(made(900, 0), made(600, 1), OPTIONS, tmp_path_factory.mktemp("base") / "bundle", silent)
    return Base(engine=Engine.open(bundle, device="cpu", threads=1), kind="credit", name="loans", version=1)


Updating = Callable[..., Bundle]


@pytest.fixture(scope="module")
def update(base: Base) -> Updating:
    new, valid = made(900, 2, late=True), made(600, 3, late=True)
    reference = Reference(frame=made(3_000, 4), source="made", limit=0.3)

    def run(folder: Path, progress: Callable[[float, str], None] = silent, resume: Path | None = None) -> Bundle:
        options = CreditOptions(target="bad", seed=3, name="loans", resume=resume)
        return update_credit(base, reference, new, valid, options, folder, progress)

    return run


@pytest.fixture(scope="module")
def updated(update: Updating, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return update(tmp_path_factory.mktemp("updated") / "bundle")


def ranked(engine: Engine, rows: pd.DataFrame, base: Base) -> float:
    batch = Batch(inputs={"table": extract(rows, base.spec).values})
    return auc(rows["bad"].to_numpy(), engine.predict(batch).probability)


def test_it_learns_the_new_and_keeps_most_of_the_old(base: Base, updated: Bundle) -> None:
    engine, old, new = Engine.open(updated, device="cpu", threads=1), made(3_000, 5), made(3_000, 6, late=True)
    assert ranked(engine, new, base) > ranked(base.engine, new, base) + 0.03
    assert ranked(engine, old, base) > ranked(base.engine, old, base) - 0.04


def test_nine_in_ten_numbers_of_the_networks_keep_their_bits(base: Base, updated: Bundle) -> None:
    before, after = (
        unpack_weights((folder / FILE).read_bytes()).served.state_dict()
        for folder in (base.engine.bundle.folder, updated.folder)
    )
    same = sum(int((after[name] == tensor).sum()) for name, tensor in before.items())
    everything = sum(tensor.numel() for tensor in before.values())
    assert 0.89 < same / everything < 0.999


def test_the_record_tells_of_trees_and_networks(updated: Bundle) -> None:
    about = updated.manifest.about
    assert about["preset"] == "full"
    networks = about["update"]["networks"]
    assert networks["left_out_log_loss_after"] < networks["left_out_log_loss_before"]
    assert networks["frozen"] == 0.9
    assert about["update"]["trees"]["rounds_added"] > 0
    assert about["stack"]["networks"] > 0


def test_reasons_of_the_updated_cascade_add_up(base: Base, updated: Bundle) -> None:
    engine, rows = Engine.open(updated, device="cpu", threads=1), made(80, 7, late=True)
    batch = Batch(inputs={"table": extract(rows, base.spec).values})
    came, found = engine.predict(batch), engine.contributions(batch)
    assert engine.combination is not None
    stages = engine.combination.stages
    margin = [
        stages[int(at)].calibrator.margin(z) for at, z in zip(came.outputs["exit"], came.outputs["margin"], strict=True)
    ]
    assert np.allclose(found.sum(axis=1), margin, rtol=0, atol=1e-3)


def test_same_rows_and_seed_give_the_same_bytes_also_after_a_cut(
    update: Updating, updated: Bundle, tmp_path: Path
) -> None:
    def until_three_fifths(share: float, words: str) -> None:
        if share > 0.6:
            raise Stopped

    with pytest.raises(Stopped):
        update(tmp_path / "cut", until_three_fifths, tmp_path / "run")
    assert update(tmp_path / "bundle", silent, tmp_path / "run").manifest_sha256 == updated.manifest_sha256


def test_a_bundle_without_weights_says_so(base: Base, update: Updating, tmp_path: Path) -> None:
    bundle = base.engine.bundle
    manifest = bundle.manifest
    bare = write_bundle(
        tmp_path / "bare",
        kind="credit",
        name="loans",
        parts={name: (part.kind, bundle.path(name)) for name, part in manifest.parts.items()},
        spec=manifest.spec,
        decision=manifest.decision,
        calibration=None,
        metrics=manifest.metrics,
        golden=bundle.golden(),
        about=manifest.about,
        combination=manifest.combination,
    )
    old = replace(base, engine=Engine.open(bare, device="cpu", threads=1))
    with pytest.raises(InputError, match=r"loans@1 holds no weights\.safetensors"):
        update_credit(old, Reference(frame=made(500, 8), source="x"), made(300, 2), made(300, 3), OPTIONS,
                      tmp_path / "bundle", silent)  # fmt: skip
