"""Inspected pictures as a grid, each with its verdict; filters in the address."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import InputError, NotFoundError
from dashboards import address, frame, plain, reads
from dashboards.inspection import reads as pictures
from dashboards.inspection.reads import PictureFilter, PictureLine
from dashboards.marks import MARKS, VERDICTS, signed
from dashboards.reads import ModelLine
from dashboards.words import Words, utc

COLUMNS = 6


def show() -> None:
    words = frame.words()
    st.caption(words("gallery_caption"))
    models = reads.models(kind="inspection")
    if not models:
        train = "assay train inspection --data train.csv --valid val.csv --name tiles"
        frame.empty(words("no_inspection_model"), "assay demo", train, words=words)
        return
    model, wanted = _filters(models, words)
    counts = pictures.counts(wanted)
    if not counts and not wanted.path:
        frame.empty(words("no_inspections"), f"assay inspect {model.label} pictures/", words=words)
        return
    _cards(counts, words)
    chosen = [verdict for verdict in counts if verdict in wanted.verdicts or not wanted.verdicts]
    total = sum(counts[verdict] for verdict in chosen)
    if not total:
        st.info(words("no_match"), icon=":material/filter_alt_off:")
        return
    _grid(wanted, total, words)


def default_model(models: list[ModelLine]) -> str:
    """The newest champion."""
    champions = [model for model in models if model.state == "champion"] or models
    return max(champions, key=lambda model: model.created_at).label


def _filters(models: list[ModelLine], words: Words) -> tuple[ModelLine, PictureFilter]:
    box = st.container(border=True)
    first, second, third, fourth = box.columns([2, 3, 2, 2])
    names = frame.model_names(models, words)
    label = address.choice(first, "model", words("model"), list(names), default_model(models), lambda key: names[key])
    model = next(model for model in models if model.label == label)
    jobs = {job.id: job for job in reads.jobs(model_id=model.id) if job.kind == "inspect"}
    told = {key: f"{utc(job.created_at)} UTC · {words(job.mark)} · {key[:8]}" for key, job in jobs.items()}
    told |= {"": words("all_jobs"), pictures.ONLINE: words("online")}
    job_options = ["", *jobs, pictures.ONLINE]
    job = address.choice(second, "job", words("job"), job_options, "", lambda key: told[key])
    orders = {key: words(f"sort_{key}") for key in ("new", "near", "high")}
    order = address.choice(third, "order", words("sort"), list(orders), "new", lambda key: orders[key])
    path = address.text(fourth, "q", words("search_path"))
    verdicts = address.choices(box, "verdict", VERDICTS, words, lambda key: signed(key, words))
    threshold = reads.rule(model).get("reject_above", 0.5)
    wanted = PictureFilter(model_id=model.id, job=job, verdicts=verdicts, path=path, order=order, threshold=threshold)
    return model, wanted


def _cards(counts: dict[str, int], words: Words) -> None:
    total = sum(counts.values())
    row = frame.cards()
    for verdict in VERDICTS:
        count = counts.get(verdict, 0)
        frame.card(
            row,
            f"{MARKS[verdict].icon} {words(verdict)}",
            f"{count:,}",
            words("share", share=plain.percent(count / total if total else None)),
        )


def _grid(wanted: PictureFilter, total: int, words: Words) -> None:
    number = address.page_number(st.container(), total, pictures.PAGE_TILES, words)
    lines = pictures.page(wanted, number)
    for start in range(0, len(lines), COLUMNS):
        row = lines[start : start + COLUMNS]
        for place, line in zip(st.columns(COLUMNS, gap="small"), row, strict=False):
            _tile(place.container(border=True, gap="xsmall"), line, words)


def _tile(place: DeltaGenerator, line: PictureLine, words: Words) -> None:
    alt = f"{line.name}: {words.known(line.verdict)}"
    try:
        if line.image_key is None:
            raise NotFoundError(words("no_picture"))
        place.image(
            pictures.thumbnail(line.image_key, tuple(region.box for region in line.regions)), width="stretch", alt=alt
        )
    except (InputError, NotFoundError):
        place.caption(f":material/hide_image: {words('no_picture')}")
    frame.badge(line.verdict, words, place, "" if line.score is None else plain.number(line.score, 2))
    frame.link("inspection/picture.py", plain.markdown(line.name), place=place, inspection=line.id)


if __name__ == "__main__":
    show()
