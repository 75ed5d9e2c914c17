"""How a table of statements becomes the model's frame: kept in the bundle, so that scoring does what training did."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from core.errors import InputError
from pipelines.finance.company_cells import is_figure
from pipelines.finance.company_pairs import Pair
from pipelines.finance.company_rules import Features, choose_features, read_features
from pipelines.finance.labels import LabelRule, read_labels
from pipelines.finance.options import CreditOptions
from pipelines.finance.reports.items import ITEMS
from pipelines.finance.rules.panel import name_of, tables_recognised
from pipelines.finance.rules.policy import Policy, load_policy, policy_from_json
from pipelines.finance.rules.rulebook import load_rules

KIND = "company"
CaseRule = Literal["latest", "all"]
CASE_RULES = ("auto", "latest", "all")


@dataclass(frozen=True, kw_only=True)
class CompanyOptions(CreditOptions):
    """What a company model is trained on besides; `id_column` names the company, and may be left out."""

    name: str = KIND
    period: str | None = None  # column with the year or the day; None: one row a company, no history
    cases: str = "auto"  # which rows are cases: the latest of each company, all, or what the labels look like
    unit: float = 1.0  # currency units that an amount of 1 stands for: 1e6 where the table is in millions
    currency: str | None = None  # of the amounts; a report in another one is not scored
    base_rate: float | None = None  # share of bad cases where the model will be used; None: that of the validation rows
    rules: Path | None = None  # further table of feature rules, beside those that come along
    policy: Path | None = None  # table of hard rules that stand beside the model

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cases not in CASE_RULES:
            raise InputError(f"cases are {', '.join(CASE_RULES)}, got {self.cases!r}")
        if self.base_rate is not None and not 0 < self.base_rate < 1:
            raise InputError(f"the base rate is a share of bad cases between 0 and 1, got {self.base_rate:g}")
        if not self.unit > 0:
            raise InputError(f"the unit is how many currency units an amount of 1 is, above 0, got {self.unit:g}")


@dataclass(frozen=True, kw_only=True)
class CompanyPlan:
    """From a table to the model's frame. `figures` are what it reads of a table, besides categories."""

    company: str | None  # column
    period: str | None  # column
    cases: CaseRule
    unit: float
    currency: str | None
    tables: tuple[str, ...]  # whose headings are known; see pipelines.finance.rules.panel
    figures: tuple[str, ...]  # number columns by their names in formulas; features as they are
    features: Mapping[str, Any]  # rules word for word: a bundle must not change when the shipped rules do
    pairs: tuple[Pair, ...] = ()  # of figures and features
    policy: Mapping[str, Any] | None = None  # hard rules, word for word

    def to_json(self) -> dict[str, Any]:
        """For the bundle."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        plain |= {"pairs": [list(astuple(pair)) for pair in self.pairs]}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    @classmethod
    def from_json(cls, raw: object) -> "CompanyPlan":
        """From the bundle. InputError: it holds none."""
        names = {field.name for field in fields(cls)}
        if not isinstance(raw, Mapping) or set(raw) != names:
            raise InputError("the bundle does not say how a table of statements is read; retrain", code="BAD_BUNDLE")
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
        values["pairs"] = tuple(Pair(*pair) for pair in raw["pairs"])
        return cls(**cast(dict[str, Any], values))

    def headings(self, columns: Iterable[str]) -> list[str]:
        """Which of a table's columns are figures of the model."""
        keys = (self.company, self.period)
        return [name for name in columns if name not in keys and name_of(name, self.tables) in self.figures]

    def narrowed(self, names: Collection[str], pairs: tuple[Pair, ...]) -> "CompanyPlan":
        """The same with these pairs, and of the rules those that columns or pairs of these names need."""
        wanted = {*names, *(side for pair in pairs for side in (pair.left, pair.right))}
        return replace(self, features=self.rules.only(wanted).to_json(), pairs=pairs)

    def words(self) -> dict[str, tuple[str, str]]:
        """English and Chinese of features and pairs."""
        words = self.rules.words() | {"statement_year": ("year of the statements", "报表年度")}
        return words | {pair.name: pair.words(words) for pair in self.pairs}

    @cached_property
    def hard_rules(self) -> Policy | None:
        """The policy, ready to be applied."""
        return None if self.policy is None else policy_from_json(self.policy)

    @cached_property
    def rules(self) -> Features:
        """The features, ready to be worked out."""
        return read_features(self.features)


def make_plan(train: pd.DataFrame, options: CompanyOptions, rule: LabelRule) -> CompanyPlan:
    """Decide how such tables are read. InputError: a column is absent, or rows of one company without a period."""
    keys = (options.id_column, options.period)
    absent = [name for name in (*keys, *options.ignore) if name is not None and name not in train.columns]
    if absent:
        columns = ", ".join(map(str, train.columns))
        raise InputError(f"the table has no column {', '.join(absent)}; it has {columns}", code="UNKNOWN_COLUMN")
    if options.period is None and options.id_column is not None and train[options.id_column].duplicated().any():
        words = f"companies stand in several rows (column {options.id_column!r}); name the column of their years"
        raise InputError(f"{words}: --period", code="NO_PERIOD")
    left_out = frozenset(name for name in (*keys, options.target, options.time, options.group, *options.ignore) if name)
    tables = tables_recognised([str(name) for name in train.columns if name not in left_out])
    book = load_rules(*([] if options.rules is None else [options.rules]))
    return CompanyPlan(
        company=options.id_column,
        period=options.period,
        cases=_case_rule(train, options, rule),
        unit=options.unit,
        currency=options.currency,
        tables=tables,
        figures=tuple(figures_of(train, tables, left_out)),
        features=choose_features(book).to_json(),
        policy=None if options.policy is None else load_policy(options.policy, book=book).to_json(),
    )


def figures_of(frame: pd.DataFrame, tables: tuple[str, ...], left_out: frozenset[str]) -> dict[str, str]:
    """Names in formulas of the table's columns of numbers, with their headings. InputError: one name twice."""
    found: dict[str, str] = {}
    for heading in map(str, frame.columns):
        if heading in left_out or not is_figure(heading, frame[heading], tables):
            continue
        name = name_of(heading, tables)
        if name in found:
            raise InputError(f"columns {found[name]!r} and {heading!r} both mean {name}; drop one with --ignore")
        found[name] = heading
    return found


def has_items(frame: pd.DataFrame, options: CompanyOptions) -> bool:
    """Tell whether rules have anything to work with: a column that is a known statement item, or implies some."""
    headings = [str(heading) for heading in frame.columns if heading not in (options.period, options.id_column)]
    return bool(tables_recognised(headings)) or any(name_of(heading) in ITEMS for heading in headings)


def _case_rule(train: pd.DataFrame, options: CompanyOptions, rule: LabelRule) -> CaseRule:
    """Where the labels of every company are the same in all its years, a company is a case; else a year is."""
    if options.cases != "auto":
        return cast(CaseRule, options.cases)
    if options.id_column is None or options.period is None:
        return "all"
    table = pd.DataFrame({"company": train[options.id_column], "y": read_labels(train[options.target], rule)})
    several = table.dropna().groupby("company")["y"].agg(["size", "nunique"])
    several = several[several["size"] > 1]
    return "latest" if len(several) and (several["nunique"] == 1).all() else "all"
