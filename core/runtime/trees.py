"""Runs a LightGBM text model through LightGBM's own C library, called by ctypes.

Why this way (README of `pipelines/finance` has the numbers): it gives the very bits of `Booster.predict`, for NaN, zero
as missing, default directions and categorical splits, where ONNX's TreeEnsemble answers in float32 and knows no zero as
missing; it is as fast on one row as any other way; and it loads in milliseconds, since neither the Python package of
LightGBM nor what that imports (scipy, pandas, scikit-learn) is needed.

A text model that was changed can abort the process: check its hash before it comes here (`core.runtime.bundle`).
OpenMP does not survive a fork: load in the process that predicts. Shapes: B rows, F features.
"""

import ctypes
import importlib.util
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.batch import Array
from core.errors import AssayError, InputError
from core.runtime.tree_cells import CellForest, TooBushyError
from core.runtime.tree_shap import TreeShap, has_cover
from core.runtime.tree_text import Forest, read_forest

Floats = NDArray[np.float64]
_DOUBLE, _ROW_MAJOR = 1, 1  # C_API_DTYPE_FLOAT64, is_row_major
_RAW, _CONTRIB = 1, 3  # C_API_PREDICT_RAW_SCORE, C_API_PREDICT_CONTRIB
ONE_THREAD_ROWS = 5_000  # up to here, waking the other cores costs more than they give, above all on a busy machine
CELL_ROWS = 30_000  # asked for so many rows at once, tables of cells pay for their making
SHAP_ROWS = 2_000  # the same for contributions, counted over all calls but those of single cases
FEW_ROWS = 64  # fewer are always explained by the library, so that no single case waits for tables
PARTS_A_TREE = 2  # trees that fall into more parts are walked faster than looked up


class TreeRunner:
    """One LightGBM model of one output. Safe to share between threads."""

    needs = ("table",)

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        """Load a text model; `threads` 0 means all cores. InputError when the library refuses the file."""
        self._path = path
        self._parameters = f"num_threads={threads}".encode()
        self._library = load_library()
        self._handle = ctypes.c_void_p()
        self._single = ctypes.c_void_p()
        self._lock = threading.Lock()
        self._cells = _Tables(path)
        self._explained = 0
        rounds = ctypes.c_int()
        self._call("LGBM_BoosterCreateFromModelfile", str(path).encode(), ctypes.byref(rounds), self._out("_handle"))
        classes, features = ctypes.c_int(), ctypes.c_int()
        self._call("LGBM_BoosterGetNumClasses", self._handle, ctypes.byref(classes))
        self._call("LGBM_BoosterGetNumFeature", self._handle, ctypes.byref(features))
        if classes.value != 1:
            raise InputError(f"{path}: a model of one output is needed, got {classes.value}")
        self.trees = rounds.value
        self.features = features.value

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """`{"table": (B, F)}`, NaN for missing, gives `{"margin": (B,)}` in log-odds. InputError: another F."""
        x_BF = self._checked(inputs["table"])
        if len(x_BF) == 1:
            return {"margin": self._run_one(x_BF)}
        cells = self._cells.margins() if len(x_BF) >= CELL_ROWS else None
        if cells is not None:
            return {"margin": cells.margins(x_BF)}
        return {"margin": self._predict(x_BF, _RAW)[:, 0]}

    def contributions(self, x_BF: Array) -> Floats:
        """Exact SHAP values (B, F + 1) in log-odds; the last column is the base, rows sum to the margin."""
        x_BF = self._checked(x_BF)
        many = len(x_BF) >= FEW_ROWS
        self._explained += len(x_BF) if many else 0
        shap = self._cells.contributions() if many and self._explained >= SHAP_ROWS else None
        return self._predict(x_BF, _CONTRIB) if shap is None else shap.contributions(x_BF)

    def __del__(self) -> None:
        if getattr(self, "_single", None):
            self._library.LGBM_FastConfigFree(self._single)
        if getattr(self, "_handle", None):
            self._library.LGBM_BoosterFree(self._handle)

    def _checked(self, table: Array) -> Floats:
        x_BF = np.ascontiguousarray(table, dtype=np.float64)
        if x_BF.ndim != 2 or x_BF.shape[1] != self.features:
            raise InputError(f"the trees need a table of {self.features} columns, got shape {x_BF.shape}")
        return x_BF

    def _predict(self, x_BF: Floats, kind: int) -> Floats:
        out = np.empty((len(x_BF), self.features + 1 if kind == _CONTRIB else 1))
        if not len(x_BF):
            return out
        shape = (ctypes.c_int32(len(x_BF)), ctypes.c_int32(self.features), _ROW_MAJOR)
        threads = self._parameters if len(x_BF) > ONE_THREAD_ROWS else b"num_threads=1"
        model = (kind, 0, -1, threads)  # all trees
        written = ctypes.c_int64()
        to = (ctypes.byref(written), ctypes.c_void_p(out.ctypes.data))
        self._call(
            "LGBM_BoosterPredictForMat", self._handle, ctypes.c_void_p(x_BF.ctypes.data), _DOUBLE, *shape, *model, *to
        )
        return out

    def _run_one(self, x_BF: Floats) -> Floats:
        """One row without the set-up of a batch; the library's buffer for it is shared, hence the lock."""
        out, written = np.empty(1), ctypes.c_int64()
        with self._lock:
            if not self._single:
                model = (_RAW, 0, -1, _DOUBLE, ctypes.c_int32(self.features), b"num_threads=1")
                self._call("LGBM_BoosterPredictForMatSingleRowFastInit", self._handle, *model, self._out("_single"))
            to = (ctypes.byref(written), ctypes.c_void_p(out.ctypes.data))
            x = ctypes.c_void_p(x_BF.ctypes.data)
            self._call("LGBM_BoosterPredictForMatSingleRowFast", self._single, x, *to)
        return out

    def _out(self, name: str) -> Any:
        return ctypes.byref(getattr(self, name))

    def _call(self, function: str, *arguments: object) -> None:
        if getattr(self._library, function)(*arguments) != 0:
            said = self._library.LGBM_GetLastError().decode(errors="replace")
            raise InputError(f"{self._path}: LightGBM refused ({said}); restore the file or retrain")


