"""What a policy says of the rows of a panel, beside the model: fired rules, the decision and probability after them.

R rows, P rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from pipelines.finance.rules.columns import Floats, Panel
from pipelines.finance.rules.evaluate import Reference, run
from pipelines.finance.rules.policy import HardRule, Policy, fields
from pipelines.finance.rules.reasons import Search, words_of

Flags = NDArray[np.bool_]
CAUTION = ("approve", "review", "decline")  # from least to most
NOT_EVALUATED = {"en": "not evaluated: {}", "zh": "未评估：{}"}
MISSING = {"en": "missing", "zh": "缺失"}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Where each rule fired, and where it could not be told."""

    policy: Policy
    panel: Panel
    fired_RP: Flags
    unknown_RP: Flags
    reference: Reference | None = None
    _kept: dict[int, Floats] = field(default_factory=dict, repr=False)

    def decisions(self, before: Sequence[str]) -> list[str]:
        """Decisions after the rules: as before, or more cautious. An empty one (a row in error) stays empty.

        InputError: a word that is no decision, or another number of rows.
        """
        if len(before) != self.panel.rows:
            raise InputError(f"{len(before)} decisions for {self.panel.rows} rows; give one for each")
        after = []
        for row, decision in enumerate(before):
            if decision not in (*CAUTION, ""):
                raise InputError(f"row {row + 1}: a decision is {', '.join(CAUTION)} or empty, got {decision!r}")
            least = int(self.least_caution[row])
            after.append(CAUTION[max(least, CAUTION.index(decision))] if decision else "")
        return after

    def probabilities(self, before_R: Floats) -> Floats:
        """Probabilities of the bad outcome after the floors; NaN stays NaN."""
        floor_P = np.array([rule.floor or 0.0 for rule in self.policy.rules])
        least_R = np.where(self.fired_RP, floor_P, 0.0).max(axis=1, initial=0.0)
        return np.asarray(np.maximum(before_R, least_R), dtype=np.float64)

    @cached_property
    def least_caution(self) -> NDArray[np.int64]:
        """Place in CAUTION that a row's rules ask for at least."""
        asked_P = np.array([CAUTION.index(r.action) if r.action in CAUTION else 0 for r in self.policy.rules])
        missing_P = np.array([1 if r.if_missing == "review" else 0 for r in self.policy.rules])
        asked_RP = np.where(self.fired_RP, asked_P, 0) + np.where(self.unknown_RP, missing_P, 0)
        return np.asarray(asked_RP.max(axis=1, initial=0), dtype=np.int64)

    def reasons(self, row: int, language: str = "en") -> list[str]:
        """`CODE: words` of each rule that fired, by priority, then of those whose missing inputs ask for a review."""
        fired = [rule for place, rule in enumerate(self.policy.rules) if self.fired_RP[row, place]]
        unknown = [
            (place, rule)
            for place, rule in enumerate(self.policy.rules)
            if self.unknown_RP[row, place] and rule.if_missing == "review"
        ]
        return [f"{rule.code}: {self._words(rule, row, language)}" for rule in fired] + [
            f"{rule.code}: {NOT_EVALUATED[_known(language)].format(self.why(row, place, language))}"
            for place, rule in unknown
        ]

    def not_evaluated(self, row: int, language: str = "en") -> dict[str, str]:
        """Rules that could not be told in a row, with the reason."""
        places = np.flatnonzero(self.unknown_RP[row]).tolist()
        return {self.policy.rules[place].name: self.why(row, place, language) for place in places}

    def why(self, row: int, place: int, language: str = "en") -> str:
        """Why a rule could not be told."""
        search = Search(program=self.policy.program, panel=self.panel, results=self._steps(), asked=row)
        return words_of(search.causes(self.policy.conditions[place], row), language)

    def _words(self, rule: HardRule, row: int, language: str) -> str:
        text = rule.words(language)
        for name, spec in fields(text):
            value = float(np.broadcast_to(self._steps()[self.policy.figures[name]], self.panel.rows)[row])
            shown = MISSING[_known(language)] if np.isnan(value) else format(value, spec)
            text = text.replace(f"{{{name}:{spec}}}" if spec else f"{{{name}}}", shown)
        return text

    def _steps(self) -> dict[int, Floats]:
        if not self._kept:
            wanted = {*self.policy.conditions, *self.policy.figures.values()}
            self._kept.update(run(self.policy.program, self.panel, wanted, self.reference, keep=True))
        return self._kept


def apply_policy(policy: Policy, panel: Panel, *, reference: Reference | None = None) -> Findings:
    """Evaluate the rules on every row. `reference`: as in `evaluate`."""
    found = run(policy.program, panel, set(policy.conditions), reference)
    columns = [np.broadcast_to(found[step], panel.rows) for step in policy.conditions]
    told_RP = np.stack(columns, axis=1) if columns else np.empty((panel.rows, 0))
    unknown_RP = np.isnan(told_RP)
    fired_RP = ~unknown_RP & (told_RP != 0)
    return Findings(policy=policy, panel=panel, fired_RP=fired_RP, unknown_RP=unknown_RP, reference=reference)


def _known(language: str) -> str:
    return "zh" if language == "zh" else "en"
