"""Updates by the commands that a user types: what forgets is refused, what learns becomes the champion."""

from pathlib import Path

import pandas as pd
import pytest

from tests.pipelines.finance.company_samples import make_companies

KEYS = ["--target", "default_12m", "--id", "application_id", "--time", "application_date", "--ignore", "split"]


@pytest.fixture(scope="module")
def periods(house, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    """Two periods of applications, and a model `learner` of the first; in the second people have got older."""
    folder = tmp_path_factory.mktemp("periods")
    house.assay("data", "make", "credit", "--out", folder, "--rows", 24000, "--seed", 3)
    table = pd.read_csv(folder / "credit.csv")
    old, new = table.iloc[:14_000], table.iloc[14_000:].copy()
    drifted = (new["age"] > 40) | (new.index % 4 == 0)
    new = new[drifted].assign(hobby="chess")
    new.loc[new.index[::9], "region"] = "overseas"
    old.to_csv(folder / "old.csv", index=False)
    new.to_csv(folder / "new.csv", index=False)
    new.assign(default_12m=1 - new["default_12m"]).to_csv(folder / "flipped.csv", index=False)
    house.assay("train", "credit", "--data", folder / "old.csv", *KEYS, "--name", "learner", "--cost", "8:1")
    return folder


def versions(house) -> dict[int, str]:  # type: ignore[no-untyped-def]
    return {
        m["version"]: m["state"] for m in house.assay("models", "list", "--json").document if m["name"] == "learner"
    }


def test_an_update_that_forgets_ends_with_code_three_and_the_champion_stays(house, periods: Path) -> None:  # type: ignore[no-untyped-def]
    before = versions(house)
    done = house.assay("train", "credit", "--data", periods / "flipped.csv", *KEYS, "--update", "learner", code=3)
    assert done.err.count("\n") == 1
    for words in (
        "the update was not kept: log loss on",
        "before",
        "after",
        "allowed are 5.0%",
        "nothing was registered",
    ):
        assert words in done.err
    assert versions(house) == before


def test_an_update_that_learns_becomes_the_next_version_and_the_champion(house, periods: Path) -> None:  # type: ignore[no-untyped-def]
    new = ["--data", periods / "new.csv", *KEYS, "--update", "learner@1"]
    document = house.assay("train", "credit", *new, "--floor", "auc=0.6", "--json").document
    assert (document["name"], document["version"]) == ("learner", 2)
    update = document["about"]["update"]
    assert update["base"]["version"] == 1
    assert update["validation"]["after"]["log_loss"] < update["validation"]["before"]["log_loss"]
    assert update["reference"]["forgotten"]["value"] <= 0.05
    assert update["unseen_categories"]["region"] > 500
    assert update["new_columns"] == ["hobby"]
    assert document["about"]["costs"]["missed"] == 8.0
    assert versions(house) == {1: "archived", 2: "champion"}
    for version in (1, 2):
        rows = house.home / "references" / "learner" / f"{version}.parquet"
        assert rows.stat().st_mode & 0o777 == 0o600
    card = periods / "card.html"
    house.assay("models", "card", "learner", "--out", card)
    assert "It learned on from learner@1: on " in card.read_text(encoding="utf-8")
    house.assay("score", "learner", "--data", periods / "new.csv", "--out", periods / "scored.csv")
    assert set(pd.read_csv(periods / "scored.csv")["model_version"]) == {2}


def test_the_same_update_gives_the_same_bytes(house, periods: Path) -> None:  # type: ignore[no-untyped-def]
    new = ["--data", periods / "new.csv", *KEYS, "--update", "learner@1", "--name", "again", "--floor", "auc=0.6"]
    house.assay("train", "credit", *new)
    assert (
        house.assay("models", "show", "again", "--json").document["manifest"]["files"]["trees.txt"]
        == (house.assay("models", "show", "learner@2", "--json").document["manifest"]["files"]["trees.txt"])
    )


def test_without_reference_rows_they_are_asked_for_and_a_file_does(house, periods: Path) -> None:  # type: ignore[no-untyped-def]
    old = ["--data", periods / "old.csv", *KEYS, "--name", "shy", "--no-reference"]
    house.assay("train", "credit", *old)
    assert not (house.home / "references" / "shy").exists()
    new = ["--data", periods / "new.csv", *KEYS, "--update", "shy"]
    assert "by --reference FILE" in house.assay("train", "credit", *new, code=2).err
    given = ["--reference", periods / "old.csv", "--reference-where", "split=train", "--forget-limit", "0.1", "--json"]
    update = house.assay("train", "credit", *new, *given).document["about"]["update"]["reference"]
    assert update["source"].endswith("old.csv split=train")
    assert update["allowed"] == 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", "default_12m", "--update", "nobody"], "no model 'nobody'"),
        (["--target", "age", "--update", "learner"], "tells 'default_12m', and --target is 'age'"),
        (["--target", "default_12m", "--forget-limit", "0.1"], "name the model with --update"),
        (["--target", "default_12m", "--update", "learner", "--forget-limit", "2"], "a share of what the model knew"),
        (["--target", "default_12m", "--update", "learner", "--preset", "full"], "trained with the preset fast"),
    ],
)
def test_what_cannot_be_updated_is_said_in_one_line(house, periods: Path, options: list[str], words: str) -> None:  # type: ignore[no-untyped-def]
    done = house.assay("train", "credit", "--data", periods / "new.csv", *options, code=2)
    assert words in done.err
    assert done.err.count("\n") == 1


@pytest.mark.slow
def test_a_company_model_learns_on_from_new_years(house, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name, seed, companies in (("old", 0, 400), ("valid", 1, 400), ("new", 2, 300), ("new_valid", 3, 200)):
        make_companies(seed, companies=companies).to_csv(tmp_path / f"{name}.csv", index=False)
    keys = ["--target", "failed", "--id", "firm", "--period", "year"]
    old = ["--data", tmp_path / "old.csv", "--valid", tmp_path / "valid.csv", "--base-rate", "0.1"]
    house.assay("train", "company", *old, *keys, "--name", "makers")
    new = ["--data", tmp_path / "new.csv", "--valid", tmp_path / "new_valid.csv", *keys, "--update", "makers"]
    document = house.assay("train", "company", *new, "--forget-limit", "0.3", "--json").document
    assert (document["name"], document["version"], document["kind"]) == ("makers", 2, "company")
    assert document["about"]["base_rate"]["assumed"] == 0.1
    assert document["about"]["update"]["reference"]["rows"] == 400
    flipped = pd.read_csv(tmp_path / "new.csv").assign(failed=lambda rows: 1 - rows["failed"])
    flipped.to_csv(tmp_path / "flipped.csv", index=False)
    given = ["--reference", tmp_path / "valid.csv"]
    done = house.assay(
        "train", "company", "--data", tmp_path / "flipped.csv", *keys, "--update", "makers", *given, code=3
    )
    assert "the update was not kept" in done.err
    wrong = house.assay(
        "train", "credit", "--data", tmp_path / "new.csv", "--target", "failed", "--update", "makers", code=2
    )
    assert "is a model of kind company" in wrong.err
