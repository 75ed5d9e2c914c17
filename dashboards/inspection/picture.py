"""One inspected picture: heatmap over it, regions, and what another threshold would have said."""

import pandas as pd
import streamlit as st

from core.errors import InputError, NotFoundError
from dashboards import charts, frame, plain, reads
from dashboards.inspection import figures
from dashboards.inspection import reads as pictures
from dashboards.inspection.reads import PictureFilter, PictureLine
from dashboards.reads import ModelLine
from dashboards.words import Words, utc


def show() -> None:
    words = frame.words()
    st.caption(words("picture_caption"))
    wanted = str(st.query_params.get("inspection", ""))
    line = pictures.inspection(wanted) if wanted else None
    if line is None:
        if wanted:
            st.info(words("picture_missing", id=plain.markdown(wanted)), icon=":material/search_off:")
        line = _newest()
    if line is None:
        frame.empty(words("picture_start"), "assay demo", words=words)
        return
    model = next(model for model in reads.models() if model.id == line.model_id)
    _head(line, words)
    left, right = st.columns([8, 5], gap="large")
    with right:
        threshold = _controls(line, model, words)
    with left:
        _picture(line, threshold, words)
        _about(line, model, words)


def _newest() -> PictureLine | None:
    """Without an id in the address: the newest picture of the newest champion."""
    models = reads.models(kind="inspection")
    for model in sorted(models, key=lambda model: (model.state != "champion", -model.id)):
        lines = pictures.page(PictureFilter(model_id=model.id), 1)
        if lines:
            return lines[0]
    return None


def _head(line: PictureLine, words: Words) -> None:
    row = st.container(horizontal=True, vertical_alignment="center")
    row.subheader(plain.markdown(line.name), anchor=False, width="content")
    frame.badge(line.verdict, words, row)
    older, newer = pictures.neighbours(line)
    row.space("stretch")
    for label, target, key in (
        ("newer", newer, "Left"),
        ("older", older, "Right"),
    ):
        if row.button(words(label), disabled=target is None, shortcut=key) and target is not None:
            st.query_params["inspection"] = target
            st.rerun()
    frame.link("inspection/gallery.py", words("back_gallery"), ":material/grid_view:", row)


def _controls(line: PictureLine, model: ModelLine, words: Words) -> float:
    """Score cards, the threshold slider, and what it would change; return the chosen threshold."""
    used = line.threshold if line.threshold is not None else reads.rule(model).get("reject_above") or 0.5
    cards = frame.cards()
    frame.card(cards, words("defect_score"), plain.number(line.score))
    frame.card(cards, words("threshold_now"), plain.number(used))
    if line.verdict == "unknown":
        st.error(words("not_judged", error=plain.markdown(line.answer.get("error") or "–")), icon=":material/block:")
    threshold = st.slider(
        words("try_threshold"),
        0.0,
        1.0,
        min(max(round(used, 3), 0.0), 1.0),
        0.005,
        format="%.3f",
        key=f"threshold:{model.id}",
    )
    review = min(reads.rule(model).get("review_above") or used, threshold)
    _verdict_at(line, threshold, review, words)
    wanted = PictureFilter(model_id=model.id)
    now = pictures.counts(wanted)
    rows = {words("counts_now"): now, words("counts_then"): pictures.counts_at(wanted, threshold, review)}
    title = words("counts_title", n=sum(now.values()))
    st.plotly_chart(figures.verdict_counts(rows, words, title), config=charts.CONFIG, alt=title)
    if review < threshold:
        st.caption(words("review_zone", review=plain.number(review)))
    _escape(model, threshold, words)
    return threshold


def _verdict_at(line: PictureLine, threshold: float, review: float, words: Words) -> None:
    if line.score is None or line.verdict == "unknown":
        return
    verdict = "reject" if line.score >= threshold else "review" if line.score >= review else "pass"
    key = "verdict_same" if verdict == line.verdict else "verdict_would"
    row = st.container(horizontal=True, vertical_alignment="center")
    row.write(words(key, threshold=f"{threshold:.3f}", verdict=""))
    frame.badge(verdict, words, row)


def _picture(line: PictureLine, threshold: float, words: Words) -> None:
    heat = pictures.heatmap_or_none(line)
    row = st.container(horizontal=True, vertical_alignment="bottom")
    opacity = row.slider(words("opacity"), 0, 100, 55, 5, format="%d %%", disabled=heat is None, key="opacity") / 100
    regions = line.regions if row.toggle(words("regions_shown"), value=True, key="regions") else []
    try:
        if line.image_key is None:
            st.info(words("no_picture"), icon=":material/hide_image:")
            return
        shown, size_px = pictures.pixels(line.image_key)
    except NotFoundError:
        st.info(words("image_gone"), icon=":material/hide_image:")
        return
    except InputError as error:
        st.info(words("picture_unreadable", error=plain.markdown(error)), icon=":material/broken_image:")
        return
    mixed = figures.overlay(shown, heat, opacity)
    figure = figures.picture(mixed, size_px, regions, threshold, words, heat=heat is not None and opacity > 0)
    st.plotly_chart(figure, config=charts.CONFIG, alt=f"{line.name}: {words.known(line.verdict)}")
    if heat is None:
        st.caption(words("no_heatmap"))


def _about(line: PictureLine, model: ModelLine, words: Words) -> None:
    if line.regions:
        table = {
            words("region_label"): [words.known(region.label) for region in line.regions],
            words("region_score"): [f"{region.score:.2f}" for region in line.regions],
            words("region_box"): [", ".join(f"{edge:.0f}" for edge in region.box) for region in line.regions],
            words("region_area"): [f"{region.area_px:,}" for region in line.regions],
        }
        st.dataframe(pd.DataFrame(table), hide_index=True)
    elif line.verdict != "unknown":
        st.caption(words("no_regions"))
    took = line.answer.get("latency_ms") or {}
    told = {"time": utc(line.created_at), "model": plain.markdown(model.label)}
    if took.get("total") is None:
        st.caption(words("judged", **told))
    else:
        times = {"total": f"{took['total']:.1f}", "model_ms": plain.number(took.get("model"), 1)}
        st.caption(words("timing", **told, **times))


def _escape(model: ModelLine, threshold: float, words: Words) -> None:
    """Escape against overkill from the newest evaluation that has the curve."""
    found = (one.curves.get("escape_overkill") for one in reads.evaluations(model_id=model.id))
    curve = next((curve for curve in found if curve and curve.get("threshold")), None)
    if curve is not None:
        figure = figures.escape_overkill(curve, threshold, words)
        st.plotly_chart(figure, config=charts.CONFIG, alt=words("escape_title"))


if __name__ == "__main__":
    show()
