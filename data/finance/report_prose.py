"""What both languages of report text need to know of a company's year, so that the words fit the figures."""

from dataclasses import dataclass
from decimal import Decimal

from data.finance.companies import Company
from data.finance.report_names import INDUSTRIES, Industry


@dataclass(frozen=True, kw_only=True)
class Story:
    """A year in figures that the text speaks of, in whole currency."""

    company: Company
    year: int
    industry: Industry
    revenue: Decimal
    last_revenue: Decimal
    net_income: Decimal
    last_net_income: Decimal
    operating_cash: Decimal
    cash: Decimal
    debt_due: Decimal
    equity: Decimal
    growth: Decimal  # in percent, one decimal
    margin: Decimal  # gross, in percent
    doubtful: bool  # may not go on: a loss, and more falls due than is there
    strained: bool  # a covenant is near


def story_of(company: Company, year: int) -> Story:
    """What the figures of a year say."""
    now, last = company.books[year], company.books[year - 1]

    def money(books: object, item: str) -> Decimal:
        return Decimal(books[item] * company.grain_cents) / 100  # type: ignore[index]

    revenue, before = money(now, "revenue"), money(last, "revenue")
    due = money(now, "short_term_debt") + money(now, "current_portion_debt")
    short = now["current_assets"] < now["current_liabilities"]
    loss = now["net_income"] < 0
    gross = revenue - money(now, "cost_of_revenue")
    return Story(
        company=company,
        year=year,
        industry=next(one for one in INDUSTRIES if one.name == company.industry),
        revenue=revenue,
        last_revenue=before,
        net_income=money(now, "net_income"),
        last_net_income=money(last, "net_income"),
        operating_cash=money(now, "operating_cash_flow"),
        cash=money(now, "cash"),
        debt_due=due,
        equity=money(now, "total_equity"),
        growth=((revenue / before - 1) * 100).quantize(Decimal("0.1")),
        margin=(gross / revenue * 100).quantize(Decimal("0.1")),
        doubtful=loss and (short or now["total_equity"] < 0 or due > money(now, "cash")),
        strained=loss or short,
    )
