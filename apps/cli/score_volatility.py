"""`assay score` of a volatility model: a forecast for the trading day after each row."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from apps.cli.console import emit_json, emit_table, note, progress_bar
from apps.engines import engine_for
from apps.settings import Settings
from apps.store.tables import Model
from core.errors import InputError
from data.tables import TableWriter, read_table

if TYPE_CHECKING:
    import pandas as pd

LAST_SHOWN = 5  # forecasts on the terminal


def score_volatility(settings: Settings, model: Model, data: Path, out: Path, *, as_json: bool) -> None:
    """Write a row a row of the table: time, variance_pct2, volatility_annual_pct, model, model_version, error.

    A forecast is for the trading day after the row. InputError, and no file, where not one row has a forecast.
    """
    from pipelines.finance.volatility import columns_of, score_series  # noqa: PLC0415  (torch)

    started = time.monotonic()
    engine = engine_for(settings, model)
    with progress_bar(f"scoring {data.name}"):
        table = read_table(data, text=[columns_of(engine).time])
        scored, mended = score_series(table.frame, engine)
    done = scored["variance_pct2"].notna()
    failed = int((~done).sum())
    if failed == len(scored):
        raise InputError(
            f"{data}: not one of {failed} rows could be forecast from; the first: {scored['error'].iloc[0]}"
        )
    scored.insert(3, "model", model.name)
    scored.insert(4, "model_version", model.version)
    with TableWriter(out) as writer:
        writer.write(scored)
    seconds = time.monotonic() - started
    for words in mended:
        note(f"{data}: {words}")
    if failed:
        note(f"{failed} of {len(scored)} rows have no forecast; column error of {out} says why")
    if as_json:
        told = {"model": model.name, "model_version": model.version, "out": str(out), "seconds": round(seconds, 2)}
        emit_json({**told, "rows": len(scored), "failed": failed})
        return
    emit_table(f"newest forecasts by {model.name}@{model.version}", *_newest(scored[done]))
    note(f"wrote {out} in {seconds:.1f} s")


def _newest(scored: "pd.DataFrame") -> tuple[tuple[str, ...], list[tuple[str, str, str]]]:
    last = scored.sort_values("time").tail(LAST_SHOWN)
    rows = [
        (str(row.time), f"{row.variance_pct2:.4f}", f"{row.volatility_annual_pct:.2f}")
        for row in last.itertuples(index=False)
    ]
    return ("after the close of", "variance of the next day, percent^2", "volatility, percent a year"), rows
