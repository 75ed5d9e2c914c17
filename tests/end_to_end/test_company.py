"""Companies from their statements to the verdict, by the commands that a user types."""

from pathlib import Path

import pandas as pd
import pytest

from tests.pipelines.finance.company_samples import make_companies


@pytest.fixture(scope="module")
def firms(house, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("firms")
    for name, seed, companies in (("train", 0, 150), ("valid", 1, 100), ("new", 2, 60)):
        make_companies(seed, companies=companies).to_csv(folder / f"{name}.csv", index=False)
    keys = ["--target", "failed", "--id", "firm", "--period", "year"]
    data = ["--data", folder / "train.csv", "--valid", folder / "valid.csv", "--base-rate", "0.1"]
    house.assay("train", "company", *data, *keys, "--name", "firms")
    return folder


def test_new_companies_are_scored_one_row_each(house, firms: Path) -> None:  # type: ignore[no-untyped-def]
    new = pd.read_csv(firms / "new.csv").drop(columns="failed")
    new.to_csv(firms / "unlabelled.csv", index=False)
    out = firms / "scored.csv"
    house.assay("score", "firms", "--data", firms / "unlabelled.csv", "--out", out, "--reasons-for", "all")
    scored = pd.read_csv(out)
    assert sorted(scored["id"]) == sorted(new["firm"].unique())
    assert scored["error"].isna().all()
    assert set(scored["decision"]) <= {"approve", "review", "decline"}


def test_evaluation_warns_of_another_base_rate(house, firms: Path) -> None:  # type: ignore[no-untyped-def]
    done = house.assay("evaluate", "firms", "--data", firms / "new.csv", "--json")
    assert done.document["base_rate"]["assumed"] == 0.1
    assert done.document["base_rate"]["differs"]
    words = house.assay("evaluate", "firms", "--data", firms / "new.csv").err
    assert "train with --base-rate or --unlabelled" in words


def test_the_card_tells_the_base_rate(house, firms: Path) -> None:  # type: ignore[no-untyped-def]
    card = firms / "card.html"
    house.assay("models", "card", "firms", "--out", card)
    assert "base rate" in card.read_text()
