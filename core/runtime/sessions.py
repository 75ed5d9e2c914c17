"""ONNX Runtime sessions: one package, the provider that was asked for, threads that do not fight.

ONNX Runtime falls back to the processor without a word, and its GPU package lists CUDA on machines that have none.
So the provider is read back from every session, and its own fallback is switched off.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from core.batch import Array
from core.errors import AssayError, InputError

Device = Literal["auto", "cpu", "cuda"]
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
ELEMENTS_PER_RUN = 4 * 2**20  # input numbers that go through a session at once; the rest of a batch waits
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})  # operators that ONNX Runtime brings itself

_WARNING, _FATAL = 2, 4  # ONNX Runtime's levels of its log; warnings are its default
_PACKAGES = ("onnxruntime", "onnxruntime-gpu")
# ONNX Runtime's exceptions have no base class of their own
_ORT_ERRORS = tuple(kind for kind in vars(ort_state).values() if isinstance(kind, type) and issubclass(kind, Exception))
_OUT_OF_MEMORY = ("Failed to allocate memory", "CUDA_ERROR_OUT_OF_MEMORY", "out of memory")
_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


class OnnxRunner:
    """Runs one ONNX file. Safe to call from many threads: a session is, and nothing here changes after opening."""

    def __init__(self, path: Path, *, device: str = "auto", threads: int = 0) -> None:
        content = path.read_bytes()
        check_graph(content, path.name)
        self.session = open_session(content, device=device, threads=threads, name=path.name)
        self.device = "cuda" if self.session.get_providers()[0] == CUDA else "cpu"
        self.name = path.name
        self._inputs = {entry.name: entry for entry in self.session.get_inputs()}
        self.needs = tuple(self._inputs)
        self._outputs = [entry.name for entry in self.session.get_outputs()]
        for entry in self._inputs.values():
            if entry.type not in _DTYPES:
                raise InputError(f"{path.name}: input {entry.name} is a {entry.type}; allowed are {', '.join(_DTYPES)}")

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Return every output of the graph by name; long batches go through in slices along B."""
        feed = self._feed(inputs)
        rows = len(next(iter(feed.values())))
        widest = max(array.size // max(rows, 1) for array in feed.values())
        step = max(1, ELEMENTS_PER_RUN // max(widest, 1))
        slices = [
            self._run_once({name: array[start : start + step] for name, array in feed.items()})
            for start in range(0, rows, step)
        ]
        if len(slices) == 1:
            return slices[0]
        return {name: np.concatenate([part[name] for part in slices]) for name in self._outputs}

    def _run_once(self, feed: dict[str, Array]) -> dict[str, Array]:
        try:
            outputs = self.session.run(self._outputs, feed)
        except _ORT_ERRORS as error:
            rows = len(next(iter(feed.values())))
            if rows > 1 and any(words in str(error) for words in _OUT_OF_MEMORY):
                half = rows // 2
                first = self._run_once({name: array[:half] for name, array in feed.items()})
                second = self._run_once({name: array[half:] for name, array in feed.items()})
                return {name: np.concatenate([first[name], second[name]]) for name in self._outputs}
            raise AssayError(f"{self.name} failed on {self.device}: {error}", code="MODEL_FAILED") from error
        return dict(zip(self._outputs, outputs, strict=True))

    def _feed(self, inputs: dict[str, Array]) -> dict[str, Array]:
        if missing := sorted(set(self._inputs) - set(inputs)):
            words = f"{self.name} needs the inputs {', '.join(self._inputs)}; {', '.join(missing)} did not come"
            raise InputError(words, code="BAD_BATCH")
        return {name: self._cast(entry, inputs[name]) for name, entry in self._inputs.items()}

    def _cast(self, entry: Any, array: Array) -> Array:
        """Return the array in the graph's own number type and check its shape but for the first dimension."""
        wanted = list(entry.shape)
        fits = array.ndim == len(wanted) and all(
            not isinstance(size, int) or size == came for size, came in zip(wanted[1:], array.shape[1:], strict=True)
        )
        if not fits:
            words = f"{self.name}: input {entry.name} has the shape {wanted}, got {list(array.shape)}"
            raise InputError(words, code="BAD_BATCH")
        try:
            with np.errstate(over="raise"):
                return np.ascontiguousarray(array, dtype=_DTYPES[entry.type])
        except FloatingPointError as error:
            words = f"{self.name}: input {entry.name} holds a number too large for {entry.type}"
            raise InputError(words, code="NON_FINITE") from error


def open_session(content: bytes, *, device: str, threads: int, name: str) -> ort.InferenceSession:
    """Open a session on the device that was asked for. AssayError where CUDA was asked for and does not run."""
    check_one_runtime()
    available = ort.get_available_providers()
    providers = choose_providers(device, available)
    if CUDA in providers:
        _load_cuda_libraries()
        session = _cuda_session(content, threads, quiet=device == "auto")
        if session is not None:
            return session
        if device == "cuda":
            words = "CUDA was asked for, but ONNX Runtime cannot use it here (driver, CUDA 13 and cuDNN 9 libraries)"
            raise AssayError(f"{words}; set ASSAY_DEVICE=cpu, or run `assay doctor`", code="NO_CUDA")
    try:
        return ort.InferenceSession(content, session_options(threads), providers=[CPU], enable_fallback=0)
    except _ORT_ERRORS as error:
        raise InputError(f"{name} is no model that ONNX Runtime can load: {error}", code="BAD_BUNDLE") from error


def choose_providers(device: str, available: Sequence[str]) -> tuple[str, ...]:
    """Return the providers to try, best first. Pure, so that the rule can be tested without a GPU.

    >>> choose_providers("auto", ["CPUExecutionProvider"])
    ('CPUExecutionProvider',)
    """
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"device must be auto, cpu or cuda, got {device!r}", code="BAD_DEVICE")
    if device == "cuda" and CUDA not in available:
        words = "CUDA was asked for, but this onnxruntime has no CUDA provider"
        raise AssayError(f"{words}; install the extra `gpu` in place of `cpu`, or set ASSAY_DEVICE=cpu", code="NO_CUDA")
    if device != "cpu" and CUDA in available:
        return CUDA, CPU
    return (CPU,)


def session_options(threads: int) -> ort.SessionOptions:
    """Return options for `threads` threads (0: every core that this process may use), none of which spins.

    Spinning threads wait in a loop; with several workers on one machine they take the cores from each other.
    """
    if threads < 0:
        raise InputError(f"threads must be 0 (all cores) or more, got {threads}", code="BAD_OPTION")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL  # only what is fatal: errors come as exceptions, and tell more
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def cores(limit: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many cores this process may use: its affinity, and the quota of its container (cgroup 2)."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = limit.read_text().split()
    except (OSError, ValueError):  # no cgroup 2 here
        return allowed
    return allowed if quota == "max" else max(1, min(allowed, round(int(quota) / int(period))))


def check_one_runtime(installed: Callable[[str], bool] | None = None) -> None:
    """Refuse a machine where both ONNX Runtime packages are installed: they share one folder and break each other."""
    installed = installed or _is_installed
    if all(installed(package) for package in _PACKAGES):
        words = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other"
        raise AssayError(
            f"{words}; run: pip uninstall -y {' '.join(_PACKAGES)}, then pip install the one you need",
            code="TWO_RUNTIMES",
        )


def check_graph(content: bytes, name: str) -> None:
    """Refuse what must not be in a model: weights in other files, operators that need a foreign library."""
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise InputError(f"{name} is no ONNX file: {error}", code="BAD_BUNDLE") from error
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model)):
        words = f"{name} keeps weights in another file; export it as a single file"
        raise InputError(words, code="EXTERNAL_DATA")
    if foreign := sorted({entry.domain for entry in model.opset_import} - DOMAINS):
        words = (
            f"{name} uses operators of {', '.join(foreign)}; allowed are those of {', '.join(sorted(DOMAINS - {''}))}"
        )
        raise InputError(words, code="FOREIGN_OPERATORS")


