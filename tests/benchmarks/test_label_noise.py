"""Labels turned round at random: how many of them each rule finds, and how many of what it names were turned."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.finance.augment.noise import RULES, NoiseReport, find_noise

pytestmark = [pytest.mark.bench, pytest.mark.realdata, pytest.mark.timeout(1800)]
TABLES = {"heloc": "bad", "taiwan_default": "default_next_month", "polish_5year": "bankrupt"}
MOST_ROWS, RATES = 8_000, (0.05, 0.15)


@pytest.mark.parametrize("name", TABLES)
def test_turned_labels(realdata: Path, name: str) -> None:
    frame = pd.read_csv(realdata / "data/finance" / name / f"{name}.csv.gz")
    frame = frame[frame["split"] == "train"].head(MOST_ROWS)
    y = frame[TABLES[name]].to_numpy(int)
    x = frame.drop(columns=[TABLES[name], "split"]).select_dtypes("number").to_numpy(float)
    for rate in RATES:
        wrong = np.random.default_rng(0).random(len(y)) < rate
        report = find_noise(x, np.where(wrong, 1 - y, y))
        print(f"\n{name}, {rate:.0%} turned ({wrong.sum()} of {len(y)})")
        for rule, choose in RULES.items():
            chosen = choose(report.label_error_B, report.anomaly_B >= report.odd)
            found = chosen[wrong].mean()
            print(f"  rule {rule:7s} names {chosen.sum():5d}: precision {wrong[chosen].mean():.3f}, finds {found:.3f}")
        for how, suspicion in rankings(report).items():
            first = np.argsort(-suspicion, kind="stable")[: wrong.sum()]
            print(f"  the first {wrong.sum()} by {how}: precision {wrong[first].mean():.3f}")
        assert wrong[report.label_error_B].mean() > rate


def rankings(report: NoiseReport) -> dict[str, np.ndarray]:
    return {
        "forecast": report.priority_B,
        "anomaly": report.anomaly_B,
        "the mean of both": report.priority_B + report.anomaly_B,
    }
