"""Jobs, the workers that do them, and the schedules; refreshed every few seconds."""

from datetime import UTC, datetime
from typing import Final

import pandas as pd
import streamlit as st

from dashboards import edge, frame, plain, reads
from dashboards.marks import signed
from dashboards.reads import JobLine, ModelLine, ScheduleLine, WorkerLine
from dashboards.words import Words, utc

REFRESH_S: Final = 3
SILENT_AFTER_S: Final = 15  # workers beat once a second
LATE_AFTER_S: Final = 60


def show() -> None:
    _live(frame.words())


@st.fragment(run_every=REFRESH_S)
def _live(words: Words) -> None:
    with edge.one_line("jobs", words):  # a part that refreshes by itself runs without the page around it
        _draw(words)


def _draw(words: Words) -> None:
    now = datetime.now(UTC)
    st.caption(words("jobs_caption", seconds=REFRESH_S, now=utc(now)))
    jobs = reads.jobs()
    if not jobs:
        command = "assay score loans --data loans.csv --out scored.csv --workers"
        frame.empty(words("no_jobs"), "assay demo", command, words=words)
    else:
        workers = reads.workers()
        _cards(jobs, workers, now, words)
        _jobs(jobs, words)
    left, right = st.columns([2, 3], gap="large")
    with left:
        _workers(reads.workers(), now, words)
    with right:
        _schedules(reads.schedules(), now, words)


def _cards(jobs: list[JobLine], workers: list[WorkerLine], now: datetime, words: Words) -> None:
    states = reads.chunk_states()
    open_jobs = [job for job in jobs if job.state in ("queued", "running")]
    alive = [worker for worker in workers if _alive(worker, now)]
    oldest = words("nothing_waits")
    if open_jobs:
        oldest = words("oldest_wait", age=reads.age(now, min(job.created_at for job in open_jobs)))
    cards = frame.cards()
    frame.card(cards, words("waiting_chunks"), f"{states.get('queued', 0):,}", oldest)
    running = words("jobs_running", n=len(open_jobs))
    frame.card(cards, words("running_chunks"), f"{states.get('running', 0):,}", running)
    hurt = words("in_jobs", n=sum(1 for job in jobs if job.chunks.get("dead")))
    frame.card(cards, words("dead_chunks"), f"{states.get('dead', 0):,}", hurt, words("dead_help"))
    frame.card(cards, words("workers_alive"), f"{len(alive):,}", words("of_known", n=len(workers)))


def _alive(worker: WorkerLine, now: datetime) -> bool:
    return (now - worker.seen_at).total_seconds() <= SILENT_AFTER_S


def _jobs(jobs: list[JobLine], words: Words) -> None:
    models = {model.id: model for model in reads.models()}
    table = st.dataframe(
        _job_table(jobs, models, words),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"jobs_{words.language}",
        height=min(38 + 35 * len(jobs), 400),
        column_config={
            words("progress"): st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
            words("rows"): st.column_config.NumberColumn(format="localized"),
        },
    )
    chosen = table.selection.rows
    if chosen and chosen[0] < len(jobs):
        job = jobs[chosen[0]]
        _detail(job, models[job.model_id], words)
    else:
        st.caption(words("job_hint"))
        dead = next((job for job in jobs if job.chunks.get("dead")), None)
        if dead is not None:
            _dead(dead, words)


def _job_table(jobs: list[JobLine], models: dict[int, ModelLine], words: Words) -> pd.DataFrame:
    def took(job: JobLine) -> str:
        return "–" if job.finished_at is None else reads.age(job.finished_at, job.created_at)

    return pd.DataFrame(
        {
            words("job"): [job.id[:8] for job in jobs],
            words("state"): [signed(job.mark, words) for job in jobs],
            words("progress"): [job.progress for job in jobs],
            words("chunks"): [
                f"{job.chunks.get('done', 0)} / {job.chunks_total}" if job.chunks_total else "–" for job in jobs
            ],
            words("rows"): [job.rows_total for job in jobs],
            words("kind"): [words.known(f"{job.kind}_kind").removesuffix("_kind") for job in jobs],
            words("model"): [models[job.model_id].label for job in jobs],
            words("attempts"): [job.most_attempts for job in jobs],
            words("created"): [utc(job.created_at) for job in jobs],
            words("took"): [took(job) for job in jobs],
            words("error"): [job.error or "" for job in jobs],
        }
    )


