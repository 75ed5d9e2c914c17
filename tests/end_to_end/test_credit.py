"""A loan application, from the file to the verdict, by command line, worker and gateway: one answer."""

from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from apps.gateway.app import create_app
from apps.settings import Settings

COLUMNS = ["id", "score", "probability", "decision", "reason_1", "reason_2", "model", "model_version", "error"]


@pytest.fixture(scope="module")
def scored(house, loans: Path) -> pd.DataFrame:
    out = loans.parent / "scored.csv"
    house.assay("score", "loans", "--data", loans, "--out", out, "--reasons", 2, "--reasons-for", "all")
    return pd.read_csv(out, dtype={"id": "str"})


def test_every_row_comes_back_in_order_with_the_columns_of_the_contract(scored: pd.DataFrame, loans: Path) -> None:
    cases = pd.read_csv(loans, dtype={"application_id": "str"})
    assert list(scored.columns) == COLUMNS
    assert scored["id"].tolist() == cases["application_id"].tolist()
    assert scored["error"].isna().all()
    assert set(scored["decision"]) <= {"approve", "review", "decline"}
    assert scored["reason_1"].str.fullmatch(r"[A-Z0-9_]+: .+ \([+-]\d+\.\d\d\)").all()


def test_points_follow_from_probability(scored: pd.DataFrame) -> None:
    odds = (1 - scored["probability"]) / scored["probability"]
    import numpy as np

    assert np.allclose(scored["score"], 600 + 20 * np.log2(odds / 50), atol=0.006)


def test_the_model_knows_more_than_chance_and_says_so_with_intervals(house, loans: Path) -> None:
    document = house.assay("evaluate", "loans", "--data", loans, "--where", "split=test", "--json").document
    assert document["auc"]["low"] > 0.55
    assert document["auc"]["low"] < document["auc"]["value"] < document["auc"]["high"]
    names = "auc gini ks average_precision brier log_loss ece best_f1 best_f1_threshold recall_at_1pct_fpr n positives"
    assert set(names.split()) <= set(document)


def test_a_worker_gives_the_same_file(house, loans: Path, scored: pd.DataFrame) -> None:
    out = loans.parent / "by_worker.csv"
    with house.worker():
        options = ["--reasons", 2, "--reasons-for", "all", "--workers", "--chunk", 700]
        house.assay("score", "loans", "--data", loans, "--out", out, *options)
    pd.testing.assert_frame_equal(pd.read_csv(out, dtype={"id": "str"}), scored, check_dtype=False)


def test_the_gateway_gives_the_same_answer(house, loans: Path, scored: pd.DataFrame) -> None:
    key = house.assay("keys", "add", "test", "--json").document["key"]
    case = pd.read_csv(loans).iloc[7].drop(["application_id", "default_12m", "split"])
    application = {name: None if pd.isna(value) else value for name, value in case.to_dict().items()}
    application = {k: v.item() if hasattr(v, "item") else v for k, v in application.items()}
    settings = Settings(_env_file=None, home=house.home, threads=1)
    with TestClient(create_app(settings)) as client:
        asked = {"model": "loans", "application": application}
        answer = client.post("/v1/assessments", json=asked, headers={"X-API-Key": key}).json()
    assert answer["probability"] == pytest.approx(scored["probability"][7], rel=1e-9)
    assert answer["decision"] == scored["decision"][7]
    assert answer["reasons"][0]["code"] == scored["reason_1"][7].split(":")[0]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"application_id": "a\x00b"}, 422),
        ({"application_id": "\ud800"}, 422),
        ({"age": True}, 200),
        ({"age": "x"}, 200),
    ],
)
def test_an_application_that_cannot_be_right_is_never_approved(house, loans: Path, change: dict, status: int) -> None:
    import json

    key = house.assay("keys", "add", "odd", "--json").document["key"]
    case = pd.read_csv(loans, dtype="str").iloc[7].drop(["default_12m", "split"])
    application = {name: None if pd.isna(value) else value for name, value in case.to_dict().items()} | change
    with TestClient(create_app(Settings(_env_file=None, home=house.home, threads=1))) as client:
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        asked = json.dumps({"model": "loans", "application": application})
        answer = client.post("/v1/assessments", content=asked, headers=headers)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["decision"] is None
        assert "NOT_A_NUMBER" in answer.json()["error"]


