"""The engine: it answers as the model does, in any thread and at any size, and refuses whatever is not sound."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from core.batch import Batch
from core.errors import AssayError, InputError
from core.runtime.bundle import Bundle, Golden, open_bundle
from core.runtime.engine import Engine, logistic

Copy = Callable[[str], Path]
Build = Callable[..., Bundle]
Table = NDArray[np.float64]


def test_trees_answer_as_lightgbm_does(written: dict[str, Path], trees_text: bytes, table: Table) -> None:
    import lightgbm

    engine = Engine.open(written["trees"])
    expected = lightgbm.Booster(model_str=trees_text.decode()).predict(table)
    prediction = engine.predict(Batch(inputs={"table": table}))
    assert engine.device == "cpu"
    assert np.allclose(prediction.probability, expected, atol=1e-12)
    assert np.array_equal(logistic(prediction.outputs["margin"].astype(float)), prediction.probability)


def test_contributions_sum_to_the_margin(written: dict[str, Path], table: Table) -> None:
    engine = Engine.open(written["trees"])
    batch = Batch(inputs={"table": table[:50]})
    parts = engine.contributions(batch)
    assert parts.shape == (50, 5)
    assert np.allclose(parts.sum(axis=1), engine.predict(batch).outputs["margin"], atol=1e-9)


def test_a_graph_has_no_contributions(written: dict[str, Path], table: Table) -> None:
    with pytest.raises(InputError, match="no part that explains itself"):
        Engine.open(written["net"]).contributions(Batch(inputs={"table": table}))


@pytest.mark.parametrize("kind", ["trees", "net"])
@pytest.mark.parametrize("rows", [0, 1, 2, 400])
def test_batches_of_any_size_are_answered_alike(written: dict[str, Path], table: Table, kind: str, rows: int) -> None:
    engine = Engine.open(written[kind], threads=1)
    whole = engine.predict(Batch(inputs={"table": table})).probability
    part = engine.predict(Batch(inputs={"table": table[:rows]}))
    assert part.probability.shape == (rows,)
    assert np.allclose(part.probability, whole[:rows], atol=1e-6)


@pytest.mark.parametrize("kind", ["trees", "net"])
def test_many_threads_get_the_answers_of_one(written: dict[str, Path], table: Table, kind: str) -> None:
    engine = Engine.open(written[kind], threads=1)
    expected = engine.predict(Batch(inputs={"table": table})).probability

    def ask(number: int) -> bool:
        rows = slice(number % 300, number % 300 + 1 + number % 7)
        came = engine.predict(Batch(inputs={"table": table[rows]})).probability
        return np.allclose(came, expected[rows], atol=1e-6)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(800)))


@pytest.mark.parametrize("kind", ["trees", "net"])
def test_infinity_is_refused_before_the_model_sees_it(written: dict[str, Path], kind: str) -> None:
    engine = Engine.open(written[kind])
    with pytest.raises(InputError, match="input table holds numbers that are not finite"):
        engine.predict(Batch(inputs={"table": np.array([[0.0, np.inf, 0.0, 0.0]])}))


def test_nan_is_refused_everywhere_but_in_a_table(build: Build) -> None:
    engine = Engine.open(build())
    table, image = np.zeros((1, 4)), np.full((1, 3, 2, 2), np.nan, np.float32)
    with pytest.raises(InputError, match="input image holds"):
        engine.predict(Batch(inputs={"table": table, "image": image}))


def test_an_answer_that_is_not_finite_is_an_error_and_never_a_number(build: Build) -> None:
    engine = Engine.open(build())
    with pytest.raises(AssayError, match="nothing was judged") as caught:
        engine.predict(Batch(inputs={"table": np.array([[np.nan, 0, 0, 0]])}))  # a graph has no rule for NaN
    assert caught.value.code == "MODEL_FAILED"


def test_a_graph_whose_margin_has_another_shape_is_refused(build: Build, graph_of: Callable[..., Any]) -> None:
    model = graph_of(np.zeros((4, 1), np.float32))
    model.graph.node[1].op_type = "Identity"
    del model.graph.node[1].input[1:]
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 1
    engine = Engine.open(build(parts={"net": ("onnx", model.SerializeToString())}))
    with pytest.raises(InputError, match=r"output margin of shape \(B,\)"):
        engine.predict(Batch(inputs={"table": np.zeros((2, 4))}))


def test_golden_answers_that_do_not_come_out_close_the_door(build: Build) -> None:
    inputs = {"table": np.eye(4)[:2]}
    good = {"margin": np.array([0.5, -1.0]), "probability": logistic(np.array([0.5, -1.0]))}
    Engine.open(build("good", golden=Golden(inputs=inputs, outputs=good, tolerance=1e-6)))
    for number, wrong in enumerate(
        ({"margin": [0.5, -1.001]}, {"margin": [0.5]}, {"probability": [0.5, 0.5]}, {"missing": [0.0, 0.0]})
    ):
        bundle = build(f"wrong{number}", golden=Golden(inputs=inputs, outputs=wrong, tolerance=1e-6))
        with pytest.raises(InputError, match=f"golden answers {next(iter(wrong))} do not come out"):
            Engine.open(bundle)


def test_the_calibration_of_the_manifest_is_applied(build: Build, table: Table) -> None:
    from core.runtime.calibrate import fit_calibrator

    margin = np.linspace(-4, 4, 500)
    y = (np.random.default_rng(0).random(500) < logistic(margin / 2 - 1)).astype(float)
    calibrator = fit_calibrator(margin, y)
    engine = Engine.open(build(calibration=calibrator.to_json()))
    prediction = engine.predict(Batch(inputs={"table": table}))
    assert np.allclose(prediction.probability, calibrator(prediction.outputs["margin"].astype(float)))
    order = np.argsort(prediction.outputs["margin"])
    assert (np.diff(prediction.probability[order]) >= 0).all()


@pytest.mark.parametrize("kind", ["trees", "net"])
def test_a_file_that_changed_after_opening_is_not_parsed(copy_of: Copy, kind: str) -> None:
    folder = copy_of(kind)
    bundle = open_bundle(folder)
    path = next(iter(bundle.path(part) for part in bundle.manifest.parts))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="does not match its SHA-256"):
        Engine.open(bundle)


@pytest.mark.parametrize("damage", ["half", "inserted", "emptied"])
def test_a_damaged_tree_file_does_not_abort_the_process(copy_of: Copy, damage: str) -> None:
    folder = copy_of("trees")
    text = (folder / "trees.txt").read_bytes()
    middle = len(text) // 2
    changed = {"half": text[:middle], "inserted": text[:middle] + b"7" + text[middle:], "emptied": b""}[damage]
    (folder / "trees.txt").write_bytes(changed)
    code = (
        "import sys\nfrom pathlib import Path\nfrom core.errors import InputError\n"
        "from core.runtime.engine import Engine\n"
        "try:\n    Engine.open(Path(sys.argv[1]))\nexcept InputError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "file trees.txt has" in done.stdout


def test_a_changed_digit_whose_hash_was_rewritten_too_is_caught_by_the_golden_answers(copy_of: Copy) -> None:
    folder = copy_of("trees")
    text = (folder / "trees.txt").read_bytes()
    start = text.index(b"leaf_value=") + len(b"leaf_value=")
    changed = text[:start] + b"9" * 4 + text[start + 4 :]
    (folder / "trees.txt").write_bytes(changed)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"]["trees.txt"] = {"sha256": hashlib.sha256(changed).hexdigest(), "bytes": len(changed)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="golden answers margin do not come out"):
        Engine.open(folder)


def test_trees_run_on_the_processor_whatever_the_device_and_say_so(written: dict[str, Path]) -> None:
    assert Engine.open(written["trees"], device="cuda").device == "cpu"


def test_cuda_asked_for_where_there_is_none_is_an_error(written: dict[str, Path]) -> None:
    if Engine.open(written["net"], device="auto").device == "cuda":
        pytest.skip("this machine has CUDA")
    with pytest.raises(AssayError) as caught:
        Engine.open(written["net"], device="cuda")
    assert caught.value.code == "NO_CUDA"


@pytest.mark.parametrize("kind", ["trees", "net"])
def test_a_small_bundle_opens_in_tens_of_milliseconds(written: dict[str, Path], kind: str) -> None:
    Engine.open(written[kind])
    times = []
    for _ in range(5):
        started = time.process_time()
        Engine.open(written[kind])
        times.append(time.process_time() - started)
    assert min(times) < 0.1


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_the_logistic_function_stays_inside_and_rises(margin: Table) -> None:
    probability = logistic(np.sort(margin))
    assert ((probability > 0) & (probability < 1)).all()
    assert (np.diff(probability) >= 0).all()
