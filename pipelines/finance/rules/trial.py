"""A new policy beside the one in force, on past cases, before it goes live: how many decisions change, and how."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import InputError
from pipelines.finance.rules.columns import Floats, Panel
from pipelines.finance.rules.evaluate import Reference
from pipelines.finance.rules.findings import Findings, apply_policy
from pipelines.finance.rules.policy import Policy

Decide = Callable[[Floats], Sequence[str]]  # probabilities -> decisions
NO_RULE = "no rule"


@dataclass(frozen=True, slots=True)
class Group:
    """Cases, and the share that turned out bad among those whose outcome is known."""

    cases: int
    labelled: int
    bad_rate: float | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What would change. `moves`: (before, after) -> cases; `by_rule`: rule -> cases that it changed."""

    new_version: str
    old_version: str | None
    cases: int
    changed_rows: tuple[int, ...]
    moves: Mapping[tuple[str, str], Group]
    by_rule: Mapping[str, Group]
    changed: Group
    unchanged: Group
    not_evaluated: Mapping[str, int]  # rule of the new policy -> cases in which it could not be told

    def to_json(self) -> dict[str, Any]:
        """For the record of the trial."""
        return {
            "new_version": self.new_version,
            "old_version": self.old_version,
            "cases": self.cases,
            "changed": _json(self.changed),
            "unchanged": _json(self.unchanged),
            "moves": [{"from": a, "to": b, **_json(group)} for (a, b), group in self.moves.items()],
            "by_rule": {name: _json(group) for name, group in self.by_rule.items()},
            "not_evaluated": dict(self.not_evaluated),
        }


def run_trial(
    new: Policy,
    old: Policy | None,
    panel: Panel,
    *,
    probability_R: Floats,
    decide: Decide,
    bad_R: Floats | None = None,
    reference: Reference | None = None,
) -> Trial:
    """Compare the decisions under two policies (`old` None: the model alone) on past cases.

    `probability_R`: the model's, NaN for a row that is no case or in error, which is left out; `decide`: its zones;
    `bad_R`: 1 bad, 0 good, NaN unknown.
    InputError: another number of rows.
    """
    for name, column in {"probability_R": probability_R, "bad_R": bad_R}.items():
        if column is not None and len(column) != panel.rows:
            raise InputError(f"{name}: {len(column)} values for {panel.rows} rows; give one for each")
    after = apply_policy(new, panel, reference=reference)
    before = None if old is None else apply_policy(old, panel, reference=reference)
    now = _decisions(after, probability_R, decide)
    then = _decisions(before, probability_R, decide)
    judged = np.flatnonzero(~np.isnan(probability_R))
    changed = [row for row in judged.tolist() if now[row] != then[row]]
    bad = np.full(panel.rows, np.nan) if bad_R is None else bad_R
    moves = Counter((then[row], now[row]) for row in changed)
    rules = {row: _responsible(row, before, after) for row in changed}
    names = dict.fromkeys(name for row in changed for name in rules[row])
    rest = np.setdiff1d(judged, changed)
    return Trial(
        new_version=new.version,
        old_version=None if old is None else old.version,
        cases=len(judged),
        changed_rows=tuple(changed),
        moves={move: _group([r for r in changed if (then[r], now[r]) == move], bad) for move, _ in moves.most_common()},
        by_rule={name: _group([row for row in changed if name in rules[row]], bad) for name in names},
        changed=_group(changed, bad),
        unchanged=_group(rest.tolist(), bad),
        not_evaluated={
            rule.name: int(count)
            for rule, count in zip(new.rules, after.unknown_RP[judged].sum(axis=0), strict=True)
            if count
        },
    )


def _decisions(findings: Findings | None, probability_R: Floats, decide: Decide) -> list[str]:
    floored_R = probability_R if findings is None else findings.probabilities(probability_R)
    decided = ["" if np.isnan(p) else word for p, word in zip(floored_R, decide(floored_R), strict=True)]
    return decided if findings is None else findings.decisions(decided)


def _responsible(row: int, before: Findings | None, after: Findings) -> list[str]:
    """Rules whose finding in the row differs between the policies."""
    then = {} if before is None else _said(before, row)
    now = _said(after, row)
    return [name for name in dict.fromkeys((*now, *then)) if now.get(name) != then.get(name)] or [NO_RULE]


def _said(findings: Findings, row: int) -> dict[str, tuple[str, float | None]]:
    """Rule -> what it asks for in a row."""
    said: dict[str, tuple[str, float | None]] = {}
    for place, rule in enumerate(findings.policy.rules):
        if findings.fired_RP[row, place]:
            said[rule.name] = (rule.action, rule.floor)
        elif findings.unknown_RP[row, place] and rule.if_missing == "review":
            said[rule.name] = ("review", None)
    return said


def _group(rows: Sequence[int], bad_R: Floats) -> Group:
    outcomes = bad_R[list(rows)]
    known = outcomes[~np.isnan(outcomes)]
    return Group(len(rows), len(known), float(known.mean()) if len(known) else None)


def _json(group: Group) -> dict[str, Any]:
    return {"cases": group.cases, "labelled": group.labelled, "bad_rate": group.bad_rate}
