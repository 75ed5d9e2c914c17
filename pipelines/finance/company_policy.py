"""Hard rules beside the model: they only add caution, and stand first among the reasons with the figures that fired.

C cases, K reasons a case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.finance.company_frame import Derived
from pipelines.finance.explain import Language, Reason
from pipelines.finance.rules.findings import apply_policy
from pipelines.finance.rules.policy import Policy
from pipelines.finance.score import Scored
from pipelines.finance.scorecard import DECISIONS
from pipelines.finance.scorecard import Policy as Scorecard


@dataclass(frozen=True, kw_only=True)
class Caution:
    """What stands beside the model for a case: the least cautious decision, the least probability, and why."""

    decision: int = 0  # place in DECISIONS
    probability: float = 0.0
    reasons: tuple[str, ...] = ()  # "CODE: words"
    reasons_zh: tuple[str, ...] = ()  # the same in Chinese, or none
    untold: frozenset[str] = frozenset()  # codes of features whose value nobody knows: they are no reasons

    def stated(self) -> tuple[Reason, ...]:
        """The reasons with their words in both languages; English where there is no Chinese."""
        parts = [text.partition(": ") for text in self.reasons]
        words_zh = [text.partition(": ")[2] for text in self.reasons_zh or self.reasons]
        return tuple(
            Reason(code=code, words=words, words_zh=chinese)
            for (code, _, words), chinese in zip(parts, words_zh, strict=True)
        )


def cautions(policy: Policy, derived: Derived) -> list[Caution]:
    """Apply the rules to every case (C)."""
    found = []
    for panel, size in zip(derived.panels, derived.sizes, strict=True):
        said = apply_policy(policy, panel)
        least_R = said.probabilities(np.zeros(panel.rows))
        found += [
            Caution(
                decision=int(said.least_caution[row]),
                probability=float(least_R[row]),
                reasons=tuple(said.reasons(row, "en")),
                reasons_zh=tuple(said.reasons(row, "zh")),
            )
            for row in range(size)
        ]
    return found


def with_caution(scored: Scored, cautious: Mapping[int, Caution], card: Scorecard, language: Language = "en") -> Scored:
    """The same cases after the rules, which name cases by position. Cases in error stay as they are."""
    frame = scored.frame.copy()
    places = [column for column in frame.columns if column.startswith("reason_")]
    active = {
        case: caution
        for case, caution in cautious.items()
        if caution != Caution() and not pd.isna(frame.at[case, "decision"])
    }
    beside = dict(scored.beside)
    for case, caution in active.items():
        p = float(frame.at[case, "probability"])
        if caution.probability > p:
            p = caution.probability
            frame.at[case, "probability"], frame.at[case, "score"] = p, float(card.scale.points([p])[0])
        zone = max(caution.decision, int(card.zones.place([p])[0]), DECISIONS.index(frame.at[case, "decision"]))
        frame.at[case, "decision"] = DECISIONS[zone]
        beside[case] = (*caution.stated(), *beside.get(case, ()))
        own = [str(text) for text in frame.loc[case, places] if not pd.isna(text)]
        own = [text for text in own if text.split(":", 1)[0] not in caution.untold]
        said = caution.reasons_zh or caution.reasons if language == "zh" else caution.reasons
        texts = [*said, *own][: len(places)]
        for column, text in zip(places, [*texts, *[None] * len(places)], strict=False):
            frame.at[case, column] = text
    reasons = scored.reasons.without({case: caution.untold for case, caution in active.items() if caution.untold})
    return replace(scored, frame=frame, reasons=reasons, beside=beside)
