"""A company model's side of `POST /v1/assessments`: years or extracted lines, and the text of the report."""

import uuid
from collections.abc import Mapping
from typing import Any

from apps.gateway.evidence import read_lines, read_text, read_years
from apps.gateway.problems import Problem
from core.runtime.engine import Engine
from pipelines.finance.company_plan import CompanyPlan
from pipelines.finance.company_request import CompanyCase


def to_company_case(application: Mapping[str, Any], statements: Any, report_text: Any, engine: Engine) -> CompanyCase:
    """The company that is scored. Its id is the model's company column, where the request has it, else a new one.

    The application's cells belong to every year (the company's id, its industry); without statements they are the year.

    Raises:
        Problem: neither statements nor an application, two ids, or statements that are none.
    """
    column = CompanyPlan.from_json(engine.bundle.manifest.about.get("company")).company
    text = "" if report_text is None else read_text(report_text)
    if isinstance(statements, dict):
        if strangers := sorted(set(application) - {column}):
            words = f"extracted statements stand alone; the application may hold the id, not {', '.join(strangers)}"
            raise Problem(422, "NOT_SUPPORTED", words)
        case_id = _case_id(column, [dict(application)])
        return CompanyCase(case_id=case_id, lines=read_lines(statements), text=text)
    if statements is None and not application:
        raise Problem(422, "NO_STATEMENTS", "a company model needs statements: one object a year, or extracted ones")
    years = [dict(application)] if statements is None else [_joined(application, y) for y in read_years(statements)]
    return CompanyCase(case_id=_case_id(column, years), years=years, text=text)


def _joined(application: Mapping[str, Any], year: Mapping[str, Any]) -> dict[str, Any]:
    if twice := [name for name in application if name in year and year[name] != application[name]]:
        words = f"{', '.join(twice)} stands in the application and, with another value, in a year of the statements"
        raise Problem(422, "DUPLICATE_COLUMN", words)
    return {**application, **year}


def _case_id(column: str | None, years: list[dict[str, Any]]) -> str:
    given = {str(year[column]) for year in years if column is not None and year.get(column) not in (None, "")}
    if len(given) > 1:
        raise Problem(422, "TWO_COMPANIES", f"the years are of one company, and column {column!r} names {len(given)}")
    case_id = next(iter(given), None) or uuid.uuid4().hex
    if "\x00" in case_id:
        raise Problem(422, "NUL_BYTE", f"the id in {column!r} holds a NUL character; send it without")
    return case_id
