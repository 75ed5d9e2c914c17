"""Fraud models beside the peer in the same run: average precision, AUC, cards a day, with paired bootstrap.

Whole days are drawn for the queue, single transactions for the rest. Beside each metric stands its ceiling: what a
forecast would reach that knew everything but the frauds at terminals of which no fraud is known yet.

Run: ASSAY_FRAUD_PRESETS=fast,full ASSAY_FRAUD_SEEDS=3 pytest tests/benchmarks/test_fraud.py -m bench -s
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.metrics.binary import auc, auc_of, average_precision, average_precision_of, count, rank
from core.runtime.engine import Engine
from pipelines.finance.features import extract, to_batch
from pipelines.finance.fraud import ledger_of, train_fraud
from pipelines.finance.fraud_options import FraudOptions
from pipelines.finance.fraud_queue import Judgements, card_days, ceiling_by_day, precision_by_day
from tests.benchmarks.fraud_peer import peer_forecast, peer_table, xgboost_forecast

pytestmark = [pytest.mark.bench, pytest.mark.realdata, pytest.mark.timeout(7200)]
SEEDS = int(os.environ.get("ASSAY_FRAUD_SEEDS", "3"))
PRESETS = os.environ.get("ASSAY_FRAUD_PRESETS", "fast").split(",")
DRAWS, CARDS, DELAY = 300, 100, np.timedelta64(7, "D")


@pytest.fixture(scope="module")
def cards(realdata: Path) -> pd.DataFrame:
    folder = realdata / "data" / "finance" / "card_transactions"
    return pd.read_parquet(folder / "card_transactions_2018-04_to_08.parquet")


@dataclass(frozen=True)
class Answer:
    """Forecasts of the test rows, and of val where they were made too."""

    name: str
    p: np.ndarray
    seconds: float
    valid: float


def options_of(preset: str, seed: int) -> FraudOptions:
    return FraudOptions(
        target="is_fraud",
        time="datetime",
        amount="amount_cents",
        entity="customer_id",
        counterparts=("terminal_id",),
        id_column="transaction_id",
        ignore=("fraud_scenario", "split"),
        preset=preset,  # type: ignore[arg-type]
        seed=seed,
    )


def ours(cards: pd.DataFrame, parts: dict[str, np.ndarray], preset: str, seed: int, folder: Path) -> Answer:
    start = time.perf_counter()
    bundle = train_fraud(
        cards, parts["train"], parts["val"], options_of(preset, seed), folder, lambda share, words: None
    )
    seconds = time.perf_counter() - start
    engine = Engine.open(bundle, device="cpu")
    told = bundle.manifest.metrics["validation"]["average_precision"]["value"]
    about = bundle.manifest.about
    print(f"  {preset} {seed}: {about['rounds']} rounds, stack {about.get('stack')}, network {about.get('network')}")
    return Answer(f"Assay {preset}", forecast(cards, parts["test"], engine), seconds, told)


def forecast(cards: pd.DataFrame, wanted: np.ndarray, engine: Engine) -> np.ndarray:
    from data.spec import FeatureSpec

    cases = ledger_of(cards, engine).cases(wanted)
    gated = extract(cases.table(), FeatureSpec.from_json(engine.bundle.manifest.spec))
    assert not gated.errors
    return engine.predict(to_batch(gated.values)).probability


def compromised(cards: pd.DataFrame) -> np.ndarray:
    """Rows of cards with a fraud whose label is known by then."""
    first = cards["datetime"].where(cards["is_fraud"] == 1).groupby(cards["customer_id"]).transform("min")
    return (cards["datetime"] >= first + DELAY).fillna(False).to_numpy(dtype=bool)


def unforeseen(cards: pd.DataFrame) -> np.ndarray:
    """Frauds at a compromised terminal of which no fraud is known yet: nothing tells them from good transactions."""
    ours = cards[cards["fraud_scenario"] == 2]
    found = np.zeros(len(cards), dtype=bool)
    for _, rows in ours.groupby("terminal_id"):
        times = rows["datetime"].to_numpy()
        known = np.searchsorted(times, times - DELAY, side="right") - 1
        told = (known >= 0) & (times - times[known] < np.timedelta64(28, "D"))
        found[rows.index.to_numpy()] = ~told
    return found


def test_card_transactions_beside_the_peer(cards: pd.DataFrame, tmp_path: Path) -> None:
    y = cards["is_fraud"].to_numpy(dtype=np.float64)
    parts = {part: (cards["split"] == part).to_numpy() for part in ("train", "val", "test")}
    start = time.perf_counter()
    x = peer_table(cards)
    made = time.perf_counter() - start
    answers: list[Answer] = []
    for seed in range(SEEDS):
        valid, test, seconds = peer_forecast(x, y, parts, seed)
        answers.append(Answer("LightGBM, 22 windows", test, seconds + made, average_precision(y[parts["val"]], valid)))
    del x
    for preset in PRESETS:
        for seed in range(SEEDS if preset == "fast" else 1):
            answers.append(ours(cards, parts, preset, seed, tmp_path / f"{preset}{seed}"))
    test = parts["test"]
    report(cards[test], y[test], compromised(cards)[test], unforeseen(cards)[test], answers)


def report(rows: pd.DataFrame, y: np.ndarray, known: np.ndarray, unseen: np.ndarray, answers: list[Answer]) -> None:
    best = np.where(unseen, 0.0, y) + 1e-9 * np.random.default_rng(0).random(len(y))
    counts = f"{len(y):,} test rows, {int(y.sum()):,} frauds, {int(unseen.sum())} of them unforeseen"
    print(f"\n{counts}; load {os.getloadavg()[0]:.1f}")
    ceilings = [Answer("ceiling, unforeseen ones left out", best, 0.0, 1.0), Answer("perfect", y, 0.0, 1.0)]
    for answer in (*answers, *ceilings):
        kept, new = queues(rows, y, known, answer.p)
        print(
            f"{answer.name:34} AP {average_precision(y, answer.p):.4f} (val {answer.valid:.4f}) "
            f"AUC {auc(y, answer.p):.4f} cards {kept.mean():.4f}, new cards {new.mean():.4f}, {answer.seconds:.0f} s"
        )
    names = list(dict.fromkeys(answer.name for answer in answers))
    means = {name: np.mean([a.p for a in answers if a.name == name], axis=0) for name in names}
    pairs = [(name, [a for a in answers if a.name == name]) for name in names]
    peers = pairs[0][1]
    for name, own in pairs[1:]:
        for at, (mine, theirs) in enumerate(zip(own, peers, strict=False)):
            print(f"{name} less the peer, seed {at}: {differences(rows, y, known, mine.p, theirs.p)}")
    for name, p in means.items():
        print(f"mean of seeds, {name}: AP {average_precision(y, p):.4f} AUC {auc(y, p):.4f}")


def queues(rows: pd.DataFrame, y: np.ndarray, known: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Card precision of each day, with all cards in the queue and with those that are not known."""
    judged = Judgements(
        time_B=rows["datetime"].to_numpy().astype("datetime64[ms]").astype(np.int64),
        card_B=rows["customer_id"].to_numpy(dtype=np.int64),
        known_B=known,
        y_B=y,
        p_B=p,
    )
    kept, new = card_days(judged), card_days(judged.without_known())
    assert (precision_by_day(kept, CARDS) <= ceiling_by_day(kept, CARDS)).all()
    return precision_by_day(kept, CARDS), precision_by_day(new, CARDS)


