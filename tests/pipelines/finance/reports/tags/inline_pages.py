"""Small inline XBRL pages and packages, written for the tests."""

import io
import zipfile

SPACES = (
    'xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/2013/inlineXBRL" '
    'xmlns:xbrli="http://www.xbrl.org/2003/instance" xmlns:xbrldi="http://xbrl.org/2006/xbrldi" '
    'xmlns:link="http://www.xbrl.org/2003/linkbase" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:iso4217="http://www.xbrl.org/2003/iso4217" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:ixt="http://www.xbrl.org/inlineXBRL/transformation/2020-02-12" '
    'xmlns:ixt3="http://www.xbrl.org/inlineXBRL/transformation/2015-02-26" '
    'xmlns:ixt-sec="http://www.sec.gov/inlineXBRL/transformation/2015-08-31" '
    'xmlns:us-gaap="http://fasb.org/us-gaap/2024" xmlns:dei="http://xbrl.sec.gov/dei/2024" xmlns:acme="http://acme.test/2024"'
)
PERIOD = "<xbrli:startDate>2024-01-01</xbrli:startDate><xbrli:endDate>2024-12-31</xbrli:endDate>"
YEAR_END = "<xbrli:instant>2024-12-31</xbrli:instant>"
EXPLICIT = '<xbrldi:explicitMember dimension="acme:RegionAxis">acme:NorthMember</xbrldi:explicitMember>'
TYPED = '<xbrldi:typedMember dimension="acme:StartAxis"><acme:Start> 2025-01-01 </acme:Start></xbrldi:typedMember>'


def context(name: str, period: str = PERIOD, members: str = "", container: str = "segment") -> str:
    """One context; members stand in the segment, or in the scenario."""
    inside = f"<xbrli:{container}>{members}</xbrli:{container}>" if members else ""
    segment, scenario = (inside, "") if container == "segment" else ("", inside)
    entity = f'<xbrli:entity><xbrli:identifier scheme="http://x">1</xbrli:identifier>{segment}</xbrli:entity>'
    return f'<xbrli:context id="{name}">{entity}<xbrli:period>{period}</xbrli:period>{scenario}</xbrli:context>'


def unit(name: str, measure: str) -> str:
    """One unit of one measure."""
    return f'<xbrli:unit id="{name}"><xbrli:measure>{measure}</xbrli:measure></xbrli:unit>'


PER_SHARE = (
    '<xbrli:unit id="eps"><xbrli:divide><xbrli:unitNumerator><xbrli:measure>iso4217:USD</xbrli:measure>'
    "</xbrli:unitNumerator><xbrli:unitDenominator><xbrli:measure>xbrli:shares</xbrli:measure>"
    "</xbrli:unitDenominator></xbrli:divide></xbrli:unit>"
)
UNITS = unit("usd", "iso4217:USD") + unit("shares", "xbrli:shares") + unit("pure", "xbrli:pure") + PER_SHARE
CONTEXTS = (
    context("y")
    + context("i", YEAR_END)
    + context("north", members=EXPLICIT)
    + context("typed", YEAR_END, EXPLICIT + TYPED, "scenario")
    + context("ever", "<xbrli:forever/>")
)


def number(text: str, name: str = "us-gaap:Revenues", **attributes: str) -> str:
    """One ix:nonFraction; by default dollars of the year."""
    known = {"contextRef": "y", "unitRef": "usd", "decimals": "-6"} | attributes
    written = " ".join(f'{key.replace("_", ":")}="{value}"' for key, value in known.items())
    return f'<ix:nonFraction name="{name}" {written}>{text}</ix:nonFraction>'


def words(text: str, name: str, **attributes: str) -> str:
    """One ix:nonNumeric of the year."""
    written = " ".join(f'{key}="{value}"' for key, value in ({"contextRef": "y"} | attributes).items())
    return f'<ix:nonNumeric name="{name}" {written}>{text}</ix:nonNumeric>'


COVER = (
    words("10-K", "dei:DocumentType")
    + words("Acme Holdings Inc.", "dei:EntityRegistrantName")
    + words("December 31, 2024", "dei:DocumentPeriodEndDate", format="ixt:date-monthname-day-year-en")
)