class _Tables:
    """Tables of a forest, made when they are first wanted; None where they do not pay or cannot be made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._made: tuple[Forest, CellForest] | None = None
        self._shap: TreeShap | None = None
        self._refused = False

    def margins(self) -> CellForest | None:
        """Cells, where looking up is faster than walking the trees."""
        with self._lock:
            made = self._make()
        few = made is not None and len(made[1].parts) <= PARTS_A_TREE * len(made[0].trees)
        return made[1] if made is not None and few else None

    def contributions(self) -> TreeShap | None:
        """Contributions by cell: always faster than the library's."""
        with self._lock:
            made = self._make()
            if made is not None and self._shap is None and has_cover(made[0]):
                self._shap = TreeShap(*made)
            return self._shap

    def _make(self) -> tuple[Forest, CellForest] | None:
        if self._made is None and not self._refused:
            try:
                forest = read_forest(self._path)
                self._made = forest, CellForest(forest)
            except TooBushyError:
                self._refused = True
        return self._made


@cache
def load_library() -> ctypes.CDLL:
    """The C library inside the lightgbm package, without importing the package. AssayError when it is not there."""
    spec = importlib.util.find_spec("lightgbm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for name in ("lib/lib_lightgbm.so", "lib/lib_lightgbm.dylib", "bin/lib_lightgbm.dll", "lib/lib_lightgbm.dll"):
            if (path := Path(folder) / name).is_file():
                library = ctypes.CDLL(str(path))
                library.LGBM_GetLastError.restype = ctypes.c_char_p
                library.LGBM_RegisterLogCallback(_SILENT)
                return library
    raise AssayError("LightGBM's library was not found; run: pip install lightgbm")


def _ignore(message: bytes) -> None:
    """Errors are raised with their text, so nothing is printed."""


_SILENT = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(_ignore)  # kept alive here: the library holds it