def _cuda_session(content: bytes, threads: int, *, quiet: bool) -> ort.InferenceSession | None:
    """Return a session that really runs on CUDA, or none. TF32 is off: answers must be those of the processor.

    Where CUDA was asked for, ONNX Runtime's own words (which library is missing) go to stderr; under `auto` none do.
    """
    providers = [(CUDA, {"use_tf32": "0"}), CPU]
    ort.set_default_logger_severity(_FATAL if quiet else _WARNING)
    try:
        session = ort.InferenceSession(content, session_options(threads), providers=providers, enable_fallback=0)
    except _ORT_ERRORS:
        return None
    finally:
        ort.set_default_logger_severity(_WARNING)
    return session if CUDA in session.get_providers() else None


def _load_cuda_libraries() -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
        ort.preload_dlls()


def _is_installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _tensors(model: onnx.ModelProto) -> Iterable[onnx.TensorProto]:
    """Yield every tensor of a model, those inside nodes, subgraphs and functions too."""
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes.extend(graph.node)
        else:
            for attribute in nodes.pop().attribute:
                yield from (attribute.t, *attribute.tensors)
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)
                graphs.extend((*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs))


def finite(array: Array) -> bool:
    """Tell whether every number of an array is finite; arrays of whole numbers always are."""
    return not np.issubdtype(array.dtype, np.inexact) or bool(np.isfinite(array).all())


def no_infinity(array: NDArray[Any]) -> bool:
    """Tell whether an array holds no infinity; NaN, which marks what is missing, is allowed."""
    return not np.issubdtype(array.dtype, np.inexact) or not bool(np.isinf(array).any())
