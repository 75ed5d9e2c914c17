"""Features by declaration: the default set, its words, and tables of one's own."""

import pytest

from core.errors import InputError
from pipelines.finance.transactions.declaration import make_scopes, read_lines
from pipelines.finance.transactions.measures import MEASURES, measure_words
from pipelines.finance.transactions.plan import TransactionPlan, find_unit
from pipelines.finance.transactions.windows import parse_span, parse_window
from tests.pipelines.finance.transactions.streams import make_plan

HEADER = "scope,measure,windows\n"


def test_the_default_set_has_at_least_127_features_each_with_words_of_its_own() -> None:
    plan = make_plan()

    assert len(plan.names) >= 127
    assert len(set(plan.names)) == len(plan.names)
    assert set(plan.words) == set(plan.names)
    for place in (0, 1):
        words = [plan.words[name][place] for name in plan.names]
        assert all(words)
        assert len(set(words)) == len(words)
    assert all(any("一" <= letter <= "鿿" for letter in plan.words[name][1]) for name in plan.names)


def test_a_table_of_ones_own_chooses_the_features() -> None:
    plan = make_plan(declared=HEADER + "entity,count,2h 3d\ncounterpart,risk,14d\n")

    assert plan.names[7:] == ("card.count.2h", "card.count.3d", "shop.risk.14d")
    words = ("transactions of the same card in the last 2 hours", "同一card近2小时的交易笔数")
    assert plan.words["card.count.2h"] == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scope,measure\n", "columns must be scope, measure, windows"),
        (HEADER, "no feature is declared"),
        (HEADER + "card,count,1d\n", "line 2: the scope is entity, counterpart, pair, got 'card'"),
        (HEADER + "entity,speed,1d\n", "no measure 'speed'; there is count"),
        (HEADER + "entity,count,1w\n", "line 2: a window is a number above 0"),
        (HEADER + "entity,count,\n", "count needs windows"),
        (HEADER + "entity,since,7d\n", "since needs windows of events"),
        (HEADER + "pair,distinct,7d\n", "a pair has no partner"),
        (HEADER + "entity,count,7d\nentity,count,7d\n", "entity count 7d is declared twice"),
        (HEADER + "entity,count\n", "line 2: three cells are needed"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(InputError, match="the file") as caught:
        read_lines(text, "the file")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_counterparts_no_partner_is_counted() -> None:
    lines = read_lines(HEADER + "entity,distinct,7d\nentity,count,7d\n", "x")

    assert [scope.names for scope in make_scopes(lines, "card", ())] == [("card.count.7d",)]


@pytest.mark.parametrize(
    "changes", [{"delay_ms": -1}, {"unit": 0.0}, {"most_events": 5}, {"most_events": 5000}, {"entity": "time"}]
)
def test_a_plan_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        make_plan(**changes)


def test_a_plan_comes_back_from_a_bundle() -> None:
    plan = make_plan(declared=HEADER + "entity,count,2h\n", target="fraud", id_column="id")

    assert TransactionPlan.from_json(plan.to_json()) == plan
    with pytest.raises(InputError, match="no fraud model"):
        TransactionPlan.from_json(None)


@pytest.mark.parametrize(("text", "ms"), [("7d", 604_800_000), ("0", 0), ("0d", 0), ("12h", 43_200_000)])
def test_delays_are_spans_of_time(text: str, ms: int) -> None:
    assert parse_span(text) == ms


@pytest.mark.parametrize("text", ["", "d", "7", "7x", "-1d", "1.5d", "0n", "00s"])
def test_odd_windows_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_window(text)


def test_the_unit_is_the_finest_that_the_amounts_need() -> None:
    assert find_unit([1.0, 20.0]) == 1.0
    assert find_unit([0.1, 20.0]) == 0.1
    assert find_unit([19.99]) == 0.01
    assert find_unit([1 / 3]) == 0.0001


def test_every_measure_has_words() -> None:
    assert set(measure_words()) == set(MEASURES)
