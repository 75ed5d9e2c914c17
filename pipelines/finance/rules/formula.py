"""Formulas in Python's expression syntax, read with `ast` (never run as code) into steps that work on whole columns.

Equal parts of all formulas become one step, so a table of rules works each of them out once.
"""

import ast
import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from core.errors import InputError
from pipelines.finance.rules.benford import BENFORD
from pipelines.finance.rules.functions import BASIC, Function
from pipelines.finance.rules.history import HISTORY
from pipelines.finance.rules.merton import MERTON
from pipelines.finance.rules.names import name_of

FUNCTIONS: Mapping[str, Function] = {**BASIC, **HISTORY, **BENFORD, **MERTON}
CALLABLE = tuple(sorted(name for name in FUNCTIONS if name.isidentifier() and name not in ("negative", "not")))
LONGEST = 2000  # characters of a formula
OPERATORS: Mapping[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.USub: "negative",
    ast.Not: "not",
    ast.And: "all",
    ast.Or: "any",
}
ALLOWED = "numbers, names, + - * / **, comparisons, and, or, not, a if c else b, and calls of " + ", ".join(CALLABLE)


@dataclass(frozen=True, slots=True)
class Step:
    """An item, a number, or a function of earlier steps (`args`)."""

    op: str  # "item", "number", "given" (a feature: its formula, else the column of its name), or one of FUNCTIONS
    args: tuple[int, ...] = ()
    options: tuple[int, ...] = ()
    name: str = ""
    number: float = 0.0


@dataclass(frozen=True, slots=True)
class Formula:
    """One line of a table of formulas; `place` says where it stands, for errors."""

    text: str
    place: str
    is_feature: bool = True


