"""The transactions behind a reason are those that a plain loop over the window finds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.finance.fraud_evidence import MOST, NONE, Evidence
from pipelines.finance.fraud_ledger import Ledger, open_ledger
from pipelines.finance.labels import LabelRule
from tests.pipelines.finance.fraud_samples import fraud_frame, fraud_plan

DAY_MS = 86_400_000
RULE = LabelRule(bad="1", good="0")


@pytest.fixture(scope="module", params=["in order", "out of order"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    late = 0.0 if request.param == "in order" else 0.2
    frame = fraud_frame(900, 2, late=late, cards=8).assign(came=np.arange(900))
    frame.loc[::40, "amount"] *= -1  # refunds
    return open_ledger(frame, replace(fraud_plan(), arrived="came"), RULE)


def past(ledger: Ledger, row: int, columns: list[str]) -> list[int]:
    """Rows of the same keys that came before and are not later, by time, then as they came."""
    frame = ledger.frame
    same = (frame[columns] == frame.loc[row, columns]).all(axis=1).to_numpy()
    before = [at for at in range(row) if same[at] and ledger.times[at] <= ledger.times[row]]
    return sorted(before, key=lambda at: (ledger.times[at], at))


def newest(rows: list[int]) -> list[int]:
    return rows[::-1][:MOST]


def within(ledger: Ledger, row: int, columns: list[str], days: float, delay_days: float = 0) -> list[int]:
    now = int(ledger.times[row])
    end, start = now - delay_days * DAY_MS, now - (days + delay_days) * DAY_MS
    return [at for at in past(ledger, row, columns) if start < ledger.times[at] <= end]


def frauds(ledger: Ledger, rows: list[int]) -> list[int]:
    return [at for at in rows if ledger.y_R[at] == 1]


def after_last_good(ledger: Ledger, rows: list[int]) -> list[int]:
    good = [place for place, at in enumerate(rows) if ledger.y_R[at] == 0]
    return rows[good[-1] + 1 :] if good else rows


WAYS = {
    "card.count.7d": lambda of, row: newest(within(of, row, ["card"], 7)),
    "card.zscore.30d": lambda of, row: newest(within(of, row, ["card"], 30)),
    "card.mean.3n": lambda of, row: past(of, row, ["card"])[-3:][::-1],
    "card.since.3n": lambda of, row: past(of, row, ["card"])[-3:-2],
    "card.step.1n": lambda of, row: past(of, row, ["card"])[-1:],
    "card.refunds.30d": lambda of, row: newest(
        [at for at in within(of, row, ["card"], 30) if of.frame["amount"][at] < 0]
    ),
    "card.age.90d": lambda of, row: within(of, row, ["card"], 90)[:1],
    "shop.frauds.14d": lambda of, row: newest(frauds(of, within(of, row, ["shop"], 14, 7))),
    "shop.risk.30d": lambda of, row: newest(frauds(of, within(of, row, ["shop"], 30, 7))),
    "shop.last_fraud.30d": lambda of, row: frauds(of, within(of, row, ["shop"], 30, 7))[-1:],
    "shop.first_fraud.30d": lambda of, row: frauds(of, within(of, row, ["shop"], 30, 7))[:1],
    "shop.run.30d": lambda of, row: newest(frauds(of, after_last_good(of, within(of, row, ["shop"], 30, 7)))),
    "card+shop.count.30d": lambda of, row: newest(within(of, row, ["card", "shop"], 30)),
    "transaction.amount": lambda of, row: [],
}


@pytest.mark.parametrize("name", WAYS)
def test_the_evidence_is_what_a_plain_loop_finds(ledger: Ledger, name: str) -> None:
    assert name in ledger.plan.names
    rows = np.arange(100, 900, 17)
    found = Evidence(ledger).find(rows, [[name]] * len(rows))[:, 0]
    expected = [WAYS[name](ledger, row) for row in rows.tolist()]
    assert [[at for at in line if at != NONE] for line in found.tolist()] == expected
    assert name == "transaction.amount" or any(expected)


def test_each_reason_of_a_case_has_its_own_evidence(ledger: Ledger) -> None:
    names: list[str | None] = ["card.count.7d", None, "shop.risk.30d"]
    found = Evidence(ledger).find(np.asarray([500, 700]), [names, names[::-1]])
    assert (found[:, 1] == NONE).all()
    for case, row in enumerate((500, 700)):
        for place, name in enumerate(names if case == 0 else names[::-1]):
            if name is not None:
                alone = Evidence(ledger).find(np.asarray([row]), [[name]])[0, 0]
                assert found[case, place].tolist() == alone.tolist()


def test_a_table_of_one_transaction_has_no_evidence() -> None:
    frame = fraud_frame(1)
    ledger = open_ledger(frame, fraud_plan(), RULE)
    found = Evidence(ledger).find(np.asarray([0]), [["card.count.7d", "shop.risk.30d", "card.since.1n"]])
    assert (found == NONE).all()
    assert isinstance(ledger.frame, pd.DataFrame)
