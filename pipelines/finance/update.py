"""Updating a credit model: it learns on from new rows, and is kept only where it did not forget the old ones.

The columns, categories and their order, the label rule and the scale of points stay those of the model that is
updated (the base). What is fitted learns from the new training rows, starting from the base; calibration, zones, exits
and metrics come from the new validation rows and replace the base's, since it is new cases that will be decided. The
reference rows take no part in any of that: they are asked once, by the gate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from core.errors import InputError
from core.runtime.bundle import Bundle
from core.runtime.engine import Engine
from data.spec import FeatureSpec
from pipelines.finance import tree_model
from pipelines.finance.boosting import Floats, TrainingRows
from pipelines.finance.continued import continue_trees
from pipelines.finance.features import extract, to_batch
from pipelines.finance.forgetting import Forgetting, Quality, compare, quality
from pipelines.finance.judging import FittedModel
from pipelines.finance.labels import LabelRule
from pipelines.finance.options import CreditOptions
from pipelines.finance.reference import TRAINING, Reference
from pipelines.finance.rows import Labelled, labelled
from pipelines.finance.scorecard import Policy

Progress = Callable[[float, str], None]
Writing = Callable[[Path, Mapping[str, Any]], Bundle]  # a bundle into a folder, with more entries of `about`


@dataclass(frozen=True, kw_only=True)
class Base:
    """A registered model that is updated. InputError: it is of another kind, or says too little of itself."""

    engine: Engine
    kind: str  # that is asked for
    name: str
    version: int

    def __post_init__(self) -> None:
        manifest = self.engine.bundle.manifest
        if manifest.kind != self.kind:
            raise InputError(
                f"{self.words} is a model of kind {manifest.kind}, and this is the training of {self.kind}; update it "
                f"with assay train {manifest.kind}"
            )
        if lacking := {"labels", "preset", "trees", "rounds", "gain"} - set(manifest.about):
            raise InputError(f"{self.words} does not say how it was made ({', '.join(sorted(lacking))}); train it anew")

    @property
    def words(self) -> str:
        """As people call it."""
        return f"{self.name}@{self.version}"

    @property
    def about(self) -> Mapping[str, Any]:
        """What its bundle says of its making."""
        return self.engine.bundle.manifest.about

    @property
    def spec(self) -> FeatureSpec:
        """Its columns."""
        return FeatureSpec.from_json(self.engine.bundle.manifest.spec)

    @property
    def rule(self) -> LabelRule:
        """What its target means."""
        return LabelRule.from_json(self.about["labels"])

    @property
    def trees(self) -> str:
        """Its forest."""
        return self.engine.bundle.path(tree_model.PART).read_bytes().decode()

    def log_odds(self, rows: Labelled) -> Floats:
        """Calibrated log-odds (B,), as it serves them."""
        return served_log_odds(self.engine, rows)

    def settle(self, options: CreditOptions) -> CreditOptions:
        """The options of an update: preset and scale are the base's. InputError: another target or preset."""
        if options.target != self.spec.target:
            words = f"{self.words} tells {self.spec.target!r}, and --target is {options.target!r}"
            raise InputError(f"{words}; another target is another model: train it without --update", code="TARGET")
        if options.preset == "full" and self.about["preset"] != "full":
            raise InputError(
                f"{self.words} was trained with the preset {self.about['preset']}, so an update has no networks to go "
                "on from; leave --preset out, or train full without --update"
            )
        scale = Policy.from_json(self.engine.bundle.manifest.decision).scale
        return replace(
            options,
            preset=self.about["preset"],
            base_score=scale.base_score,
            base_odds=scale.base_odds,
            points_to_double=scale.points_to_double,
        )


@dataclass(frozen=True, kw_only=True)
class News:
    """What of the new rows the base does not know. `unseen`: rows by column of categories, which count as missing."""

    unseen: Mapping[str, int]
    columns: tuple[str, ...]  # which are ignored

    def to_json(self) -> dict[str, Any]:
        """For the bundle."""
        return {"unseen_categories": dict(self.unseen), "new_columns": list(self.columns)}