@dataclass(kw_only=True)
class Program:
    """Formulas as steps, each after those it needs. `roots`: name of a formula -> its step."""

    formulas: Mapping[str, Formula]
    inputs: Collection[str]  # names that stand for columns
    steps: list[Step] = field(default_factory=list)
    roots: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)  # the other way round, for words
    _index: dict[Step, int] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)  # being compiled

    def root(self, name: str) -> int:
        """The step of a formula. InputError: the formula is wrong, or needs itself."""
        if name in self.roots:
            return self.roots[name]
        formula = self.formulas[name]
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            raise InputError(f"{formula.place}: formulas need each other: {circle}; use reported(...) for a raw item")
        self._open.append(name)
        step = self.compile(formula.text, formula.place)
        if formula.is_feature:
            step = self.add(Step("given", (step,), name=name))
        self._open.pop()
        self.roots[name] = step
        self.names.setdefault(step, name)
        return step

    def compile(self, text: str, place: str) -> int:
        """The step of a formula's text."""
        if len(text) > LONGEST:
            raise InputError(
                f"{place}: a formula of {len(text)} characters; at most {LONGEST}, so split it in two rules"
            )
        try:
            tree = ast.parse(text.strip(), mode="eval")
            return self._compile(tree.body, place)
        except SyntaxError as error:
            where = f" (character {error.offset})" if error.offset else ""
            raise InputError(f"{place}: {text!r} is no formula{where}: {error.msg}; allowed are {ALLOWED}") from error
        except (RecursionError, MemoryError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{place}: the formula is nested too deeply or has a character that no formula has"
            ) from error

    def add(self, step: Step) -> int:
        """The number of a step; an equal one is used again."""
        found = self._index.get(step)
        if found is None:
            found = self._index[step] = len(self.steps)
            self.steps.append(step)
        return found

    def text(self, index: int) -> str:
        """A step in words of the language, with the names of formulas."""
        if index in self.names:
            return self.names[index]
        return _text(self, self.steps[index])

    def needs(self, wanted: Collection[int]) -> list[int]:
        """The steps that the wanted ones need, themselves among them, in order."""
        needed = set(wanted)
        for index in range(max(needed, default=-1), -1, -1):
            if index in needed:
                needed.update(self.steps[index].args)
        return sorted(needed)

    def _compile(self, node: ast.AST, place: str) -> int:
        match node:
            case ast.Constant(value=bool() | str() | bytes() | complex()) | ast.Constant(value=None):
                raise InputError(f"{place}: {node.value!r} stands where a number or a name is wanted")
            case ast.Constant(value=int() | float() as number):
                return self._number(number, place)
            case ast.Name(id=name):
                return self._name(name, place)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return self.add(Step(OPERATORS[type(op)], (self._compile(left, place), self._compile(right, place))))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._compile(operand, place)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
                return self.add(Step(OPERATORS[type(op)], (self._compile(operand, place),)))
            case ast.BoolOp(op=op, values=values):
                return self.add(Step(OPERATORS[type(op)], tuple(self._compile(value, place) for value in values)))
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._comparison([left, *others], ops, place)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self.add(Step("if_", tuple(self._compile(part, place) for part in (test, body, other))))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(name, args, place)
        raise InputError(f"{place}: {ast.unparse(node)!r} is not allowed in a formula; allowed are {ALLOWED}")

    def _number(self, number: float, place: str) -> int:
        try:
            return self.add(Step("number", number=float(number)))
        except OverflowError as error:
            raise InputError(f"{place}: a number above 1e308") from error

    def _name(self, name: str, place: str) -> int:
        name = name if name in self.formulas else name_of(name)
        if name in self.formulas and self.formulas[name].text != name:  # a rule that only names a column is that column
            return self.root(name)
        if name in self.inputs:
            return self.add(Step("item", name=name))
        near = difflib.get_close_matches(name, [*self.formulas, *self.inputs], 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InputError(f"{place}: no item, feature or column is called {name!r}{hint}")

    def _comparison(self, sides: list[ast.expr], ops: list[ast.cmpop], place: str) -> int:
        for op in ops:
            if type(op) not in OPERATORS:
                raise InputError(f"{place}: comparisons are < <= > >= == and !=, got {type(op).__name__.lower()}")
        steps = [self._compile(side, place) for side in sides]
        pairs = [self.add(Step(OPERATORS[type(op)], (steps[i], steps[i + 1]))) for i, op in enumerate(ops)]
        return pairs[0] if len(pairs) == 1 else self.add(Step("all", tuple(pairs)))

    def _call(self, name: str, args: list[ast.expr], place: str) -> int:
        if name in ("reported", "column"):
            return self._raw(name, args, place)
        if name not in CALLABLE:
            near = difflib.get_close_matches(name, CALLABLE, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(CALLABLE)}"
            raise InputError(f"{place}: no function is called {name!r}; {hint}")
        function = FUNCTIONS[name]
        plain, options = _split(args, function)
        largest = function.largest
        if len(plain) < function.least or (largest is not None and len(plain) > largest):
            wanted = f"{function.least}" if largest == function.least else f"{function.least} or more"
            raise InputError(f"{place}: {name}() takes {wanted} expressions, got {len(plain)}")
        low, high = function.whole_options
        for option in options:
            if not low <= option <= high:
                raise InputError(f"{place}: {name}() takes a whole number from {low} to {high} last, got {option}")
        return self.add(Step(name, tuple(self._compile(arg, place) for arg in plain), options))

    def _raw(self, name: str, args: list[ast.expr], place: str) -> int:
        match name, args:
            case "column", [ast.Constant(value=str() as heading)]:
                return self.add(Step("item", name=name_of(heading)))
            case "reported", [ast.Name(id=item)] if item in self.inputs:
                return self.add(Step("item", name=item))
        wanted = 'one heading in quotes, column("Net sales")' if name == "column" else "the name of one item"
        raise InputError(f"{place}: {name}() takes {wanted}")


def _split(args: list[ast.expr], function: Function) -> tuple[list[ast.expr], tuple[int, ...]]:
    """Expressions, and the whole numbers written after them, filled up with their defaults."""
    options: list[int] = []
    plain = list(args)
    if function.most is None:
        given = plain[function.least :]
        whole = [a.value for a in given if isinstance(a, ast.Constant) and type(a.value) is int]
        if len(whole) == len(given) <= len(function.options):
            plain, options = plain[: function.least], whole
    return plain, (*options, *function.options[len(options) :])


def _text(program: Program, step: Step) -> str:
    if step.op == "item":
        return step.name
    if step.op == "number":
        return f"{step.number:g}"
    args = [program.text(arg) for arg in step.args]
    if step.op == "given":
        return step.name
    if step.op in ("negative", "not"):
        return f"{'-' if step.op == 'negative' else 'not '}{_bracket(args[0])}"
    if not step.op.isidentifier():
        return f"{_bracket(args[0])} {step.op} {_bracket(args[1])}"
    shown = step.options if step.options != FUNCTIONS[step.op].options else ()
    return f"{step.op}({', '.join([*args, *map(str, shown)])})"


def _bracket(text: str) -> str:
    return text if text.isidentifier() or text.replace(".", "").isdigit() or text.endswith(")") else f"({text})"
