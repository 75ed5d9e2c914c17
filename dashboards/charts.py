"""Figures from plain numbers, without Streamlit, so that tests can look at them.

Colours of text, grid and paper are left to Streamlit's theme (light or dark); only marks are coloured here.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

from dashboards import plain
from dashboards.marks import BLUE, DECISIONS, GREY, MARKS, VERMILION
from dashboards.words import Words

_MARGIN: Final = {"l": 10, "r": 10, "t": 44, "b": 84}
_LEGEND: Final = {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "x": 0, "title": None}
_ODDS_TICKS: Final = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)
PATTERN: Final = {"fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.55)", "size": 7, "solidity": 0.2}
PATTERNS: Final = {"review": ".", "decline": "/", "reject": "/"}
CONFIG: Final = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Counts of cases in bins of a score: `edges` has one more than each list of `counts` (by decision)."""

    edges: tuple[float, ...]
    counts: Mapping[str, tuple[int, ...]]

    @property
    def total(self) -> int:
        return sum(sum(column) for column in self.counts.values())


@dataclass(frozen=True, kw_only=True)
class Step:
    """One push of a waterfall, in log-odds; `label` is words from data and is escaped here."""

    label: str
    push: float


def score_by_decision(bins: Bins, words: Words) -> go.Figure:
    """Stacked bars of case counts by score (points), one colour and pattern a decision."""
    figure = go.Figure()
    for decision in DECISIONS:
        if decision in bins.counts:
            figure.add_bar(**_bar(bins, decision, words))
    figure.update_layout(barmode="stack", bargap=0.04)
    return framed(figure, words("score_title"), words("score_points"), words("number_of_cases"))


def score_place(bins: Bins, score: float, words: Words) -> go.Figure:
    """The same bars, with a line where one case lies."""
    figure = score_by_decision(bins, words)
    label = f"{words('this_case')} {score:.0f}"
    figure.add_vline(
        x=score, line={"width": 2, "dash": "dot", "color": GREY}, annotation_text=label, annotation_position="top"
    )
    figure.update_layout(title_text="", margin_t=26, height=290)
    return figure


def roc(curve: Mapping[str, Sequence[float]], note: str, words: Words) -> go.Figure:
    """ROC curve against chance. `note` is the area with its interval; `low`, `high` in the curve draw a band."""
    figure = go.Figure()
    if "low" in curve and "high" in curve:
        around = {"x": [*curve["fpr"], *reversed(curve["fpr"])], "y": [*curve["high"], *reversed(curve["low"])]}
        figure.add_scatter(**around, fill="toself", line_width=0, fillcolor="rgba(47,134,200,0.2)", hoverinfo="skip")
    figure.add_scatter(
        x=list(curve["fpr"]),
        y=list(curve["tpr"]),
        name=words("roc_curve"),
        line={"color": BLUE, "width": 2.5},
        hovertemplate="%{x:.1%} → %{y:.1%}<extra></extra>",
    )
    figure.add_scatter(x=[0, 1], y=[0, 1], name=words("chance"), line={"color": GREY, "dash": "dash", "width": 1})
    figure.add_annotation(
        x=0.97, y=0.06, xref="paper", yref="paper", text=plain.figure(note), showarrow=False, xanchor="right"
    )
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return framed(figure, words("roc_title"), words("roc_x"), words("roc_y"))


def calibration(curve: Mapping[str, Sequence[float]], words: Words) -> go.Figure:
    """Share that defaulted in each group against its mean forecast, with bootstrap intervals and group sizes."""
    forecast, observed = list(curve["predicted"]), list(curve["observed"])
    high = [*curve.get("high", observed)]
    low = [*curve.get("low", observed)]
    top = max([*forecast, *high, 0.02]) * 1.08
    figure = go.Figure()
    figure.add_scatter(x=[0, top], y=[0, top], name=words("ideal"), line={"color": GREY, "dash": "dash", "width": 1})
    figure.add_scatter(
        x=forecast,
        y=observed,
        name=words("roc_curve"),
        mode="markers+lines",
        line={"color": BLUE, "width": 1.5},
        marker={"size": 7, "color": BLUE},
        error_y={
            "array": [max(above - value, 0) for above, value in zip(high, observed, strict=True)],
            "arrayminus": [max(value - below, 0) for below, value in zip(low, observed, strict=True)],
            "color": BLUE,
            "thickness": 1.2,
            "width": 4,
        },
        customdata=list(curve.get("count", [0] * len(observed))),
        hovertemplate=f"%{{x:.2%}} → %{{y:.2%}}<br>%{{customdata:,}} {words('group_size')}<extra></extra>",
    )
    figure.update_xaxes(range=[0, top], tickformat=".0%")
    figure.update_yaxes(range=[0, top], tickformat=".0%")
    return framed(figure, words("calibration_title"), words("calibration_x"), words("calibration_y"))


