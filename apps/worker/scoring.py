"""Scores the rows of a chunk, through the same way as the command line."""

from collections.abc import Callable, Mapping
from typing import Any

from apps.engines import engine_for
from apps.scored import to_cases
from apps.settings import Settings
from apps.store.chunks import Claim, Outcome
from apps.store.objects import open_objects
from apps.store.pieces import Piece, read_piece
from apps.store.tables import Model
from core.runtime.engine import Engine
from pipelines.finance.company import score_company
from pipelines.finance.score import Scored, score_table


def score_piece(settings: Settings, model: Model, claim: Claim) -> Outcome:
    """Score the cases of a piece."""
    piece = read_piece(open_objects(settings), claim.payload["key"])
    scored = SCORERS[model.kind](piece, engine_for(settings, model), claim.params)
    cases = enumerate(to_cases(scored, reasons=claim.params["reasons"]))
    return Outcome(cases={claim.first_row + place: case for place, case in cases}, failed=scored.failed)


def _credit(piece: Piece, engine: Engine, params: Mapping[str, Any]) -> Scored:
    return score_table(
        piece.frame,
        engine,
        ids=piece.ids,
        row_errors=piece.errors,
        reasons=params["reasons"],
        reasons_for=params["reasons_for"],
    )


def _company(piece: Piece, engine: Engine, params: Mapping[str, Any]) -> Scored:
    return score_company(
        piece.frame,
        engine,
        ids=piece.ids,
        row_errors=piece.errors,
        reasons=params["reasons"],
        reasons_for=params["reasons_for"],
        only=piece.cases,
    )


SCORERS: dict[str, Callable[[Piece, Engine, Mapping[str, Any]], Scored]] = {"credit": _credit, "company": _company}
