"""Which features of the rule engine a company model sees, and the history of each: kept word for word in its bundle.

R rows, F features.
"""

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from data.spec import Column
from pipelines.finance.rules.evaluate import evaluate
from pipelines.finance.rules.formula import Formula, Program
from pipelines.finance.rules.history import HISTORY, change, mean, volatility
from pipelines.finance.rules.panel import Panel
from pipelines.finance.rules.rulebook import Rule, Rulebook, content_version, known_names

Floats = NDArray[np.float64]
YEARS = 3  # that a case sees, its own among them
LOOKS_BACK = frozenset({*HISTORY, "prior"})
LOOKS_AROUND = frozenset({"percentile", "years"})  # at other companies, or at how many years the table happens to hold


@dataclass(frozen=True)
class History:
    """What is said of a feature's last years: the end of its name, what it is, and its words."""

    compute: Callable[[Panel, Floats], Floats]
    en: str
    zh: str


HISTORIES: Mapping[str, History] = {
    "change": History(change, "{}, change against last year", "{}较上年变动"),
    "mean": History(lambda panel, x: mean(panel, x, YEARS), "{}, mean of 3 years", "{}三年均值"),
    "spread": History(lambda panel, x: volatility(panel, x, YEARS), "{}, spread over 3 years", "{}三年波动"),
}


@dataclass(frozen=True)
class Features:
    """Rules, those of them whose years are looked at, and the columns that come of it."""

    book: Rulebook
    over_years: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in order."""
        return (*self.book.names, *(f"{name}_{kind}" for kind in HISTORIES for name in self.over_years))

    def of(self, panel: Panel) -> Floats:
        """Columns (R, F)."""
        values = evaluate(panel, self.book)
        parts = [values.values_RF]
        with np.errstate(all="ignore"):
            for history in HISTORIES.values():
                columns = [history.compute(panel, values.column(name)) for name in self.over_years]
                parts += [np.stack(columns, axis=1)] if columns else []
        found = np.concatenate(parts, axis=1)
        return np.where(np.isfinite(found), found, np.nan)

    def words(self) -> dict[str, tuple[str, str]]:
        """English and Chinese of every column."""
        found = {name: (rule.en, rule.zh) for name, rule in self.book.rules.items()}
        for kind, history in HISTORIES.items():
            for name in self.over_years:
                rule = self.book.rules[name]
                found[f"{name}_{kind}"] = history.en.format(rule.en), history.zh.format(rule.zh)
        return found

    def to_json(self) -> dict[str, Any]:
        """Rules and definitions, word for word."""
        texts = {name: formula.text for name, formula in self.book.program.formulas.items()}
        return {
            "version": self.book.version,
            "rules": [list(astuple(rule)) for rule in self.book.rules.values()],
            "definitions": {name: text for name, text in texts.items() if name not in self.book.rules},
            "over_years": list(self.over_years),
        }


def choose_features(book: Rulebook, *, years: bool) -> Features:
    """Leave out rules that look at other companies; `years`: whether the table has any history."""
    program = book.program
    ops = {name: {program.steps[index].op for index in program.needs({program.roots[name]})} for name in book.rules}
    rules = {name: rule for name, rule in book.rules.items() if not ops[name] & LOOKS_AROUND}
    texts = {name: formula.text for name, formula in program.formulas.items() if name not in book.rules}
    over_years = tuple(name for name in rules if years and not ops[name] & LOOKS_BACK)
    return Features(_book(tuple(rules.values()), texts), over_years)


def read_features(raw: Mapping[str, Any]) -> Features:
    """Features from what `to_json` gave. InputError: it is something else."""
    try:
        rules = tuple(Rule(*cells) for cells in raw["rules"])
        return Features(_book(rules, dict(raw["definitions"])), tuple(raw["over_years"]))
    except (KeyError, TypeError) as error:
        raise InputError(f"the bundle's rules are damaged ({error}); retrain", code="BAD_BUNDLE") from error


def worded(column: Column, words: Mapping[str, tuple[str, str]]) -> Column:
    """The column with the words of its rule, where it has one."""
    if column.name not in words:
        return column
    english, chinese = words[column.name]
    return replace(column, words_en=english, words_zh=chinese)


def _book(rules: tuple[Rule, ...], definitions: Mapping[str, str]) -> Rulebook:
    formulas = {name: Formula(text, f"definition {name}", is_feature=False) for name, text in definitions.items()}
    formulas |= {rule.name: Formula(rule.formula, f"rule {rule.name}") for rule in rules}
    program = Program(formulas=formulas, inputs=known_names())
    for rule in rules:
        program.root(rule.name)
    version = content_version([formula.text for formula in formulas.values()])
    return Rulebook(rules={rule.name: rule for rule in rules}, program=program, version=version)
