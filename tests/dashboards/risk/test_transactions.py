"""Fraud models and their runs on the pages: words of their own, runs whose rows lie in a file, queues of alerts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from apps.settings import Settings
from apps.store.database import open_database
from apps.store.models import register, save_evaluation
from apps.store.runs import record_run
from apps.store.tables import Job
from core.runtime.bundle import open_bundle
from core.runtime.engine import Engine
from pipelines.finance.fraud import ledger_of
from pipelines.finance.fraud_evaluate import evaluate_fraud
from tests.pipelines.finance.fraud_samples import fraud_frame, write_fraud_bundle

Visit = Callable[..., AppTest]


@pytest.fixture
def queued(nothing: Path) -> Job:
    """A home with a fraud model, its evaluation, a scored file and a queue of alerts."""
    settings = Settings(home=nothing, database_url=None, store_url=None)
    db = open_database(settings)
    folder = write_fraud_bundle(nothing / "draft")
    engine = Engine.open(open_bundle(folder), device="cpu")
    frame = fraud_frame(600)
    found = evaluate_fraud(ledger_of(frame, engine), np.arange(600) >= 300, engine)
    model = register(db, settings, folder, "cards")
    save_evaluation(db, model, data="cards.csv", metrics=found.to_json(), curves=dict(found.curves))
    bins = [{"low": 480.0, "decision": "review", "count": 9}, {"low": 700.0, "decision": "approve", "count": 291}]
    summary = {"rows": 300, "failed": 0, "decisions": {"review": 9, "approve": 291}, "bin_points": 20.0}
    record_run(db, kind="score", model=model, params={"out": "scored.csv"}, summary={**summary, "histogram": bins})
    counts = {"rows": 300, "failed": 1, "of_known_cards": 12, "days": 3, "alerts": 6, "alerts_per_day": 2.0}
    return record_run(db, kind="alerts", model=model, params={"out": "alerts.csv"}, summary=counts)


def _text(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.text, app.subheader)
    return " ".join(str(element.value) for kind in kinds for element in kind)


@pytest.mark.parametrize(("language", "words"), [("en", "Probability of fraud"), ("zh", "欺诈概率")])
def test_the_portfolio_speaks_of_frauds(visit: Visit, queued: Job, language: str, words: str) -> None:
    app = visit(model="cards@1", lang=language)
    assert words in [slider.label for slider in app.slider]
    assert not app.error
    assert "scored\\.csv" in _text(app)  # as markdown wants it


@pytest.mark.parametrize(("language", "column", "kind"), [("en", "Kind", "alerts"), ("zh", "类型", "告警")])
def test_a_queue_of_alerts_is_a_run_like_others(
    visit: Visit, queued: Job, language: str, column: str, kind: str
) -> None:
    app = visit("operations/jobs.py", lang=language)
    assert kind in list(app.dataframe[0].value[column])
    assert not app.error


def test_the_registry_shows_the_models_metric(visit: Visit, queued: Job) -> None:
    app = visit("operations/models.py", model="cards@1")
    assert "fraud" in app.dataframe[0].value.to_string()
    assert not app.error


def test_a_transaction_that_was_not_kept_is_missing_and_no_fault(visit: Visit, queued: Job) -> None:
    app = visit("risk/case.py", case="T0-000400")
    assert not app.error
    assert "T0" in _text(app)
