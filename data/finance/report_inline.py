"""Made-up 10-Ks in inline XBRL: contexts, units, scale, sign, nil, dimensions, hidden facts, continued text."""

from datetime import date
from decimal import Decimal
from html import escape

from data.finance.report_cells import printed, scale_of
from data.finance.report_filing import Figure, Filing
from data.finance.report_gold import AXIS, TaggedFact, fact_of
from data.finance.report_html import american_body

NAMESPACES = {
    "": "http://www.w3.org/1999/xhtml",
    "ix": "http://www.xbrl.org/2013/inlineXBRL",
    "ixt": "http://www.xbrl.org/inlineXBRL/transformation/2020-02-12",
    "xbrli": "http://www.xbrl.org/2003/instance",
    "xbrldi": "http://xbrl.org/2006/xbrldi",
    "link": "http://www.xbrl.org/2003/linkbase",
    "xlink": "http://www.w3.org/1999/xlink",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "iso4217": "http://www.xbrl.org/2003/iso4217",
    "us-gaap": "http://fasb.org/us-gaap/2023",
    "dei": "http://xbrl.sec.gov/dei/2023",
    "srt": "http://fasb.org/srt/2023",
}
_DATE = ' format="ixt:date-monthname-day-year-en"'
UNITS = {"USD": "usd", "shares": "shares", "USD/shares": "usdPerShare"}


def declarations(namespaces: dict[str, str]) -> str:
    """xmlns attributes."""
    return " ".join(f'xmlns{":" * bool(prefix)}{prefix}="{uri}"' for prefix, uri in namespaces.items())


def own_namespace(filing: Filing) -> str:
    """The filer's own concepts and members."""
    return f"http://www.example.com/{filing.company.company_id.lower()}/{filing.end:%Y%m%d}"


class Contexts:
    """Contexts and their ids, in the order of their first use."""

    def __init__(self, filing: Filing) -> None:
        self.entity = f"{int(filing.company.company_id[2:]):010d}"
        self.ids: dict[tuple[date | None, date, str | None], str] = {}

    def id_of(self, start: date | None, end: date, member: str | None = None) -> str:
        """The id of a context, a new one where there is none yet."""
        return self.ids.setdefault((start, end, member), f"c-{len(self.ids) + 1}")

    def xml(self) -> str:
        """All contexts, for the head or an instance."""
        return "".join(self._one(name, *key) for key, name in self.ids.items())

    def _one(self, name: str, start: date | None, end: date, member: str | None) -> str:
        period = f"<xbrli:instant>{end}</xbrli:instant>"
        if start is not None:
            period = f"<xbrli:startDate>{start}</xbrli:startDate><xbrli:endDate>{end}</xbrli:endDate>"
        explicit = f'<xbrldi:explicitMember dimension="{AXIS}">co:{member}</xbrldi:explicitMember>'
        segment = f"<xbrli:segment>{explicit}</xbrli:segment>" if member else ""
        return (
            f'<xbrli:context id="{name}"><xbrli:entity><xbrli:identifier scheme="http://www.sec.gov/CIK">{self.entity}'
            f"</xbrli:identifier>{segment}</xbrli:entity><xbrli:period>{period}</xbrli:period></xbrli:context>\n"
        )


def units_xml() -> str:
    """The three units."""
    ratio = (
        "<xbrli:divide><xbrli:unitNumerator><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unitNumerator>"
        "<xbrli:unitDenominator><xbrli:measure>xbrli:shares</xbrli:measure></xbrli:unitDenominator></xbrli:divide>"
    )
    return (
        '<xbrli:unit id="usd"><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unit>'
        '<xbrli:unit id="shares"><xbrli:measure>xbrli:shares</xbrli:measure></xbrli:unit>'
        f'<xbrli:unit id="usdPerShare">{ratio}</xbrli:unit>\n'
    )


