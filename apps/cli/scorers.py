"""How each kind of model scores the rows of a table, in process, piece by piece."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from apps.cases import read_cases, read_companies
from apps.histories import Columns, read_history
from core.runtime.engine import Engine
from data.source import Source
from data.spec import FeatureSpec
from pipelines.finance.company import score_company
from pipelines.finance.fraud import ledger_of, score_fraud
from pipelines.finance.score import Scored, score_table


@dataclass(frozen=True)
class Asked:
    """What the command line says of a scoring."""

    where: dict[str, str]
    id_column: str | None
    reasons: int
    reasons_for: Any
    rows: int
    company: str | None


def _credit(source: Source, engine: Engine, wish: Asked) -> Iterator[Scored]:
    spec = FeatureSpec.from_json(engine.bundle.manifest.spec)
    for piece in read_cases(source, spec, id_column=wish.id_column, where=wish.where, rows=wish.rows):
        yield score_table(
            piece.frame,
            engine,
            ids=piece.ids,
            row_errors=piece.errors,
            reasons=wish.reasons,
            reasons_for=wish.reasons_for,
        )


def _company(source: Source, engine: Engine, wish: Asked) -> Iterator[Scored]:
    table = read_companies(source, engine.bundle.manifest, id_column=wish.id_column, where=wish.where)
    yield score_company(
        table.frame,
        engine,
        ids=table.ids,
        row_errors=table.errors,
        reasons=wish.reasons,
        reasons_for=wish.reasons_for,
    )


def _fraud(source: Source, engine: Engine, wish: Asked) -> Iterator[Scored]:
    columns = Columns.of_model(engine.bundle.manifest, wish.id_column)
    history = read_history(source, columns, wish.where)
    ledger = ledger_of(history.frame, engine, history.errors)
    yield from score_fraud(
        ledger,
        history.chosen[0],
        engine,
        ids=history.ids,
        reasons=wish.reasons,
        reasons_for=wish.reasons_for,
        at_once=wish.rows,
    )


SCORERS: dict[str, Callable[[Source, Engine, Asked], Iterator[Scored]]] = {
    "credit": _credit,
    "company": _company,
    "fraud": _fraud,
}