def test_text_in_a_number_column_costs_that_row_alone(house, loans: Path, tmp_path: Path) -> None:
    cases = pd.read_csv(loans, dtype="str").head(20)
    number = next(c for c in cases.columns if pd.to_numeric(cases[c], errors="coerce").notna().all() and "id" not in c)
    cases.loc[3, number] = "abc"
    cases.to_csv(tmp_path / "bad.csv", index=False)
    done = house.assay("score", "loans", "--data", tmp_path / "bad.csv", "--out", tmp_path / "out.csv")
    rows = pd.read_csv(tmp_path / "out.csv")
    assert rows["error"].notna().tolist() == [place == 3 for place in range(20)]
    assert "NOT_A_NUMBER" in rows["error"][3]
    assert rows.loc[3, ["score", "probability", "decision", "model"]].isna().all()
    assert "1 of 20 rows could not be scored" in done.err


def test_where_not_one_row_can_be_scored_the_exit_code_is_two(house, loans: Path, tmp_path: Path) -> None:
    cases = pd.read_csv(loans, dtype="str").head(5)
    number = next(c for c in cases.columns if pd.to_numeric(cases[c], errors="coerce").notna().all() and "id" not in c)
    cases[number] = "abc"
    cases.to_csv(tmp_path / "bad.csv", index=False)
    done = house.assay("score", "loans", "--data", tmp_path / "bad.csv", "--out", tmp_path / "out.csv", code=2)
    assert "not one of 5 rows could be scored" in done.err


def test_a_floor_that_is_missed_ends_with_code_three_and_keeps_the_champion(house, loans: Path) -> None:
    options = ["--target", "default_12m", "--id", "application_id", "--name", "loans", "--floor", "auc=0.999"]
    done = house.assay("train", "credit", "--data", loans, *options, code=3)
    assert "auc" in done.err
    assert house.assay("models", "list", "--json").document[0]["version"] == 1


@pytest.mark.slow
def test_a_scheduled_job_runs_and_runs_again(house, loans: Path, tmp_path: Path) -> None:
    out = tmp_path / "nightly.csv"
    data = ["--model", "loans", "--data", loans, "--out", out, "--reasons", 0]
    house.assay("jobs", "add", "nightly", "--cron", "0 2 * * *", *data)
    with house.worker():
        first = house.assay("jobs", "run", "nightly", "--json").document
        written = out.read_bytes()
        again = house.assay("jobs", "run", "nightly", "--json").document
    assert first["rows"] == again["rows"] == 3000
    assert first["failed"] == 0
    assert out.read_bytes() == written
    house.assay("jobs", "remove", "nightly")
    listed = house.assay("jobs", "list", "--json").document["schedules"]
    assert "nightly" not in [schedule["name"] for schedule in listed]


def test_a_bundle_travels_and_one_changed_byte_is_refused(house, loans: Path, tmp_path: Path) -> None:
    house.assay("models", "export", "loans", "--out", tmp_path / "bundle")
    house.assay("models", "import", tmp_path / "bundle", "--name", "copy")
    trees = tmp_path / "bundle" / "trees.txt"
    content = bytearray(trees.read_bytes())
    content[len(content) // 2] ^= 1
    trees.write_bytes(content)
    done = house.assay("models", "import", tmp_path / "bundle", "--name", "copy", code=2)
    assert "SHA-256" in done.err
    assert done.err.count("\n") == 1


def test_the_card_of_a_model_shows_its_numbers(house, loans: Path, tmp_path: Path) -> None:
    house.assay("evaluate", "loans", "--data", loans, "--where", "split=test")
    house.assay("models", "card", "loans", "--out", tmp_path / "card.html")
    card = (tmp_path / "card.html").read_text(encoding="utf-8")
    assert "loans, version 1" in card
    assert "<polyline" in card
    assert "auc" in card
