"""What a model expects of a table: `Column` by `Column`, as plain JSON in its bundle."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

from core.errors import InputError

LARGEST = 1e15  # beyond it no amount is meant, and the digits behind the point are lost


@dataclass(frozen=True, kw_only=True)
class Column:
    """One feature column. Numbers are in the units of the file; nothing here is scaled."""

    name: str
    kind: Literal["number", "category"]
    low: float | None = None  # hard range: a value outside is refused
    high: float | None = None
    soft_low: float | None = None  # range in training, without special codes: a value outside is counted
    soft_high: float | None = None
    missing_rate: float = 0.0  # 0..1, in training
    special_codes: tuple[float, ...] = ()  # values that are codes and no amounts, such as -9 "no record"
    categories: tuple[str, ...] = ()  # code k of a category column means categories[k]
    words_en: str = ""
    words_zh: str = ""
    pii: bool = False  # a person can be told by it
    monotone: int = 0  # +1: the risk may only rise with the value, -1: only fall, 0: free
    percent: bool = False  # cells may be written as 12%, meaning 0.12
    boolean: bool = False  # 0 and 1, which may be written as yes and no
    mean: float | None = None  # in training, without special codes
    std: float | None = None
    bins: tuple[float, ...] = ()  # inner edges of the training bins: bin k is bins[k-1] < x <= bins[k]
    shares: tuple[float, ...] = ()  # share of the present training values in each bin, or of each category

    def __post_init__(self) -> None:
        if self.kind not in ("number", "category"):
            raise InputError(f"column {self.name!r}: kind must be number or category, got {self.kind!r}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InputError(f"column {self.name!r}: low {self.low} must not be above high {self.high}")
        if self.monotone not in (-1, 0, 1):
            raise InputError(f"column {self.name!r}: monotone must be -1, 0 or 1, got {self.monotone}")

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises InputError for names that this version does not know."""
        _refuse_unknown(document, cls)
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """The columns of a model in the order of its inputs, and what the other columns of its table were."""

    columns: tuple[Column, ...]
    target: str | None = None
    id_column: str | None = None
    ignored: tuple[str, ...] = ()  # columns of the training table that are no feature
    notes: tuple[str, ...] = field(default=())  # why a column is ignored, what was found: one sentence each

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the number columns: what a reader is told to parse."""
        return tuple(column.name for column in self.columns if column.kind == "number")

    @property
    def text(self) -> tuple[str, ...]:
        """Names of the category columns and of the id: what a reader must leave as written."""
        id_column = () if self.id_column is None else (self.id_column,)
        return (*(column.name for column in self.columns if column.kind == "category"), *id_column)

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        return {
            "columns": [column.to_json() for column in self.columns],
            "target": self.target,
            "id_column": self.id_column,
            "ignored": list(self.ignored),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises InputError for names that this version does not know."""
        _refuse_unknown(document, cls)
        return cls(
            columns=tuple(Column.from_json(column) for column in document["columns"]),
            target=document.get("target"),
            id_column=document.get("id_column"),
            ignored=tuple(document.get("ignored", ())),
            notes=tuple(document.get("notes", ())),
        )


def _refuse_unknown(document: Mapping[str, Any], kind: type) -> None:
    unknown = set(document) - {known.name for known in fields(kind)}
    if unknown:
        raise InputError(f"a {kind.__name__} holds unknown entries {sorted(unknown)}; it was made by a newer version")