def differences(rows: pd.DataFrame, y: np.ndarray, known: np.ndarray, mine: np.ndarray, theirs: np.ndarray) -> str:
    """Paired bootstrap: the same draws for both."""
    rng, found = np.random.default_rng(0), []
    ranked = [rank(y, p) for p in (mine, theirs)]
    for _ in range(DRAWS):
        weight = np.bincount(rng.integers(0, len(y), len(y)), minlength=len(y)).astype(np.float64)
        a, b = (count(r, weight[r.order_B]) for r in ranked)
        found.append((average_precision_of(a) - average_precision_of(b), auc_of(a) - auc_of(b)))
    both = zip(queues(rows, y, known, mine), queues(rows, y, known, theirs), strict=True)
    days = [my_days - their_days for my_days, their_days in both]
    drawn = rng.integers(0, len(days[0]), (DRAWS, len(days[0])))
    texts = []
    values = [average_precision(y, mine) - average_precision(y, theirs), auc(y, mine) - auc(y, theirs)]
    for name, value, draws in zip(("AP", "AUC"), values, np.asarray(found).T, strict=True):
        texts.append(_interval(name, value, draws))
    for name, day in zip(("cards", "new cards"), days, strict=True):
        texts.append(_interval(name, day.mean(), day[drawn].mean(axis=1)))
    return ", ".join(texts)


def _interval(name: str, value: float, draws: np.ndarray) -> str:
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{name} {value:+.4f} [{low:+.4f}, {high:+.4f}]"


def test_transactions_without_an_entity_beside_the_peers(realdata: Path, tmp_path: Path) -> None:
    """ulb_sample: two days of transactions whose cards are unknown, so the columns alone speak."""
    frame = pd.read_csv(realdata / "data" / "finance" / "ulb_sample" / "ulb_sample.csv.gz")
    parts = {part: (frame["split"] == part).to_numpy() for part in ("train", "val", "test")}
    y, x = frame["Class"].to_numpy(dtype=np.float64), frame.drop(columns=["Class", "split"]).to_numpy()
    answers: dict[str, list[np.ndarray]] = {"LightGBM": [], "XGBoost": [], "Assay": []}
    for seed in range(SEEDS):
        answers["LightGBM"].append(peer_forecast(x, y, parts, seed)[1])
        answers["XGBoost"].append(xgboost_forecast(x, y, parts, seed))
        options = FraudOptions(target="Class", time="Time", amount="Amount", ignore=("split",), seed=seed)
        bundle = train_fraud(
            frame, parts["train"], parts["val"], options, tmp_path / str(seed), lambda share, words: None
        )
        answers["Assay"].append(forecast(frame, parts["test"], Engine.open(bundle, device="cpu")))
    y = y[parts["test"]]
    print(f"\nulb_sample, {len(y)} test rows, {int(y.sum())} frauds")
    for name, forecasts in answers.items():
        precision = [average_precision(y, p) for p in forecasts]
        print(f"{name:9} AP {np.mean(precision):.4f} ({', '.join(f'{ap:.4f}' for ap in precision)})")
    for name in ("LightGBM", "XGBoost"):
        rng, draws = np.random.default_rng(0), []
        ranked = [[rank(y, p) for p in answers[which]] for which in ("Assay", name)]
        for _ in range(DRAWS):
            weight = np.bincount(rng.integers(0, len(y), len(y)), minlength=len(y)).astype(np.float64)
            mine, theirs = (np.mean([average_precision_of(count(r, weight[r.order_B])) for r in of]) for of in ranked)
            draws.append(mine - theirs)
        value = np.mean([average_precision(y, p) for p in answers["Assay"]])
        value -= np.mean([average_precision(y, p) for p in answers[name]])
        print(f"Assay less {name}: {_interval('AP', value, np.asarray(draws))}")
