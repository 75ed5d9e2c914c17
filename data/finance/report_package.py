"""Made-up XBRL packages (instance, schema, labels, presentation, calculation) and company-facts documents."""

import io
import zipfile
from collections.abc import Sequence
from html import escape
from typing import Any

from data.finance.report_filing import Filing, Row, Sheet
from data.finance.report_gold import TaggedFact, facts_of
from data.finance.report_inline import NAMESPACES, UNITS, Contexts, declarations, own_namespace, units_xml
from data.finance.reports import iso, plain

MOMENT = (2020, 1, 1, 0, 0, 0)  # of every file in the archive: the same seed gives the same bytes
_ELEMENTS = "http://xbrl.fasb.org/us-gaap/2023/elts/us-gaap-2023.xsd"
_LINK = {"": NAMESPACES["link"], "xlink": NAMESPACES["xlink"], "xsi": NAMESPACES["xsi"]}
_TITLES = {"balance": "ConsolidatedBalanceSheets", "income": "ConsolidatedStatementsOfOperations",
           "cash_flow": "ConsolidatedStatementsOfCashFlows"}  # fmt: skip
_SUMS = {  # total -> parts with weights, of the statements that are calculated
    "Assets": (("AssetsCurrent", 1), ("PropertyPlantAndEquipmentNet", 1), ("OperatingLeaseRightOfUseAsset", 1),
               ("Goodwill", 1), ("FiniteLivedIntangibleAssetsNet", 1), ("DeferredIncomeTaxAssetsNet", 1)),
    "GrossProfit": (("RevenueFromContractWithCustomerExcludingAssessedTax", 1), ("CostOfRevenue", -1)),
    "OperatingIncomeLoss": (("GrossProfit", 1), ("OperatingExpenses", -1)),
}  # fmt: skip


def package(filing: Filing) -> bytes:
    """A zip with the five files of a filing."""
    base = f"co-{filing.end:%Y%m%d}"
    files = {
        f"{base}.xml": _instance(filing, base),
        f"{base}.xsd": _schema(filing, base),
        f"{base}_lab.xml": _labels(filing),
        f"{base}_pre.xml": _presentation(filing, base),
        f"{base}_cal.xml": _calculation(filing, base),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.encode("utf-8"))
    return out.getvalue()


def plain_facts(filing: Filing) -> list[TaggedFact]:
    """The numbers that are told without dimensions."""
    return [fact for fact in facts_of(filing) if fact.value is not None and fact.member is None]


def company_facts(filings: Sequence[Filing]) -> dict[str, Any]:
    """What an authority's interface tells of one company: facts without dimensions, filing by filing."""
    concepts: dict[str, dict[str, Any]] = {}
    for filing in filings:
        for fact in plain_facts(filing):
            if fact.value is None:
                continue
            name = fact.concept.partition(":")[2]
            entry = concepts.setdefault(name, {"label": name, "description": name, "units": {}})
            value = int(fact.value) if fact.value == fact.value.to_integral_value() else float(fact.value)
            start = {} if fact.start is None else {"start": iso(fact.start)}
            entry["units"].setdefault(fact.unit, []).append(
                {**start, "end": iso(fact.end), "val": value, "accn": f"0000000000-{filing.year % 100:02d}-000001",
                 "fy": filing.year, "fp": "FY", "form": filing.form, "filed": f"{filing.year + 1}-03-01"}
            )  # fmt: skip
    company = filings[-1].company
    return {"cik": int(company.company_id[2:]), "entityName": company.name, "facts": {"us-gaap": concepts}}


def _instance(filing: Filing, base: str) -> str:
    contexts = Contexts(filing)
    facts = facts_of(filing)
    year = contexts.id_of(facts[0].end.replace(year=filing.year, month=1, day=1), filing.end)
    about = {"EntityRegistrantName": filing.company.name, "DocumentType": filing.form,
             "DocumentPeriodEndDate": str(filing.end), "EntityCentralIndexKey": contexts.entity,
             "DocumentFiscalYearFocus": str(filing.year), "DocumentFiscalPeriodFocus": "FY"}  # fmt: skip
    lines = [f'<dei:{name} contextRef="{year}">{escape(words)}</dei:{name}>' for name, words in about.items()]
    lines += [_fact(fact, contexts) for fact in facts]
    names = declarations(
        {k: v for k, v in NAMESPACES.items() if k not in ("", "ix", "ixt")} | {"co": own_namespace(filing)}
    )
    schema = f'<link:schemaRef xlink:type="simple" xlink:href="{base}.xsd"/>'
    body = "\n".join(lines)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<xbrli:xbrl {names}>\n{schema}\n{contexts.xml()}{units_xml()}'
        f"{body}\n</xbrli:xbrl>\n"
    )


def _fact(fact: TaggedFact, contexts: Contexts) -> str:
    context = contexts.id_of(fact.start, fact.end, fact.member)
    tag = f'{fact.concept} contextRef="{context}" unitRef="{UNITS[fact.unit]}"'
    if fact.value is None:
        return f'<{tag} xsi:nil="true"/>'
    return f'<{tag} decimals="{fact.decimals}">{plain(fact.value)}</{fact.concept}>'


