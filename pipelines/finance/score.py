"""Scoring, the main path: raw values -> gate -> engine -> points, decision, reasons. Pure: no clock, no database.

`score_table` is the way for many rows, `score` a table of one. B rows, K reasons a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.runtime.engine import Engine
from data.records import LoanCase
from data.spec import FeatureSpec
from pipelines.finance.explain import Language, Reason, RowReasons, no_reasons, strongest_reasons
from pipelines.finance.features import extract, one_row, to_batch
from pipelines.finance.scorecard import DECISIONS, Decision, Policy

APPROVE = DECISIONS.index("approve")
NO_ERRORS: Mapping[int, str] = {}


@dataclass(frozen=True, kw_only=True)
class Score:
    """One case. Without a score (`error` says why) there is no probability, no points, and no decision."""

    case_id: str
    probability: float | None
    points: float | None  # higher is safer
    decision: Decision | None
    reasons: tuple[Reason, ...]
    error: str | None
    warnings: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Many cases, in their order. `frame` has the contract's columns: id, score, probability, decision, reason_1 ..
    reason_K, error. A row that failed keeps its place with `error` filled and the rest empty."""

    frame: pd.DataFrame
    reasons: RowReasons  # of the model
    failed: int
    warnings: Mapping[str, int]  # "UNSEEN_CATEGORY city" -> rows
    extra: tuple[str, ...]  # columns that the model does not know
    beside: Mapping[int, tuple[Reason, ...]] = field(default_factory=dict)  # row -> what comes before those reasons


def score(case: LoanCase, engine: Engine, *, reasons: int = 4) -> Score:
    """Score one application. InputError: a column of the model is absent (null is a missing value)."""
    scored = score_table(one_row(case.application), engine, ids=[case.case_id], reasons=reasons, reasons_for="all")
    row = scored.frame.iloc[0]
    if scored.failed:
        return Score(
            case_id=case.case_id,
            probability=None,
            points=None,
            decision=None,
            reasons=(),
            error=str(row["error"]),
            warnings=scored.warnings,
        )
    return Score(
        case_id=case.case_id,
        probability=float(row["probability"]),
        points=float(row["score"]),
        decision=row["decision"],
        reasons=scored.reasons[0],
        error=None,
        warnings=scored.warnings,
    )


def score_table(
    frame: pd.DataFrame,
    engine: Engine,
    *,
    ids: Sequence[str],
    row_errors: Mapping[int, str] = NO_ERRORS,
    reasons: int = 4,
    reasons_for: Literal["review", "all"] = "review",
    language: Language = "en",
) -> Scored:
    """Score a frame; `row_errors` are rows (by position) that could not even be read.

    "review" gives reasons to rows that are declined or sent to review. InputError: a column of the model is absent,
    a name comes twice, or the bundle is no credit model.
    """
    manifest = engine.bundle.manifest
    spec, policy = FeatureSpec.from_json(manifest.spec), Policy.from_json(manifest.decision)
    gated = extract(frame, spec)
    errors = gated.errors | dict(row_errors)
    risk = engine.predict(to_batch(gated.values))
    failed_B = np.zeros(len(frame), dtype=np.bool_)
    failed_B[list(errors)] = True
    zone_B = policy.zones.place(risk.probability)
    explained_B = ~failed_B & ((zone_B != APPROVE) | (reasons_for == "all"))
    found = no_reasons(spec, len(frame), reasons)
    if reasons and explained_B.any():
        values = gated.values[explained_B]
        contributions = engine.contributions(to_batch(values))[:, :-1]
        lowering_B = zone_B[explained_B] == APPROVE
        found = found.placed(explained_B, strongest_reasons(spec, values, contributions, lowering_B, reasons))
    points_B = policy.scale.points(risk.probability)
    table = {
        "id": pd.Series(ids, dtype="str"),
        "score": np.where(failed_B, np.nan, points_B),
        "probability": np.where(failed_B, np.nan, risk.probability),
        "decision": _decisions(zone_B, failed_B),
        **{f"reason_{k + 1}": pd.Series(text, dtype="str") for k, text in enumerate(found.texts(language))},
        "error": _errors(errors, len(frame)),
    }
    return Scored(
        frame=pd.DataFrame(table, index=pd.RangeIndex(len(frame))),
        reasons=found,
        failed=int(failed_B.sum()),
        warnings=gated.warnings,
        extra=gated.extra,
    )


def _decisions(zone_B: NDArray[np.int64], failed_B: NDArray[np.bool_]) -> pd.Series:
    """Words, missing where the row failed."""
    words = np.asarray([*DECISIONS, None], dtype=object)
    return pd.Series(words[np.where(failed_B, len(DECISIONS), zone_B)], dtype="str")


def _errors(errors: Mapping[int, str], rows: int) -> pd.Series:
    words = np.full(rows, None, dtype=object)
    for row, text in errors.items():
        words[row] = text
    return pd.Series(words, dtype="str")