def inline_html(filing: Filing) -> str:
    """The whole document; one filing in two starts with a blank line before its prologue, as some do."""
    contexts = Contexts(filing)
    year = contexts.id_of(date(filing.year, 1, 1), filing.end)
    hidden = _hidden(filing, year)
    tagger = _Tagger(filing, contexts, year)
    body = american_body(filing, tagger.figure, tagger.words)
    header = (
        f'<div style="display:none"><ix:header><ix:hidden>{hidden}</ix:hidden><ix:references>'
        f'<link:schemaRef xlink:type="simple" xlink:href="co-{filing.end:%Y%m%d}.xsd"/></ix:references>'
        f"<ix:resources>\n{contexts.xml()}{units_xml()}</ix:resources></ix:header></div>"
    )
    prologue = ("\n" if filing.style.seed % 2 else "") + "<?xml version='1.0' encoding='UTF-8'?>\n"
    names = declarations(NAMESPACES | {"co": own_namespace(filing)})
    title = escape(f"co-{filing.end:%Y%m%d}")
    top = f'{prologue}<html {names} xml:lang="en-US"><head><title>{title}</title></head>'
    return f"{top}<body>{header}\n{body}\n</body></html>\n"


def _hidden(filing: Filing, context: str) -> str:
    facts = {
        "dei:EntityCentralIndexKey": f"{int(filing.company.company_id[2:]):010d}",
        "dei:DocumentFiscalYearFocus": str(filing.year),
        "dei:DocumentFiscalPeriodFocus": "FY",
        "dei:AmendmentFlag": "false",
        "dei:CurrentFiscalYearEndDate": "--12-31",
    }
    return "".join(
        f'<ix:nonNumeric contextRef="{context}" name="{name}" id="h-{place}">{value}</ix:nonNumeric>'
        for place, (name, value) in enumerate(facts.items())
    )


class _Tagger:
    """Wraps figures and some words in tags; the audit's paragraphs are one text that goes on elsewhere."""

    def __init__(self, filing: Filing, contexts: Contexts, year: str) -> None:
        self.filing, self.contexts, self.year = filing, contexts, year
        self.count = 0
        self.cover = {
            filing.company.name: "dei:EntityRegistrantName",
            "FORM 10-K": "dei:DocumentType",
            f"For the fiscal year ended December 31, {filing.year}": "dei:DocumentPeriodEndDate",
        }
        self.policy = 0  # paragraphs of the accounting policies seen

    def figure(self, figure: Figure, bare: str) -> str:
        if not figure.line.concept:
            return escape(bare)
        self.count += 1
        fact = fact_of(figure, self.filing)
        context = self.contexts.id_of(fact.start, fact.end, fact.member)
        tag = f'ix:nonFraction unitRef="{UNITS[fact.unit]}" contextRef="{context}" decimals="{fact.decimals}"'
        tag += f' name="{fact.concept}" id="f-{self.count}"'
        if fact.value is None:
            return f'<{tag} xsi:nil="true">{escape(bare)}</ix:nonFraction>'
        return f"<{tag}{self._number(figure, fact)}>{escape(bare)}</ix:nonFraction>"

    def words(self, kind: str, words: str) -> str:
        name = self.cover.pop(words, None)
        if name == "dei:DocumentType":
            return f"FORM {self._text(name, '10-K')}"
        if name == "dei:DocumentPeriodEndDate":
            before, _, day = words.partition("ended ")
            return f"{before}ended {self._text(name, day, _DATE)}"
        if name is not None:
            return self._text(name, words)
        if words.startswith("The consolidated financial statements include"):
            first, _, rest = words.partition(". ")
            go_on = f'<ix:continuation id="policy-2">{escape(rest)}</ix:continuation>'
            return self._text("us-gaap:ConsolidationPolicyTextBlock", f"{first}. ", ' continuedAt="policy-2"') + go_on
        return escape(words)

    def _text(self, name: str, words: str, more: str = "") -> str:
        self.count += 1
        tag = f'ix:nonNumeric contextRef="{self.year}" name="{name}" id="f-{self.count}"{more}'
        return f"<{tag}>{escape(words)}</ix:nonNumeric>"

    def _number(self, figure: Figure, fact: TaggedFact) -> str:
        zeros = len(str(int(scale_of(figure, self.filing.style)))) - 1
        if printed(figure, self.filing.style) == self.filing.style.nothing:
            return ' format="ixt:fixed-zero"'
        sign = ' sign="-"' if (fact.value or Decimal(0)) < 0 else ""
        scale = f' scale="{zeros}"' if zeros or self.filing.style.split_cells else ""
        return f' format="ixt:num-dot-decimal"{scale}{sign}'
