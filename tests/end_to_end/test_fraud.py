"""From made-up transactions to a queue of alerts, by the commands that a user types."""

import pandas as pd
import pytest

from tests.end_to_end.conftest import House

pytestmark = pytest.mark.slow
COLUMNS = ["--entity", "card_id", "--counterpart", "terminal_id", "--time", "time", "--amount", "amount"]


@pytest.fixture(scope="module")
def cards(house: House) -> tuple[House, pd.DataFrame]:
    """A house with a model of made-up transactions, and these."""
    house.assay("data", "make", "fraud", "--out", house.home / "cards", "--rows", 40_000, "--seed", 5)
    path = house.home / "cards" / "transactions.csv"
    keys = [*COLUMNS, "--target", "is_fraud", "--id", "transaction_id", "--ignore", "fraud_kind"]
    rows = ["--where", "split=train", "--valid-where", "split=val"]
    more = ["--name", "cards", "--alerts-per-day", 2, "--floor", "auc=0.75", "--json"]
    trained = house.assay("train", "fraud", "--data", path, *keys, *rows, *more).document
    assert trained["kind"] == "fraud"
    return house, pd.read_csv(path, dtype={"transaction_id": "str"})


def test_frauds_of_later_weeks_are_found(cards: tuple[House, pd.DataFrame]) -> None:
    house, frame = cards
    path = house.home / "cards" / "transactions.csv"
    judged = house.assay("evaluate", "cards", "--data", path, "--where", "split=test", "--json").document
    share = (frame["is_fraud"] == 1)[frame["split"] == "test"].mean()
    assert judged["auc"]["value"] > 0.8
    assert judged["average_precision"]["value"] > 10 * share
    assert judged["rows"] == {"judged": int((frame["split"] == "test").sum()), "failed": 0, "without_label": 0}


def test_the_queue_names_cards_and_what_speaks_against_them(cards: tuple[House, pd.DataFrame]) -> None:
    house, frame = cards
    path, out = house.home / "cards" / "transactions.csv", house.home / "alerts.csv"
    asked = ["alerts", "cards", "--data", path, "--where", "split=test", "--per-day", 2, "--out", out, "--json"]
    summary = house.assay(*asked).document
    alerts = pd.read_csv(out, dtype={"id": "str"})
    assert summary["alerts"] == len(alerts) == 2 * summary["days"]
    fraud = frame.set_index("transaction_id")["is_fraud"]
    assert fraud[alerts["id"]].mean() > 5 * fraud[frame.set_index("transaction_id")["split"] == "test"].mean()
    evidence = alerts[[f"evidence_{place}" for place in range(1, 5)]].stack().dropna()
    assert {one for cell in evidence for one in cell.split(" ")} <= set(fraud.index)


def test_a_fraud_model_leaves_the_other_commands_whole(cards: tuple[House, pd.DataFrame]) -> None:
    house, _ = cards
    path = house.home / "cards" / "transactions.csv"
    assert any(model["name"] == "cards" for model in house.assay("models", "list", "--json").document)
    house.assay("models", "card", "cards", "--out", house.home / "card.html")
    assert "fraud model" in (house.home / "card.html").read_text("utf-8")
    checked = house.assay("data", "check", path, "--model", "cards", "--json")
    drift = {column["name"]: column["psi"] for column in checked.document["columns"]}
    assert drift["card_id.count.30d"] is not None  # features that are made stand beside the columns
    refused = house.assay("score", "cards", "--data", path, "--out", house.home / "x.csv", "--workers", code=2)
    assert "without --workers" in refused.err


def test_a_label_that_hides_among_the_columns_is_a_suspect(cards: tuple[House, pd.DataFrame]) -> None:
    house, _ = cards
    told = house.assay("data", "check", house.home / "cards" / "transactions.csv", "--target", "is_fraud", "--json")
    suspects = [one["column"] for one in told.document["findings"] if one["code"] == "LEAKAGE_SUSPECT"]
    assert suspects == ["fraud_kind"]
