"""Fitting a company model: which columns are learned from, and by what."""

from collections.abc import Callable

from data.spec import FeatureSpec
from pipelines.finance.company_plan import CompanyOptions
from pipelines.finance.credit import FITTERS
from pipelines.finance.judging import FittedModel
from pipelines.finance.rows import Labelled

Progress = Callable[[float, str], None]


def fit_company(
    fit_rows: Labelled, valid_rows: Labelled, spec: FeatureSpec, options: CompanyOptions, progress: Progress
) -> tuple[FittedModel, FeatureSpec, Labelled, Labelled]:
    fitted = FITTERS[options.preset](fit_rows, valid_rows, spec, options, progress)
    return fitted, spec, fit_rows, valid_rows
