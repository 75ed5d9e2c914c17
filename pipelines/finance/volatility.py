"""Volatility: the variance of a market series one day ahead. Trains the model and runs it.

    table -> read_days -> windows of 64 days -> engine -> variance in percent^2 a day

A forecast is made at the close of a day, for the next one, from that day and those before it alone.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch

from core.batch import Batch
from core.errors import InputError
from core.runtime.bundle import Bundle, Golden, write_bundle
from core.runtime.engine import MARGIN, Engine
from core.runtime.export import export_onnx
from core.runtime.sessions import OnnxRunner
from core.train.loop import Progress
from pipelines.finance.floors import check_floors
from pipelines.finance.rows import fingerprint
from pipelines.finance.volatility_days import (
    CHANNELS,
    WINDOW,
    Days,
    Floats,
    Ints,
    SeriesColumns,
    days_where,
    find_columns,
    read_days,
)
from pipelines.finance.volatility_evaluate import SeriesEvaluation, annual_volatility, evaluate_forecasts
from pipelines.finance.volatility_memory import FILE, Knowledge, pack, sensitivity
from pipelines.finance.volatility_net import VolatilityNet, VolatilityOptions, fit_network, forecast

KIND = "volatility"
NO_FLOORS: Mapping[str, float] = MappingProxyType({})
SERIES = "series"
PART = "network"
HELD_OUT = 0.2  # newest share of the training days that validates where nothing else does
FEWEST_DAYS = 100  # to learn from
GOLDEN_WINDOWS = 16
GOLDEN_TOLERANCE = 1e-4  # the network answers in single precision
LOWER = ("qlike", "mse")  # metrics for which a floor is a ceiling
FLOORS = ("skill", *LOWER)
RULE = "a forecast of variance; it decides nothing"


@dataclass(frozen=True, kw_only=True)
class SeriesRequest:
    """What a training is asked for."""

    time: str  # column of the day
    columns: Mapping[str, str | None] = field(default_factory=dict)  # by role: open, high, low, close, volume
    where: Mapping[str, str] = field(default_factory=dict)  # rows to learn from; the others are history
    valid_where: Mapping[str, str] = field(default_factory=dict)  # rows that validate
    name: str = KIND
    seed: int = 0
    floors: Mapping[str, float] = field(default_factory=dict)
    resume: Path | None = None  # folder of a run that may have been cut off
    network: VolatilityOptions = field(default_factory=VolatilityOptions)


def train_volatility(frame: pd.DataFrame, request: SeriesRequest, folder: Path, progress: Progress) -> Bundle:
    """Train and write the bundle to `folder`, which must be new or empty.

    InputError: the table is no series, or too short. GateError: a floor was missed; nothing is written.
    """
    if unknown := sorted(set(request.floors) - set(FLOORS)):
        raise InputError(f"no floor can be set on {', '.join(unknown)}; allowed: {', '.join(FLOORS)}")
    unused = (*request.where, *request.valid_where)
    columns = find_columns(frame, request.time, request.columns, unused)
    days = read_days(frame, columns)
    fit_D, valid_D = _parts(days, frame, request)
    net, report = fit_network(
        days,
        fit_D,
        valid_D,
        request.network,
        seed=request.seed,
        folder=request.resume,
        progress=lambda share, words: progress(0.8 * share, words),
        origin=fingerprint(frame, None),
    )
    progress(0.8, "measuring what the network is sensitive to")
    knowledge = Knowledge(net=net, options=request.network, fisher=sensitivity(net, days, fit_D))
    learned = {"steps": report.best_step, "until": str(days.time_N[fit_D].max())[:10]}
    about = _record(request, columns, days) | {"days": {"training": len(fit_D), "validation": len(valid_D)}}
    about |= {"learned": learned, "data_sha256": fingerprint(frame, None)}
    progress(0.9, "writing the bundle")
    return write_volatility(
        knowledge,
        days,
        valid_D,
        forecast(net, days, valid_D),
        columns,
        folder,
        name=request.name,
        about=about,
        seed=request.seed,
        floors=request.floors,
    )


def write_volatility(
    knowledge: Knowledge,
    days: Days,
    judged_D: Ints,
    variance_D: Floats,
    columns: SeriesColumns,
    folder: Path,
    *,
    name: str,
    about: Mapping[str, Any],
    seed: int,
    floors: Mapping[str, float] = NO_FLOORS,
) -> Bundle:
    """Judge forecasts of some days, export the network, and write the bundle. GateError: a floor was missed."""
    found = evaluate_forecasts(days, judged_D, variance_D, seed=seed)
    check_floors(found.metrics, floors, LOWER)
    with tempfile.TemporaryDirectory() as draft:
        path = Path(draft) / f"{PART}.onnx"
        windows = _made_up(seed)
        export_onnx(knowledge.net, {SERIES: torch.from_numpy(windows[:2])}, path)
        runner = OnnxRunner(path, device="cpu", threads=1)
        golden = Golden(inputs={SERIES: windows}, outputs=runner.run({SERIES: windows}), tolerance=GOLDEN_TOLERANCE)
        return write_bundle(
            folder,
            kind=KIND,
            name=name,
            parts={PART: ("onnx", path)},
            spec={"series": columns.to_json(), "window_days": WINDOW},
            decision={"rule": RULE},
            calibration=None,
            metrics={"validation": found.to_json()},
            golden=golden,
            about=about,
            beside={FILE: pack(knowledge)},
        )


def columns_of(engine: Engine) -> SeriesColumns:
    """Return the columns that a model was made with."""
    return SeriesColumns.from_json(engine.bundle.manifest.spec["series"])


def forecast_days(engine: Engine, days: Days, day_D: Ints) -> Floats:
    """Return the variance (D,) forecast at the close of the day before each of these days, percent^2."""
    if not len(day_D):
        return np.empty(0)
    margin_D = engine.predict(Batch(inputs={SERIES: days.windows(day_D - 1)})).outputs[MARGIN]
    return np.asarray(np.exp(margin_D.astype(np.float64)))


def evaluate_series(
    frame: pd.DataFrame, engine: Engine, where: Mapping[str, str], *, seed: int = 0
) -> tuple[SeriesEvaluation, Days]:
    """Judge a model on the rows that fit `where`; the rows before each of them are its history."""
    days = read_days(frame, columns_of(engine))
    day_D = days_where(days, frame, where)
    return evaluate_forecasts(days, day_D, forecast_days(engine, days, day_D), seed=seed), days


def score_series(frame: pd.DataFrame, engine: Engine) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a row a row of the table: its time, the forecast for the trading day after it, and error.

    The second are words about what was mended. Rows without a whole window before and with them have an error.
    """
    columns = columns_of(engine)
    days = read_days(frame, columns)
    after_D = np.arange(WINDOW, len(days.row_N) + 1)
    scored = pd.DataFrame({"time": frame[columns.time].astype("str").to_numpy()})
    variance_R, error = np.full(len(frame), np.nan), pd.Series(None, index=scored.index, dtype="object")
    variance_R[days.row_N[after_D - 1]] = forecast_days(engine, days, after_D)
    for place, row in enumerate(days.row_N[: WINDOW - 1]):
        error[int(row)] = f"NO_HISTORY: a forecast needs {WINDOW} trading days, here are {place + 1}"
    for row, words in days.errors.items():
        error[row] = words
    scored["variance_pct2"], scored["volatility_annual_pct"] = variance_R, annual_volatility(variance_R)
    return scored.assign(error=error), days.notes


