"""The text of a made-up 10-K, item by item, fitting its figures: distress speaks of doubt, covenants and lenders."""

from decimal import Decimal

from data.finance.report_filing import Sheet, Text
from data.finance.report_names import AUDITORS, CITIES
from data.finance.report_prose import Story
from data.finance.report_style import Style

Item = tuple[str, str, str, list[str]]  # number, title, canonical name or "", paragraphs


def millions(value: Decimal) -> str:
    """$1.2 million, as prose gives amounts."""
    return f"${abs(value) / 1_000_000:,.1f} million"


def cover(story: Story, style: Style) -> list[Text]:
    """The first page."""
    name = story.company.name
    city = style.pick(CITIES)
    worth = story.company.market_value.get(story.year)
    held = "" if worth is None else millions(Decimal(worth * story.company.grain_cents) / 100)
    shares = f"{story.company.shares[story.year]:,}"
    words = [
        ("title", "UNITED STATES SECURITIES AND EXCHANGE COMMISSION"),
        ("title", "FORM 10-K"),
        ("paragraph", "ANNUAL REPORT PURSUANT TO SECTION 13 OR 15(d) OF THE SECURITIES EXCHANGE ACT OF 1934"),
        ("paragraph", f"For the fiscal year ended December 31, {story.year}"),
        ("title", name),
        ("paragraph", "(Exact name of registrant as specified in its charter)"),
        ("paragraph", f"Delaware. 100 Main Street, {city}"),
        ("paragraph", f"{shares} shares of the registrant’s common stock were outstanding at year end."),
    ]
    if held:
        words.append(("paragraph", f"Aggregate market value of the common stock held by non-affiliates: {held}."))
    return [Text(kind, text) for kind, text in words]  # type: ignore[arg-type]


def before_statements(story: Story, style: Style) -> list[Item]:
    """Items 1 to 7A."""
    return [
        ("1", "Business", "business", _business(story)),
        ("1A", "Risk Factors", "risk_factors", _risks(story, style)),
        ("1B", "Unresolved Staff Comments", "", ["None."]),
        ("2", "Properties", "properties", [_properties(story, style)]),
        ("3", "Legal Proceedings", "legal_proceedings", _legal(story, style)),
        ("4", "Mine Safety Disclosures", "", ["Not applicable."]),
        ("5", "Market for Registrant’s Common Equity, Related Stockholder Matters and Issuer Purchases of Equity "
         "Securities", "", ["Our common stock is held by holders of record and in street name."]),
        ("7", "Management’s Discussion and Analysis of Financial Condition and Results of Operations", "mdna",
         _discussion(story)),
        ("7A", "Quantitative and Qualitative Disclosures About Market Risk", "market_risk",
         ["We are exposed to changes in interest rates and in foreign currency exchange rates. A change of 100 basis "
          "points in interest rates would not change our result by a material amount."]),
    ]  # fmt: skip


def after_statements() -> list[Item]:
    """Items 9 to 9B."""
    return [
        ("9", "Changes in and Disagreements with Accountants on Accounting and Financial Disclosure", "", ["None."]),
        ("9A", "Controls and Procedures", "controls",
         ["Management concluded that our disclosure controls and procedures were effective at the end of the year."]),
        ("9B", "Other Information", "", ["None."]),
    ]  # fmt: skip


def auditor(story: Story, style: Style) -> list[str]:
    """The auditor's report."""
    name = story.company.name
    words = [
        f"To the Stockholders and the Board of Directors of {name}",
        f"We have audited the accompanying consolidated balance sheets of {name} as of December 31, {story.year} and "
        f"{story.year - 1}, and the related consolidated statements of operations, comprehensive income (loss) and "
        "cash flows for each of the three years then ended. In our opinion, the financial statements present fairly, "
        "in all material respects, the financial position of the Company in conformity with accounting principles "
        "generally accepted in the United States of America.",
    ]
    if story.doubtful:
        words.append(
            "The accompanying financial statements have been prepared assuming that the Company will continue as a "
            "going concern. As discussed in Note 2, the Company has suffered a net loss and has debt falling due that "
            "raise substantial doubt about its ability to continue as a going concern. The financial statements do "
            "not include any adjustments that might result from the outcome of this uncertainty."
        )
    return [*words, f"/s/ {style.pick(AUDITORS)}"]


