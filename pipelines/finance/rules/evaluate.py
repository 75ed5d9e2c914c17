"""The features of a panel: the one way for tables, for one report, for training and for scoring. R rows, F features."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.errors import InputError
from pipelines.finance.rules.columns import Floats, Panel
from pipelines.finance.rules.formula import FUNCTIONS, Program, Step
from pipelines.finance.rules.reasons import Search, words_of
from pipelines.finance.rules.rulebook import Rulebook, load_rules

QUANTILES = 201  # of a reference
KEPT_CELLS = 4_000_000  # of steps that `why` keeps between questions
Reference = Mapping[str, tuple[float, ...]]  # text of what is ranked -> its quantiles among the peers


@dataclass(frozen=True, kw_only=True)
class Values:
    """Features of all rows, NaN where missing."""

    names: tuple[str, ...]
    values_RF: Floats
    panel: Panel
    book: Rulebook
    reference: Reference | None = None
    _kept: dict[int, Floats] = field(default_factory=dict, repr=False)

    def column(self, name: str) -> Floats:
        """(R,) of one feature."""
        return self.values_RF[:, self.names.index(name)]

    def why(self, row: int, name: str, language: str = "en") -> str | None:
        """Why the feature is missing in a row, in words; None: it is not."""
        if not np.isnan(self.values_RF[row, self.names.index(name)]):
            return None
        program = self.book.program
        root = program.roots[name]
        if root not in self._kept:
            if len(self._kept) * self.panel.rows > KEPT_CELLS:
                self._kept.clear()
            self._kept.update(run(program, self.panel, {root}, self.reference, keep=True))
        search = Search(program=program, panel=self.panel, results=self._kept, asked=row)
        return words_of(search.causes(root, row), language)

    def to_json(self, row: int, language: str = "en") -> dict[str, dict[str, Any]]:
        """The contract's features of a row: value or the reason why there is none."""
        cells = zip(self.names, self.values_RF[row].tolist(), strict=True)
        return {
            name: {"value": None, "missing": self.why(row, name, language)}
            if value != value  # NaN
            else {"value": value, "missing": None}
            for name, value in cells
        }


def evaluate(panel: Panel, rules: Rulebook | None = None, *, reference: Reference | None = None) -> Values:
    """All features of a panel. With a `reference`, percentiles are places among its peers, else among the panel's."""
    book = load_rules() if rules is None else rules
    roots = [book.program.roots[name] for name in book.names]
    found = run(book.program, panel, set(roots), reference)
    values_FR = np.empty((len(roots), panel.rows))
    for number, root in enumerate(roots):
        values_FR[number] = found[root]
    values_FR[~np.isfinite(values_FR)] = np.nan
    return Values(names=book.names, values_RF=values_FR.T, panel=panel, book=book, reference=reference)


def fit_reference(panel: Panel, rules: Rulebook | None = None) -> Reference:
    """Quantiles of whatever the rules rank among peers, over all rows of a panel: to be stored with a model."""
    program = (load_rules() if rules is None else rules).program
    ranked = {step.args[0] for step in program.steps if step.op == "percentile"}
    found = run(program, panel, ranked, None)
    grid = np.linspace(0, 1, QUANTILES)
    reference = {}
    for index in sorted(ranked):
        values = np.broadcast_to(found[index], panel.rows)
        present = values[np.isfinite(values)]
        reference[program.text(index)] = tuple(np.quantile(present, grid).tolist()) if len(present) else ()
    return reference


def run(
    program: Program, panel: Panel, wanted: Collection[int], reference: Reference | None, *, keep: bool = False
) -> dict[int, Floats]:
    """The wanted steps' columns; with `keep`, also those of the steps that they need."""
    order = program.needs(wanted)
    last_use = {arg: index for index in order for arg in program.steps[index].args}
    results: dict[int, Floats] = {}
    with np.errstate(all="ignore"):
        for index in order:
            step = program.steps[index]
            results[index] = _column(program, panel, step, [results[arg] for arg in step.args], reference)
            if not keep:
                for arg in set(step.args):
                    if last_use[arg] == index and arg not in wanted:
                        del results[arg]
    return results


def _column(program: Program, panel: Panel, step: Step, args: list[Floats], reference: Reference | None) -> Floats:
    if step.op == "number":
        return np.asarray(step.number)
    if step.op == "item":
        return panel.values.get(step.name, np.asarray(np.nan))
    if step.op == "given":  # a table may give a ratio itself
        own = panel.values.get(step.name)
        return args[0] if own is None else np.where(np.isnan(args[0]), own, args[0])
    if step.op == "percentile" and reference is not None:
        return _place(args[0], reference, program.text(step.args[0]))
    return FUNCTIONS[step.op].compute(panel, *args, *step.options)


def _place(x: Floats, reference: Reference, text: str) -> Floats:
    if text not in reference:
        raise InputError(f"the reference has no quantiles of {text}; fit it again with these rules")
    quantiles = np.asarray(reference[text])
    if not len(quantiles):
        return np.full_like(x, np.nan)
    place = (np.searchsorted(quantiles, x, "left") + np.searchsorted(quantiles, x, "right")) / 2 / len(quantiles)
    return np.where(np.isnan(x), np.nan, place)
