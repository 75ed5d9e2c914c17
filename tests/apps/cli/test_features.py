"""`assay features`: the table of features, in the order of the file, whole or in parts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps.cli import run
from data.finance.transaction_tables import make_fraud
from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.events import read_events
from pipelines.finance.transactions.plan import TransactionPlan

ROWS = 5_000
COLUMNS = ["--time", "time", "--amount", "amount", "--entity", "card_id", "--counterpart", "terminal_id"]
COLUMNS += ["--id", "transaction_id", "--target", "is_fraud"]


@pytest.fixture(scope="module")
def transactions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fraud")
    make_fraud(folder, rows=ROWS, seed=1)
    return folder / "transactions.csv"


@pytest.mark.parametrize("how", [[], ["--chunk", "700"], ["--chunk", "900", "--partitions", "2"]])
def test_the_table_holds_the_features_of_every_transaction(transactions: Path, tmp_path: Path, how: list[str]) -> None:
    out = tmp_path / "features.parquet"

    assert run(["features", "--data", str(transactions), *COLUMNS, "--out", str(out), *how]) == 0

    frame = pd.read_csv(transactions, dtype={"card_id": str, "terminal_id": str})
    plan = TransactionPlan(time="time", amount="amount", entity="card_id", counterparts=("terminal_id",))
    events = read_events(frame, plan, labels=frame["is_fraud"].to_numpy().astype(np.int8)).events
    found = pd.read_parquet(out)
    assert found["id"].tolist() == frame["transaction_id"].tolist()
    np.testing.assert_array_equal(found[list(plan.names)].to_numpy()[events.row], measure_table(events, plan))


def test_a_bad_row_keeps_its_place_with_its_error(
    transactions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = transactions.read_text().splitlines()
    at = lines[0].split(",").index("card_id")
    cells = lines[3].split(",")
    lines[3] = ",".join([*cells[:at], "", *cells[at + 1 :]])
    (tmp_path / "bad.csv").write_text("\n".join(lines[:50]) + "\n")
    out = tmp_path / "features.csv"

    assert run(["features", "--data", str(tmp_path / "bad.csv"), *COLUMNS, "--out", str(out), "--json"]) == 0

    found = pd.read_csv(out)
    assert found["error"].notna().tolist().index(True) == 2
    assert found["error"][2].startswith("NO_KEY: column 'card_id' is empty")
    assert found.iloc[2, 1:-1].isna().all()
    assert json.loads(capsys.readouterr().out) == {
        "out": str(out),
        "rows": 49,
        "features": 151,
        "refused": {"NO_KEY": 1},
    }


def test_the_features_are_listed_in_both_languages(
    transactions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declared = tmp_path / "mine.csv"
    declared.write_text("scope,measure,windows\nentity,count,3h\n")

    assert (
        run(["features", "--data", str(transactions), *COLUMNS, "--features", str(declared), "--list", "--json"]) == 0
    )

    names = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert names["card_id.count.3h"]["zh"] == "同一card_id近3小时的交易笔数"
    assert len(names) == 8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--label-delay", "soon"], "a window is a number above 0"),
        (["--entity", "cart"], "no column 'cart'; it has transaction_id"),
        (["--target", "split"], "allowed: '1' (bad), '0' (good)"),
        (["--features", "absent.csv"], "absent.csv cannot be read"),
        (["--counterpart", "card_id"], "column 'card_id' has two parts"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_two(
    transactions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], words: str
) -> None:
    out = tmp_path / "x.csv"

    assert run(["features", "--data", str(transactions), *COLUMNS, "--out", str(out), *change]) == 2

    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_a_file_that_is_not_sorted_is_refused_when_it_is_read_in_chunks(
    transactions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = transactions.read_text().splitlines()
    mixed = tmp_path / "mixed.csv"
    mixed.write_text("\n".join([lines[0], *lines[1:200][::-1]]) + "\n")
    out = tmp_path / "x.csv"

    assert run(["features", "--data", str(mixed), *COLUMNS, "--out", str(out), "--chunk", "50"]) == 2
    assert "is not sorted by 'time', and it is read in chunks of 50 rows; sort it" in capsys.readouterr().err
    assert run(["features", "--data", str(mixed), *COLUMNS, "--out", str(out)]) == 0