def _role(filing: Filing, sheet: Sheet) -> str:
    return f"{own_namespace(filing)}/role/{_TITLES[sheet.name or 'income']}"


def _printed_once(filing: Filing) -> list[Sheet]:
    return list({sheet.name: sheet for sheet in reversed(filing.statements)}.values())[::-1]


def _schema(filing: Filing, base: str) -> str:
    roles = "".join(
        f'<link:roleType id="{_TITLES[sheet.name or "income"]}" roleURI="{_role(filing, sheet)}"><link:definition>'
        f"000{place} - Statement - {escape(sheet.titles[1])}</link:definition>"
        "<link:usedOn>link:presentationLink</link:usedOn></link:roleType>"
        for place, sheet in enumerate(_printed_once(filing), start=2)
    )
    links = "".join(
        f'<link:linkbaseRef xlink:type="simple" xlink:href="{base}_{part}.xml" '
        'xlink:arcrole="http://www.w3.org/1999/xlink/properties/linkbase"/>'
        for part in ("lab", "pre", "cal")
    )
    names = {"xs": "http://www.w3.org/2001/XMLSchema"} | {k: NAMESPACES[k] for k in ("link", "xlink", "xbrli")}
    members = "".join(
        f'<xs:element name="{name}" id="co_{name}" abstract="true" substitutionGroup="xbrli:item" '
        'type="xbrli:stringItemType" xbrli:periodType="duration"/>'
        for name in ("ProductsMember", "ServicesMember")
    )
    own = own_namespace(filing)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<xs:schema targetNamespace="{own}" {declarations(names)}>'
        f"<xs:annotation><xs:appinfo>{links}{roles}</xs:appinfo></xs:annotation>{members}</xs:schema>\n"
    )


def _rows(sheet: Sheet) -> list[Row]:
    return [row for row in sheet.rows if row.figures and row.figures[0].line.concept]


def _concept(row: Row) -> str:
    return row.figures[0].line.concept


def _locator(concept: str, label: str) -> str:
    return f'<loc xlink:type="locator" xlink:href="{_ELEMENTS}#us-gaap_{concept}" xlink:label="{label}"/>'


def _linkbase(inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<linkbase {declarations(_LINK)}>\n{inner}\n</linkbase>\n'


def _labels(filing: Filing) -> str:
    words = {_concept(row): row.words for sheet in filing.statements for row in _rows(sheet)}
    arcs = "".join(
        f'{_locator(concept, f"l{place}")}<label xlink:type="resource" xlink:label="t{place}" xml:lang="en-US" '
        f'xlink:role="http://www.xbrl.org/2003/role/label">{escape(text)}</label>'
        f'<labelArc xlink:type="arc" xlink:arcrole="http://www.xbrl.org/2003/arcrole/concept-label" '
        f'xlink:from="l{place}" xlink:to="t{place}"/>\n'
        for place, (concept, text) in enumerate(words.items())
    )
    link = '<labelLink xlink:type="extended" xlink:role="http://www.xbrl.org/2003/role/link">'
    return _linkbase(f"{link}{arcs}</labelLink>")


def _presentation(filing: Filing, base: str) -> str:
    links = []
    for sheet in _printed_once(filing):
        role, anchor = _role(filing, sheet), f"{base}.xsd#{_TITLES[sheet.name or 'income']}"
        links.append(f'<roleRef roleURI="{role}" xlink:type="simple" xlink:href="{anchor}"/>')
    for sheet in _printed_once(filing):
        parts = [_locator("StatementLineItems", "top")]
        for place, row in enumerate(_rows(sheet)):
            parts.append(_locator(_concept(row), f"e{place}"))
            parts.append(
                '<presentationArc xlink:type="arc" xlink:arcrole="http://www.xbrl.org/2003/arcrole/parent-child" '
                f'xlink:from="top" xlink:to="e{place}" order="{place + 1}"/>\n'
            )
        link = f'<presentationLink xlink:type="extended" xlink:role="{_role(filing, sheet)}">'
        links.append(f"{link}{''.join(parts)}</presentationLink>")
    return _linkbase("\n".join(links))


def _calculation(filing: Filing, base: str) -> str:
    used = {_concept(row) for sheet in filing.statements for row in _rows(sheet)}
    sheet = _printed_once(filing)[0]
    role = _role(filing, sheet)
    parts = []
    for place, (whole, pieces) in enumerate(_SUMS.items()):
        parts.append(_locator(whole, f"s{place}"))
        for number, (piece, weight) in enumerate(one for one in pieces if one[0] in used):
            parts.append(_locator(piece, f"s{place}_{number}"))
            parts.append(
                '<calculationArc xlink:type="arc" xlink:arcrole="http://www.xbrl.org/2003/arcrole/summation-item" '
                f'xlink:from="s{place}" xlink:to="s{place}_{number}" weight="{weight}" order="{number + 1}"/>\n'
            )
    anchor = f'<roleRef roleURI="{role}" xlink:type="simple" xlink:href="{base}.xsd#{_TITLES["balance"]}"/>'
    link = f'<calculationLink xlink:type="extended" xlink:role="{role}">{"".join(parts)}</calculationLink>'
    return _linkbase(anchor + link)
