"""The preset full beside fast, LightGBM, XGBoost and LightGBM tuned by 50 trials, on the test split, three seeds.

Run all: pytest tests/benchmarks/test_credit_full.py -m bench -s. One table: -k heloc. The last test pools the tables
that ran, at whatever time.
"""

import time
from pathlib import Path

import numpy as np
import pytest

from core.metrics.binary import auc, ece, ks
from core.runtime.engine import Engine
from data.spec import FeatureSpec
from pipelines.finance.credit import CreditOptions, train_credit
from pipelines.finance.features import extract, to_batch
from tests.benchmarks.credit_peers import (
    TABLES,
    gain_draws,
    interval,
    lightgbm_margin,
    parts_of,
    splits,
    tuned_margin,
    xgboost_margin,
)

pytestmark = [pytest.mark.bench, pytest.mark.realdata, pytest.mark.timeout(7200)]
SEEDS = (0, 1, 2)
KEPT = "assay/credit_full/"  # in pytest's cache: by table, then by peer, the gain and its draws


@pytest.mark.parametrize("name", TABLES)
def test_full_beside_the_peers(realdata: Path, tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    target, id_column = TABLES[name]
    frames = list(splits(realdata, name))
    parts, y = parts_of(frames, target, id_column), frames[2][target].to_numpy(float)
    found: dict[str, list[np.ndarray]] = {"full": [], "full, no exits": [], "fast": [], "lightgbm": [], "xgboost": []}
    for seed in SEEDS:
        for preset in ("fast", "full"):
            options = CreditOptions(target=target, id_column=id_column, seed=seed, preset=preset)
            started, cpu = time.perf_counter(), time.process_time()
            folder = tmp_path / f"{preset}{seed}"
            bundle = train_credit(frames[0], frames[1], options, folder, lambda share, words: None)
            spent = f"{time.perf_counter() - started:.0f} s by the clock"
            spent += f", {time.process_time() - cpu:.0f} s of processor"
            engine = Engine.open(bundle, device="cpu", threads=1)
            table = extract(frames[2], FeatureSpec.from_json(bundle.manifest.spec)).values
            prediction = engine.predict(to_batch(table))
            found[preset].append(prediction.probability)
            if preset == "full":
                found["full, no exits"].append(engine.patient().predict(to_batch(table)).probability)
                stack = bundle.manifest.about["stack"]
                leaving = np.mean(prediction.outputs["exit"] == 0) if "exit" in prediction.outputs else 1.0
                weights = f"weights {stack['trees']:.2f} trees, {stack['networks']:.2f} networks"
                print(f"\n{name} seed {seed}: {spent}; {weights}; {leaving:.0%} of the rows leave at the trees")
        found["lightgbm"].append(lightgbm_margin(parts, seed)[1])
        found["xgboost"].append(xgboost_margin(parts, seed))
    tuned, chosen = tuned_margin(parts, 0)
    found["tuned"] = [tuned] * len(SEEDS)
    aucs = {who: [auc(y, p) for p in answers] for who, answers in found.items()}
    for who, values in aucs.items():
        others = f"ks {np.mean([ks(y, p) for p in found[who]]):.3f}"
        if who in ("full", "fast"):
            others += f" ece {np.mean([ece(y, p) for p in found[who]]):.4f}"
        print(f"  {who:15s} auc {np.mean(values):.4f} ({', '.join(f'{v:.4f}' for v in values)}) {others}", flush=True)
    print(f"  tuned: {chosen}")
    better = max(("lightgbm", "xgboost"), key=lambda who: np.mean(aucs[who]))
    gains: dict[str, tuple[float, list[float]]] = {}
    for who in (better, "tuned", "fast"):
        draws, gain = gain_draws(y, found["full"], found[who]), float(np.mean(aucs["full"]) - np.mean(aucs[who]))
        gains["better" if who == better else who] = gain, draws.tolist()
        print(f"  full less {who}: {interval(draws, gain)}")
    request.config.cache.set(KEPT + name, gains)
    assert all(len(p) == len(y) for answers in found.values() for p in answers)


def test_pooled_gain(request: pytest.FixtureRequest) -> None:
    """The tables' gains, each resampled by itself: the plain mean, and the mean weighted by precision."""
    found = {name: request.config.cache.get(KEPT + name, None) for name in TABLES}
    ran = [gains for gains in found.values() if gains is not None]
    for who in ran[0] if ran else ():
        draws, gains = np.asarray([one[who][1] for one in ran]), np.asarray([one[who][0] for one in ran])
        precision = 1 / draws.var(axis=1)
        for how, weights in (("equal weights", np.ones(len(ran))), ("by precision", precision)):
            share = weights / weights.sum()
            words = interval(share @ draws, float(share @ gains))
            print(f"\npooled over {len(ran)} tables, {how}, full less {who}: {words}")
