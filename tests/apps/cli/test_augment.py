"""`assay augment`: new series, a search that goes on where it stopped, label noise; bad input in one line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps import cli


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty cards of twelve events at uneven times; every fifth ends with a large amount and is a fraud."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    rows = []
    for card in range(60):
        at = np.cumsum(rng.integers(1, 90_000, 12))
        amount = rng.exponential(20.0, 12).round(2)
        amount[-1] += 80.0 * (card % 5 == 0)
        rows += [
            {"card": f"{card:03d}", "at": int(a), "amount": b, "fraud": int(card % 5 == 0)}
            for a, b in zip(at, amount, strict=True)
        ]
    path = tmp_path / "cards.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def command(name: str, data: Path, *more: object) -> list[str]:
    base = ["augment", name, "--data", str(data), "--id", "card", "--time", "at", "--value", "amount"]
    return [*base, "--label", "fraud", *map(str, more)]


def test_make_writes_new_series_that_keep_constraints_and_ids(
    cards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "more.csv"
    asked = ("--pattern", "time_warp", "--pattern", "jitter", "--copies", 2, "--constraint", "amount=non_negative")
    assert cli.run(command("make", cards, *asked, "--out", out, "--json")) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["series"] == 60
    assert done["made"] == 120
    assert not done["even_steps"]
    frame = pd.read_csv(out, dtype={"card": str, "source": str})
    assert frame["amount"].min() >= 0
    assert frame["card"].nunique() == 120
    assert set(frame["source"]) == {f"{card:03d}" for card in range(60)}
    assert (frame.groupby("card")["at"].diff().dropna() >= 0).all()
    before = out.read_bytes()
    assert cli.run(command("make", cards, *asked, "--out", out)) == 0
    assert out.read_bytes() == before, "same seed, same bytes"


def test_search_writes_a_policy_with_evidence_goes_on_and_make_takes_it(
    cards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    asked = ("--run", run, "--anchored", "--pattern", "graft", "--pattern", "jitter")
    assert cli.run(command("search", cards, *asked, "--trials", 2, "--json")) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["trials"][0]["name"] == "noop"
    assert first["policy"] == json.loads((run / "policy.json").read_text())
    assert cli.run(command("search", cards, *asked, "--trials", 3, "--json")) == 0
    more = json.loads(capsys.readouterr().out)
    assert more["trials"][:2] == first["trials"]
    assert len(more["trials"]) == 3
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(more["trials"][2]["policy"]))
    out = tmp_path / "more.csv"
    assert cli.run(command("make", cards, "--policy", policy, "--anchored", "--out", out)) == 0
    assert len(pd.read_csv(out)) > 0


def test_search_shows_tables_and_judges_on_rows_that_are_named(
    cards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(cards, dtype={"card": str})
    frame["part"] = np.where(frame["card"].astype(int) < 40, "train", "val")
    frame.to_csv(cards, index=False)
    where = ("--where", "part=train", "--valid-where", "part=val", "--trials", 2, "--run", tmp_path / "run")
    assert cli.run(command("search", cards, *where)) == 0
    told = capsys.readouterr()
    assert "policy\taverage precision\tgain\tlow\thigh\tseeds" in told.out
    assert "noop\t" in told.out
    assert "written to" in told.err


def test_noise_reports_suspects_and_drops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 300)
    wrong = np.arange(300) % 15 == 0
    frame = pd.DataFrame({
        "loan": [f"L{row:03d}" for row in range(300)], "income": rng.normal(size=300) + 4 * true,
        "region": np.where(true == 1, "north", "south"), "bad": np.where(wrong, 1 - true, true),
    })  # fmt: skip
    path, out = tmp_path / "loans.csv", tmp_path / "suspects.csv"
    frame.to_csv(path, index=False)
    before = path.read_bytes()
    asked = ["augment", "noise", "--data", str(path), "--target", "bad", "--id", "loan", "--out", str(out)]
    assert cli.run([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 300
    assert found["rows"][0]["id"] in set(frame["loan"][wrong])
    assert "looks like" in found["rows"][0]["why"]
    suspects = pd.read_csv(out)
    assert len(suspects) >= found["would_drop"] > 0
    assert wrong[[int(one[1:]) for one in suspects["id"]]].mean() > 0.8
    assert path.read_bytes() == before
    assert cli.run(asked) == 0
    told = capsys.readouterr()
    assert "none was dropped" in told.err
    assert told.out.startswith("id\tlabel\tlikely")


def test_patterns_are_listed_with_what_they_refuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["augment", "patterns", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)["patterns"]}
    assert len(found) >= 16
    assert found["barycentre"]["refuses"] == ["calendar"]
    assert cli.run(["augment", "patterns"]) == 0
    assert "time_warp" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--out", "more.csv"), "give a --pattern"),
        (("--out", "more.csv", "--pattern", "noise"), "no pattern 'noise'"),
        (("--out", "more.csv", "--pattern", "jitter", "--policy", "p.json"), "give one of them"),
        (("--out", "more.csv", "--policy", "p.json"), "p.json is no file"),
        (("--out", "more.csv", "--pattern", "jitter", "--constraint", "sum=share"), "takes COLUMN=KIND of a --value"),
        (("--out", "more.csv", "--pattern", "jitter", "--constraint", "amount=small"), "is one of non_negative"),
        (("--out", "more.csv", "--pattern", "jitter", "--constraint", "time=calendar:x"), "calendar:x: could"),
        (("--out", "more.csv", "--pattern", "jitter", "--magnitude", "a"), "two numbers above 0"),
        (("--out", "more.csv", "--pattern", "frequency_mask"), "needs even steps"),
        (("--out", "more.doc", "--pattern", "jitter"), "a table is written as"),
        (("--out", "more.csv", "--pattern", "jitter", "--value", "size"), "no column 'size'"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_two(
    cards: Path, more: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli.run(command("make", cards, *more)) == 2
    told = capsys.readouterr().err.strip()
    assert words in told
    assert "\n" not in told


def test_a_search_of_one_class_or_of_labels_of_steps_is_refused(
    cards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(cards, dtype={"card": str})
    for label, words in ((0, "at least two classes"), (frame["amount"] > 50, "changes within series")):
        path = tmp_path / "other.csv"
        frame.assign(fraud=label * 1).to_csv(path, index=False)
        assert cli.run(command("search", path, "--run", tmp_path / "run")) == 2
        assert words in capsys.readouterr().err
