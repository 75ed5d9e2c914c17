"""Hard rules beside the model: reading them, what they find, and that they only add caution."""

import json
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from pipelines.finance.rules.findings import CAUTION, apply_policy
from pipelines.finance.rules.policy import load_policy, policy_from_json
from pipelines.finance.rules.rulebook import load_rules
from tests.pipelines.finance.rules import policy_table as table


def test_a_rule_that_fires_overrides_and_gives_its_figures(tmp_path: Path) -> None:
    policy = load_policy(table.write_policy(tmp_path, table.LIQUIDITY, table.INSOLVENT))
    panel = table.one(current_assets=40, current_liabilities=100, total_equity=-12345, total_assets=500)
    findings = apply_policy(policy, panel)
    assert findings.decisions(["approve"]) == ["decline"]
    assert findings.reasons(0) == [
        "KNOCK_OUT_INSOLVENT: Equity -12,345",
        "COVENANT_LIQUIDITY: Current ratio 0.40 < 0.50",
    ]
    assert findings.reasons(0, "zh")[1] == "COVENANT_LIQUIDITY: 流动比率0.40 < 0.50"


def test_what_cannot_be_told_is_reviewed_where_the_rule_says_so(tmp_path: Path) -> None:
    policy = load_policy(table.write_policy(tmp_path, table.LIQUIDITY, table.INSOLVENT))
    findings = apply_policy(policy, table.one(revenue=1))
    assert findings.decisions(["approve"]) == ["review"]
    assert findings.reasons(0) == ["COVENANT_LIQUIDITY: not evaluated: no current_assets"]
    assert findings.not_evaluated(0) == {"insolvent": "no total_equity", "liquidity": "no current_assets"}
    assert findings.not_evaluated(0, "zh")["liquidity"] == "缺少流动资产合计"


def test_a_floor_raises_a_probability_and_lowers_none(tmp_path: Path) -> None:
    policy = load_policy(table.write_policy(tmp_path, table.LOSS))
    findings = apply_policy(policy, table.one(net_income=-1))
    assert [float(findings.probabilities(np.array([p]))[0]) for p in (0.1, 0.5)] == [0.3, 0.5]
    assert np.isnan(findings.probabilities(np.array([np.nan]))[0])
    assert apply_policy(policy, table.one(net_income=1)).probabilities(np.array([0.1]))[0] == 0.1


@pytest.mark.parametrize(("before", "figure"), list(product(CAUTION, [-1.0, 0.2, 5.0])))
def test_no_rule_makes_a_decision_less_cautious(tmp_path: Path, before: str, figure: float) -> None:
    policy = load_policy(table.write_policy(tmp_path, table.LIQUIDITY, table.INSOLVENT, table.LOSS))
    panel = table.one(current_assets=figure, current_liabilities=1, total_equity=figure, net_income=figure)
    (after,) = apply_policy(policy, panel).decisions([before])
    assert CAUTION.index(after) >= CAUTION.index(before)


def test_a_row_in_error_stays_without_a_decision(tmp_path: Path) -> None:
    findings = apply_policy(load_policy(table.write_policy(tmp_path, table.INSOLVENT)), table.one(total_equity=-1))
    assert findings.decisions([""]) == [""]
    with pytest.raises(InputError, match="a decision is approve, review, decline or empty, got 'accept'"):
        findings.decisions(["accept"])
    with pytest.raises(InputError, match="2 decisions for 1 rows"):
        findings.decisions(["approve", "approve"])


def test_the_version_of_the_day_is_taken(tmp_path: Path) -> None:
    stricter = table.LIQUIDITY.replace(",1,2020-01-01", ",2,2024-06-01").replace("< 0.5,", "< 0.8,")
    path = table.write_policy(tmp_path, table.LIQUIDITY, stricter)
    assert [load_policy(path, on=day).rules[0].version for day in (date(2024, 5, 31), date(2024, 6, 1))] == ["1", "2"]
    assert load_policy(path).rules[0].version == "2"
    with pytest.raises(InputError, match="no rule is valid on 2019-01-01"):
        load_policy(path, on=date(2019, 1, 1))


