"""Scores the rows of a chunk, through the same way as the command line."""

from typing import Any

import numpy as np

from apps.engines import engine_for
from apps.settings import Settings
from apps.store.chunks import Claim, Outcome
from apps.store.objects import open_objects
from apps.store.pieces import read_piece
from apps.store.results import ScoredCase
from apps.store.tables import Model
from pipelines.finance.explain import NONE, RowReasons
from pipelines.finance.score import score_table


def score_piece(settings: Settings, model: Model, claim: Claim) -> Outcome:
    """Score the rows of a piece."""
    piece = read_piece(open_objects(settings), claim.payload["key"])
    scored = score_table(
        piece.frame,
        engine_for(settings, model),
        ids=piece.ids,
        row_errors=piece.errors,
        reasons=claim.params["reasons"],
        reasons_for=claim.params["reasons_for"],
    )
    columns = [scored.frame[name].tolist() for name in ("id", "score", "probability", "decision")]
    errors = scored.frame["error"].astype(object).where(scored.frame["error"].notna(), None)
    rows = zip(*columns, _reasons(scored.reasons), errors, strict=True)
    cases = {claim.first_row + place: _case(*row) for place, row in enumerate(rows)}
    return Outcome(cases=cases, failed=scored.failed)


def _case(
    case_id: str, score: float, probability: float, decision: str, reasons: list[dict[str, Any]], error: str | None
) -> ScoredCase:
    if error is not None:
        return ScoredCase(case_id=case_id, score=None, probability=None, decision=None, error=error)
    return ScoredCase(case_id=case_id, score=score, probability=probability, decision=decision, reasons=reasons)


def _reasons(found: RowReasons) -> list[list[dict[str, Any]]]:
    """Return the reasons of all rows as plain values, column by column: asking row by row is thirty times slower."""
    rows: list[list[dict[str, Any]]] = [[] for _ in range(len(found))]
    texts_zh: list[list[str]] = [texts.tolist() for texts in found.texts("zh")]
    for k, texts_en in enumerate(found.texts("en")):
        for row in np.flatnonzero(found.feature_BK[:, k] != NONE).tolist():
            column = found.spec.columns[int(found.feature_BK[row, k])]
            code, words = _parts(str(texts_en[row]))
            rows[row].append(
                {
                    "code": code,
                    "words": words,
                    "words_zh": _parts(texts_zh[k][row])[1],
                    "contribution": float(found.contribution_BK[row, k]),
                    "feature": column.name,
                    "value": _value(float(found.value_BK[row, k]), column.categories),
                }
            )
    return rows


def _parts(text: str) -> tuple[str, str]:
    """Take "CODE: words (+0.12)" apart."""
    code, _, rest = text.partition(": ")
    return code, rest.rpartition(" (")[0]


def _value(value: float, categories: tuple[str, ...]) -> float | str | None:
    if value != value:
        return None
    return categories[int(value)] if categories else value
