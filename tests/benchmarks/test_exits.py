"""Early exits of the preset full: saved operations and time against lost quality, on rows that chose nothing.

The bands are set on the validation rows for every tolerance, and judged on the test rows.
"""

import time
from pathlib import Path

import numpy as np
import pytest

from core.runtime.engine import Engine
from data.spec import FeatureSpec
from pipelines.finance.credit import CreditOptions, train_credit
from pipelines.finance.exits import ExitRows, exit_costs, set_bands
from pipelines.finance.features import extract, to_batch
from pipelines.finance.judging import TOLERANCES
from pipelines.finance.scorecard import Policy
from tests.benchmarks.credit_peers import TABLES, splits

pytestmark = [pytest.mark.bench, pytest.mark.realdata, pytest.mark.timeout(3600)]
CASES = 400


def margins(engine: Engine, x_BF: np.ndarray) -> np.ndarray:
    """Margins (S, B) of every stage for every row."""
    assert engine.combination is not None
    stages = engine.combination.stages
    return np.stack([engine.runners[stage.part].run({"table": x_BF})[stage.output] for stage in stages]).astype(float)


def one_by_one(engine: Engine, x_BF: np.ndarray) -> str:
    """Times of single cases."""
    spent = []
    for row in x_BF[:CASES]:
        started = time.perf_counter()
        engine.predict(to_batch(row[None]))
        spent.append(time.perf_counter() - started)
    p50, p99 = np.quantile(spent[10:], [0.5, 0.99]) * 1000
    return f"p50 {p50:.2f}, p99 {p99:.2f} ms"


def whole(engine: Engine, x_BF: np.ndarray) -> float:
    """Rows a second, the best of three."""
    spent = []
    for _ in range(3):
        started = time.perf_counter()
        engine.predict(to_batch(x_BF))
        spent.append(time.perf_counter() - started)
    return len(x_BF) / min(spent)


@pytest.mark.parametrize("name", ["heloc", "gmsc"])
def test_saved_operations_against_lost_quality(realdata: Path, tmp_path: Path, name: str) -> None:
    target, id_column = TABLES[name]
    frames = list(splits(realdata, name))
    options = CreditOptions(target=target, id_column=id_column, preset="full")
    bundle = train_credit(frames[0], frames[1], options, tmp_path / "bundle", lambda share, words: None)
    engine = Engine.open(bundle, device="cpu", threads=2)
    assert engine.combination is not None
    spec, zones = FeatureSpec.from_json(bundle.manifest.spec), Policy.from_json(bundle.manifest.decision).zones
    tables = [extract(frame, spec).values for frame in frames]
    chosen, judged = (
        ExitRows(margin_SB=margins(engine, tables[at]), y_B=frames[at][target].to_numpy(float)) for at in (1, 2)
    )
    print(f"\n{name}: tolerance, rows that leave, operations saved, then changes of log loss, AUC, decisions")
    for cost in exit_costs(engine.combination, chosen, judged, zones, TOLERANCES):
        changes = f"{cost.log_loss:+.5f} {cost.auc:+.5f} {cost.decisions:.2%}"
        print(f"  {cost.tolerance:g} {cost.leaving[0]:.0%} {cost.saved:.0%} {changes}")
        eager = set_bands(engine.combination, chosen, zones, cost.tolerance)
        assert np.isclose(cost.leaving[0], np.mean(eager.decide(judged.margin_SB).exit_B == 0))
    many = np.concatenate(tables)
    for who, of in (("with exits", engine), ("without", engine.patient())):
        print(f"  {who}: one case {one_by_one(of, tables[2])}; {whole(of, many):,.0f} rows/s of {len(many):,}")
