"""An updated company model: the plan stays, reference cases carry their history, rules and base rate are the base's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import GateError, InputError
from core.runtime.bundle import Bundle
from core.runtime.engine import Engine
from pipelines.finance.company import score_company, train_company
from pipelines.finance.company_bagging import SEEDS
from pipelines.finance.company_plan import CompanyOptions
from pipelines.finance.company_update import update_company
from pipelines.finance.network_options import NetworkOptions
from pipelines.finance.reference import TRAINING, Reference, read_reference
from pipelines.finance.update import Base, reference_rows
from pipelines.finance.weights import FILE
from tests.pipelines.finance.company_samples import make_companies

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
OPTIONS = CompanyOptions(target="failed", id_column="firm", period="year", currency="USD", base_rate=0.1, name="firms")
OLD, OLD_VALID = make_companies(0, companies=200), make_companies(1, companies=300)
NEW, NEW_VALID = make_companies(2, companies=150, rate=0.4), make_companies(3, companies=150, rate=0.4)


def silent(share: float, words: str) -> None:
    assert 0 <= share <= 1
    assert words


def trained(folder: Path, options: CompanyOptions) -> tuple[Base, Reference]:
    kept = folder / "kept.parquet"
    bundle = train_company(OLD, OLD_VALID, options, folder / "bundle", silent, kept=kept)
    base = Base(engine=Engine.open(bundle, device="cpu", threads=1), kind="company", name="firms", version=1)
    rows = read_reference(kept, base.spec)
    return base, Reference(frame=rows, source="set aside", limit=0.5, kept=rows)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Reference]:
    return trained(tmp_path_factory.mktemp("firms"), OPTIONS)


@pytest.fixture(scope="module")
def updated(base: tuple[Base, Reference], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("updated")
    options = replace(OPTIONS, base_rate=None)
    return update_company(*base, NEW, NEW_VALID, options, folder / "bundle", silent, kept=folder / "kept.parquet")


def test_columns_rules_and_the_given_base_rate_stay(base: tuple[Base, Reference], updated: Bundle) -> None:
    manifest, before = updated.manifest, base[0].engine.bundle.manifest
    assert manifest.kind == "company"
    assert manifest.spec == before.spec
    assert manifest.about["company"] == before.about["company"]
    assert manifest.about["base_rate"]["assumed"] == 0.1
    update = manifest.about["update"]
    assert update["trees"]["trees_added"] == SEEDS * update["trees"]["rounds_added"]
    assert update["reference"]["rows"] == 300
    assert update["new_columns"] == []


def test_it_scores_statements_as_before(updated: Bundle) -> None:
    table = make_companies(4, companies=40)
    ids = table["firm"].astype(str).tolist()
    scored = score_company(table, Engine.open(updated, device="cpu", threads=1), ids=ids, reasons=2)
    assert len(scored.frame) == 40
    assert scored.failed == 0


def test_cases_set_aside_give_what_their_statements_give(base: tuple[Base, Reference]) -> None:
    model, reference = base
    ids = OLD_VALID["firm"].astype(str).tolist()
    by_statements = score_company(OLD_VALID, model.engine, ids=ids, reasons=0).frame["probability"]
    rows = model.log_odds(reference_rows(model, reference))
    assert np.allclose(1 / (1 + np.exp(-rows)), by_statements, rtol=0, atol=1e-12)
    assert set(reference.frame.columns) == {*model.spec.names, "failed", TRAINING}


def test_labels_the_wrong_way_round_are_refused(base: tuple[Base, Reference], tmp_path: Path) -> None:
    wrong = [table.assign(failed=1 - table["failed"]) for table in (NEW, NEW_VALID)]
    with pytest.raises(GateError, match="forgot"):
        update_company(*base, *wrong, OPTIONS, tmp_path / "bundle", silent)


def test_other_rules_are_refused(base: tuple[Base, Reference], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an update keeps the rules of firms@1"):
        update_company(*base, NEW, NEW_VALID, replace(OPTIONS, policy=tmp_path / "p.csv"), tmp_path / "bundle", silent)


def test_the_preset_full_learns_on_too(tmp_path: Path) -> None:
    small = NetworkOptions(token=4, frequencies=4, width=32, members=2, depth=1, most_epochs=4)
    base, reference = trained(tmp_path, replace(OPTIONS, preset="full", network=small))
    reference = replace(reference, limit=1.0)
    bundle = update_company(base, reference, NEW, NEW_VALID, replace(OPTIONS, preset="full"), tmp_path / "new", silent)
    assert bundle.manifest.about["preset"] == "full"
    assert (FILE in bundle.manifest.files) == ("network" in base.engine.bundle.manifest.parts)
