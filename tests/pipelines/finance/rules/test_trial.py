"""A new policy beside the one in force, on past cases."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from pipelines.finance.rules.columns import Floats, Panel
from pipelines.finance.rules.panel import make_panel
from pipelines.finance.rules.policy import load_policy
from pipelines.finance.rules.trial import run_trial
from tests.pipelines.finance.rules import policy_table as table

PROBABILITY = np.array([0.05, 0.05, 0.05, 0.4, np.nan])
BAD = np.array([1.0, 0.0, np.nan, 1.0, 0.0])


def decide(probability_R: Floats) -> list[str]:
    return ["decline" if p > 0.3 else "review" if p > 0.2 else "approve" for p in probability_R]


def history() -> Panel:
    frame = pd.DataFrame({
        "current_assets": [40.0, 200.0, np.nan, 40.0, 40.0], "current_liabilities": 100.0,
        "total_equity": [-5.0, -5.0, 5.0, 5.0, 5.0], "net_income": [1.0, 1.0, 1.0, 1.0, 1.0],
    })  # fmt: skip
    return make_panel(frame)


def test_a_trial_counts_what_would_change_and_by_which_rule(tmp_path: Path) -> None:
    old = load_policy(table.write_policy(tmp_path, table.LIQUIDITY))
    new = load_policy(table.write_policy(tmp_path, table.LIQUIDITY, table.INSOLVENT))
    trial = run_trial(new, old, history(), probability_R=PROBABILITY, decide=decide, bad_R=BAD)
    assert trial.changed_rows == (0, 1)
    assert {move: group.cases for move, group in trial.moves.items()} == {
        ("review", "decline"): 1,
        ("approve", "decline"): 1,
    }
    assert trial.by_rule["insolvent"].cases == 2
    assert trial.changed.bad_rate == 0.5
    assert (trial.cases, trial.unchanged.cases, trial.unchanged.labelled) == (4, 2, 1)
    assert trial.not_evaluated == {"liquidity": 1}
    assert trial.to_json()["by_rule"] == {"insolvent": {"cases": 2, "labelled": 2, "bad_rate": 0.5}}


def test_the_model_alone_may_be_compared_with(tmp_path: Path) -> None:
    new = load_policy(table.write_policy(tmp_path, table.LIQUIDITY))
    trial = run_trial(new, None, history(), probability_R=PROBABILITY, decide=decide)
    assert trial.changed_rows == (0, 2)
    assert trial.old_version is None
    assert trial.changed.bad_rate is None


def test_a_rule_that_is_taken_away_is_named_too(tmp_path: Path) -> None:
    old = load_policy(table.write_policy(tmp_path, table.LIQUIDITY, table.INSOLVENT))
    new = load_policy(table.write_policy(tmp_path, table.LIQUIDITY))
    trial = run_trial(new, old, history(), probability_R=PROBABILITY, decide=decide)
    assert set(trial.by_rule) == {"insolvent"}
    assert ("decline", "review") in trial.moves


def test_a_floor_moves_a_decision_through_the_zones(tmp_path: Path) -> None:
    gain = table.LOSS.replace("net_income < 0", "net_income > 0").replace("0.3,", "0.25,")
    new = load_policy(table.write_policy(tmp_path, gain))
    trial = run_trial(new, None, history(), probability_R=PROBABILITY, decide=decide)
    assert {move: group.cases for move, group in trial.moves.items()} == {("approve", "review"): 3}


def test_the_same_policy_changes_nothing(tmp_path: Path) -> None:
    policy = load_policy(table.write_policy(tmp_path, table.LIQUIDITY))
    trial = run_trial(policy, policy, history(), probability_R=PROBABILITY, decide=decide, bad_R=BAD)
    assert trial.changed_rows == ()
    assert trial.unchanged.cases == 4


def test_columns_of_another_length_are_refused(tmp_path: Path) -> None:
    policy = load_policy(table.write_policy(tmp_path, table.LIQUIDITY))
    with pytest.raises(InputError, match="probability_R: 1 values for 5 rows"):
        run_trial(policy, None, history(), probability_R=np.array([0.1]), decide=decide)
