"""Jobs, workers, schedules and models, told as they are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from apps.settings import load_settings
from dashboards import reads
from tests.dashboards.seed import Seeded

Visit = Callable[..., AppTest]


def _tables(app: AppTest) -> list[pd.DataFrame]:
    return [element.value for element in app.dataframe]


def test_jobs_show_state_progress_and_attempts(visit: Visit, seeded: Seeded) -> None:
    jobs = _tables(visit("operations/jobs.py"))[0].set_index("Job")
    assert jobs.loc[seeded.running_job[:8], "State"] == "▶ running"
    assert jobs.loc[seeded.running_job[:8], "Progress"] == pytest.approx(3 / 8)
    assert jobs.loc[seeded.failed_job[:8], "State"] == "✕ failed"
    assert jobs.loc[seeded.failed_job[:8], "Most attempts"] == 3


def test_a_chunk_that_was_given_up_shows_its_cause(visit: Visit, seeded: Seeded) -> None:
    dead = _tables(visit("operations/jobs.py"))[1]
    assert "killed" in dead["Cause"].iloc[0]


def test_a_silent_worker_is_told_from_one_that_lives(visit: Visit, seeded: Seeded) -> None:
    states = next(table for table in _tables(visit("operations/jobs.py")) if "Worker" in table)["State"]
    assert any(state.startswith("✕ silent") for state in states)


def test_a_late_schedule_is_told_from_one_on_time_and_one_switched_off(visit: Visit, seeded: Seeded) -> None:
    table = next(table for table in _tables(visit("operations/jobs.py")) if "If missed" in table)
    states = table.set_index("Name")["State"]
    assert states["nightly"] == "✓ on time"
    assert states["hourly-line-2"].startswith("✕ late by")
    assert states["month-end"] == "– switched off"


def test_champions_stand_out_with_metric_and_interval(visit: Visit, seeded: Seeded) -> None:
    table = _tables(visit("operations/models.py"))[0].set_index("Model")
    assert table.loc["loans@2", "State"] == "★ champion"
    assert table.loc["loans@1", "State"] == "– archived"
    assert table.loc["loans@2", "Main metric"].startswith("AUC 0.8")
    assert "[" in table.loc["loans@2", "Main metric"]


def test_a_bundle_with_a_changed_file_is_named(visit: Visit, seeded: Seeded) -> None:
    visit()
    path = load_settings().home / "models" / "loans" / "1" / "trees.txt"
    kept = path.read_bytes()
    path.write_bytes(b"X" + kept[1:])
    try:
        app = visit("operations/models.py", model="loans@1")
        assert r"trees\.txt" in app.error[0].value
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d"), (-5, "0 s")]
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, told: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert reads.age(now, now - timedelta(seconds=seconds)) == told
