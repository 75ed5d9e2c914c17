"""Updates on a real table: customers of a kind that training never saw are learned, the others are not forgotten."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import GateError
from core.runtime.engine import Engine
from data.tables import read_table
from pipelines.finance.credit import CreditOptions, train_credit, update_credit
from pipelines.finance.evaluate import evaluate_table
from pipelines.finance.reference import Reference, read_reference
from pipelines.finance.update import Base

OPTIONS = CreditOptions(target="default_next_month", name="cards")


@dataclass(frozen=True)
class Periods:
    """Card holders: train, valid and test rows of those with higher limits (old) and of the lowest fifth (new)."""

    old: list[pd.DataFrame]
    new: list[pd.DataFrame]
    base: Base
    reference: Reference


@pytest.fixture(scope="module")
def periods(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Periods:
    frame = read_table(realdata / "data/finance/taiwan_default/taiwan_default.csv.gz").frame.drop(
        columns=["split", "ID"]
    )
    frame = frame.sample(frac=1, random_state=0)
    low = frame["LIMIT_BAL"] <= frame["LIMIT_BAL"].quantile(0.2)

    def cut(rows: pd.DataFrame) -> list[pd.DataFrame]:
        pieces = np.split(np.arange(len(rows)), [int(0.5 * len(rows)), int(0.7 * len(rows))])
        return [rows.iloc[piece].reset_index(drop=True) for piece in pieces]

    old, new, folder = cut(frame[~low]), cut(frame[low]), tmp_path_factory.mktemp("cards")
    bundle = train_credit(
        old[0], old[1], OPTIONS, folder / "bundle", lambda share, words: None, folder / "kept.parquet"
    )
    base = Base(engine=Engine.open(bundle, threads=1), kind="credit", name="cards", version=1)
    rows = read_reference(folder / "kept.parquet", base.spec)
    return Periods(old, new, base, Reference(frame=rows, source="set aside", kept=rows))


@pytest.mark.realdata
@pytest.mark.slow
def test_new_customers_are_learned_and_the_others_kept(periods: Periods, tmp_path: Path) -> None:
    new = periods.new
    bundle = update_credit(
        periods.base, periods.reference, new[0], new[1], OPTIONS, tmp_path / "bundle", lambda share, words: None
    )
    engine = Engine.open(bundle, threads=1)
    before, after = (
        [evaluate_table(rows[2], e, draws=20).metrics for rows in (periods.old, new)]
        for e in (periods.base.engine, engine)
    )
    assert after[1]["log_loss"].value < before[1]["log_loss"].value - 0.003
    assert after[1]["auc"].value > before[1]["auc"].value
    assert after[0]["auc"].value > before[0]["auc"].value - 0.005
    forgotten = bundle.manifest.about["update"]["reference"]["forgotten"]
    assert forgotten["value"] <= 0.05
    assert forgotten["high"] <= 0.1


@pytest.mark.realdata
@pytest.mark.slow
def test_labels_the_wrong_way_round_are_refused(periods: Periods, tmp_path: Path) -> None:
    wrong = [rows.assign(default_next_month=1 - rows["default_next_month"]) for rows in periods.new[:2]]
    with pytest.raises(GateError, match="forgot"):
        update_credit(
            periods.base, periods.reference, wrong[0], wrong[1], OPTIONS, tmp_path / "bundle", lambda share, words: None
        )
