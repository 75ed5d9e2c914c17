"""The registry: versions, champions, races, rollback."""

import threading
from pathlib import Path

import pytest
import sqlalchemy

from apps.settings import Settings
from apps.store import models
from apps.store.audit import page as audit_page
from core.errors import GateError, InputError, NotFoundError
from core.runtime.bundle import open_bundle
from tests.services import small_bundle


def _register(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path, name: str = "loans", **how: bool) -> object:
    folder = small_bundle(tmp_path / f"bundle-{len(list(tmp_path.iterdir()))}", content=str(how).encode() + b"x")
    return models.register(db, settings, folder, name, **how)


def test_the_first_version_is_champion_and_its_folder_is_a_good_bundle(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path
) -> None:
    model = _register(db, settings, tmp_path)
    assert (model.version, model.state, model.kind) == (1, "champion", "credit")
    folder = models.model_folder(settings, model)
    assert folder == settings.home / "models" / "loans" / "1"
    assert open_bundle(folder).manifest_sha256 == model.manifest_sha256
    assert models.resolve(db, "loans").id == models.resolve(db, "loans@1").id == model.id


def test_a_new_version_takes_over_and_rollback_goes_back_step_by_step(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path
) -> None:
    for _ in range(3):
        _register(db, settings, tmp_path)
    assert models.resolve(db, "loans").version == 3
    assert models.rollback(db, "loans").version == 2
    assert models.rollback(db, "loans").version == 1
    with pytest.raises(GateError, match="no earlier champion"):
        models.rollback(db, "loans")
    assert models.promote(db, "loans@3").version == 3
    assert [m.state for m in models.list_models(db)] == ["champion", "archived", "archived"]
    actions = [event.action for event in audit_page(db)]
    assert actions == ["model.promote"] + ["model.rollback"] * 2 + ["model.register"] * 3


def test_a_candidate_waits_for_its_promotion(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    _register(db, settings, tmp_path)
    _register(db, settings, tmp_path, promote=False)
    assert models.resolve(db, "loans").version == 1
    assert models.promote(db, "loans@2").state == "champion"


def test_of_promotions_at_once_all_but_a_winner_are_told(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path
) -> None:
    for _ in range(4):
        _register(db, settings, tmp_path, promote=False)
    outcomes: list[str] = []

    def promote(version: int) -> None:
        try:
            models.promote(db, f"loans@{version}")
            outcomes.append("won")
        except GateError:
            outcomes.append("told")

    threads = [threading.Thread(target=promote, args=(version,)) for version in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    assert "won" in outcomes
    assert [m.state for m in models.list_models(db)].count("champion") == 1


def test_registrations_at_once_get_versions_of_their_own(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path
) -> None:
    folders = [small_bundle(tmp_path / str(number)) for number in range(4)]
    threads = [threading.Thread(target=models.register, args=(db, settings, folder, "loans")) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(m.version for m in models.list_models(db)) == [1, 2, 3, 4]
    for model in models.list_models(db):
        open_bundle(models.model_folder(settings, model))


def test_an_unknown_model_is_answered_with_what_there_is(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="train one"):
        models.resolve(db, "loans")
    _register(db, settings, tmp_path)
    with pytest.raises(NotFoundError, match="there is loans"):
        models.resolve(db, "lones")
    with pytest.raises(NotFoundError, match="there is loans@1"):
        models.resolve(db, "loans@2")
    with pytest.raises(InputError, match="NAME@VERSION"):
        models.resolve(db, "loans@new")


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a@1", ".hidden", "x" * 101, "naïve"])
def test_a_name_that_cannot_be_a_folder_is_refused(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError):
        models.register(db, settings, small_bundle(tmp_path / "bundle"), name)


def test_a_damaged_bundle_is_not_registered(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    folder = small_bundle(tmp_path / "bundle")
    (folder / "trees.txt").write_bytes(b"tree!")
    with pytest.raises(InputError):
        models.register(db, settings, folder, "loans")
    assert models.list_models(db) == []


def test_evaluations_are_kept_newest_first(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    model = _register(db, settings, tmp_path)
    for value in (0.7, 0.8):
        models.save_evaluation(db, model, data="test.csv", metrics={"auc": {"value": value}}, curves={"roc": []})
    kept = models.list_evaluations(db, model_id=model.id)
    assert [e.metrics["auc"]["value"] for e in kept] == [0.8, 0.7]
