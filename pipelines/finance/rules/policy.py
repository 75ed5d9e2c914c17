"""Hard rules that stand beside the model: policy, knock-out, covenant. They only add caution.

R rows, P rules of the policy.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from string import Formatter
from typing import Any, Literal, cast

from core.errors import InputError
from pipelines.finance.rules.formula import Formula, Program
from pipelines.finance.rules.names import read_rows
from pipelines.finance.rules.rulebook import Rulebook, content_version, load_rules

Action = Literal["decline", "review", "floor"]
KINDS = ("policy", "knock_out", "covenant")
ACTIONS = ("decline", "review", "floor")
IF_MISSING = ("review", "ignore")
COLUMNS = (
    *("name", "kind", "version", "valid_from", "priority", "condition"),
    *("action", "floor", "if_missing", "en", "zh"),
)
SHIPPED = Path(__file__).with_name("policy.csv")
FORMAT = re.compile(r",?(\.\d)?[fg%]?")  # of a figure in the words


@dataclass(frozen=True, slots=True)
class HardRule:
    """Where `condition` holds, `action`: decline, review, or a probability of at least `floor`."""

    name: str
    kind: str
    version: str
    valid_from: str  # ISO date
    priority: int  # smaller comes first among the reasons
    condition: str
    action: Action
    floor: float | None
    if_missing: str  # what a condition that cannot be told leads to: "review", or "ignore"
    en: str
    zh: str

    @property
    def code(self) -> str:
        """Of its reason."""
        return f"{self.kind}_{self.name}".upper()

    def words(self, language: str) -> str:
        """With the figures' places in braces."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Hard rules by priority, compiled. `version` changes with any of them and with any formula that they use."""

    rules: tuple[HardRule, ...]
    program: Program
    conditions: tuple[int, ...]  # step of each rule's condition
    figures: Mapping[str, int]  # name in words -> step
    version: str

    def to_json(self) -> dict[str, Any]:
        """Everything word for word, so that a stored policy does not change when the shipped formulas do."""
        used = {name: formula for name, formula in self.program.formulas.items() if name in self.program.roots}
        return {
            "version": self.version,
            "rules": [asdict(rule) for rule in self.rules],
            "formulas": {name: [formula.text, formula.is_feature] for name, formula in used.items()},
            "inputs": sorted({step.name for step in self.program.steps if step.op == "item"}),
        }


def load_policy(
    path: Path = SHIPPED, *, on: date | None = None, book: Rulebook | None = None, columns: Collection[str] = ()
) -> Policy:
    """The policy of a CSV table; of several versions of a rule the one that is valid on a day (None: the last).

    `book`: the features that conditions may name (None: the shipped ones); `columns`: further columns. InputError: a
    heading or cell that is wrong, an unknown name, a name twice with one date, no rule that is valid by then.
    """
    book = load_rules(columns=columns) if book is None else book
    rules = [_rule(row, f"{path.name}, line {row['line']}, rule {row['name']!r}") for row in read_rows(path, COLUMNS)]
    chosen: dict[str, HardRule] = {}
    for rule in sorted(rules, key=lambda rule: rule.valid_from):
        known = chosen.get(rule.name)
        if known is not None and known.valid_from == rule.valid_from:
            raise InputError(f"{path.name}: rule {rule.name!r} stands there twice with valid_from {rule.valid_from}")
        if on is None or rule.valid_from <= on.isoformat():
            chosen[rule.name] = rule
    if not chosen:
        since = f" on {on.isoformat()}" if on else ""
        raise InputError(f"{path.name}: no rule is valid{since}; add one, or leave the policy out")
    ordered = tuple(sorted(chosen.values(), key=lambda rule: (rule.priority, rule.name)))
    return _compile(ordered, book.program.formulas, {*book.program.inputs, *columns}, path.name)


