"""Company failure and loss from statements: trains and scores, the main path of the kind `company`.

A table of statements becomes the model's frame (`company_frame`), and from there on a company is a case like any other:
the training, the engine, the zones and the reasons are those of credit.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from core.errors import InputError
from core.runtime.bundle import Bundle, write_bundle
from core.runtime.engine import Engine
from data.spec import FeatureSpec, infer_spec
from pipelines.finance.company_fit import choose, fit_company, only
from pipelines.finance.company_frame import Derived, derive, with_pairs
from pipelines.finance.company_plan import KIND, CompanyOptions, CompanyPlan, make_plan
from pipelines.finance.company_policy import Caution, cautions, with_caution
from pipelines.finance.company_rate import BaseRate, before_shift, estimate_rate, shifted
from pipelines.finance.company_reports import ReportCase, derive_reports
from pipelines.finance.company_rules import worded
from pipelines.finance.credit import training_record
from pipelines.finance.explain import Language
from pipelines.finance.features import extract, to_batch
from pipelines.finance.floors import check_floors
from pipelines.finance.judging import FittedModel, Judged, judge
from pipelines.finance.labels import LabelRule, find_rule
from pipelines.finance.reference import set_aside, write_reference
from pipelines.finance.rows import Labelled, fingerprint, held_out, labelled
from pipelines.finance.score import Scored, score_table
from pipelines.finance.scorecard import Policy

Progress = Callable[[float, str], None]
NO_ERRORS: Mapping[int, str] = {}
NO_PART_ERRORS: Mapping[str, Mapping[int, str]] = {}


def train_company(
    train: pd.DataFrame,
    valid: pd.DataFrame | None,
    options: CompanyOptions,
    folder: Path,
    progress: Progress,
    population: pd.DataFrame | None = None,
    errors: Mapping[str, Mapping[int, str]] = NO_PART_ERRORS,
    kept: Path | None = None,
) -> Bundle:
    """Train and write the bundle to `folder`, which must be new or empty.

    With `kept`, a Parquet file, validation cases are set aside for later updates, as the model sees them.

    `population` are rows like those that will be scored, whose labels nobody needs: the base rate is estimated from
    them. `errors` are rows (by position) that could not be read, under `training`, `validation` and `unlabelled`.
    InputError and GateError as in train_credit.
    """
    if options.target_rate is not None and (options.base_rate is not None or population is not None):
        raise InputError("--target-rate is a share of the validation rows, which have another base rate; give --cost")
    progress(0.0, "reading the statements")
    rule = _rule(train, options)
    plan = make_plan(train, options, rule)
    options = replace(options, group=options.group or (plan.company if plan.cases == "all" else None))
    fitting = derive(train, plan, errors.get("training"))
    validating = None if valid is None else derive(valid, plan, errors.get("validation"))
    refused = count_refused({"training": fitting, "validation": validating})
    if validating is None:
        fitting, validating = hold_out(fitting, rule, options)
    spec = _spec(fitting, plan, options)
    chosen = choose(rows_of(fitting, spec, rule, None, "training"), spec, options, progress)
    plan = plan.narrowed(chosen.names, chosen.pairs)
    fitting, validating = with_pairs(fitting, plan), with_pairs(validating, plan)
    spec = only(_spec(fitting, plan, options), chosen.names)
    fit_rows = rows_of(fitting, spec, rule, options.group, "training", all_rows=options.preset == "full")
    valid_rows = rows_of(validating, spec, rule, None, "validation")
    fitted = fit_company(fit_rows, valid_rows, spec, options, progress)
    progress(0.85, f"calibrating on {len(valid_rows.y_B)} rows")
    draft = Draft(plan, spec, rule, options, fitted, fit_rows, valid_rows)
    base = find_base_rate(draft, population, errors.get("unlabelled"))
    judged = draft.judged(base)
    check_floors(judged.metrics, options.floors)
    progress(0.95, "writing the bundle")
    more = {"data_sha256": fingerprint(train, valid), "columns": chosen.to_json(), "refused": refused}
    if kept is not None:
        write_reference(kept, set_aside(sound(validating), spec, seed=options.seed))
    return draft.write(folder, judged, base, more)


def score_company(
    frame: pd.DataFrame,
    engine: Engine,
    *,
    ids: Sequence[str],
    row_errors: Mapping[int, str] = NO_ERRORS,
    reasons: int = 4,
    reasons_for: Literal["review", "all"] = "review",
    language: Language = "en",
    only: Sequence[int] | None = None,
) -> Scored:
    """Score the cases of a table; `ids` are of its rows. Rows that are history, or not among `only`, are no cases."""
    plan = CompanyPlan.from_json(engine.bundle.manifest.about.get("company"))
    derived = derive(frame, plan, row_errors, only=only)
    own_ids = [ids[row] for row in derived.row_C]
    wish = Wish(reasons=reasons, reasons_for=reasons_for, language=language)
    scored = score_derived(derived, engine, plan, own_ids, wish)
    known = {*plan.figures, *FeatureSpec.from_json(engine.bundle.manifest.spec).names, plan.company, plan.period}
    if plan.period is not None:
        period = frame[plan.period].iloc[derived.row_C].astype("str").to_numpy()
        scored.frame.insert(scored.frame.shape[1] - 1, "period", period)  # before the error
    own = (str(name) for name in derived.frame.columns if name not in known)
    return replace(
        scored,
        extra=tuple(name for name in own if name not in plan.rules.names),
        warnings=_of_figures(scored.warnings, plan),
    )


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which reasons are wanted: how many, for which cases, in which language."""

    reasons: int = 4
    reasons_for: Literal["review", "all"] = "review"
    language: Language = "en"


