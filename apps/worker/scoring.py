"""Scores the rows of a chunk, through the same way as the command line."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from apps.engines import engine_for
from apps.settings import Settings
from apps.store.chunks import Claim, Outcome
from apps.store.objects import open_objects
from apps.store.pieces import read_piece
from apps.store.results import ScoredCase
from apps.store.tables import Model
from pipelines.finance.explain import Reason
from pipelines.finance.score import score_table


def score_piece(settings: Settings, model: Model, claim: Claim) -> Outcome:
    """Score the rows of a piece."""
    params = claim.params
    piece = read_piece(open_objects(settings), claim.payload["key"])
    scored = score_table(
        piece.frame,
        engine_for(settings, model),
        ids=piece.ids,
        row_errors=piece.errors,
        reasons=params["reasons"],
        reasons_for=params["reasons_for"],
    )
    rows = zip(scored.frame.to_dict("records"), scored.reasons, strict=True)
    cases = {claim.first_row + place: _case(row, reasons) for place, (row, reasons) in enumerate(rows)}
    return Outcome(cases=cases, failed=scored.failed)


def _case(row: dict[Any, Any], reasons: list[Reason]) -> ScoredCase:
    error = None if pd.isna(row["error"]) or row["error"] == "" else str(row["error"])
    if error is not None:
        return ScoredCase(case_id=str(row["id"]), score=None, probability=None, decision=None, error=error)
    texts = [str(row[f"reason_{k}"]) for k in range(1, len(reasons) + 1)]
    return ScoredCase(
        case_id=str(row["id"]),
        score=float(row["score"]),
        probability=float(row["probability"]),
        decision=str(row["decision"]),
        reasons=[_plain(asdict(reason)) | {"text": text} for reason, text in zip(reasons, texts, strict=True)],
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Make numpy scalars plain, and NaN null: JSON knows neither."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    return {name: None if isinstance(value, float) and value != value else value for name, value in plain.items()}
