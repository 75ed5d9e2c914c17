"""Sessions: the provider that was asked for or a clear refusal, nothing foreign in a graph, batches of any size."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from core.errors import AssayError, InputError
from core.runtime import sessions
from core.runtime.sessions import CPU, CUDA, OnnxRunner, check_graph, check_one_runtime, choose_providers

Graph = Callable[..., onnx.ModelProto]


@pytest.fixture
def runner(tmp_path: Path, graph_of: Graph, weight: NDArray[np.float32]) -> OnnxRunner:
    path = tmp_path / "net.onnx"
    path.write_bytes(graph_of(weight).SerializeToString())
    return OnnxRunner(path, device="cpu", threads=1)


@pytest.mark.parametrize(
    ("device", "available", "expected"),
    [
        ("auto", ["AzureExecutionProvider", CPU], (CPU,)),
        ("auto", ["TensorrtExecutionProvider", CUDA, CPU], (CUDA, CPU)),
        ("cuda", ["TensorrtExecutionProvider", CUDA, CPU], (CUDA, CPU)),
        ("cpu", [CUDA, CPU], (CPU,)),
    ],
)
def test_providers_follow_the_device(device: str, available: list[str], expected: tuple[str, ...]) -> None:
    assert choose_providers(device, available) == expected


def test_cuda_that_the_package_does_not_have_is_refused_with_a_way_out() -> None:
    with pytest.raises(
        AssayError, match="install the extra `gpu` in place of `cpu`, or set ASSAY_DEVICE=cpu"
    ) as caught:
        choose_providers("cuda", [CPU])
    assert not isinstance(caught.value, InputError)


def test_a_device_of_another_name_is_refused() -> None:
    with pytest.raises(InputError, match="device must be auto, cpu or cuda, got 'tpu'"):
        choose_providers("tpu", [CPU])


def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose onnxruntime lists CUDA but cannot use it: the GPU package without a GPU."""
    monkeypatch.setattr(sessions.ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(sessions.ort, "preload_dlls", lambda: None)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_falls_back_to_the_processor_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, graph_of: Graph, weight: NDArray[np.float32]
) -> None:
    if CUDA in sessions.ort.get_available_providers():
        pytest.skip("onnxruntime-gpu is installed: test_cuda_* look at the real thing")
    fake_cuda(monkeypatch)
    (tmp_path / "net.onnx").write_bytes(graph_of(weight).SerializeToString())
    assert OnnxRunner(tmp_path / "net.onnx", device="auto").device == "cpu"
    with pytest.raises(AssayError, match="ONNX Runtime cannot use it here"):
        OnnxRunner(tmp_path / "net.onnx", device="cuda")


def test_auto_says_nothing_about_a_card_that_is_not_there(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, graph_of: Graph, weight: NDArray[np.float32]
) -> None:
    (tmp_path / "net.onnx").write_bytes(graph_of(weight).SerializeToString())
    OnnxRunner(tmp_path / "net.onnx", device="auto")
    assert capfd.readouterr() == ("", "")


def test_cuda_is_used_where_it_works(tmp_path: Path, graph_of: Graph, weight: NDArray[np.float32]) -> None:
    (tmp_path / "net.onnx").write_bytes(graph_of(weight).SerializeToString())
    try:
        on_gpu = OnnxRunner(tmp_path / "net.onnx", device="cuda")
    except AssayError as error:
        pytest.skip(f"needs a GPU: {error}")
    table = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    on_cpu = OnnxRunner(tmp_path / "net.onnx", device="cpu")
    assert on_gpu.device == "cuda"
    assert np.allclose(on_gpu.run({"table": table})["margin"], on_cpu.run({"table": table})["margin"], atol=1e-5)


def test_two_runtimes_at_once_are_refused_with_the_commands_to_type() -> None:
    with pytest.raises(AssayError, match="pip uninstall -y onnxruntime onnxruntime-gpu"):
        check_one_runtime(lambda package: True)
    check_one_runtime(lambda package: package == "onnxruntime")
    check_one_runtime(lambda package: package == "onnxruntime-gpu")
    check_one_runtime()


def test_threads_follow_the_processors_of_this_process() -> None:
    assert sessions.session_options(0).intra_op_num_threads == sessions.cores()
    options = sessions.session_options(3)
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    with pytest.raises(InputError, match="threads must be 0"):
        sessions.session_options(-1)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8), ("", 8), (None, 8)],
)
def test_cores_are_those_of_the_process_and_of_its_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    if limit is not None:
        (tmp_path / "cpu.max").write_text(limit)
    assert sessions.cores(tmp_path / "cpu.max") == expected


