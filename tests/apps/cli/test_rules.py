"""`assay rules`: listing, checking, and hard rules that are tried on past cases before they go live."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps import cli
from apps.settings import Settings
from apps.store import models
from apps.store.database import open_database
from tests.pipelines.finance.rules.policy_table import INSOLVENT, LIQUIDITY, write_policy

TRAIN = ["train", "company", "--target", "failed", "--id", "firm", "--period", "year", "--name", "firms"]


def statements(firms: int = 260) -> pd.DataFrame:
    """Firms of two years; the thinner the equity, the likelier the failure."""
    rng = np.random.default_rng(0)
    assets = rng.uniform(50, 500, firms)
    equity = assets * rng.normal(0.3, 0.3, firms)
    failed = (rng.random(firms) < 1 / (1 + np.exp(2 + 8 * equity / assets))).astype(int)
    frame = pd.DataFrame({
        "firm": [f"F{at:04d}" for at in range(firms)], "total_assets": assets, "total_equity": equity,
        "total_liabilities": assets - equity, "current_assets": assets * rng.uniform(0.1, 0.6, firms),
        "current_liabilities": assets * 0.3, "net_income": equity * rng.normal(0.1, 0.1, firms), "failed": failed,
    })  # fmt: skip
    before = frame.assign(**{name: frame[name] * 0.9 for name in ("total_assets", "net_income")})
    return pd.concat([before.assign(year=2019), frame.assign(year=2020)], ignore_index=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    statements().to_csv(folder / "firms.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(folder / "home"))
        assert cli.run([*TRAIN, "--data", str(folder / "firms.csv")]) == 0
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the home with one trained model, and its table."""
    shutil.copytree(trained, tmp_path / "copy")
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "copy" / "home"))
    return tmp_path / "copy"


def tried(folder: Path, command: str, *more: str) -> int:
    policy = write_policy(folder, LIQUIDITY, INSOLVENT)
    return cli.run(["rules", command, "firms", "--policy", str(policy), "--data", str(folder / "firms.csv"), *more])


def test_the_list_names_every_feature_of_a_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["rules", "list", "--group", "liquidity", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["rules"]
    assert {rule["group"] for rule in found} == {"liquidity"}
    assert {"name": "current_ratio", "formula": "current_assets / current_liabilities"}.items() <= found[0].items()
    assert cli.run(["rules", "list", "--group", "luck"]) == 2
    assert "no group 'luck' of rules; there is " in capsys.readouterr().err


def test_a_table_of_either_kind_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["rules", "check", str(write_policy(tmp_path, LIQUIDITY)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "hard rules"
    features = tmp_path / "mine.csv"
    features.write_text(
        "name,group,formula,unit,direction,en,zh,source\n"
        "thin,leverage,total_equity / total_assets,ratio,higher_is_safer,equity share,权益占比,ours\n"
    )
    assert cli.run(["rules", "check", str(features), "--json"]) == 0
    assert {"kind": "feature rules", "rules": 1}.items() <= json.loads(capsys.readouterr().out).items()
    features.write_text(features.read_text().replace("total_assets", "total_asset"))
    assert cli.run(["rules", "check", str(features)]) == 2
    assert "total_asset" in capsys.readouterr().err


def test_a_trial_says_what_would_change_and_changes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tried(folder, "trial", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cases"] == 260
    assert found["changed"]["cases"] == sum(move["cases"] for move in found["moves"]) == len(found["changed_ids"]) > 0
    assert found["unchanged"]["cases"] == 260 - found["changed"]["cases"]
    order = ["approve", "review", "decline"]
    assert all(order.index(move["from"]) < order.index(move["to"]) for move in found["moves"])
    assert tried(folder, "trial") == 0
    assert "unchanged" in capsys.readouterr().out
    assert models.resolve(open_database(Settings(_env_file=None, home=folder / "home")), "firms").version == 1


def test_rules_that_change_more_than_allowed_are_not_adopted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tried(folder, "adopt", "--most-changed", "0.001") == 3
    assert "nothing was adopted" in capsys.readouterr().err
    assert models.resolve(open_database(Settings(_env_file=None, home=folder / "home")), "firms").version == 1


def test_adopted_rules_make_a_new_version_with_their_trial_and_can_be_rolled_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tried(folder, "adopt", "--most-changed", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["model_version"] == 2
    out = folder / "scored.csv"
    assert cli.run(["score", "firms", "--data", str(folder / "firms.csv"), "--out", str(out)]) == 0
    scored = pd.read_csv(out).set_index("id")
    latest = statements().query("year == 2020").set_index("firm")
    thin = latest.index[latest["current_assets"] < 0.5 * latest["current_liabilities"]]
    assert len(thin)
    assert (scored.loc[thin, "decision"] != "approve").all()
    assert scored.loc[thin, "reason_1"].str.startswith("COVENANT_LIQUIDITY").any()
    capsys.readouterr()
    assert cli.run(["models", "show", "firms", "--json"]) == 0
    about = json.loads(capsys.readouterr().out)["manifest"]["about"]
    assert about["policy_trial"]["new_version"] == about["company"]["policy"]["version"]
    assert cli.run(["models", "rollback", "firms"]) == 0
    assert models.resolve(open_database(Settings(_env_file=None, home=folder / "home")), "firms").version == 1


def test_hard_rules_stand_beside_company_models_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).normal(size=400)
    table = pd.DataFrame({"x": x, "bad": (x > 0.5).astype(int)})
    table.to_csv(folder / "loans.csv", index=False)
    assert cli.run(["train", "credit", "--data", str(folder / "loans.csv"), "--target", "bad", "--name", "firms"]) == 0
    capsys.readouterr()
    assert tried(folder, "trial") == 2
    assert "is a credit model; hard rules stand beside company models" in capsys.readouterr().err
