"""Which features of the rule engine a company model sees: kept word for word in its bundle.

R rows, F features.
"""

from collections.abc import Collection, Mapping, Sequence
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

    def only(self, names: Collection[str]) -> "Features":
        """The rules of these names, with all that they need."""
        return Features(_book([rule for name, rule in self.book.rules.items() if name in names], self._texts()))

    def to_json(self) -> dict[str, Any]:
        """Rules and what they need, word for word."""
        needed = {name: text for name, text in self._texts().items() if name in self.book.program.roots}
        return {
            "version": self.book.version,
            "rules": [list(astuple(rule)) for rule in self.book.rules.values()],
            "needed": {name: list(text) for name, text in needed.items() if name not in self.book.rules},
        }

    def _texts(self) -> dict[str, tuple[str, bool]]:
        return {name: (formula.text, formula.is_feature) for name, formula in self.book.program.formulas.items()}


def choose_features(book: Rulebook) -> Features:
    """Leave out rules that look at other companies: a case alone must give what it gives among others."""
    program = book.program
    rules = {
        name: rule
        for name, rule in book.rules.items()
        if not LOOKS_AROUND & {program.steps[index].op for index in program.needs({program.roots[name]})}
    }
    return Features(book).only(rules)


def read_features(raw: Mapping[str, Any]) -> Features:
    """Features from what `to_json` gave. InputError: it is something else."""
    try:
        rules = [Rule(*cells) for cells in raw["rules"]]
        return Features(_book(rules, {name: (text, bool(own)) for name, (text, own) in raw["needed"].items()}))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the bundle's rules are damaged ({error}); retrain", code="BAD_BUNDLE") from error


def worded(column: Column, words: Mapping[str, tuple[str, str]]) -> Column:
    """The column with the words of its rule, where it has one."""
    if column.name not in words:
        return column
    english, chinese = words[column.name]
    return replace(column, words_en=english, words_zh=chinese)


def _book(rules: Sequence[Rule], texts: Mapping[str, tuple[str, bool]]) -> Rulebook:
    formulas = {name: Formula(text, name, is_feature=own) for name, (text, own) in texts.items()}
    formulas |= {rule.name: Formula(rule.formula, f"rule {rule.name}") for rule in rules}
    program = Program(formulas=formulas, inputs=known_names())
    for rule in rules:
        program.root(rule.name)
    version = content_version([formulas[name].text for name in sorted(program.roots)])
    return Rulebook(rules={rule.name: rule for rule in rules}, program=program, version=version)
