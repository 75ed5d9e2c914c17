"""Figures hold the numbers they were given."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards import charts
from dashboards.charts import Bins, Step
from dashboards.words import Words

EN, ZH = Words("en"), Words("zh")
BINS = Bins(edges=(500.0, 520.0, 540.0), counts={"approve": (1, 5), "review": (2, 0), "decline": (4, 0)})


def test_the_score_figure_stacks_every_case_once() -> None:
    figure = charts.score_by_decision(BINS, EN)
    assert figure.layout.barmode == "stack"
    assert sum(sum(bar.y) for bar in figure.data) == BINS.total == 12
    assert list(figure.data[0].x) == [510.0, 530.0]


def test_decisions_are_told_by_pattern_and_sign_too() -> None:
    figure = charts.score_by_decision(BINS, EN)
    assert len({bar.marker.pattern.shape for bar in figure.data}) == 3
    assert [bar.name[0] for bar in figure.data] == ["✓", "?", "✕"]


def test_figures_speak_chinese() -> None:
    assert charts.score_by_decision(BINS, ZH).layout.title.text == "按决定划分的评分分布"


def test_the_roc_figure_says_area_and_interval() -> None:
    figure = charts.roc({"fpr": [0, 0.2, 1], "tpr": [0, 0.8, 1]}, "AUC 0.812 [0.800, 0.824]", EN)
    assert any("0.800" in note.text for note in figure.layout.annotations)


def test_the_roc_figure_draws_a_band_where_there_is_one() -> None:
    curve = {"fpr": [0, 1], "tpr": [0, 1], "low": [0, 0.9], "high": [0.1, 1]}
    assert charts.roc(curve, "", EN).data[0].fill == "toself"


def test_calibration_bars_reach_from_low_to_high() -> None:
    curve = {"predicted": [0.1, 0.4], "observed": [0.12, 0.38], "low": [0.1, 0.3], "high": [0.15, 0.5], "count": [9, 9]}
    bars = charts.calibration(curve, EN).data[1].error_y
    assert bars.array == pytest.approx([0.03, 0.12])
    assert bars.arrayminus == pytest.approx([0.02, 0.08])


def test_outcomes_are_shares_of_their_own_group() -> None:
    figure = charts.by_outcome({"edges": [0, 0.5, 1], "good": [9, 1], "bad": [1, 1]}, EN)
    assert [sum(line.y) for line in figure.data] == [1.0, 1.0]


@settings(max_examples=15, deadline=None)
@given(st.floats(-5, 5), st.lists(st.floats(-3, 3), min_size=1, max_size=8))
def test_a_waterfall_ends_where_the_case_is(base: float, pushes: list[float]) -> None:
    figure = charts.waterfall(base, [Step(label=f"f{i}", push=push) for i, push in enumerate(pushes)], EN)
    ends = next(trace for trace in figure.data if trace.type == "scatter" and trace.mode == "markers+text")
    assert ends.x[0] == base
    assert ends.x[1] == pytest.approx(base + sum(pushes))
    assert sum(len(bar.x) for bar in figure.data if bar.type == "bar") == len(pushes)


def test_a_waterfall_keeps_two_reasons_with_the_same_words_apart() -> None:
    figure = charts.waterfall(0.0, [Step(label="late", push=1.0), Step(label="late", push=0.5)], EN)
    assert len(set(figure.data[0].y)) == 2


def test_a_waterfall_draws_the_probabilities_where_decisions_begin() -> None:
    figure = charts.waterfall(-2.0, [Step(label="a", push=1.0)], EN, {"review": 0.1, "decline": 0.3})
    assert sorted(line.x0 for line in figure.layout.shapes) == pytest.approx([math.log(1 / 9), math.log(3 / 7)])


def test_words_from_data_are_no_markup_in_a_figure() -> None:
    figure = charts.waterfall(0.0, [Step(label="<a href='x'>late</a>", push=1.0)], EN)
    assert "<a" not in figure.to_json()


def test_every_version_has_its_dot() -> None:
    figure = charts.intervals([("m@1", 0.7, 0.68, 0.72), ("m@2", 0.8, 0.79, 0.82)], "AUC")
    assert list(figure.data[0].x) == [0.7, 0.8]
