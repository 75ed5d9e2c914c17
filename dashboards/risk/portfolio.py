"""Portfolio: how one model decided, how far it can be trusted, and the cases themselves."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboards import address, charts, frame, plain, reads
from dashboards.marks import DECISIONS, MARKS, signed
from dashboards.reads import EvaluationLine, JobLine, ModelLine
from dashboards.risk import reads as cases
from dashboards.risk.reads import CaseFilter, CaseLine, Sums
from dashboards.words import Words, utc

CARDS = ("auc", "gini", "ks", "average_precision", "brier", "ece")
TABLES = {  # of the command that scores them
    "company": "statements.csv --out scored.csv --workers",
    "fraud": "transactions.csv --out scored.csv",
}


def show() -> None:
    words = frame.words()
    st.caption(words("portfolio_caption"))
    models = cases.models()
    if not models:
        frame.empty(
            words("no_credit_model"),
            "assay demo",
            "assay train credit --data loans.csv --target defaulted --id loan_id --name loans",
            words=words,
        )
        return
    model, job, wanted = _filters(models, words)
    words = words.about(model.kind)
    if model.kind == "company":
        st.caption(_of_companies(model, words))
    in_file = job is not None and job.state == "done" and not cases.has_rows(job.id)
    if in_file:
        wanted = CaseFilter(model_id=model.id, job=wanted.job)
    sums = cases.sums_for(wanted, job)
    if sums.total:
        _decisions(sums, words)
    else:
        _nothing(model, wanted, words)
    _quality(model, words)
    if in_file and job is not None:
        st.info(words("rows_in_file", path=plain.markdown(job.params.get("out") or "–")), icon=":material/description:")
    elif sums.total:
        _table(model, wanted, sums.total, words)


def _nothing(model: ModelLine, wanted: CaseFilter, words: Words) -> None:
    if wanted.narrowed:
        st.info(words("no_match"), icon=":material/filter_alt_off:")
    elif wanted.job:
        st.info(words("no_rows_yet"), icon=":material/hourglass_empty:")
    else:
        command = f"assay score {model.label} --data {TABLES.get(model.kind, 'loans.csv --out scored.csv --workers')}"
        frame.empty(words("no_results"), command, words=words)


def _of_companies(model: ModelLine, words: Words) -> str:
    """What a case of a company model is."""
    period = reads.company_plan(model).get("period")
    return words("company_model", period=plain.markdown(period)) if period else words("company_model_single")


def _filters(models: list[ModelLine], words: Words) -> tuple[ModelLine, JobLine | None, CaseFilter]:
    box = st.container(border=True)
    first, second, third = box.columns([2, 3, 2])
    names = frame.model_names(models, words)
    label = address.choice(first, "model", words("model"), list(names), _default(models), lambda key: names[key])
    model = next(model for model in models if model.label == label)
    jobs = {job.id: job for job in reads.jobs(model_id=model.id) if job.kind in ("score", "assess")}
    told = {key: f"{utc(job.created_at)} UTC · {words(job.mark)} · {key[:8]}" for key, job in jobs.items()}
    told |= {"": words("all_jobs"), cases.ONLINE: words("online")}
    newest = next((key for key, job in jobs.items() if job.state == "done"), next(iter(jobs), ""))
    options = [*jobs, "", cases.ONLINE]
    chosen = address.choice(second, "job", words("job"), options, newest, lambda key: told[key])
    told_of = words.about(model.kind)
    case_id = address.text(third, "q", told_of("search_case"))
    left, right = box.columns([3, 4])
    decisions = address.choices(left, "decision", [*DECISIONS, "failed"], words, lambda key: signed(key, words))
    lowest, highest = address.span(right, "p", told_of("range_probability"))
    wanted = CaseFilter(
        model_id=model.id, job=chosen, decisions=decisions, lowest=lowest, highest=highest, case_id=case_id
    )
    return model, jobs.get(chosen), wanted


def _default(models: list[ModelLine]) -> str:
    """The model of the newest batch, else the newest champion."""
    by_id = {model.id: model.label for model in models}
    used = next((by_id[job.model_id] for job in reads.jobs() if job.model_id in by_id), None)
    champions = [model for model in models if model.state == "champion"] or models
    return used or max(champions, key=lambda model: model.created_at).label


def _decisions(sums: Sums, words: Words) -> None:
    columns = st.columns([3, 2], gap="medium", vertical_alignment="center")
    with columns[0]:
        figure = charts.score_by_decision(sums.bins, words)
        st.plotly_chart(figure, config=charts.CONFIG, alt=words("score_title"))
    rows = [frame.cards(columns[1])] * 2 + [frame.cards(columns[1])] * 2
    for row, outcome in zip(rows, (*DECISIONS, "failed"), strict=True):
        count = sums.counts.get(outcome, 0)
        share = words("share", share=plain.percent(count / sums.total))
        frame.card(row, f"{MARKS[outcome].icon} {words(outcome)}", f"{count:,}", share)
    columns[1].caption(words("points_note"))


def _quality(model: ModelLine, words: Words) -> None:
    st.subheader(words("quality"), anchor=False)
    found = reads.evaluations(model_id=model.id)
    if not found:
        frame.empty(words("no_evaluation"), f"assay evaluate {model.label} --data labelled.csv", words=words)
        return
    evaluation = _evaluation(found, words)
    metrics = evaluation.metrics
    row = frame.cards()
    for name in CARDS:
        frame.metric(row, name, metrics.get(name), words)
    for place, (figure, alt) in zip(st.columns(3, gap="medium"), _figures(evaluation, words), strict=False):
        place.plotly_chart(figure, config=charts.CONFIG, alt=alt)
    told = {name: _count(metrics.get(name)) for name in ("n", "positives")}
    line = words("quality_on", data=plain.markdown(evaluation.data), time=utc(evaluation.created_at), **told)
    st.caption(line)


def _figures(evaluation: EvaluationLine, words: Words) -> list[tuple[go.Figure, str]]:
    """Those figures for which the evaluation has a curve."""
    found = []
    if roc := evaluation.curves.get("roc"):
        found.append((charts.roc(roc, _area(evaluation.metrics), words), words("roc_title")))
    if calibration := evaluation.curves.get("calibration"):
        found.append((charts.calibration(calibration, words), words("calibration_title")))
    if histogram := evaluation.curves.get("histogram"):
        found.append((charts.by_outcome(histogram, words), words("outcome_title")))
    return found


def _evaluation(found: list[EvaluationLine], words: Words) -> EvaluationLine:
    if len(found) == 1:
        return found[0]
    told = {str(one.id): f"{one.data} · {utc(one.created_at)} UTC" for one in found}
    place = st.columns([2, 3])[0]
    chosen = address.choice(
        place, "evaluation", words("evaluation"), list(told), str(found[0].id), lambda key: told[key]
    )
    return next(one for one in found if str(one.id) == chosen)


def _area(metrics: dict[str, dict[str, float]]) -> str:
    auc = metrics.get("auc") or {}
    if auc.get("value") is None:
        return ""
    interval = f" [{auc['low']:.3f}, {auc['high']:.3f}]" if auc.get("low") is not None else ""
    return f"AUC {auc['value']:.3f}{interval}"


def _count(value: object) -> str:
    number = value.get("value") if isinstance(value, dict) else value
    return f"{number:,.0f}" if isinstance(number, int | float) else "–"


def _table(model: ModelLine, wanted: CaseFilter, total: int, words: Words) -> None:
    st.subheader(words("cases"), anchor=False)
    bar = st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute")
    told = {key: words(f"order_{key}") for key in ("input", "risk", "safe")}
    order = address.choice(
        bar.container(width=260), "order", words("order"), list(told), "input", lambda key: told[key]
    )
    number = address.page_number(bar, total, cases.PAGE_ROWS, words)
    _download(bar, model, wanted, order, total, words)
    lines = cases.page(wanted, number, order)
    table = st.dataframe(
        _frame_of(lines, words),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"cases_{words.language}_{number}_{order}",
        height=420,
        column_config={
            "score": st.column_config.NumberColumn(words("score_points"), format="%.0f"),
            "probability": st.column_config.NumberColumn(words("range_probability"), format="percent"),
            "case": words("case_id"),
            "period": words("period"),
            "decision": words("decision"),
            "reason": st.column_config.TextColumn(words("main_reason"), width="large"),
            "created": words("created"),
        },
    )
    chosen = table.selection.rows
    if chosen and chosen[0] < len(lines):
        line = lines[chosen[0]]
        label = words("open_case", case=plain.markdown(line.name))
        frame.link("risk/case.py", label, ":material/person_search:", case=line.case_id, run=str(line.id))
    else:
        st.caption(words("select_hint"))


def _download(
    place: st.delta_generator.DeltaGenerator, model: ModelLine, wanted: CaseFilter, order: str, total: int, words: Words
) -> None:
    if total > cases.MOST_EXPORTED:
        place.caption(words("download_many", count=total, most=cases.MOST_EXPORTED))
        return
    parts = [model.name, f"v{model.version}", *wanted.decisions, f"{total}rows"]
    place.download_button(
        words("download", count=total),
        lambda: cases.export_csv(wanted, order, model.name, model.version),
        file_name="assay-" + "-".join(parts) + ".csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _frame_of(lines: list[CaseLine], words: Words) -> pd.DataFrame:
    periods = {"period": [line.period or "" for line in lines]} if any(line.period for line in lines) else {}
    return pd.DataFrame(
        {
            "case": [line.case_id for line in lines],
            **periods,
            "decision": [signed(line.outcome, words) for line in lines],
            "score": [line.score for line in lines],
            "probability": [line.probability for line in lines],
            "reason": [
                line.error or (cases.reason_words(line.reasons[0], words) if line.reasons else "") for line in lines
            ],
            "created": [utc(line.created_at) for line in lines],
        }
    )


if __name__ == "__main__":
    show()
