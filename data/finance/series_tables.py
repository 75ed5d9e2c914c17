"""`assay data make series`: daily prices of a made-up market, and short labelled series of accounts."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from core.errors import AssayError
from data.finance.labelled_series import LABELS, make_labelled_series
from data.finance.market_series import make_prices
from data.tables import TableWriter

ROWS_A_SERIES = 5  # prices for one labelled series

README = """# Series, made up
Made by `assay data make series --rows {rows} --seed {seed}`; the same command gives the same bytes. No real market,
firm or account is in them.

## prices.csv
{rows:,} trading days from {first} to {last}: weekdays without some holidays. Volatility follows a GJR-GARCH model with
a calm and a troubled regime and t-distributed innovations; the true variance is not written down.

| column | what it is |
|---|---|
| date | ISO |
| open, high, low, close | CNY; high is at least, low at most both open and close. Empty on {empty} days |
| volume | pieces; empty on the same days |
| split | by time: {days}; never a feature |

## series.csv
{series:,} series, one row a step ({steps:,} rows), in order of their beginning.

| column | what it is |
|---|---|
| series_id | S and a number that counts up |
| step | from 0 |
| time | ISO, local, irregular; always later than the step before |
| amount_cny | 0 or more; some are missing |
| total_cny | running sum of all amounts, missing ones too: it never falls; some are missing |
| utilization | share in 0..1; some are missing |
| abnormal | label of the step: 1 where the series is not itself. NEVER A FEATURE of a model of `label` |
| label | of the series |
| split | by the time of the first step, never a feature |

| label | series | what it is |
|---|---|---|
{labels}
"""


def make_series(
    folder: Path, *, rows: int, seed: int, progress: Callable[[float, str], None] = lambda share, words: None
) -> tuple[Path, ...]:
    """Write `prices.csv` of that many rows, `series.csv` of a fifth as many series, and `README.md`; return the paths.

    Same rows and seed, same bytes. Raises InputError for fewer rows than 250 or more than 30,000.
    """
    tables = {"prices.csv": make_prices(rows, seed), "series.csv": make_labelled_series(rows // ROWS_A_SERIES, seed)}
    for place, (name, frame) in enumerate(tables.items()):
        progress(place / len(tables), f"writing {name}")
        with TableWriter(folder / name) as writer:
            writer.write(frame)
    readme = folder / "README.md"
    try:
        readme.write_text(_readme(rows, seed, *tables.values()), encoding="utf-8")
    except OSError as error:
        raise AssayError(f"{readme} could not be written ({error.strerror}); give a folder with room") from error
    return *(folder / name for name in tables), readme


def _readme(rows: int, seed: int, prices: pd.DataFrame, series: pd.DataFrame) -> str:
    parts = prices.groupby("split")["date"].agg(["min", "max"]).sort_values("min")
    label = series.drop_duplicates("series_id")["label"].value_counts()
    return README.format(
        rows=rows,
        seed=seed,
        first=prices["date"].iloc[0],
        last=prices["date"].iloc[-1],
        empty=int(prices["close"].isna().sum()),
        days=", ".join(f"{name} {row['min']} to {row['max']}" for name, row in parts.iterrows()),
        series=int(label.sum()),
        steps=len(series),
        labels="\n".join(f"| {name} | {int(label[name])} | {words} |" for name, (_, words) in LABELS.items()),
    )
