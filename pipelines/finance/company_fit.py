"""Fitting a company model: the columns, trees of several seeds, and with the preset `full` networks beside them."""

from collections.abc import Callable, Collection
from dataclasses import replace

from data.spec import FeatureSpec
from pipelines.finance import tree_model
from pipelines.finance.boosting import TrainingRows
from pipelines.finance.company_bagging import fit_bagged
from pipelines.finance.company_columns import MOST_COLUMNS, Columns, choose_columns
from pipelines.finance.company_plan import CompanyOptions
from pipelines.finance.judging import FittedModel
from pipelines.finance.rows import Labelled

Progress = Callable[[float, str], None]


def choose(rows: Labelled, spec: FeatureSpec, options: CompanyOptions, progress: Progress) -> Columns:
    """Choose the columns by the training rows."""
    most = MOST_COLUMNS[options.preset]
    part = _part(progress, 0.0, 0.3)
    return choose_columns(rows.x_BF, rows.y_B, spec, seed=options.seed, most=most, progress=part)


def only(spec: FeatureSpec, names: Collection[str]) -> FeatureSpec:
    """The spec of these columns alone; the others count as ignored."""
    kept = tuple(column for column in spec.columns if column.name in names)
    return replace(spec, columns=kept, ignored=(*spec.ignored, *(c.name for c in spec.columns if c.name not in names)))


def fit_company(
    fit_rows: Labelled, valid_rows: Labelled, spec: FeatureSpec, options: CompanyOptions, progress: Progress
) -> FittedModel:
    """Fit what the preset names. Trees try all shapes in either preset: the tables are small."""
    rows = TrainingRows(x_BF=fit_rows.x_BF, y_B=fit_rows.y_B, group_B=fit_rows.group_B)
    end = 0.8 if options.preset == "fast" else 0.5
    trees = fit_bagged(rows, spec, seed=options.seed, progress=_part(progress, 0.3, end))
    if options.preset == "full":
        # torch takes a second to import, and the preset `fast` needs none of it
        from pipelines.finance.full import fit_full  # noqa: PLC0415

        return fit_full(fit_rows, valid_rows, spec, options, _part(progress, 0.5, 0.8), trees=trees)
    margin_MB = tree_model.margins(trees.fold_texts, valid_rows.x_BF)
    return tree_model.tree_model(trees.text, margin_MB, tree_model.about(trees))


def _part(progress: Progress, start: float, end: float) -> Progress:
    return lambda share, words: progress(start + (end - start) * share, words)