def products(sheet: Sheet) -> str:
    """What introduces revenue by product in the notes."""
    return f"The following table presents our revenue by product for the {len(sheet.columns)} years presented:"


def _business(story: Story) -> list[str]:
    return [
        f"{story.company.name} makes and sells {story.industry.products}. We were founded to serve customers that "
        "value reliable supply, and we sell through our own sales force and through distributors.",
        f"In {story.year} our revenue was {millions(story.revenue)}. No customer accounted for more than ten percent "
        "of it. We compete on price, quality and service with larger companies that have greater resources.",
        "We employ people at several sites. We believe that our relations with our employees are good.",
    ]


def _risks(story: Story, style: Style) -> list[str]:
    words = [
        "Our results may vary with demand in our markets, and a decline in demand could harm our business.",
        "We depend on suppliers, and an interruption of supply might delay our deliveries.",
        "Changes in exchange rates may affect the value of our cash and of our sales abroad.",
        "We could be subject to claims and litigation that may be costly to defend.",
    ]
    if story.strained:
        words += [
            "Our credit agreement contains restrictive covenants, and we may not be able to remain in compliance with "
            "them. A breach of a covenant could permit our lenders to declare all amounts immediately due.",
            f"We have {millions(story.debt_due)} of debt that falls due within a year, and we may be unable to "
            "refinance it on acceptable terms or at all.",
        ]
    if story.doubtful:
        words += [
            "There is substantial doubt about our ability to continue as a going concern. If we cannot obtain "
            "additional funds, we may have to seek protection under Chapter 11 of the Bankruptcy Code.",
        ]
    return words if style.newest_first else words[::-1]


def _properties(story: Story, style: Style) -> str:
    products = story.industry.products
    return f"We own our headquarters in {style.pick(CITIES)} and lease several sites where we make {products}."


def _legal(story: Story, style: Style) -> list[str]:
    if story.doubtful:
        return [
            "A former supplier has filed a lawsuit against us for unpaid invoices. We dispute the claim, but an "
            "adverse judgment could have a material adverse effect on our liquidity."
        ]
    none = "We are not a party to any material legal proceedings."
    some = "From time to time we are involved in claims in the ordinary course. None of them is material."
    return [style.pick((none, some))]


def _discussion(story: Story) -> list[str]:
    moved = "increased" if story.growth >= 0 else "decreased"
    word = "income" if story.net_income >= 0 else "loss"
    last = "income" if story.last_net_income >= 0 else "loss"
    provided = "provided" if story.operating_cash >= 0 else "used"
    words = [
        f"Revenue {moved} by {abs(story.growth)}% to {millions(story.revenue)} in {story.year} from "
        f"{millions(story.last_revenue)} in {story.year - 1}. Gross margin was {story.margin}% of revenue.",
        f"Net {word} was {millions(story.net_income)}, compared with a net {last} of "
        f"{millions(story.last_net_income)} in {story.year - 1}.",
        f"Liquidity and capital resources. Operating activities {provided} {millions(story.operating_cash)} of cash. "
        f"At year end we held {millions(story.cash)} of cash and cash equivalents, and {millions(story.debt_due)} of "
        "debt falls due within twelve months.",
    ]
    if story.doubtful:
        words.append(
            "These conditions raise substantial doubt about our ability to continue as a going concern within one year "
            "after the financial statements are issued. We are in talks with our lenders about a waiver of covenants."
        )
    elif story.strained:
        words.append("We were in compliance with our covenants at year end, but our headroom has become smaller.")
    else:
        words.append(
            "We believe that our cash and our credit lines are sufficient for at least the next twelve months."
        )
    return words
