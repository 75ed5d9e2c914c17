"""Why a feature is missing: from its step down to what was not there. Worked out for one row when somebody asks."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.finance.rules.benford import LEAST_FIGURES
from pipelines.finance.rules.columns import Floats, Panel
from pipelines.finance.rules.formula import FUNCTIONS, Program, Step
from pipelines.finance.rules.history import LEAST_PEERS, LEAST_YEARS
from pipelines.finance.rules.names import known_inputs

WORDS: Mapping[str, tuple[str, str]] = {
    "told": ("{0}", "{0}"),  # by the reader of the report
    "absent": ("no {0}", "缺少{0}"),
    "before": ("no year before {0}", "没有{0}之前一年的数据"),
    "zero": ("denominator {0} is zero", "分母{0}为零"),
    "not_positive": ("{0} is not above zero", "{0}不大于零"),
    "negative": ("{0} is below zero", "{0}小于零"),
    "ends": ("{0} is not above zero in both years", "{0}在首尾两年不都大于零"),
    "few_years": (f"fewer than {LEAST_YEARS} years of {{0}}", f"{{0}}不足{LEAST_YEARS}年"),
    "few_peers": (f"fewer than {LEAST_PEERS} companies with {{0}}", f"有{{0}}的公司不足{LEAST_PEERS}家"),
    "few_figures": (f"fewer than {LEAST_FIGURES} amounts other than zero", f"非零金额不足{LEAST_FIGURES}个"),
    "half": ("fewer than half of the conditions are known", "已知的条件不足一半"),
    "unless": ("only worked out where {0}", "仅在{0}时计算"),
    "unsolved": ("equity value, volatility or debt is not above zero", "股权市值、波动率或负债不大于零"),
    "undefined": ("{0} is not a finite number", "{0}不是有限数"),
}
NAME = re.compile(r"[a-z_][a-z0-9_]*")
YEARS_BACK = ("prior", "avg", "change", "growth", "cagr")
MOST_NAMED = 3  # things that are not there, in one reason
Results = Mapping[int, Floats]


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause; `subject` is an item or a part of a formula, `period` that of another row than the one asked about."""

    code: str
    subject: str
    period: int | None = None

    def words(self, language: str = "en") -> str:
        """In English ("en") or Chinese ("zh")."""
        subject = self.subject if language != "zh" or self.code == "told" else NAME.sub(_chinese, self.subject)
        text = WORDS[self.code][1 if language == "zh" else 0].format(subject)
        if self.period is None or self.code == "before":
            return text
        day = _day(self.period)
        return f"{text}（{day}）" if language == "zh" else f"{text} in {day}"


def words_of(reasons: Sequence[Reason], language: str = "en") -> str:
    """Causes as one line: what is absent in one phrase, and the rest after it."""
    subjects: dict[Reason, dict[str, None]] = {}  # what is absent in one year goes into one phrase
    for reason in reasons:
        kind = Reason("absent", "", reason.period) if reason.code == "absent" else reason
        subjects.setdefault(kind, {}).setdefault(reason.subject)
    phrases = [
        Reason(kind.code, _listed(list(names)[:MOST_NAMED], language), kind.period).words(language)
        for kind, names in subjects.items()
    ]
    return ("；" if language == "zh" else "; ").join(phrases)


def _chinese(name: re.Match[str]) -> str:
    """The Chinese heading of an item; any other word as it is."""
    known = known_inputs().get(name.group())
    return known.zh if known is not None and known.zh else name.group()


def _day(period: int) -> str:
    """A year as it is, yyyymmdd as a date."""
    digits = str(period)
    return digits if len(digits) != 8 else f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def _listed(names: Sequence[str], language: str) -> str:
    start = ("、" if language == "zh" else ", ").join(names[:-1])
    return f"{start}{'和' if language == 'zh' else ' or '}{names[-1]}" if start else names[-1]


@dataclass(frozen=True, kw_only=True)
class Search:
    """Looks for causes in worked-out steps."""

    program: Program
    panel: Panel
    results: Results
    asked: int  # the row

    def causes(self, index: int, row: int) -> list[Reason]:
        """Why the step is missing in the row."""
        step = self.program.steps[index]
        inner = self._inner(index, step, row)
        name = self.program.names.get(index, "")
        if (
            name not in self.program.inputs
            or step.op in ("given", "item")
            or any(reason.code != "absent" for reason in inner)
        ):
            return inner
        return [Reason("absent", name, self._period(row))]

    def _inner(self, index: int, step: Step, row: int) -> list[Reason]:
        search = SEARCHES.get("years" if step.op in YEARS_BACK else step.op)
        if search is not None:
            return search(self, index, step, row)
        absent = [arg for arg in step.args if self.missing(arg, row)]
        if absent:
            return self.causes(absent[0], row)
        fault = FUNCTIONS[step.op].fault
        subject = self.program.text(step.args[-1] if fault == "zero" else step.args[0] if step.args else index)
        return [Reason(fault, subject, self._period(row))]

    def missing(self, index: int, row: int) -> bool:
        """Whether the step has no value in the row."""
        return bool(np.isnan(np.broadcast_to(self.results[index], self.panel.rows)[row]))

    def one_absent(self, _: int, step: Step, row: int) -> list[Reason]:
        """An item."""
        if step.name in self.panel.absent:
            return [Reason("told", self.panel.absent[step.name])]
        return [Reason("absent", step.name, self._period(row))]

    def through(self, _: int, step: Step, row: int) -> list[Reason]:
        """A feature: its formula."""
        return self.causes(step.args[0], row)

    def all_absent(self, _: int, step: Step, row: int) -> list[Reason]:
        """Several choices, none of which is there."""
        return [reason for arg in step.args if self.missing(arg, row) for reason in self.causes(arg, row)]

    def branch(self, _: int, step: Step, row: int) -> list[Reason]:
        """A condition, or the side that it chose."""
        condition, yes, no = step.args
        if self.missing(condition, row):
            return self.causes(condition, row)
        chosen = np.broadcast_to(self.results[condition], self.panel.rows)[row]
        return self.causes(yes if chosen else no, row)

    def years(self, _: int, step: Step, row: int) -> list[Reason]:
        """The value of this year or of the one that the function looks back to."""
        (arg,) = step.args
        if step.op != "prior" and self.missing(arg, row):
            return self.causes(arg, row)
        here = row
        for _back in range(step.options[0] if step.options else 1):
            before = int(self.panel.prior_R[here])
            if before < 0:
                return [Reason("before", _day(int(self.panel.period_R[here])))]
            here = before
        if self.missing(arg, here):
            return self.causes(arg, here)
        if step.op == "growth":
            return [Reason("zero", self.program.text(arg), self._period(here))]
        return [Reason("ends" if step.op == "cagr" else "undefined", self.program.text(arg))]

    def _period(self, row: int) -> int | None:
        return None if row == self.asked else int(self.panel.period_R[row])


SEARCHES: Mapping[str, Callable[[Search, int, Step, int], list[Reason]]] = {
    "item": Search.one_absent,
    "given": Search.through,
    "first": Search.all_absent,
    "sum0": Search.all_absent,
    "if_": Search.branch,
    "years": Search.years,
}
