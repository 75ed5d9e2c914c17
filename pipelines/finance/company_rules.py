"""Which features of the rule engine a company model sees: kept word for word in its bundle.

R rows, F features.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from data.spec import Column
from pipelines.finance.rules.evaluate import evaluate
from pipelines.finance.rules.formula import Formula, Program
from pipelines.finance.rules.names import known_inputs
from pipelines.finance.rules.panel import Panel
from pipelines.finance.rules.rulebook import Rule, Rulebook, content_version, known_names

Floats = NDArray[np.float64]
LOOKS_AROUND = frozenset({"percentile", "years"})  # at other companies, or at how many years the table happens to hold


@dataclass(frozen=True)
class Features:
    """The rules, and the columns that come of them."""

    book: Rulebook

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in order."""
        return self.book.names

    def of(self, panel: Panel) -> Floats:
        """Columns (R, F)."""
        return evaluate(panel, self.book).values_RF

    def words(self) -> dict[str, tuple[str, str]]:
        """English and Chinese of every column, and Chinese of the items of statements."""
        items = {item.name: (item.name.replace("_", " "), item.zh) for item in known_inputs().values() if item.zh}
        return items | {name: (rule.en, rule.zh) for name, rule in self.book.rules.items()}

    def to_json(self) -> dict[str, Any]:
        """Rules and definitions, word for word."""
        texts = {name: formula.text for name, formula in self.book.program.formulas.items()}
        return {
            "version": self.book.version,
            "rules": [list(astuple(rule)) for rule in self.book.rules.values()],
            "definitions": {name: text for name, text in texts.items() if name not in self.book.rules},
        }


def choose_features(book: Rulebook) -> Features:
    """Leave out rules that look at other companies: a case alone must give what it gives among others."""
    program = book.program
    rules = {
        name: rule
        for name, rule in book.rules.items()
        if not LOOKS_AROUND & {program.steps[index].op for index in program.needs({program.roots[name]})}
    }
    texts = {name: formula.text for name, formula in program.formulas.items() if name not in book.rules}
    return Features(_book(tuple(rules.values()), texts))


def read_features(raw: Mapping[str, Any]) -> Features:
    """Features from what `to_json` gave. InputError: it is something else."""
    try:
        rules = tuple(Rule(*cells) for cells in raw["rules"])
        return Features(_book(rules, dict(raw["definitions"])))
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
