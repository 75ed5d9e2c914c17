"""The portfolio counts, filters, pages and exports exactly what it says."""

import csv
import io
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.risk import reads as cases
from dashboards.risk.reads import CaseFilter
from tests.dashboards.seed import HOSTILE_ID, Seeded

Visit = Callable[..., AppTest]


def _cards(app: AppTest) -> dict[str, str]:
    return {card.label.split(": ")[-1]: card.value for card in app.metric}


def _of(app: AppTest, word: str) -> str:
    return next(card.value for card in app.metric if card.label.endswith(word))


def test_the_cards_add_up_to_the_rows_of_the_job(visit: Visit, seeded: Seeded) -> None:
    app = visit()
    told = [_of(app, word) for word in (" approve", " review", " decline", " not scored")]
    assert sum(int(value.replace(",", "")) for value in told) == 3_000


def test_metrics_stand_with_their_intervals(visit: Visit, seeded: Seeded) -> None:
    card = next(card for card in visit().metric if card.label == "AUC")
    assert card.value.startswith("0.8")
    assert " – " in card.delta


def test_a_filter_in_the_address_keeps_only_those_rows(visit: Visit, seeded: Seeded) -> None:
    app = visit(decision="decline")
    shown = app.dataframe[0].value
    assert len(shown) == min(int(_of(app, " decline").replace(",", "")), cases.PAGE_ROWS)
    assert set(shown["decision"]) == {"✕ decline"}
    assert _of(app, " approve") == "0"


def test_the_summary_of_a_job_says_what_its_rows_say(visit: Visit, seeded: Seeded) -> None:
    visit()
    from dashboards import reads

    job = next(job for job in reads.jobs() if job.id == seeded.scored_job)
    wanted = CaseFilter(model_id=job.model_id, job=job.id)
    told, counted = cases.summed_up(job), cases.sums(wanted)
    assert told is not None
    assert told.counts == counted.counts
    assert told.bins.total == counted.bins.total


def test_a_page_holds_a_hundred_rows_and_the_next_the_next(visit: Visit, seeded: Seeded) -> None:
    app = visit()
    first = list(app.dataframe[0].value["case"])
    app.button(key="page_on").click().run()
    second = list(app.dataframe[0].value["case"])
    assert len(first) == len(second) == cases.PAGE_ROWS
    assert not set(first) & set(second)
    assert app.query_params["page"] == "2"


def test_the_riskiest_come_first_when_asked(visit: Visit, seeded: Seeded) -> None:
    shown = visit(order="risk").dataframe[0].value["probability"]
    assert shown.is_monotonic_decreasing


def test_filters_that_match_nothing_say_so(visit: Visit, seeded: Seeded) -> None:
    assert visit(q="no such case").info[0].value == "Nothing matches these filters."


def test_a_job_without_rows_says_so(visit: Visit, seeded: Seeded) -> None:
    assert "no results yet" in visit(job=seeded.running_job).info[0].value


def test_percent_signs_in_a_search_are_letters(visit: Visit, seeded: Seeded) -> None:
    visit()
    assert cases.sums(CaseFilter(model_id=2, case_id="%")).total == 0


@pytest.mark.parametrize("decisions", [(), ("decline",), ("review", "failed")])
def test_an_export_holds_exactly_the_filtered_rows(visit: Visit, seeded: Seeded, decisions: tuple[str, ...]) -> None:
    visit()
    wanted = CaseFilter(model_id=2, job=seeded.scored_job, decisions=decisions)
    content = cases.export_csv(wanted, "input", "loans", 2).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert len(rows) == cases.sums(wanted).total
    asked = decisions or ("approve", "review", "decline", "failed")
    assert {row["decision"] for row in rows} <= {name.removesuffix("failed") for name in asked}


def test_an_export_has_the_columns_of_a_scoring_file_and_no_formula(visit: Visit, seeded: Seeded) -> None:
    visit()
    wanted = CaseFilter(model_id=2, job=seeded.scored_job)
    rows = list(csv.reader(io.StringIO(cases.export_csv(wanted, "input", "loans", 2).decode("utf-8-sig"))))
    reasons = [f"reason_{place}" for place in range(1, 5)]
    assert rows[0] == ["id", "score", "probability", "decision", *reasons, "model", "model_version", "error"]
    assert any(row[0] == "'" + HOSTILE_ID for row in rows)
    assert not any(cell.startswith(("=", "@", "\t")) for row in rows for cell in row)


def test_summaries_of_either_form_give_the_same_bins() -> None:
    from datetime import UTC, datetime

    from dashboards.reads import JobLine

    def job(summary: dict[str, object]) -> JobLine:
        return JobLine(
            id="j", kind="score", state="done", model_id=1, params={}, summary=summary, error=None,
            created_at=datetime.now(UTC), finished_at=None, chunks_total=0, rows_total=3,
        )  # fmt: skip

    listed = [{"low": 520.0, "decision": "approve", "count": 2}, {"low": 480.0, "decision": "decline", "count": 1}]
    decisions = {"approve": 2, "decline": 1}
    one = cases.summed_up(job({"bin_points": 20.0, "histogram": listed, "decisions": decisions}))
    columns = {"edges": [480, 500, 520, 540], "approve": [0, 0, 2], "decline": [1, 0, 0], "review": [0, 0, 0]}
    other = cases.summed_up(job({"histogram": columns, "decisions": decisions}))
    assert one is not None
    assert other is not None
    assert (one.bins.edges, dict(one.bins.counts)) == (other.bins.edges, dict(other.bins.counts))
