"""Seeded tables of loan applications with an outcome, for demos and tests. Nothing in them stems from a real person.

Each applicant has a hidden stability and thrift, which the columns show only in part and with noise; the chance of a
default is a nonlinear function of both, of the loan and of the economy, so that even a perfect model errs. Values
are missing where they would be in life: income mostly for the self-employed, the bureau's score for people without
a record, utilization for those without a card.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from data.splits import split_by_time

FIRST_DAY = np.datetime64("2021-01-01")
DAYS = 1096  # three years
SPLIT_SHARES = (0.6, 0.2, 0.2)  # by time: train, val, test
NO_RECORD, NEVER = -9, -8  # months_since_delinquency: no bureau record; a record without delinquency
REFUSED, UNKNOWN = 98, 96  # delinquencies_24m: the bureau refused to answer; the answer was lost

_EMPLOYMENT = ("salaried", "public", "self_employed", "temporary", "retired")
_HOUSING = ("owner", "mortgage", "rent", "family")
_PURPOSES = ("car", "home_improvement", "debt_consolidation", "education", "medical", "travel", "business")
_REGIONS = ("north", "north_east", "east", "south", "south_west", "west", "centre")
_CHANNELS = ("branch", "online", "broker")
Floats = NDArray[np.float64]


def make_credit(rows: int, seed: int) -> pd.DataFrame:
    """Applications in order of time. Same rows and seed, same table.

    Columns: `application_id` (text), `application_date` (ISO), seventeen features, `default_12m` (0 or 1: 90 days past
    due within twelve months), `split` (train, val, test by time). Amounts in CNY.
    """
    if rows < 1:
        raise InputError(f"rows must be at least 1, got {rows}")
    rng = np.random.default_rng(seed)
    day = np.sort(rng.integers(0, DAYS, rows))
    stable, thrifty = rng.normal(size=(2, rows))
    person = _person(rng, stable, rows)
    loan = _loan(rng, person, thrifty, rows)
    bureau = _bureau(rng, stable, thrifty, person["age"].to_numpy(), rows)
    chance = _chance(rng, stable, thrifty, person, loan, bureau, day / DAYS)
    target = (rng.random(rows) < chance).astype(np.int64)
    split = np.array(("train", "val", "test"))[split_by_time(day, SPLIT_SHARES)]
    frame = pd.concat([person, loan, bureau], axis=1)
    _hide(rng, frame, stable)
    frame.insert(0, "application_id", [f"A{number:07d}" for number in range(1, rows + 1)])
    frame.insert(1, "application_date", (FIRST_DAY + day).astype(str))
    return frame.assign(default_12m=target, split=split)


def _person(rng: np.random.Generator, stable: Floats, rows: int) -> pd.DataFrame:
    age = np.clip(np.round(38 + 12 * rng.normal(size=rows) + 2.5 * stable), 18, 79)
    employment = _choose(rng, _EMPLOYMENT, (0.55, 0.13, 0.17, 0.11, 0.04), rows)
    employment = np.where(age > 66, "retired", np.where((employment == "retired") & (age < 55), "salaried", employment))
    years = np.clip((age - 20) * rng.beta(1.4, 2.6, rows) + 1.2 * stable, 0, None)
    level = {"salaried": 9.15, "public": 9.1, "self_employed": 9.25, "temporary": 8.6, "retired": 8.5}
    hump = -0.00045 * (age - 46) ** 2
    income = np.exp(pd.Series(employment).map(level).to_numpy() + hump + 0.22 * stable + 0.42 * rng.normal(size=rows))
    owner = rng.random(rows) + 0.008 * (age - 38) + 0.12 * stable
    housing = np.select([owner > 0.85, owner > 0.55, owner > 0.15], ["owner", "mortgage", "rent"], "family")
    return pd.DataFrame(
        {
            "age": age.astype(np.int64),
            "employment": employment,
            "employment_years": np.where(employment == "retired", 0.0, np.round(years, 1)),
            "monthly_income_cny": np.round(income, -1),
            "housing": housing,
            "region": _choose(rng, _REGIONS, (0.1, 0.08, 0.3, 0.22, 0.1, 0.06, 0.14), rows),
            "channel": _choose(rng, _CHANNELS, (0.35, 0.5, 0.15), rows),
        }
    )


def _loan(rng: np.random.Generator, person: pd.DataFrame, thrifty: Floats, rows: int) -> pd.DataFrame:
    income = person["monthly_income_cny"].to_numpy()
    amount = income * np.exp(1.2 + 0.6 * rng.normal(size=rows) - 0.15 * thrifty)
    ratio = 0.32 * np.exp(0.55 * rng.normal(size=rows) - 0.28 * thrifty)
    return pd.DataFrame(
        {
            "purpose": _choose(rng, _PURPOSES, (0.2, 0.17, 0.24, 0.1, 0.09, 0.08, 0.12), rows),
            "loan_amount_cny": np.clip(np.round(amount, -2), 1_000, 500_000),
            "term_months": rng.choice([6, 12, 18, 24, 36, 48, 60], rows, p=[0.05, 0.2, 0.1, 0.25, 0.25, 0.05, 0.1]),
            "debt_ratio": np.round(np.clip(ratio, 0, 4), 4),
        }
    )


def _bureau(rng: np.random.Generator, stable: Floats, thrifty: Floats, age: Floats, rows: int) -> pd.DataFrame:
    record = rng.random(rows) > 0.05 + 0.25 * (age < 24)
    trouble = np.exp(-1.5 - 0.65 * thrifty - 0.45 * stable)
    late = np.minimum(rng.poisson(trouble * rng.gamma(1.5, 1 / 1.5, rows)), 12)
    since = np.clip(np.round(rng.gamma(1.3, 14, rows)), 0, 84)
    utilization = 1 / (1 + np.exp(0.9 + 0.75 * thrifty + 0.9 * rng.normal(size=rows)))
    score = 640 + 42 * thrifty + 30 * stable - 22 * np.minimum(late, 4) + 34 * rng.normal(size=rows)
    return pd.DataFrame(
        {
            "open_accounts": np.where(record, rng.poisson(4.2 + 0.03 * (age - 18)), 0),
            "card_utilization": np.where(record & (rng.random(rows) > 0.12), np.round(utilization, 4), np.nan),
            "delinquencies_24m": np.where(record, late, 0),
            "months_since_delinquency": np.where(record, np.where(late > 0, since, NEVER), NO_RECORD).astype(np.int64),
            "inquiries_6m": rng.poisson(np.exp(-0.1 - 0.3 * thrifty)),
            "bureau_score": np.where(record, np.clip(np.round(score), 350, 900), np.nan),
        }
    )


def _chance(
    rng: np.random.Generator,
    stable: Floats,
    thrifty: Floats,
    person: pd.DataFrame,
    loan: pd.DataFrame,
    bureau: pd.DataFrame,
    year: Floats,
) -> Floats:
    """Probability of default (rows,); `year` runs from 0 to 1 over the whole span."""
    age, income = person["age"].to_numpy(), person["monthly_income_cny"].to_numpy()
    instalment = loan["loan_amount_cny"].to_numpy() / loan["term_months"].to_numpy() / income
    burden = loan["debt_ratio"].to_numpy() + instalment
    late, since = bureau["delinquencies_24m"].to_numpy(), bureau["months_since_delinquency"].to_numpy()
    recent = np.where(since >= 0, np.exp(-since / 15), 0.0)
    use = bureau["card_utilization"].fillna(0.3).to_numpy()
    shaky = person["employment"].isin(["temporary", "self_employed"]).to_numpy()
    z = -3.75 - 0.35 * stable - 0.4 * thrifty
    z += 1.5 * np.tanh(1.6 * (burden - 0.5)) + 0.55 * shaky * (burden > 0.6)  # pay that varies, under a heavy load
    z += 0.3 * np.minimum(late, 5) + 1.1 * recent + 1.5 * np.maximum(use - 0.55, 0)
    z += 0.00075 * (age - 45.0) ** 2 - 0.35 * np.log1p(person["employment_years"].to_numpy())
    z += 0.16 * np.minimum(bureau["inquiries_6m"].to_numpy(), 6) + 0.45 * (since == NO_RECORD)
    z += person["housing"].map({"owner": -0.35, "mortgage": -0.1, "rent": 0.2, "family": 0.05}).to_numpy()
    z += loan["purpose"].map({"business": 0.45, "medical": 0.3, "debt_consolidation": 0.2}).fillna(0.0).to_numpy()
    z += np.where(person["channel"] == "broker", 0.3, 0.0) + 0.35 * np.sin(2 * np.pi * year) * shaky + 0.25 * year
    z += 0.55 * rng.normal(size=len(z))  # what happens to people after they apply
    return np.asarray(1 / (1 + np.exp(-z)))


def _hide(rng: np.random.Generator, frame: pd.DataFrame, stable: Floats) -> None:
    """Take values away as life does: not at random."""
    rows = len(frame)
    proof = 0.03 + 0.22 * (frame["employment"] == "self_employed") + 0.05 * (stable < -1)
    frame["monthly_income_cny"] = frame["monthly_income_cny"].mask(rng.random(rows) < proof)
    frame["employment_years"] = frame["employment_years"].mask(rng.random(rows) < 0.02)
    frame["housing"] = frame["housing"].mask(rng.random(rows) < 0.015)
    lost = rng.random(rows)
    late = frame["delinquencies_24m"].to_numpy()
    frame["delinquencies_24m"] = np.select([lost < 0.004, lost < 0.006], [REFUSED, UNKNOWN], late)


def _choose(rng: np.random.Generator, names: tuple[str, ...], shares: tuple[float, ...], rows: int) -> NDArray[np.str_]:
    return np.asarray(rng.choice(names, rows, p=shares))