def policy_from_json(raw: Mapping[str, Any]) -> Policy:
    """What `to_json` gave. InputError: it is something else."""
    try:
        rules = tuple(HardRule(**rule) for rule in raw["rules"])
        formulas = {name: Formula(text, name, is_feature=own) for name, (text, own) in raw["formulas"].items()}
        inputs = frozenset(raw["inputs"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the stored policy is damaged ({error}); store it again", code="BAD_BUNDLE") from error
    return _compile(rules, formulas, inputs, "stored policy")


def _compile(
    rules: tuple[HardRule, ...], formulas: Mapping[str, Formula], inputs: Collection[str], file: str
) -> Policy:
    program = Program(formulas=formulas, inputs=inputs)
    conditions = tuple(program.compile(rule.condition, f"{file}, rule {rule.name!r}, condition") for rule in rules)
    figures: dict[str, int] = {}
    for rule in rules:
        for words in (rule.en, rule.zh):
            for name, _ in fields(words):
                figures[name] = program.compile(name, f"{file}, rule {rule.name!r}, words")
    used = [f"{name}={program.formulas[name].text}" for name in sorted(program.roots)]
    version = content_version([*(str(asdict(rule)) for rule in rules), *used])
    return Policy(rules=rules, program=program, conditions=conditions, figures=figures, version=version)


def fields(words: str) -> Sequence[tuple[str, str]]:
    """Names and formats of the figures in a rule's words. ValueError: braces that do not match.

    >>> fields("Current ratio {current_ratio:.2f} < 0.50")
    [('current_ratio', '.2f')]
    """
    return [(name, spec or "") for _, name, spec, _ in Formatter().parse(words) if name is not None]


def _rule(row: Mapping[str, str], place: str) -> HardRule:
    for column, allowed in {"kind": KINDS, "action": ACTIONS, "if_missing": IF_MISSING}.items():
        if row[column] not in allowed:
            raise InputError(f"{place}: column {column}: one of {', '.join(allowed)}, got {row[column]!r}")
    empty = [column for column in COLUMNS if not row[column] and column != "floor"]
    if empty:
        raise InputError(f"{place}: column {empty[0]} is empty; only floor may be")
    if not row["name"].isidentifier():
        raise InputError(f"{place}: column name: letters, digits and _ only, not first a digit; got {row['name']!r}")
    for column in ("en", "zh"):
        _check_words(row[column], f"{place}, column {column}")
    return HardRule(
        name=row["name"],
        kind=row["kind"],
        version=row["version"],
        valid_from=_day(row["valid_from"], place),
        priority=int(_number(row["priority"], place, "priority", whole=True)),
        condition=row["condition"],
        action=cast(Action, row["action"]),
        floor=_floor(row, place),
        if_missing=row["if_missing"],
        en=row["en"],
        zh=row["zh"],
    )


def _check_words(words: str, place: str) -> None:
    try:
        found = fields(words)
    except ValueError as error:
        raise InputError(f"{place}: {words!r}: {error}; figures are written {{current_ratio:.2f}}") from error
    for name, spec in found:
        if not name.isidentifier() or FORMAT.fullmatch(spec) is None:
            raise InputError(f"{place}: {{{name}:{spec}}}: a name and a format such as .2f, ,.0f or .1% are allowed")


def _floor(row: Mapping[str, str], place: str) -> float | None:
    if row["action"] != "floor":
        if row["floor"]:
            raise InputError(f"{place}: column floor: only for the action floor, got {row['floor']!r}")
        return None
    floor = _number(row["floor"], place, "floor")
    if not 0 < floor < 1:
        raise InputError(f"{place}: column floor: a probability between 0 and 1, got {floor:g}")
    return floor


def _number(text: str, place: str, column: str, *, whole: bool = False) -> float:
    try:
        return int(text) if whole else float(text)
    except ValueError as error:
        raise InputError(f"{place}: column {column}: a {'whole ' if whole else ''}number, got {text!r}") from error


def _day(text: str, place: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise InputError(f"{place}: column valid_from: a date as 2024-01-31, got {text!r}") from error
