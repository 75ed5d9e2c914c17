"""Tables of rules: what an analyst reads and extends. `features.csv` and `definitions.csv` come along."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.errors import InputError
from pipelines.finance.rules.formula import Formula, Program
from pipelines.finance.rules.names import known_names, read_rows

__all__ = ["Rule", "Rulebook", "content_version", "definitions", "known_names", "load_rules"]

HERE = Path(__file__).parent
COLUMNS = ("name", "group", "formula", "unit", "direction", "en", "zh", "source")
UNITS = ("ratio", "percent", "per_mille", "days", "years", "currency", "points", "flag", "log", "count")
DIRECTIONS = ("higher_is_safer", "higher_is_riskier", "unclear")


@dataclass(frozen=True, slots=True)
class Rule:
    """One feature: how it is worked out, and what it is called."""

    name: str
    group: str
    formula: str
    unit: str
    direction: str
    en: str
    zh: str
    source: str

    def words(self, language: str) -> str:
        """Its name in English ("en") or Chinese ("zh")."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, kw_only=True)
class Rulebook:
    """Rules and their formulas as one program; `version` changes with any of them."""

    rules: Mapping[str, Rule]
    program: Program
    version: str

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, in order."""
        return tuple(self.rules)


def load_rules(*paths: Path, columns: Collection[str] = ()) -> Rulebook:
    """The rules that come along and those of further CSV tables; `columns`: names of other columns that they may use.

    InputError: a table without its headings, a name twice, an unknown name, unit or direction, a formula that is none.
    """
    return _built_in() if not paths and not columns else _load((HERE / "features.csv", *paths), columns)


def definitions() -> dict[str, Formula]:
    """How an item is worked out from others where the statement does not give it."""
    rows = read_rows(HERE / "definitions.csv", ("name", "formula", "note"))
    return {row["name"]: Formula(row["formula"], f"definitions.csv, {row['name']}", is_feature=False) for row in rows}


@lru_cache(maxsize=1)
def _built_in() -> Rulebook:
    return _load((HERE / "features.csv",), ())


def _load(paths: tuple[Path, ...], columns: Collection[str]) -> Rulebook:
    rules: dict[str, Rule] = {}
    formulas = definitions()
    inputs = known_names(columns)
    for path in paths:
        for row in read_rows(path, COLUMNS):
            place = f"{path.name}, line {row['line']}, rule {row['name']!r}"
            rule = _rule(row, place)
            if rule.name in formulas or (rule.name in inputs and rule.name != rule.formula):
                kind = "a rule" if rule.name in rules else "an item"
                raise InputError(f"{place}: there is {kind} of that name already; choose another")
            rules[rule.name] = rule
            formulas[rule.name] = Formula(rule.formula, f"{place}, formula")
    program = Program(formulas=formulas, inputs=inputs)
    for name in rules:
        program.root(name)
    version = content_version([f"{name}={formula.text}" for name, formula in formulas.items()])
    return Rulebook(rules=rules, program=program, version=version)


def content_version(parts: list[str]) -> str:
    """Twelve hexadecimal digits that change with any of the parts."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def _rule(row: dict[str, str], place: str) -> Rule:
    empty = [column for column in COLUMNS if not row[column]]
    if empty:
        raise InputError(f"{place}: column {empty[0]} is empty; every rule fills all of {', '.join(COLUMNS)}")
    if not row["name"].isidentifier():
        raise InputError(f"{place}: column name: letters, digits and _ only, not first a digit; got {row['name']!r}")
    for column, allowed in {"unit": UNITS, "direction": DIRECTIONS}.items():
        if row[column] not in allowed:
            raise InputError(f"{place}: column {column}: one of {', '.join(allowed)}, got {row[column]!r}")
    return Rule(**{column: row[column] for column in COLUMNS})