def by_outcome(histogram: Mapping[str, Sequence[float]], words: Words) -> go.Figure:
    """How repaid and defaulted cases lie apart: share of each group by score in points, or by probability."""
    edges = list(histogram["edges"])
    middle = [(left + right) / 2 for left, right in itertools.pairwise(edges)]
    points = edges[-1] > 1
    figure = go.Figure()
    for name, colour, dash in (("good", BLUE, "solid"), ("bad", VERMILION, "dot")):
        whole = sum(histogram[name]) or 1
        figure.add_scatter(
            x=middle,
            y=[count / whole for count in histogram[name]],
            name=words(name),
            line={"color": colour, "width": 2, "shape": "hvh", "dash": dash},
            fill="tozeroy",
            fillcolor=_faint(colour),
            hovertemplate=f"%{{x:{'.0f' if points else '.1%'}}}: %{{y:.1%}}<extra></extra>",
        )
    figure.update_xaxes(tickformat=".0f" if points else ".0%")
    figure.update_yaxes(tickformat=".0%")
    return framed(
        figure, words("outcome_title"), words("score_points" if points else "calibration_x"), words("outcome_y")
    )


def waterfall(base: float, steps: Sequence[Step], words: Words, zones: Mapping[str, float] | None = None) -> go.Figure:
    """From base log-odds over each reason's push to the case; the upper axis reads the same as probability.

    `zones` are the probabilities from which a decision holds ("review", "decline"); each is a thin line.
    """
    levels = [base]
    for step in steps:
        levels.append(levels[-1] + step.push)
    labels = [words("waterfall_base"), *_numbered(steps), words("waterfall_case")]
    figure = go.Figure()
    for raises, key in ((True, "raises"), (False, "lowers")):
        _pushes(figure, [(labels[i + 1], levels[i], step.push) for i, step in enumerate(steps)], raises, words(key))
    ends = {"x": [levels[0], levels[-1]], "y": [labels[0], labels[-1]]}
    figure.add_scatter(
        **ends,
        mode="markers+text",
        marker={"size": [11, 15], "symbol": ["circle-open", "diamond"], "color": GREY, "line_width": 2},
        text=[_odds_text(level) for level in (levels[0], levels[-1])],
        textposition="top center",
        hovertemplate="%{y}: %{x:+.3f}<extra></extra>",
        showlegend=False,
    )
    for level, upper, lower in zip(levels, labels, labels[1:], strict=False):
        figure.add_scatter(
            x=[level, level], y=[upper, lower], mode="lines", line={"color": GREY, "width": 1, "dash": "dot"},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    framed(figure, "", words("waterfall_x"), None)
    _probability_axis(figure, levels, zones or {}, words)
    figure.update_yaxes(categoryorder="array", categoryarray=labels[::-1], automargin=True, showgrid=False)
    figure.update_layout(height=210 + 42 * len(labels), margin_t=66, bargap=0.45, barmode="overlay")
    return figure


def intervals(rows: Sequence[tuple[str, float, float, float]], title: str) -> go.Figure:
    """One dot with its interval a row (label, value, low, high): versions of a model side by side."""
    figure = go.Figure()
    figure.add_scatter(
        y=[plain.figure(label, 40) for label, *_ in rows],
        x=[value for _, value, _, _ in rows],
        mode="markers+text",
        marker={"size": 10, "color": BLUE},
        text=[f"{value:.3f}" for _, value, _, _ in rows],
        textposition="top center",
        error_x={
            "array": [max(high - value, 0) for _, value, _, high in rows],
            "arrayminus": [max(value - low, 0) for _, value, low, _ in rows],
            "color": BLUE,
            "thickness": 1.5,
        },
        hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        showlegend=False,
    )
    figure.update_yaxes(type="category", range=[len(rows) - 0.4, -0.7])
    framed(figure, title, None, None)
    figure.update_layout(height=110 + 56 * len(rows), margin_b=30)
    return figure


def _bar(bins: Bins, decision: str, words: Words) -> dict[str, Any]:
    edges = bins.edges
    return {
        "x": [(left + right) / 2 for left, right in itertools.pairwise(edges)],
        "y": list(bins.counts[decision]),
        "width": [right - left for left, right in itertools.pairwise(edges)],
        "name": f"{MARKS[decision].sign} {words(decision)}",
        "marker": {
            "color": MARKS[decision].colour,
            "pattern": {"shape": PATTERNS.get(decision, ""), **PATTERN},
            "line": {"width": 0},
        },
        "customdata": [[left, right] for left, right in itertools.pairwise(edges)],
        "hovertemplate": f"%{{customdata[0]:.0f}}–%{{customdata[1]:.0f}}: %{{y:,}} {words(decision)}<extra></extra>",
    }


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"


def _numbered(steps: Sequence[Step]) -> list[str]:
    """Labels of steps; plotly merges rows of one label, so a repeated one gets invisible spaces."""
    seen: dict[str, int] = {}
    labels = []
    for step in steps:
        label = plain.figure(step.label, 48)
        seen[label] = seen.get(label, 0) + 1
        labels.append(label + "\u200b" * (seen[label] - 1))
    return labels


def _pushes(figure: go.Figure, rows: Sequence[tuple[str, float, float]], raises: bool, name: str) -> None:
    """Floating bars (label, start, push) of one direction."""
    rows = [row for row in rows if (row[2] >= 0) == raises]
    figure.add_bar(
        orientation="h",
        y=[label for label, _, _ in rows],
        base=[start for _, start, _ in rows],
        x=[push for _, _, push in rows],
        name=("▶ " if raises else "◀ ") + name,
        marker={"color": VERMILION if raises else BLUE, "pattern": {"shape": "/" if raises else "", **PATTERN}},
        text=[f"{push:+.2f}" for _, _, push in rows],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )


def _odds_text(level: float) -> str:
    return f"{level:+.2f} ({plain.percent(1 / (1 + math.exp(-level)))})"


def _probability_axis(figure: go.Figure, levels: Sequence[float], zones: Mapping[str, float], words: Words) -> None:
    """Add an upper axis that reads the log-odds as probabilities, and a line where each decision begins."""
    lines = {key: math.log(share / (1 - share)) for key, share in zones.items() if 0 < share < 1}
    low, high = min(*levels, *lines.values()), max(*levels, *lines.values())
    pad = 0.16 * (high - low) + 0.2
    shown = [low - pad, high + 1.6 * pad]
    ticks = [share for share in _ODDS_TICKS if shown[0] < math.log(share / (1 - share)) < shown[1]]
    figure.add_scatter(x=[low], y=[None], xaxis="x2", showlegend=False, hoverinfo="skip")
    upper = {
        "overlaying": "x",
        "side": "top",
        "range": shown,
        "tickvals": [math.log(share / (1 - share)) for share in ticks],
        "ticktext": [f"{100 * share:g} %" for share in ticks],
        "showgrid": False,
        "zeroline": False,
        "title": words("probability_default"),
    }
    figure.update_layout(xaxis={"range": shown, "zeroline": False}, xaxis2=upper)
    for key, level in lines.items():
        text = f"{MARKS[key].sign} {words(key)} →"
        figure.add_vline(x=level, line={"width": 1.5, "dash": "dash", "color": MARKS[key].colour}, layer="below")
        figure.add_annotation(x=level, y=0, yref="paper", yanchor="bottom", xanchor="left", text=text, showarrow=False)


def framed(figure: go.Figure, title: str, x: str | None, y: str | None) -> go.Figure:
    """Give a figure its title, axis titles, margins and legend below."""
    figure.update_layout(title_text=title, title_font_size=15, margin=_MARGIN, legend=_LEGEND, height=340)
    figure.update_layout(xaxis_title_text=x, yaxis_title_text=y)
    return figure