def test_batches_are_cut_into_slices_and_come_back_whole(
    monkeypatch: pytest.MonkeyPatch, runner: OnnxRunner, weight: NDArray[np.float32]
) -> None:
    table = np.random.default_rng(0).normal(size=(103, 4)).astype(np.float32)
    whole = runner.run({"table": table})
    monkeypatch.setattr(sessions, "ELEMENTS_PER_RUN", 40)
    sliced = runner.run({"table": table})
    assert np.array_equal(sliced["echo"], table)
    assert np.allclose(sliced["margin"], whole["margin"])
    assert np.allclose(whole["margin"], (table @ weight)[:, 0], atol=1e-5)


class FullCard:
    """A session on a card that holds no more than three rows."""

    def __init__(self, session: Any) -> None:
        self.session, self.sizes = session, []  # type: ignore[var-annotated]

    def run(self, names: list[str], feed: dict[str, NDArray[Any]]) -> Any:
        self.sizes.append(len(feed["table"]))
        if len(feed["table"]) > 3:
            raise sessions.ort_state.RuntimeException("Failed to allocate memory for requested buffer of size 1")
        return self.session.run(names, feed)


def test_a_batch_that_does_not_fit_into_memory_is_halved_until_it_does(runner: OnnxRunner) -> None:
    table = np.arange(40, dtype=np.float32).reshape(10, 4)
    card = FullCard(runner.session)
    runner.session = card
    assert np.array_equal(runner.run({"table": table})["echo"], table)
    assert card.sizes[0] == 10


def test_another_fault_of_the_session_is_an_error_of_ours(runner: OnnxRunner) -> None:
    class Broken:
        def run(self, names: object, feed: object) -> object:
            raise sessions.ort_state.EPFail("CUDA failure 700: an illegal memory access")

    runner.session = Broken()
    with pytest.raises(AssayError, match=r"net\.onnx failed on cpu: CUDA failure 700"):
        runner.run({"table": np.zeros((4, 4))})


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"image": np.zeros((2, 4))}, "needs the inputs table; table did not come"),
        ({"table": np.zeros((2, 5))}, r"has the shape \['B', 4\], got \[2, 5\]"),
        ({"table": np.zeros(4)}, r"got \[4\]"),
        ({"table": np.full((2, 4), 1e300)}, "a number too large for tensor"),
    ],
)
def test_a_batch_that_does_not_fit_the_graph_is_refused(
    runner: OnnxRunner, inputs: dict[str, NDArray[np.float64]], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        runner.run(inputs)  # type: ignore[arg-type]


def external(model: onnx.ModelProto, tensor: onnx.TensorProto) -> bytes:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret.bin")
    return model.SerializeToString()


def test_weights_in_another_file_are_refused_wherever_they_hide(graph_of: Graph, weight: NDArray[np.float32]) -> None:
    top = graph_of(weight)
    with pytest.raises(InputError, match="keeps weights in another file"):
        check_graph(external(top, top.graph.initializer[0]), "net.onnx")
    constant = graph_of(weight)
    node = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.0]))
    branch = helper.make_graph([node], "branch", [], [helper.make_tensor_value_info("c", TensorProto.FLOAT, [1])])
    constant.graph.node.append(helper.make_node("If", ["cond"], ["out"], then_branch=branch, else_branch=branch))
    inner = constant.graph.node[-1].attribute[0].g.node[0].attribute[0].t
    with pytest.raises(InputError, match="keeps weights in another file"):
        check_graph(external(constant, inner), "net.onnx")
    function = graph_of(weight)
    function.functions.append(helper.make_function("own", "f", [], ["c"], [node], [helper.make_opsetid("", 18)]))
    inner = function.functions[0].node[0].attribute[0].t
    with pytest.raises(InputError, match="keeps weights in another file"):
        check_graph(external(function, inner), "net.onnx")


def test_operators_of_a_foreign_library_are_refused(graph_of: Graph, weight: NDArray[np.float32]) -> None:
    content = graph_of(weight, domain="evil.ops").SerializeToString()
    with pytest.raises(InputError, match=r"uses operators of evil\.ops"):
        check_graph(content, "net.onnx")


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"garbage" * 100])
def test_what_is_no_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"net\.onnx is no"):
        OnnxRunner(tmp_path / "net.onnx", device="cpu")


def test_the_runtime_needs_neither_torch_nor_the_python_package_of_lightgbm() -> None:
    code = (
        "import sys, core.runtime.bundle\n"
        "first = [name for name in ('onnxruntime', 'onnx', 'lightgbm', 'torch') if name in sys.modules]\n"
        "import core.runtime.engine\n"
        "print(first, [name for name in ('lightgbm', 'torch') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"
