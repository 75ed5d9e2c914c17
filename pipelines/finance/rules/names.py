"""What columns may be called: the items of statements, market figures, and headings of tables that mean them."""

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast

from core.errors import InputError
from pipelines.finance.reports.items import ITEMS, PER_SHARE, SHARES

HERE = Path(__file__).parent
ANY = "any"  # the table whose headings mean the same wherever they stand
AT_A_DATE = frozenset({"cash_beginning", "cash_end"})  # lines of the cash flow statement that are balances
Kind = Literal["instant", "duration", "share", "market", "market_amount", "text"]
AMOUNTS = ("instant", "duration", "market_amount")  # in currency, so scaled by the table's unit


@dataclass(frozen=True, slots=True)
class Input:
    """A column that formulas may name."""

    name: str
    kind: Kind
    en: str
    zh: str


@lru_cache(maxsize=1)
def known_inputs() -> Mapping[str, Input]:
    """All inputs by name: items of the statements, then market figures, then measures of wording."""
    found = {item.name: Input(item.name, _kind(item.name, item.kind), item.en, item.zh) for item in ITEMS.values()}
    for row in read_rows(HERE / "inputs.csv", ("name", "kind", "en", "zh")):
        found[row["name"]] = Input(row["name"], cast(Kind, row["kind"]), row["en"], row["zh"])
    for row in read_rows(HERE.parent / "reports" / "text" / "text_measures.csv", ("name", "en", "zh")):
        found[row["name"]] = Input(row["name"], "text", row["en"], row["zh"])
    return found


@lru_cache(maxsize=1)
def aliases() -> Mapping[str, Mapping[str, str]]:
    """Table -> heading -> name: standard headings of the items, and those of aliases.csv."""
    found: dict[str, dict[str, str]] = {ANY: {}}
    for item in known_inputs().values():
        if item.kind != "text":
            found[ANY].setdefault(item.zh, item.name)
            found[ANY].setdefault(item.en, item.name)
    for row in read_rows(HERE / "aliases.csv", ("table", "heading", "name")):
        found.setdefault(row["table"], {})[row["heading"]] = row["name"]
    return found


def name_of(heading: str, tables: Sequence[str] = ()) -> str:
    """The name that formulas use for a column's heading; the heading itself where nothing is known of it.

    >>> name_of("营业成本"), name_of("Total assets"), name_of("net_sales"), name_of("region")
    ('cost_of_revenue', 'total_assets', 'revenue', 'region')
    """
    clean = heading.strip()
    for table in (*tables, ANY):
        if clean in aliases().get(table, {}):
            return aliases()[table][clean]
    plain = clean.lower().replace(" ", "_")
    return plain if plain in known_inputs() else aliases()[ANY].get(plain, clean)


def known_names(columns: Collection[str] = ()) -> frozenset[str]:
    """All names of columns that a formula may use; `columns` are further ones."""
    return frozenset({*known_inputs(), *columns})


def read_rows(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a CSV table in UTF-8, cells stripped. InputError: a heading is absent, a row has too many cells."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            absent = [column for column in columns if column not in (reader.fieldnames or ())]
            if absent:
                raise InputError(f"{path}: no column {', '.join(absent)}; the headings are {', '.join(columns)}")
            rows = []
            for row in reader:
                if None in row:
                    place = f"{path}, line {reader.line_num}"
                    raise InputError(f"{place}: more cells than headings; put quotes around a cell with a comma")
                rows.append({name: cell.strip() for name, cell in row.items()} | {"line": str(reader.line_num)})
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV table in UTF-8: {error}") from error


def _kind(name: str, kind: Literal["instant", "duration"]) -> Kind:
    if name in PER_SHARE | SHARES:
        return "share"
    return "instant" if name in AT_A_DATE else kind