def _parts(days: Days, frame: pd.DataFrame, request: SeriesRequest) -> tuple[Ints, Ints]:
    """Return the days to learn from, and those that tell when to stop: the newest fifth where none are named."""
    fit_D = days_where(days, frame, request.where)
    if request.valid_where:
        valid_D = days_where(days, frame, request.valid_where)
        if common := len(np.intersect1d(fit_D, valid_D)):
            raise InputError(f"{common} days are both learned from and validated on; change --where or --valid-where")
    else:
        cut = len(fit_D) - int(HELD_OUT * len(fit_D))
        fit_D, valid_D = fit_D[:cut], fit_D[cut:]
    if len(fit_D) < FEWEST_DAYS or not len(valid_D):
        words = f"{len(fit_D)} days to learn from and {len(valid_D)} to validate on"
        raise InputError(f"a forecast needs at least {FEWEST_DAYS} and 1, got {words}", code="NO_DATA")
    return fit_D, valid_D


def _record(request: SeriesRequest, columns: SeriesColumns, days: Days) -> dict[str, Any]:
    """Say where the model comes from. No clock: the same rows and seed give the same bytes."""
    proxy = "half the Parkinson range, half the squared return" if days.has_range else "the squared return"
    return {
        "series": columns.to_json(),
        "target": proxy,
        "rows_without_a_day": len(days.errors),
        "mended": list(days.notes),
        "network": vars(request.network),
        "seed": request.seed,
        "versions": {name: version(name) for name in ("assay", "torch", "numpy")},
    }


def _made_up(seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return windows of made-up days, calm and wild."""
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.normal(0.0, 1.0, (GOLDEN_WINDOWS, 1)))
    windows = np.empty((GOLDEN_WINDOWS, WINDOW, CHANNELS))
    windows[..., 0] = spread * rng.normal(size=(GOLDEN_WINDOWS, WINDOW))
    windows[..., 1] = spread**2 * rng.gamma(2.0, 0.5, (GOLDEN_WINDOWS, WINDOW)) + 1e-3
    windows[..., 2] = 0.3 * spread * rng.normal(size=(GOLDEN_WINDOWS, WINDOW))
    windows[..., 3] = 0.2 * rng.normal(size=(GOLDEN_WINDOWS, WINDOW))
    return windows.astype(np.float32)


__all__ = ["KIND", "SeriesRequest", "VolatilityNet", "evaluate_series", "score_series", "train_volatility"]