def page(body: str, prolog: str = '<?xml version="1.0" encoding="UTF-8"?>', resources: str = CONTEXTS + UNITS) -> bytes:
    """A whole page in UTF-8."""
    header = f"<ix:header><ix:resources>{resources}</ix:resources></ix:header>"
    return (
        f'{prolog}<html {SPACES} xml:lang="en-US"><body><div>{header}</div><p>{COVER}{body}</p></body></html>'.encode()
    )


INSTANCE = f"""<?xml version="1.0"?>
<xbrli:xbrl {SPACES.partition(" ")[2]}>
<link:schemaRef xlink:type="simple" xlink:href="acme.xsd"/>
{CONTEXTS}{UNITS}
<dei:EntityRegistrantName contextRef="y">Acme Holdings Inc.</dei:EntityRegistrantName>
<us-gaap:Assets contextRef="i" unitRef="usd" decimals="-3" id="a1">1500000</us-gaap:Assets>
<us-gaap:Cash contextRef="i" unitRef="usd" precision="3">500000</us-gaap:Cash>
<acme:Ships contextRef="typed" unitRef="pure" decimals="INF">3</acme:Ships>
<us-gaap:Commitments contextRef="i" unitRef="usd" xsi:nil="true"/>
<acme:PolicyTextBlock contextRef="y">&lt;p&gt;We &lt;b&gt;count&lt;/b&gt; ships.&lt;/p&gt;</acme:PolicyTextBlock>
</xbrli:xbrl>"""
SCHEMA = """<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="http://acme.test/2024"
 xmlns:link="http://www.xbrl.org/2003/linkbase"><annotation><appinfo>
<link:roleType roleURI="http://acme.test/role/Balance" id="Balance">
<link:definition>01 - Statement - Balance</link:definition></link:roleType></appinfo></annotation>
<element name="Ships" id="acme_Ships"/></schema>"""
LINKBASE = (
    '<link:linkbase xmlns:link="http://www.xbrl.org/2003/linkbase" xmlns:xlink="http://www.w3.org/1999/xlink">{}'
    "</link:linkbase>"
)
LOCATORS = "".join(
    f'<link:loc xlink:type="locator" xlink:href="{file}#{name}" xlink:label="{name}"/>'
    for file, name in (("us.xsd", "us-gaap_Assets"), ("us.xsd", "us-gaap_Cash"), ("acme.xsd", "acme_Ships"))
)


def arc(kind: str, source: str, target: str, **attributes: str) -> str:
    """One arc between locators."""
    written = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    return f'<link:{kind}Arc xlink:type="arc" xlink:from="{source}" xlink:to="{target}" {written}/>'


def link(kind: str, arcs: str, role: str = "http://acme.test/role/Balance") -> str:
    """One linkbase with one link."""
    inside = f'<link:{kind}Link xlink:type="extended" xlink:role="{role}">{LOCATORS}{arcs}</link:{kind}Link>'
    return LINKBASE.format(inside)


PRESENTATION = link(
    "presentation",
    arc("presentation", "us-gaap_Assets", "acme_Ships", order="2")
    + arc("presentation", "us-gaap_Assets", "us-gaap_Cash", order="1", preferredLabel="http://x/role/totalLabel"),
)
CALCULATION = link("calculation", arc("calculation", "us-gaap_Assets", "us-gaap_Cash", order="1", weight="-1"))
CALLED = (("label", "de", "Bargeld"), ("label", "en", " Cash\n on hand "), ("totalLabel", "en", "All cash"))
RESOURCES = "".join(
    f'<link:label xlink:type="resource" xlink:label="l" xlink:role="http://x/role/{role}" xml:lang="{lang}">{text}'
    "</link:label>"
    for role, lang, text in CALLED
)
LABELS = link("label", RESOURCES + arc("label", "us-gaap_Cash", "l"))
MEMBERS = {
    "acme.xml": INSTANCE,
    "acme.xsd": SCHEMA,
    "acme_pre.xml": PRESENTATION,
    "acme_cal.xml": CALCULATION,
    "acme_lab.xml": LABELS,
}


def zipped(members: dict[str, str | bytes]) -> bytes:
    """A zip file of these members."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()