def _detail(job: JobLine, model: ModelLine, words: Words) -> None:
    with st.container(border=True):
        row = st.container(horizontal=True, vertical_alignment="center")
        row.markdown(f"**{words('job_detail', job=job.id)}**", width="content")
        frame.badge(job.mark, words, row)
        if job.kind != "alerts":  # those are in their file
            page = "risk/portfolio.py" if job.kind == "score" else "inspection/gallery.py"
            frame.link(page, words("open_results"), ":material/open_in_new:", row, model=model.label, job=job.id)
        rows, failed = job.summary.get("rows"), job.summary.get("failed")
        if rows is not None and failed is not None:
            st.caption(words("job_counts", rows=rows, failed=failed))
        for key, name in (("job_input", "source"), ("job_output", "out")):
            if job.params.get(name):
                st.text(f"{words(key)}: {job.params[name]}")
        if job.error:
            frame.failed(job.error)
        _dead(job, words)
        _chunks(job, words)


def _dead(job: JobLine, words: Words) -> None:
    dead = reads.chunks(job.id, ("dead",))
    if not dead:
        return
    st.markdown(f":material/report: **{words('dead_title')}** · {words('job_detail', job=job.id[:8])}")
    table = {
        words("number"): [chunk.number for chunk in dead],
        words("first_row"): [chunk.first_row for chunk in dead],
        words("attempt"): [chunk.attempt for chunk in dead],
        words("cause"): [chunk.error or "–" for chunk in dead],
    }
    st.dataframe(pd.DataFrame(table), hide_index=True)


def _chunks(job: JobLine, words: Words) -> None:
    chunks = reads.chunks(job.id)
    table = {
        words("number"): [chunk.number for chunk in chunks],
        words("state"): [signed(chunk.state, words) for chunk in chunks],
        words("first_row"): [chunk.first_row for chunk in chunks],
        words("rows"): [chunk.rows for chunk in chunks],
        words("attempt"): [chunk.attempt for chunk in chunks],
        words("worker"): [chunk.worker or "–" for chunk in chunks],
        words("seen"): [utc(chunk.heartbeat_at) for chunk in chunks],
    }
    st.dataframe(pd.DataFrame(table), hide_index=True, height=min(38 + 35 * len(chunks), 300))


def _workers(workers: list[WorkerLine], now: datetime, words: Words) -> None:
    st.subheader(words("workers"), anchor=False)
    if not workers:
        frame.empty(words("no_workers"), "assay worker", words=words)
        return
    states = [
        f"✓ {words('alive')}" if _alive(one, now) else f"✕ {words('silent', age=reads.age(now, one.seen_at))}"
        for one in workers
    ]
    table = {
        words("worker"): [worker.name for worker in workers],
        words("state"): states,
        words("seen"): [utc(worker.seen_at) for worker in workers],
    }
    st.dataframe(pd.DataFrame(table), hide_index=True)


def _schedules(schedules: list[ScheduleLine], now: datetime, words: Words) -> None:
    st.subheader(words("schedules"), anchor=False)
    if not schedules:
        st.caption(plain.markdown(words("no_schedules")))
        return
    table = {
        words("name"): [schedule.name for schedule in schedules],
        words("state"): [_due(schedule, now, words) for schedule in schedules],
        words("next_due"): [utc(schedule.next_due_at) for schedule in schedules],
        words("last_due"): [utc(schedule.last_due_at) for schedule in schedules],
        words("cron"): [schedule.cron for schedule in schedules],
        words("catch_up"): [words.known(schedule.catch_up) for schedule in schedules],
    }
    st.dataframe(pd.DataFrame(table), hide_index=True)


def _due(schedule: ScheduleLine, now: datetime, words: Words) -> str:
    if not schedule.enabled:
        return f"– {words('switched_off')}"
    due = schedule.next_due_at
    if due is not None and (now - due).total_seconds() > LATE_AFTER_S:
        return f"✕ {words('late', age=reads.age(now, due))}"
    return f"✓ {words('on_time')}"


if __name__ == "__main__":
    show()
