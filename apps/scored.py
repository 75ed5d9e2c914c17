"""What is kept of scored cases: the rows of the results table, from what scoring gives."""

from typing import Any

import numpy as np

from apps.store.results import ScoredCase
from pipelines.finance.explain import NONE, Reason, RowReasons
from pipelines.finance.score import Scored


def to_cases(scored: Scored, *, reasons: int) -> list[ScoredCase]:
    """All cases in their order, each with at most `reasons` reasons: hard rules and doubts, then the model's own."""
    frame = scored.frame
    columns = [frame[name].tolist() for name in ("id", "score", "probability", "decision")]
    errors, periods = (
        frame[name].astype(object).where(frame[name].notna(), None) if name in frame else [None] * len(frame)
        for name in ("error", "period")
    )
    found = _reasons(scored.reasons)
    for row, said in scored.beside.items():
        found[row] = [*(vars(reason).copy() for reason in said), *found[row]][:reasons]
    return [_case(*row) for row in zip(*columns, found, errors, periods, strict=True)]


def _case(
    case_id: str,
    score: float,
    probability: float,
    decision: str,
    reasons: list[dict[str, Any]],
    error: str | None,
    period: str | None,
) -> ScoredCase:
    if error is not None:
        return ScoredCase(case_id=case_id, score=None, probability=None, decision=None, error=error, period=period)
    return ScoredCase(
        case_id=case_id, score=score, probability=probability, decision=decision, reasons=reasons, period=period
    )


def _reasons(found: RowReasons) -> list[list[dict[str, Any]]]:
    """Return the reasons of all rows as plain values, column by column: asking row by row is thirty times slower."""
    rows: list[list[dict[str, Any]]] = [[] for _ in range(len(found))]
    texts_zh: list[list[str]] = [texts.tolist() for texts in found.texts("zh")]
    for k, texts_en in enumerate(found.texts("en")):
        for row in np.flatnonzero(found.feature_BK[:, k] != NONE).tolist():
            column = found.spec.columns[int(found.feature_BK[row, k])]
            code, words = _parts(str(texts_en[row]))
            reason = Reason(
                code=code,
                words=words,
                words_zh=_parts(texts_zh[k][row])[1],
                contribution=float(found.contribution_BK[row, k]),
                feature=column.name,
                value=_value(float(found.value_BK[row, k]), column.categories),
            )
            rows[row].append(vars(reason).copy())
    return rows


def _parts(text: str) -> tuple[str, str]:
    """Take "CODE: words (+0.12)" apart."""
    code, _, rest = text.partition(": ")
    return code, rest.rpartition(" (")[0]


def _value(value: float, categories: tuple[str, ...]) -> float | str | None:
    if value != value:
        return None
    return categories[int(value)] if categories else value
