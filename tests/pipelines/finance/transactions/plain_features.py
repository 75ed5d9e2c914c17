"""The features of transactions once more, one loop after the other as the words say them: slow, and nothing shared."""

import itertools
import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.windows import Window

NAN = math.nan
OF_LABELS = ("labelled", "frauds", "risk", "last_fraud", "first_fraud", "good_since", "run", "run_age", "fraud_size")
OF_LABELS += ("past_known", "known_since")


@dataclass
class Seen:
    """A transaction of the past as another one sees it."""

    number: int
    time_ms: int
    spent: float
    refund: bool
    label: int
    partner: int

    @property
    def log(self) -> float:
        return round(math.log1p(self.spent) * 4096) / 4096

    @property
    def clock(self) -> datetime:
        return datetime.fromtimestamp(self.time_ms / 1000, UTC)


def plain_features(events: Events, plan: TransactionPlan) -> np.ndarray:
    """All features of the scopes (M, F), without those of the transaction itself."""
    rows = [[value for scope in plan.scopes for value in _scope(events, plan, scope, i)] for i in range(len(events))]
    return np.asarray(rows)


def _scope(events, plan, scope, i):
    def seen(j):
        steps = int(events.steps[j])
        partner = int(events.key[scope.partner][j]) if scope.partner else 0
        return Seen(j, int(events.time_ms[j]), max(steps, 0) * plan.unit, steps < 0, int(events.label[j]), partner)

    same = [j for j in range(i) if all(events.key[c][j] == events.key[c][i] for c in scope.columns)]
    kept = sorted((seen(j) for j in same), key=lambda e: (e.time_ms, e.number))[-plan.most_events :]
    me = seen(i)
    signed = int(events.steps[i]) * plan.unit
    past = [e for e in kept if me.time_ms - plan.horizon_ms < e.time_ms <= me.time_ms]
    known = [e for e in past if e.time_ms + plan.delay_ms <= me.time_ms]
    for line in scope.lines:
        for window in line.windows:
            lagged = line.measure in OF_LABELS
            inside = _inside(known, me.time_ms - plan.delay_ms, window) if lagged else _inside(past, me.time_ms, window)
            yield _value(line.measure, inside, past, me, signed, window)


def _inside(past, now, window: Window):
    if window.events:
        return past[-window.events :]
    return [e for e in past if e.time_ms > now - window.span_ms]


def _mean(values):
    return sum(values) / len(values) if values else NAN


def _spread(values):
    return math.sqrt(max(_mean([v * v for v in values]) - _mean(values) ** 2, 0)) if len(values) > 1 else NAN


def _gap_logs(inside):
    gaps = itertools.pairwise(inside)
    return [round(math.log1p((b.time_ms - a.time_ms) / 1000) * 4096) / 4096 for a, b in gaps]


def _over(a, b):
    return a / b if b else NAN


def _slope(values):
    if len(values) < 3:
        return NAN
    x = np.arange(len(values)) - (len(values) - 1) / 2
    return float((x * np.asarray(values)).sum() / (x * x).sum())


def _value(measure, inside, past, me, signed, window):
    amounts = [e.spent for e in inside]
    logs = [e.log for e in inside]
    frauds = [e for e in inside if e.label == 1]
    labelled = [e for e in inside if e.label >= 0]
    quarter = _inside(past, me.time_ms, Window("90d", span_ms=90 * 86_400_000))
    gaps = _gap_logs(inside)
    due = [e for e in inside if measure in OF_LABELS]
    due = due[0] if window.events and len(due) == window.events else None
    back = past[-window.events] if window.events and len(past) >= window.events else None
    angle = (me.clock.hour * 60 + me.clock.minute) * 2 * math.pi / 1440
    if measure == "zscore":
        return (me.log - _mean(logs)) / (_spread(logs) + 1 / 8) if len(logs) > 1 else NAN
    if measure == "gap_zscore":
        own = round(math.log1p((me.time_ms - past[-1].time_ms) / 1000) * 4096) / 4096 if past else NAN
        return (own - _mean(gaps)) / (_spread(gaps) + 1 / 8) if len(gaps) > 1 else NAN
    if measure == "curve":
        n = len(logs)
        bent = sum(v * (6 * k * k - 6 * (n - 1) * k + (n - 1) * (n - 2)) for k, v in enumerate(logs))
        return bent / (n * (n - 1) * (n - 2)) if n > 3 else NAN
    if measure == "usual_hour":
        return _mean([math.cos((e.clock.hour * 60 + e.clock.minute) * 2 * math.pi / 1440 - angle) for e in inside])
    return {
        "count": lambda: len(inside),
        "sum": lambda: sum(amounts),
        "mean": lambda: _mean(amounts),
        "spread": lambda: _spread(logs),
        "ratio": lambda: _over(signed, _mean(amounts)) if inside else NAN,
        "night": lambda: _mean([e.clock.hour < 6 for e in inside]),
        "weekend": lambda: _mean([e.clock.weekday() >= 5 for e in inside]),
        "refunds": lambda: sum(e.refund for e in inside),
        "gap_mean": lambda: _mean(gaps),
        "gap_spread": lambda: _spread(gaps),
        "trend": lambda: _slope(logs),
        "gap_trend": lambda: _slope(gaps),
        "distinct": lambda: len({e.partner for e in inside}),
        "distinct_share": lambda: _over(len({e.partner for e in inside}), len(inside)),
        "velocity": lambda: _over(len(inside), len(quarter)),
        "amount_velocity": lambda: _over(sum(amounts), sum(e.spent for e in quarter)),
        "since": lambda: (me.time_ms - back.time_ms) / 1000 if back else NAN,
        "first": lambda: float(not inside),
        "age": lambda: (me.time_ms - inside[0].time_ms) / 1000 if inside else NAN,
        "step": lambda: _over(signed, back.spent) if back else NAN,
        "past_log": lambda: back.log if back else NAN,
        "past_known": lambda: due.label if due and due.label >= 0 else NAN,
        "known_since": lambda: (me.time_ms - due.time_ms) / 1000 if due else NAN,
        "labelled": lambda: len(labelled),
        "frauds": lambda: len(frauds),
        "risk": lambda: _over(len(frauds), len(labelled)),
        "last_fraud": lambda: (me.time_ms - frauds[-1].time_ms) / 1000 if frauds else NAN,
        "first_fraud": lambda: (me.time_ms - frauds[0].time_ms) / 1000 if frauds else NAN,
        "run": lambda: len(_run(labelled)),
        "run_age": lambda: (me.time_ms - _run(labelled)[0].time_ms) / 1000 if _run(labelled) else NAN,
        "fraud_size": lambda: _mean([e.log for e in frauds]) - _mean(logs),
        "good_since": lambda: len([e for e in labelled if _after(e, frauds[-1])]) if frauds else NAN,
    }[measure]()


def _run(labelled):
    goods = [at for at, e in enumerate(labelled) if e.label == 0]
    return labelled[goods[-1] + 1 :] if goods else labelled


def _after(e, other):
    return (e.time_ms, e.number) > (other.time_ms, other.number)