def score_derived(
    derived: Derived,
    engine: Engine,
    plan: CompanyPlan,
    ids: Sequence[str],
    wish: Wish,
    more: Mapping[int, Caution] | None = None,
) -> Scored:
    """Score cases that are derived already; `more` is caution by case, beside that of the model's own hard rules."""
    scored = score_table(
        derived.frame,
        engine,
        ids=ids,
        row_errors=derived.errors,
        reasons=wish.reasons,
        reasons_for=wish.reasons_for,
        language=wish.language,
    )
    card = Policy.from_json(engine.bundle.manifest.decision)
    scored = with_caution(scored, more or {}, card, wish.language)
    if plan.hard_rules is None:
        return scored
    return with_caution(scored, dict(enumerate(cautions(plan.hard_rules, derived))), card, wish.language)


def score_reports(cases: Sequence[ReportCase], engine: Engine, wish: Wish) -> Scored:
    """Score one case a report."""
    plan = CompanyPlan.from_json(engine.bundle.manifest.about.get("company"))
    found = derive_reports(cases, engine)
    scored = score_derived(found.derived, engine, plan, [case.id for case in cases], wish, found.doubts)
    period = pd.Series(found.period_C, dtype="str")
    scored.frame.insert(scored.frame.shape[1] - 1, "period", period)
    return replace(scored, warnings=_of_figures(scored.warnings, plan))


def _of_figures(warnings: Mapping[str, int], plan: CompanyPlan) -> dict[str, int]:
    """Warnings of what the table or report holds itself; what is worked out of it follows suit."""
    return {words: rows for words, rows in warnings.items() if words.split(" ", 1)[-1] in plan.figures}


def _rule(train: pd.DataFrame, options: CompanyOptions) -> LabelRule:
    if options.target not in train.columns:
        columns = ", ".join(map(str, train.columns))
        raise InputError(f"the table has no target column {options.target!r}; it has {columns}", code="UNKNOWN_COLUMN")
    return find_rule(train[options.target])


def count_refused(parts: Mapping[str, Derived | None]) -> dict[str, dict[str, int]]:
    """Which cases of each part cannot be used, counted by cause. InputError: all of a part."""
    found = {part: derived.causes() for part, derived in parts.items() if derived is not None}
    for part, derived in parts.items():
        if derived is not None and 0 < len(derived.frame) == len(derived.errors):
            causes = ", ".join(f"{code} {cases}" for code, cases in found[part].items())
            words = f"not one of the {len(derived.frame)} {part} cases can be used ({causes})"
            raise InputError(f"{words}; the first: {derived.errors[min(derived.errors)]}")
    return found


def sound(derived: Derived) -> pd.DataFrame:
    """The cases that can be used."""
    return derived.frame.drop(index=list(derived.errors))


