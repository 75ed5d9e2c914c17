"""What the validation rows are asked of a fitted model, whatever it is made of: calibration, zones, exits, metrics.

All margins come from the runners that will serve. B rows, F features, S stages, M refits.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.metrics.bootstrap import Metric, binary_metrics
from core.runtime.bundle import Golden
from core.runtime.calibrate import Calibrator, fit_calibrator
from core.runtime.cascade import Combination, PartRuns, Runner, Stage
from core.runtime.engine import EXIT, MARGIN, logistic, open_parts
from core.runtime.manifest import PART_FILES, PartKind
from data.spec import FeatureSpec
from pipelines.finance.exits import TOLERANCE, ExitRows, StageDraft, calibrate_stages, exit_costs, set_bands
from pipelines.finance.features import TABLE
from pipelines.finance.options import CreditOptions
from pipelines.finance.rows import Labelled
from pipelines.finance.scorecard import Policy
from pipelines.finance.zones import ValidationRows, choose_zones, describe

Floats = NDArray[np.float64]
GOLDEN_ROWS = 16
GOLDEN_TOLERANCE = 1e-4  # of a cascade: networks answer in single precision
CLEAR = 1e-2  # log-odds between a golden row and the edge of a band, so that every machine takes the same exit
TOLERANCES = (5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3)  # shown in the table of exits


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """What a preset hands over. With one stage of weight 1 and no bias, its margin is the model's."""

    parts: Mapping[str, tuple[PartKind, bytes]]
    stages: tuple[StageDraft, ...]
    fold_margin_MB: (
        Floats  # last stage's weighted sum on the validation rows, by models fitted to other rows; M may be 0
    )
    about: Mapping[str, Any]  # how it was found, for the bundle; plain JSON
    exit_tolerance: float = TOLERANCE  # log loss that early exits may cost, where the options do not say
    beside: Mapping[str, bytes] = field(default_factory=dict)  # files for the bundle that no runner reads
    packages: tuple[str, ...] = ()  # whose versions matter besides lightgbm and numpy


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the bundle keeps of it. `calibration` or `combination`: one of them is there."""

    calibration: Mapping[str, Any] | None
    combination: Combination | None
    policy: Policy
    metrics: Mapping[str, Metric]
    probability_B: Floats  # of the validation rows, each by a calibration that it had no part in
    exits: Mapping[str, Any] = field(default_factory=dict)
    golden: Golden


def judge(
    fitted: FittedModel,
    rows: Labelled,
    spec: FeatureSpec,
    options: CreditOptions,
    rate: Callable[[Floats], float] | None = None,
) -> Judged:
    """Calibrate, set zones and exits, and measure, each row by a calibration that it had no part in.

    `rate` finds the wanted share of declines from the margins (B,) of the rows; None: as the options have it.
    """
    with tempfile.TemporaryDirectory() as draft:
        runners = _open(fitted, Path(draft))
        seen = ExitRows(margin_SB=stage_margins(fitted.stages, runners, rows.x_BF), y_B=rows.y_B)
        table = _golden_table(spec, options.seed)
        golden_SG = stage_margins(fitted.stages, runners, table)
    patient = calibrate_stages(fitted.stages, seen)
    last = patient.stages[-1]
    final = ValidationRows(margin_B=last.combine(seen.margin_SB), fold_margin_MB=fitted.fold_margin_MB)
    wanted = options.target_rate if rate is None else rate(final.margin_B)
    zones = choose_zones(last.calibrator, final, options.costs, wanted)
    tolerance = fitted.exit_tolerance if options.exit_tolerance is None else options.exit_tolerance
    combination = set_bands(patient, seen, zones, tolerance)
    plain = _is_plain(fitted.stages)
    exits = [] if plain else [cost.to_json() for cost in exit_costs(patient, seen, seen, zones, TOLERANCES)]
    p_B = _crossed(combination, seen)
    return Judged(
        calibration=last.calibrator.to_json() if plain else None,
        combination=None if plain else combination,
        policy=Policy(scale=options.scale, zones=zones, rule=describe(zones, options.costs, wanted)),
        metrics=binary_metrics(rows.y_B, p_B, seed=options.seed),
        probability_B=p_B,
        exits={} if plain else {"exits": exits},
        golden=_plain_golden(table, golden_SG[0], last.calibrator) if plain else _golden(table, golden_SG, combination),
    )


def stage_margins(stages: tuple[StageDraft, ...], runners: Mapping[str, Runner], x_BF: Floats) -> Floats:
    """Margins (S, B) of every stage for every row."""
    runs, all_B = PartRuns(stages, runners, {TABLE: x_BF}), np.arange(len(x_BF))
    return np.stack([runs.margin(number, all_B) for number in range(len(stages))])


def _open(fitted: FittedModel, draft: Path) -> dict[str, Runner]:
    files: dict[str, tuple[str, Path]] = {}
    for name, (kind, content) in fitted.parts.items():
        files[name] = kind, draft / (name + PART_FILES[kind])
        files[name][1].write_bytes(content)
    return open_parts(files, combined=not _is_plain(fitted.stages))


def _is_plain(stages: tuple[StageDraft, ...]) -> bool:
    return len(stages) == 1 and stages[0].weights == (1.0,) and stages[0].bias == 0


def _crossed(combination: Combination, rows: ExitRows) -> Floats:
    """Probabilities of the validation rows, each half calibrated on the other: no row judges its own calibration."""
    margin_B = combination.stages[-1].combine(rows.margin_SB)
    half_B = np.empty(len(rows.y_B), dtype=np.int64)
    half_B[np.lexsort((margin_B, rows.y_B))] = np.arange(len(rows.y_B)) % 2
    p_B = logistic(combination.decide(rows.margin_SB).log_odds_B)
    for half in (0, 1):
        own = half_B == half
        if len(np.unique(rows.y_B[~own])) == 2:
            other = ExitRows(margin_SB=rows.margin_SB[:, ~own], y_B=rows.y_B[~own])
            p_B[own] = logistic(_calibrated_on(combination, other).decide(rows.margin_SB[:, own]).log_odds_B)
    return p_B


def _calibrated_on(combination: Combination, rows: ExitRows) -> Combination:
    """The same stages and bands, calibrated on other rows."""

    def again(number: int, stage: Stage) -> Stage:
        margin_B = stage.combine(rows.margin_SB[: number + 1])
        return replace(stage, calibrator=fit_calibrator(margin_B, rows.y_B))

    return Combination(stages=tuple(again(number, stage) for number, stage in enumerate(combination.stages)))


def _plain_golden(table: Floats, margin_G: Floats, calibrator: Calibrator) -> Golden:
    return Golden(inputs={TABLE: table}, outputs={MARGIN: margin_G, "probability": calibrator(margin_G)})


def _golden(table: Floats, margin_SG: Floats, combination: Combination) -> Golden:
    """Golden answers of a cascade, of rows that lie clear of every band's edge."""
    clear_G = np.ones(len(table), dtype=np.bool_)
    for number, stage in enumerate(combination.stages):
        z_G = stage.calibrator.log_odds(stage.combine(margin_SG[: number + 1]))
        for edge in (stage.low, stage.high):
            clear_G &= np.abs(z_G - edge) > CLEAR if edge is not None else True
    left = combination.decide(margin_SG[:, clear_G])
    outputs = {MARGIN: left.log_odds_B, EXIT: left.exit_B, "probability": logistic(left.log_odds_B)}
    return Golden(inputs={TABLE: table[clear_G]}, outputs=outputs, tolerance=GOLDEN_TOLERANCE)


def _golden_table(spec: FeatureSpec, seed: int) -> Floats:
    """Made-up rows from the spec, with gaps and codes: real rows of customers do not belong in a bundle."""
    rng = np.random.default_rng(seed)
    table = np.full((GOLDEN_ROWS, len(spec.columns)), np.nan)
    for place, column in enumerate(spec.columns):
        if column.kind == "category":
            choice = np.arange(len(column.categories), dtype=np.float64)
        else:
            edges = [column.soft_low, *column.bins, column.soft_high, *column.special_codes]
            choice = np.asarray([edge for edge in edges if edge is not None], dtype=np.float64)
        table[1:, place] = rng.choice(np.append(choice, np.nan), GOLDEN_ROWS - 1)
    return table
