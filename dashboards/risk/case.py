"""One case: its decision, what pushed it there, where it lies among others, and its other runs."""

import math
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import address, charts, frame, plain, reads
from dashboards.charts import Step
from dashboards.reads import ModelLine
from dashboards.risk import reads as cases
from dashboards.risk.reads import CaseFilter, CaseLine
from dashboards.words import Words, utc


def show() -> None:
    words = frame.words()
    st.caption(words("case_caption"))
    place = st.columns([2, 3])[0]
    case_id = address.text(place, "case", words("case_search"), words("case_placeholder"))
    if not case_id:
        _start(words)
        return
    runs = cases.runs(case_id)
    if not runs:
        st.info(words("case_missing", case=plain.markdown(case_id)), icon=":material/search_off:")
        _start(words)
        return
    models = {model.id: model for model in reads.models()}
    run = next((run for run in runs if str(run.id) == st.query_params.get("run")), runs[0])
    words = words.about(models[run.model_id].kind)
    _verdict(run, models[run.model_id], words)
    _others(runs, run, models, words)


def _start(words: Words) -> None:
    """Nothing chosen yet: say how, and offer the latest cases that want a look."""
    doubtful = cases.latest_doubtful()
    if not doubtful:
        frame.empty(words("case_start"), "assay demo", words=words)
        return
    st.write(words("case_start"))
    st.subheader(words("some_cases"), anchor=False)
    for columns_of in range(0, len(doubtful), 4):
        for place, line in zip(st.columns(4), doubtful[columns_of : columns_of + 4], strict=False):
            with place.container(border=True):
                frame.badge(line.outcome, words)
                label = f"{plain.markdown(line.name)} · {plain.percent(line.probability)}"
                frame.link("risk/case.py", label, case=line.case_id, run=str(line.id))


def _verdict(run: CaseLine, model: ModelLine, words: Words) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        _facts(run, model, words)
    if run.probability is None:
        right.error(words("not_scored", error=plain.markdown(run.error or "–")), icon=":material/block:")
        return
    with right:
        if run.rules:
            _rules(run, words)
        if run.pushes:
            _waterfall(run, model, words)
        elif not run.rules:
            st.info(words("no_reasons"), icon=":material/info:")
    if run.reasons:
        st.subheader(words("reasons"), anchor=False)
        st.dataframe(
            _reasons(run, words),
            hide_index=True,
            column_config={words("effect"): st.column_config.TextColumn(width="medium")},
        )


def _rules(run: CaseLine, words: Words) -> None:
    """Hard rules that fired and doubts about the figures: words without a push."""
    st.subheader(words("hard_rules"), anchor=False)
    for reason in run.rules:
        told = f"{plain.markdown(cases.reason_words(reason, words))}  `{reason.get('code', '')}`"
        st.markdown(f":material/gavel: {told}")
    more = words("hard_rules_floor") if run.pushes else words("hard_rules_alone")
    st.caption(f"{words('hard_rules_note')} {more}")


def _facts(run: CaseLine, model: ModelLine, words: Words) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain.markdown(run.case_id), anchor=False, width="content")
        frame.badge(run.outcome, words)
        if run.period is not None:
            st.caption(words("of_period", period=plain.markdown(run.period)), width="content")
    cards = frame.cards()
    frame.card(cards, words("score_points"), plain.number(run.score, 0), words("safer"))
    odds = None
    if run.probability:
        odds = words("odds_note", n=max(round(1 / run.probability), 1))
    frame.card(cards, words("probability_default"), plain.percent(run.probability, 2), odds)
    if run.score is not None:
        _place(run, words)
    origin = words("single_request")
    if run.job_id:
        origin = words("row_in_job", row=f"{(run.row or 0) + 1:,}", job=run.job_id[:8])
    st.caption(words("scored_at", time=utc(run.created_at), model=plain.markdown(model.label), origin=origin))


def _place(run: CaseLine, words: Words) -> None:
    """The case's score within its job, or among all cases of its model."""
    wanted = CaseFilter(model_id=run.model_id, job=run.job_id or "")
    job = next((job for job in reads.jobs(model_id=run.model_id) if job.id == run.job_id), None)
    bins = cases.sums_for(wanted, job).bins
    if bins.total < 2 or run.score is None:
        return
    title = words("place_title" if run.job_id else "place_title_model", n=bins.total)
    st.caption(title)
    figure = charts.score_place(bins, run.score, words)
    st.plotly_chart(figure, config=charts.CONFIG, alt=title)


def _waterfall(run: CaseLine, model: ModelLine, words: Words) -> None:
    assert run.probability is not None  # a case without one never comes here
    steps = [Step(label=_label(reason, words), push=float(reason["contribution"])) for reason in run.pushes]
    probability = min(max(run.probability, 1e-9), 1 - 1e-9)
    base = math.log(probability / (1 - probability)) - sum(step.push for step in steps)
    st.subheader(words("waterfall_title"), anchor=False)
    figure = charts.waterfall(base, steps, words, _zones(model))
    st.plotly_chart(figure, config=charts.CONFIG, alt=words("case_caption"))


def _zones(model: ModelLine) -> dict[str, float]:
    """From which probability a case goes to review and is declined, as the model's bundle says; none if it is gone."""
    rule = reads.rule(model)
    zones = {"review": rule.get("approve_below"), "decline": rule.get("decline_above")}
    return {key: value for key, value in zones.items() if value is not None}


def _label(reason: dict[str, object], words: Words) -> str:
    """The reason in words, and the value where the words do not hold it already."""
    told, value = cases.reason_words(reason, words), _value(reason.get("value"), words)
    return told if "value" not in reason or value in told else f"{told} = {value}"


def _value(value: object, words: Words) -> str:
    if value is None or value == "":
        return words("missing_value")
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def _reasons(run: CaseLine, words: Words) -> pd.DataFrame:
    def effect(push: float | None) -> str:
        if push is None:
            return f"■ {words('adds_caution')}"
        return f"▶ {words('raises')}" if push >= 0 else f"◀ {words('lowers')}"

    def value(reason: dict[str, Any]) -> str:
        return "–" if reason.get("contribution") is None else _value(reason.get("value"), words)

    def push(reason: dict[str, Any]) -> str:
        return "–" if reason.get("contribution") is None else f"{float(reason['contribution']):+.3f}"

    return pd.DataFrame(
        {
            words("reason"): [cases.reason_words(reason, words) for reason in run.reasons],
            words("value"): [value(reason) for reason in run.reasons],
            words("effect"): [effect(reason.get("contribution")) for reason in run.reasons],
            words("contribution"): [push(reason) for reason in run.reasons],
            words("code"): [str(reason.get("code", "")) for reason in run.reasons],
            words("feature"): [str(reason.get("feature") or "–") for reason in run.reasons],
        }
    )


def _others(runs: list[CaseLine], chosen: CaseLine, models: dict[int, ModelLine], words: Words) -> None:
    st.subheader(words("other_runs"), anchor=False)
    if len(runs) == 1:
        st.caption(words("one_run"))
        return
    for run in runs:
        row = st.container(horizontal=True, vertical_alignment="center", border=run.id == chosen.id)
        frame.badge(run.outcome, words, row)
        dated = [] if run.period is None else [words("of_period", period=run.period)]
        parts = [*dated, f"{utc(run.created_at)} UTC", models[run.model_id].label, plain.number(run.score, 0)]
        told = " · ".join([*parts, plain.percent(run.probability, 2)])
        frame.link("risk/case.py", plain.markdown(told), place=row, case=run.case_id, run=str(run.id))


if __name__ == "__main__":
    show()
