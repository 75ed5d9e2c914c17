"""Made-up reports: the same bytes for the same seed, well-formed in every form, and gold that is true of them."""

import hashlib
import io
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lxml import etree
from openpyxl import load_workbook

from core.errors import InputError
from data.finance.companies import make_companies
from data.finance.report_compose import compose
from data.finance.report_filing import Filing, misprinted
from data.finance.report_gold import facts_of, gold
from data.finance.report_html import plain_text
from data.finance.report_inline import inline_html
from data.finance.report_set import AMERICAN, CHINESE, make_reports
from data.finance.report_style import UNITS_OF_GRAIN, Style, draw_style

IX = "{http://www.xbrl.org/2013/inlineXBRL}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    make_reports(folder, rows=300, seed=1)
    return folder


def gold_of(report: Path) -> dict[str, Any]:
    told = report.parent.parent / "gold" / f"{report.name}.gold.json"
    found: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    return found


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


def filings(country: str, count: int) -> list[Filing]:
    import numpy as np

    own = [company for company in make_companies(400, 2) if company.country == country][:count]
    rng = np.random.default_rng(0)
    return [compose(c, c.years[-1], draw_style(rng, country, c.grain_cents)) for c in own]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(made: Path, tmp_path: Path) -> None:
    make_reports(tmp_path / "again", rows=300, seed=1)
    make_reports(tmp_path / "other", rows=300, seed=2)
    assert digest(tmp_path / "again") == digest(made) != digest(tmp_path / "other")


def test_every_form_is_there_with_its_gold_and_the_table_has_its_rows(made: Path) -> None:
    files = {path.name for path in (made / "filings").iterdir()}
    assert {f"{name}.gold.json" for name in files} == {path.name for path in (made / "gold").iterdir()}
    for name, suffix, _, _ in (*AMERICAN, *CHINESE):
        assert any(file.endswith(f"_{name}{suffix}") for file in files), name
    table = pd.read_csv(made / "statements.csv.gz")
    assert len(table) == 300
    assert {"company_id", "company", "year", "industry", "market_value", "split", "failed"} <= set(table.columns)


@pytest.mark.parametrize("rows", [1, 3])
def test_even_a_few_rows_give_reports(rows: int, tmp_path: Path) -> None:
    make_reports(tmp_path, rows=rows, seed=0)
    assert len(pd.read_csv(tmp_path / "statements.csv.gz")) == rows
    assert list((tmp_path / "filings").glob("*.pdf"))
    with pytest.raises(InputError, match="at least 1"):
        make_reports(tmp_path, rows=0, seed=0)


def test_gold_values_are_those_of_the_table(made: Path) -> None:
    table = pd.read_csv(made / "statements.csv.gz").set_index(["company_id", "year"])
    seen = 0
    for path in (made / "gold").iterdir():
        truth = json.loads(path.read_text(encoding="utf-8"))
        for one in truth["values"] if truth["flaw"] is None else ():
            key = (truth["company_id"], int(one["period_end"][:4]))
            if key in table.index and one["scope"] == "consolidated":
                assert float(one["value"]) == pytest.approx(table.loc[key, one["item"]], abs=0.005), one
                seen += 1
    assert seen > 5000


def test_inline_documents_hold_each_fact_with_its_value(made: Path) -> None:
    for path in (made / "filings").glob("*_10k.htm"):
        root = etree.fromstring(path.read_bytes().lstrip())
        truth = gold_of(path)
        wanted = {(fact["concept"], fact["value"]) for fact in truth["facts"]}
        found = set()
        for tag in root.iter(f"{IX}nonFraction"):
            if tag.get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true":
                found.add((tag.get("name"), None))
                continue
            zero = tag.get("format") == "ixt:fixed-zero"
            value = Decimal(0) if zero else Decimal(tag.text.replace(",", "")).scaleb(int(tag.get("scale", "0")))
            value = -value if tag.get("sign") == "-" else value
            text = format(value, "f")
            found.add((tag.get("name"), text.rstrip("0").rstrip(".") if "." in text else text))
        assert found == wanted
        contexts = set(root.xpath("//@contextRef"))
        assert contexts <= set(root.xpath("//*[local-name()='context']/@id"))
        assert root.find(f".//{IX}continuation") is not None


def test_packages_are_well_formed_and_hold_five_files(made: Path) -> None:
    for path in (made / "filings").glob("*.zip"):
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            roots = {name: etree.fromstring(archive.read(name)) for name in archive.namelist()}
        assert len(roots) == 5
        wanted = gold_of(path)["facts"]
        instance = next(root for name, root in roots.items() if name.endswith(".xml") and "_" not in name)
        numbers = [child for child in instance if child.get("unitRef")]
        assert len(numbers) == len(wanted)


def test_workbooks_hold_numbers_and_csv_of_chinese_companies_comes_in_their_encoding(made: Path) -> None:
    for path in (made / "filings").glob("*.xlsx"):
        book = load_workbook(path, read_only=True)
        numbers = [c for s in book for row in s.iter_rows(values_only=True) for c in row if isinstance(c, int | float)]
        assert len(numbers) > 100
    for path in (made / "filings").glob("CN*.csv"):
        assert "资产负债表" in path.read_bytes().decode("gb18030")


@pytest.mark.parametrize("country", ["us", "cn"])
def test_every_number_of_the_gold_stands_in_the_text_as_the_style_writes_it(country: str) -> None:
    for filing in filings(country, 12):
        text = plain_text(filing)
        for sheet in filing.statements:
            for row in sheet.rows:
                for figure in row.figures:
                    if figure.value and figure.measure == "money":
                        exact = figure.value / filing.style.scale
                        assert exact == round(exact, filing.style.decimals)
                        assert filing.style.written(figure.shown / filing.style.scale) in text


def test_a_misprint_changes_one_figure_and_the_gold_says_so() -> None:
    filing = filings("us", 1)[0]
    wrong = misprinted(filing, "total_liabilities", "balance_sheet_balances")
    first, second = (gold(one, "x", "html", sections=False) for one in (filing, wrong))
    changed = [a for a, b in zip(first["values"], second["values"], strict=True) if a != b]
    assert [(one["item"], one["period_end"]) for one in changed] == [("total_liabilities", filing.end.isoformat())]
    assert second["flaw"] == "balance_sheet_balances"


def test_distress_speaks_of_doubt_and_health_does_not() -> None:
    from data.finance.report_prose import story_of

    words = {True: [], False: []}
    for filing in filings("us", 40):
        words[story_of(filing.company, filing.year).doubtful].append(inline_html(filing))
    assert words[True]
    assert words[False]
    assert all("substantial doubt" in text for text in words[True])
    assert not any("going concern" in text for text in words[False])


def test_products_add_up_to_revenue_under_an_axis_of_their_own() -> None:
    for filing in filings("us", 5):
        facts = [fact for fact in facts_of(filing) if fact.member]
        whole = Decimal(filing.company.books[filing.year]["revenue"] * filing.company.grain_cents) / 100
        assert sum(fact.value or 0 for fact in facts if fact.end == filing.end) == whole


def test_styles_differ_and_show_every_grain_exactly() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    for grain in UNITS_OF_GRAIN:
        styles: list[Style] = [
            draw_style(rng, "cn" if grain <= 1_000_000 and grain != 100_000 else "us", grain) for _ in range(40)
        ]
        assert len({style.negative for style in styles}) > 1
        for style in styles:
            one = Decimal(grain) / 100 / style.scale
            assert one == round(one, style.decimals)
