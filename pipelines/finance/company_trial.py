"""Hard rules of a company model, tried on past cases before they go live, and put into a new bundle after that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.runtime.bundle import Bundle, write_bundle
from core.runtime.engine import Engine
from data.spec import FeatureSpec
from pipelines.finance.company_frame import derive
from pipelines.finance.company_plan import CompanyPlan
from pipelines.finance.features import extract, to_batch
from pipelines.finance.labels import LabelRule, read_labels
from pipelines.finance.rules.policy import Policy, load_policy
from pipelines.finance.rules.rulebook import load_rules
from pipelines.finance.rules.trial import Trial, run_trial
from pipelines.finance.scorecard import DECISIONS
from pipelines.finance.scorecard import Policy as Scorecard

NO_ERRORS: Mapping[int, str] = {}


@dataclass(frozen=True, kw_only=True)
class PolicyTrial:
    """A policy, what it would change, and the ids of the cases whose decision it would change."""

    policy: Policy
    trial: Trial
    changed_ids: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the cases, that would be decided otherwise."""
        return self.trial.changed.cases / max(1, self.trial.cases)

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        return self.trial.to_json() | {"changed_share": self.share, "changed_ids": list(self.changed_ids)}


def try_policy(
    frame: pd.DataFrame,
    engine: Engine,
    path: Path,
    *,
    rules: Sequence[Path] = (),
    row_errors: Mapping[int, str] = NO_ERRORS,
) -> PolicyTrial:
    """Decide all cases of a table with the model's hard rules and with those of `path`, and compare.

    `rules` are further tables of features that the policy names. The outcome is read from the model's target column
    where the table has one. InputError: the table or the policy is no good.
    """
    manifest = engine.bundle.manifest
    plan, spec = CompanyPlan.from_json(manifest.about.get("company")), FeatureSpec.from_json(manifest.spec)
    policy = load_policy(path, book=load_rules(*rules), columns=plan.figures)
    derived = derive(frame, plan, row_errors, at_once=max(1, len(frame)))
    gated = extract(derived.frame, spec)
    p_C = np.array(engine.predict(to_batch(gated.values)).probability, dtype=np.float64)
    p_C[[*gated.errors, *derived.errors]] = np.nan
    (panel,) = derived.panels
    zones = Scorecard.from_json(manifest.decision).zones

    def decide(p_R: NDArray[np.float64]) -> list[str]:
        return [DECISIONS[int(zone)] for zone in zones.place(np.nan_to_num(p_R))]

    trial = run_trial(
        policy,
        plan.hard_rules,
        panel,
        probability_R=_padded(p_C, panel.rows),
        decide=decide,
        bad_R=_padded(_outcomes(derived.frame, spec, manifest.about["labels"]), panel.rows),
    )
    ids = derived.row_C + 1 if plan.company is None else derived.frame[plan.company].to_numpy()
    return PolicyTrial(policy=policy, trial=trial, changed_ids=tuple(str(ids[case]) for case in trial.changed_rows))


def with_policy(engine: Engine, tried: PolicyTrial, folder: Path) -> Bundle:
    """Write the model once more, with the tried policy and the record of its trial; the model itself is the same."""
    bundle, manifest = engine.bundle, engine.bundle.manifest
    plan = CompanyPlan.from_json(manifest.about.get("company")).to_json() | {"policy": tried.policy.to_json()}
    return write_bundle(
        folder,
        kind=manifest.kind,
        name=manifest.name,
        parts={name: (part.kind, bundle.folder / part.file) for name, part in manifest.parts.items()},
        spec=manifest.spec,
        decision=manifest.decision,
        calibration=manifest.calibration,
        metrics=manifest.metrics,
        golden=bundle.golden(),
        about={**manifest.about, "company": plan, "policy_trial": tried.to_json()},
        combination=manifest.combination,
    )


def _outcomes(frame: pd.DataFrame, spec: FeatureSpec, labels: Mapping[str, Any]) -> NDArray[np.float64]:
    """1 bad, 0 good, NaN unknown."""
    if spec.target not in frame.columns:
        return np.full(len(frame), np.nan)
    return read_labels(frame[spec.target], LabelRule.from_json(labels))


def _padded(values_C: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """NaN for the rows that are only history; the cases come first."""
    return np.concatenate([values_C, np.full(rows - len(values_C), np.nan)])
