"""What the engine costs: opening a bundle, one row and many, threads that spin or sleep. Never fails on time."""

import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from core.batch import Batch
from core.runtime import sessions
from core.runtime.bundle import Golden, PartKind, write_bundle
from core.runtime.engine import Engine
from core.runtime.export import export_onnx
from core.torchvision_shim import load_torchvision

pytestmark = pytest.mark.bench


class Judge(nn.Module):
    """A network of the size of an inspection model."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = load_torchvision().models.mobilenet_v2(weights=None).features
        self.map = nn.Conv2d(1280, 1, 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x = self.map(self.trunk(image))
        return {"margin": x.amax(dim=(1, 2, 3)), "defect_map": x.sigmoid()}


def least_ms(work: Callable[[], object], times: int = 20) -> str:
    """Median and least wall time in ms."""
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        spent.append(1e3 * (time.perf_counter() - started))
    return f"{np.median(spent):8.2f} ms median {min(spent):8.2f} ms least"


def network(folder: Path) -> bytes:
    torch.manual_seed(0)
    export_onnx(Judge(), {"image": torch.rand(1, 3, 256, 256)}, folder / "net.onnx")
    return (folder / "net.onnx").read_bytes()


def open_engine(folder: Path, part: tuple[PartKind, bytes], inputs: dict[str, np.ndarray]) -> Engine:  # type: ignore[type-arg]
    plain: dict[str, object] = {"spec": {}, "decision": {}, "calibration": None, "metrics": {}, "about": {}}
    golden = Golden(inputs=inputs, outputs={}, tolerance=1e-4)
    write_bundle(folder, kind="x", name="x", parts={"part": part}, golden=golden, **plain)  # type: ignore[arg-type]
    return Engine.open(folder)


def test_trees(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50_000, 10))
    y = (x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=len(x)) > 0).astype(float)
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_leaves": 31}, lightgbm.Dataset(x, y), 240)
    engine = open_engine(tmp_path / "b", ("lightgbm", booster.model_to_string().encode()), {"table": x[:200]})
    print(f"\ntrees: open      {least_ms(lambda: Engine.open(tmp_path / 'b'))}")
    print(f"trees: one row   {least_ms(lambda: engine.predict(Batch(inputs={'table': x[:1]})), 300)}")
    print(f"trees: 50k rows  {least_ms(lambda: engine.predict(Batch(inputs={'table': x})), 5)}")
    print(f"Booster.predict: {least_ms(lambda: booster.predict(x), 5)}")


def test_network(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((32, 3, 256, 256)).astype(np.float32)
    engine = open_engine(tmp_path / "b", ("onnx", network(tmp_path)), {"image": image[:1]})
    print(f"\nnetwork: open       {least_ms(lambda: Engine.open(tmp_path / 'b'), 5)}")
    print(f"network: one image  {least_ms(lambda: engine.predict(Batch(inputs={'image': image[:1]})), 40)}")
    print(f"network: 32 images  {least_ms(lambda: engine.predict(Batch(inputs={'image': image})), 3)}")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("spinning", ["0", "1"])
def test_spinning(tmp_path: Path, threads: int, spinning: str) -> None:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    session = ort.InferenceSession(network(tmp_path), options, providers=[sessions.CPU])
    feed = {"image": np.zeros((1, 3, 256, 256), np.float32)}
    used = time.process_time()
    words = least_ms(lambda: (session.run(None, feed), time.sleep(0.002)), 60)
    print(
        f"\nspinning {spinning}, threads {threads}: {words}, of which 2 are sleep;"
        f" {time.process_time() - used:.2f} s of processor"
    )