def hold_out(derived: Derived, rule: LabelRule, options: CompanyOptions) -> tuple[Derived, Derived]:
    """Hold validation cases out, as `pipelines.finance.rows.held_out`."""
    fitting, validating = held_out(sound(derived), rule, options)
    return replace(derived, frame=fitting, errors={}), replace(derived, frame=validating, errors={})


def _spec(derived: Derived, plan: CompanyPlan, options: CompanyOptions) -> FeatureSpec:
    good = sound(derived)
    keys = tuple(name for name in (plan.period,) if name is not None)
    spec = infer_spec(
        good.loc[good[options.target].notna().to_numpy()],
        target=options.target,
        id_column=plan.company,
        ignore=tuple(dict.fromkeys((*options.ignore, *keys))),
        time=options.time,
        group=options.group,
    )
    words = plan.words()
    return replace(spec, columns=tuple(worded(column, words) for column in spec.columns))


def rows_of(
    derived: Derived, spec: FeatureSpec, rule: LabelRule, group: str | None, what: str, *, all_rows: bool = False
) -> Labelled:
    """Gate the cases, as `pipelines.finance.rows.labelled`."""
    rows = labelled(sound(derived), spec, rule, group, what, all_rows=all_rows)
    return replace(rows, refused=rows.refused + len(derived.errors))


@dataclass(frozen=True)
class Draft:
    """All that a bundle is made of but the base rate."""

    plan: CompanyPlan
    spec: FeatureSpec
    rule: LabelRule
    options: CompanyOptions
    fitted: FittedModel
    fit_rows: Labelled
    valid_rows: Labelled

    def judged(self, base: BaseRate) -> Judged:
        """What the validation rows say, carried over to the base rate."""
        missed, false = before_shift(self.options.costs, base.shift)
        plain = replace(self.options, cost_missed=missed, cost_false=false)
        judged = judge(self.fitted, self.valid_rows, self.spec, plain)
        return shifted(judged, base.shift, self.options.costs, self.options.target_rate)

    def write(self, folder: Path, judged: Judged, base: BaseRate, more: Mapping[str, Any]) -> Bundle:
        """Write the bundle."""
        record = training_record(self.options, self.rule, self.fitted, self.fit_rows, self.valid_rows)
        metrics = {name: metric.to_json() for name, metric in judged.metrics.items()}
        return write_bundle(
            folder,
            kind=KIND,
            name=self.options.name,
            parts=self.fitted.parts,
            spec=self.spec.to_json(),
            decision=judged.policy.to_json(),
            calibration=judged.calibration,
            metrics={"validation": metrics, **judged.exits},
            golden=judged.golden,
            about=record | {"company": self.plan.to_json(), "base_rate": base.to_json(), **more},
            combination=judged.combination,
            beside=self.fitted.beside,
        )


def find_base_rate(draft: Draft, population: pd.DataFrame | None, errors: Mapping[int, str] | None) -> BaseRate:
    """The share of bad cases to assume: as given, as the population has it, or that of the validation rows."""
    seen = float(draft.valid_rows.y_B.mean())
    plain = BaseRate(assumed=seen, validation=seen, source="the validation rows")
    given = draft.options.base_rate
    if given is not None:
        return replace(plain, assumed=given, source="as given")
    if population is None:
        return plain
    with tempfile.TemporaryDirectory() as scratch:
        bundle = draft.write(Path(scratch) / "bundle", draft.judged(plain), plain, {})
        engine = Engine.open(bundle, device="cpu")
        derived = derive(population, draft.plan, errors)
        gated = extract(derived.frame, draft.spec)
        good = np.ones(len(derived.frame), dtype=np.bool_)
        good[[*gated.errors, *derived.errors]] = False
        if not good.any():
            raise InputError("not one of the rows without labels can be judged, so no base rate can be estimated")
        p_B = engine.predict(to_batch(gated.values[good])).probability
    found = estimate_rate(np.log(p_B) - np.log1p(-p_B), seen)
    words = f"estimated from {found.rows} rows without their labels, 95 % interval {found.low:.4g} to {found.high:.4g}"
    return replace(plain, assumed=min(max(found.rate, 1 / (2 * found.rows)), 1 - 1 / (2 * found.rows)), source=words)
