"""Names that the SEC's transformations turn into codes: states, countries, exchanges, kinds of filer."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

CODE = re.compile(r"[A-Z]{2}", re.ASCII)


def _names() -> Mapping[tuple[str, str], str]:
    with (Path(__file__).parent / "sec_names.csv").open(encoding="utf-8", newline="") as lines:
        return {(row["kind"], _key(row["words"])): row["code"] for row in csv.DictReader(lines)}


def listed_name(kind: str, words: str) -> str:
    """The code of a state, country, exchange or filer; `edgar` is a state or else a country.

    >>> listed_name("exchange", "The Nasdaq Stock Market LLC"), listed_name("edgar", "Ireland")
    ('NASDAQ', 'IE')
    """
    for wanted in ("state", "country") if kind == "edgar" else (kind,):
        code = NAMES.get((wanted, _key(words)))
        if code is not None:
            return code
    if kind != "filer" and kind != "exchange" and CODE.fullmatch(words.strip()):
        return words.strip()
    raise ValueError(f"no {kind} known by the name {words.strip()[:40]!r}")


def _key(words: str) -> str:
    letters = re.sub(r"[\W_]+", " ", words.casefold()).strip()
    letters = letters.removeprefix("the ").removeprefix("state of ").removeprefix("commonwealth of ")
    return letters.removesuffix(" the").removesuffix(" inc").removesuffix(" llc").strip()


NAMES = _names()
