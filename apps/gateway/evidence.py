"""What an assessment may bring beside the application: statements of a company, year by year, and a report's text."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from apps.gateway.problems import invalid
from data.finance.reports import STATEMENTS, Line, Place, StatementName
from pipelines.finance.reports.items import ITEMS

MOST_YEARS = 20
MOST_TRANSACTIONS = 5_000  # of the past, in one request
MOST_ITEMS = 500  # of a year
MOST_LINES = 5_000  # of a statement as extracted: some years, consolidated and of the parent company
LONGEST_TEXT = 2 * 2**20  # bytes
LONGEST_CELL = 2_000
M = TypeVar("M", bound=BaseModel)


def _whole(text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("a text must be whole Unicode, without halves of surrogate pairs")
    return text


def _plain(value: Any) -> Any:
    """A cell of a table; the model's own gate decides what it allows there."""
    if isinstance(value, str) and len(value) > LONGEST_CELL:
        raise ValueError(f"a text may have {LONGEST_CELL} characters")
    if value is not None and not isinstance(value, str | int | float | bool):
        raise ValueError("a text, a number, true, false or null is allowed")
    return _whole(value) if isinstance(value, str) else value


def _bounded(text: str) -> str:
    if len(_whole(text).encode()) > LONGEST_TEXT:
        raise ValueError(f"a report's text may have {LONGEST_TEXT} bytes in UTF-8")
    return text


def _day(text: str) -> str:
    date.fromisoformat(text)
    return text


def _item(name: str) -> str:
    if name not in ITEMS:
        raise ValueError("no item of a statement has this name; send what assay report extract --json gives")
    return name


Cell = Annotated[
    Any, AfterValidator(_plain), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
]  # fmt: skip
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_whole)]
Year = Annotated[dict[ColumnName, Cell], Field(min_length=1, max_length=MOST_ITEMS)]
Amount = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,20})?$")]
Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_day)]


class StatementLine(BaseModel):
    """A line as `assay report extract --json` writes it; `source` is not looked at."""

    model_config = ConfigDict(extra="forbid")

    item: Annotated[str, StringConstraints(max_length=200), AfterValidator(_item)]
    words: Annotated[str, StringConstraints(max_length=LONGEST_CELL), AfterValidator(_whole)] = ""
    value: Amount
    period_end: Day
    months: int | None = Field(default=None, ge=1, le=24)
    scope: Literal["consolidated", "parent"] = "consolidated"
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None
    source: dict[str, Any] | None = None

    def to_line(self) -> Line:
        """The record that is scored."""
        return Line(
            item=self.item,
            words=self.words,
            value=Decimal(self.value),
            period_end=date.fromisoformat(self.period_end),
            months=self.months,
            scope=self.scope,
            currency=self.currency,
            source=Place(text=self.value),
        )


Lines = Annotated[list[StatementLine], Field(max_length=MOST_LINES)]


class ExtractedStatements(BaseModel):
    """The `statements` of `assay report extract --json`, as they are."""

    model_config = ConfigDict(extra="forbid")

    income: Lines = []
    balance: Lines = []
    cash_flow: Lines = []

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        lines = [line for name in STATEMENTS for line in getattr(self, name)]
        years = {line.period_end for line in lines}
        if not 1 <= len(years) <= MOST_YEARS:
            raise ValueError(f"lines of 1 to {MOST_YEARS} dates are allowed, got {len(years)}")
        return self


class YearsEvidence(BaseModel):
    statements: list[Year] = Field(min_length=1, max_length=MOST_YEARS)


class LinesEvidence(BaseModel):
    statements: ExtractedStatements


class PastEvidence(BaseModel):
    transactions: list[Year] = Field(max_length=MOST_TRANSACTIONS)


class TextEvidence(BaseModel):
    report_text: Annotated[str, AfterValidator(_bounded)]


def read_years(statements: Any) -> list[dict[str, Any]]:
    """Years as objects. Raises Problem 422 with pointers."""
    return _validated(YearsEvidence, {"statements": statements}).statements


def read_lines(statements: Any) -> dict[StatementName, list[Line]]:
    """Extracted lines. Raises Problem 422 with pointers."""
    read = _validated(LinesEvidence, {"statements": statements}).statements
    return {name: [line.to_line() for line in getattr(read, name)] for name in STATEMENTS}


def read_transactions(transactions: Any) -> list[dict[str, Any]]:
    """Past transactions as objects; null is none. Raises Problem 422 with pointers."""
    if transactions is None:
        return []
    return _validated(PastEvidence, {"transactions": transactions}).transactions


def read_text(report_text: Any) -> str:
    """The text of a report. Raises Problem 422."""
    return _validated(TextEvidence, {"report_text": report_text}).report_text


def _validated(kind: type[M], raw: dict[str, Any]) -> M:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise invalid(error) from None


def statements_schema() -> dict[str, Any]:
    """JSON schema of either form, without references: it stands inside another document."""
    years = YearsEvidence.model_json_schema()["properties"]["statements"]
    lines = LinesEvidence.model_json_schema()
    return {
        "anyOf": [years, inlined(lines["properties"]["statements"], lines["$defs"]), {"type": "null"}],
        "default": None,
        "description": "company models: one object a year, or the statements of assay report extract --json",
    }


def transactions_schema() -> dict[str, Any]:
    """JSON schema of past transactions."""
    past = PastEvidence.model_json_schema()["properties"]["transactions"]
    words = "fraud models: past transactions of the same keys, with the columns of the model's table"
    return {"anyOf": [past, {"type": "null"}], "default": None, "description": words}


def inlined(schema: Any, known: dict[str, Any]) -> Any:
    """A JSON schema without references; `known` are its definitions."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return inlined(known[schema["$ref"].rsplit("/", 1)[-1]], known)
        return {name: inlined(value, known) for name, value in schema.items()}
    return [inlined(value, known) for value in schema] if isinstance(schema, list) else schema