def find_news(frame: pd.DataFrame, spec: FeatureSpec, ignore: tuple[str, ...]) -> News:
    """Look a table over. InputError: a column of the base is missing."""
    gated, known = extract(frame, spec), {spec.target, spec.id_column, TRAINING, *spec.ignored, *ignore}
    unseen = {words.partition(" ")[2]: rows for words, rows in gated.warnings.items() if words.startswith("UNSEEN")}
    return News(unseen=unseen, columns=tuple(name for name in gated.extra if name not in known))


def update_trees(
    base: Base, fit_rows: Labelled, valid_rows: Labelled, options: CreditOptions, progress: Progress, *, seeds: int = 1
) -> tuple[FittedModel, dict[str, Any]]:
    """Let the base's forest learn on; the second is what the update did. Added trees are the mean of so many seeds."""
    rows = TrainingRows(x_BF=fit_rows.x_BF, y_B=fit_rows.y_B, group_B=fit_rows.group_B)
    shape = base.about["trees"]
    found = continue_trees(base.trees, shape, rows, base.spec, seed=options.seed, progress=progress, seeds=seeds)
    margin_MB = tree_model.margins(found.fold_texts, valid_rows.x_BF)
    return tree_model.tree_model(found.text, margin_MB, found.about(base.about)), {"trees": found.to_json()}


def reference_rows(base: Base, reference: Reference) -> Labelled:
    """Gate the reference rows by the base's spec. InputError: a column is missing, or a class."""
    return labelled(reference.frame, base.spec, base.rule, None, "reference")


@dataclass(frozen=True, kw_only=True)
class Judges:
    """The rows that say whether an update is kept: new ones, and those of the old kind."""

    valid_rows: Labelled
    reference_rows: Labelled
    reference: Reference


def write_gated(
    base: Base, judges: Judges, write: Writing, folder: Path, more: Mapping[str, Any], *, seed: int
) -> Bundle:
    """Write the updated model where it did not forget: a draft is asked, as it would serve, before the bundle is made.

    The bundle's `about` gets the entry `update`, with `more` in it. GateError: it forgot, or the reference rows cannot
    tell; nothing is written then.
    """
    with TemporaryDirectory() as scratch:
        draft = Engine.open(write(Path(scratch) / "bundle", {}), device="cpu")
        found = _compare(base, draft, judges, seed)
        after = _on_new(draft, judges.valid_rows)
        # as calibrated on the other half of them, not on themselves
        after = replace(after, log_loss=draft.bundle.manifest.metrics["validation"]["log_loss"]["value"])
    found.check(base.words)
    before = _on_new(base.engine, judges.valid_rows)
    update = {
        "base": {
            "name": base.name,
            "version": base.version,
            "manifest_sha256": base.engine.bundle.manifest_sha256,
            "data_sha256": base.about.get("data_sha256"),
        },
        "number": int(base.about.get("update", {}).get("number", 0)) + 1,  # of updates since the first training
        "validation": {"rows": len(judges.valid_rows.y_B), "before": before.to_json(), "after": after.to_json()},
        "reference": {"source": judges.reference.source, **found.to_json()},
        **more,
    }
    return write(folder, {"update": update})


def served_log_odds(engine: Engine, rows: Labelled) -> Floats:
    """Calibrated log-odds (B,) of a model as it serves."""
    p_B = engine.predict(to_batch(rows.x_BF)).probability
    return np.asarray(np.log(p_B) - np.log1p(-p_B), dtype=np.float64)


def _on_new(engine: Engine, rows: Labelled) -> Quality:
    cut = Policy.from_json(engine.bundle.manifest.decision).zones.decline_above
    return quality(served_log_odds(engine, rows), rows.y_B, cut)


def _compare(base: Base, draft: Engine, judges: Judges, seed: int) -> Forgetting:
    policies = [Policy.from_json(engine.bundle.manifest.decision) for engine in (base.engine, draft)]
    before, after = (policy.zones.decline_above for policy in policies)
    return compare(
        base.log_odds(judges.reference_rows),
        served_log_odds(draft, judges.reference_rows),
        judges.reference_rows.y_B,
        allowed=judges.reference.limit,
        decline_at=(before, after),
        seed=seed,
    )
