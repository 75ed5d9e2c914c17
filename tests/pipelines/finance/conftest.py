"""A small credit model on generated applications, trained once a run."""

from dataclasses import dataclass

import pandas as pd
import pytest

from core.runtime.engine import Engine
from data.finance.credit_tables import make_credit
from pipelines.finance.credit import CreditOptions, train_credit

OPTIONS = CreditOptions(target="default_12m", id_column="application_id", time="application_date", ignore=("split",))


@dataclass(frozen=True, kw_only=True)
class Trained:
    engine: Engine
    train: pd.DataFrame
    valid: pd.DataFrame
    test: pd.DataFrame


def silent(share: float, words: str) -> None:
    assert 0 <= share <= 1
    assert words


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    table = make_credit(6_000, 1)
    train, valid, test = (table[table["split"] == part].reset_index(drop=True) for part in ("train", "val", "test"))
    bundle = train_credit(train, valid, OPTIONS, tmp_path_factory.mktemp("credit") / "bundle", silent)
    return Trained(engine=Engine.open(bundle, threads=1), train=train, valid=valid, test=test)