def test_the_version_changes_with_a_rule_and_with_a_formula_that_it_uses(tmp_path: Path) -> None:
    path = table.write_policy(tmp_path, table.LIQUIDITY)
    policy = load_policy(path)
    assert load_policy(path).version == policy.version
    other = load_policy(table.write_policy(tmp_path, table.LIQUIDITY.replace("0.5,", "0.6,")))
    raw = policy.to_json()
    raw["formulas"]["current_ratio"][0] = "current_assets / total_liabilities"
    assert len({policy.version, other.version, policy_from_json(raw).version}) == 3


def test_a_stored_policy_finds_the_same(tmp_path: Path) -> None:
    policy = load_policy()
    stored = policy_from_json(json.loads(json.dumps(policy.to_json())))
    panel = table.one(total_equity=-5, net_income=-1, current_assets=1, current_liabilities=9, ebitda=1, total_assets=9)
    assert stored.version == policy.version
    assert apply_policy(stored, panel).reasons(0) == apply_policy(policy, panel).reasons(0)
    with pytest.raises(InputError, match="the stored policy is damaged"):
        policy_from_json({"rules": [{"name": "x"}]})


def test_a_policy_may_use_an_analysts_own_features_and_columns(tmp_path: Path) -> None:
    rules = tmp_path / "mine.csv"
    rules.write_text(
        "name,group,formula,unit,direction,en,zh,source\nper_shop,own,revenue / shops,ratio,unclear,a shop,单店,own\n",
        encoding="utf-8",
    )
    line = "shops,policy,1,2020-01-01,1,per_shop < 2,review,,ignore,{per_shop:.1f} a shop,单店{per_shop:.1f}"
    path = table.write_policy(tmp_path, line)
    policy = load_policy(path, book=load_rules(rules, columns=["shops"]))
    assert apply_policy(policy, table.one(revenue=3, shops=2)).reasons(0) == ["POLICY_SHOPS: 1.5 a shop"]
    with pytest.raises(InputError, match="called 'per_shop'"):
        load_policy(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("review,,", "approve,,", "column action: one of decline, review, floor, got 'approve'"),
        ("review,,", "floor,,", "column floor: a number, got ''"),
        ("review,,", "floor,1.5,", "column floor: a probability between 0 and 1"),
        ("review,,", "review,0.2,", "column floor: only for the action floor"),
        ("2020-01-01", "01.02.2020", "column valid_from: a date as 2024-01-31"),
        ("covenant", "rule", "column kind: one of policy, knock_out, covenant"),
        (",5,", ",first,", "column priority: a whole number"),
        ("current_ratio < 0.5", "curent_ratio < 0.5", "did you mean current_ratio"),
        ("{current_ratio:.2f} < 0.50,流", "{curent_ratio:.2f} < 0.50,流", "did you mean current_ratio"),
        ("{current_ratio:.2f} < 0.50,流", "{current_ratio.real} < 0.50,流", "a name and a format"),
        ("{current_ratio:.2f} < 0.50,流", "{current_ratio:9999d} < 0.50,流", "a name and a format"),
        ("{current_ratio:.2f} < 0.50,流", "{current_ratio < 0.50,流", "figures are written {current_ratio:.2f}"),
        ("Current ratio {current_ratio:.2f} < 0.50", "", "column en is empty"),
    ],
)
def test_a_wrong_rule_is_named_with_what_is_allowed(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(InputError, match="liquidity") as error:
        load_policy(table.write_policy(tmp_path, table.LIQUIDITY.replace(old, new, 1)))
    assert words in str(error.value)


def test_a_rule_twice_with_one_date_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stands there twice with valid_from 2020-01-01"):
        load_policy(table.write_policy(tmp_path, table.LIQUIDITY, table.LIQUIDITY))
