"""Updates in a row beside no update, retraining on the new part alone, and retraining on all: new regime and old ones.

A table is cut into five parts by an attribute, from its highest fifth to its lowest: each part is a regime of its own
(another rate, another mix of customers), and comes as one period. After the first, every way gets the next part.
Printed after each step: log loss at the rows' own base rate, and AUC, on the new part's test rows and on those of all
earlier parts; then, after the last, differences with 95 % intervals by paired bootstrap.

Run: pytest tests/benchmarks/test_update.py -m bench -s.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from core.metrics.binary import auc
from core.runtime.engine import Engine
from core.train.continual import ElasticOptions
from data.spec import FeatureSpec, infer_spec
from data.tables import read_table
from pipelines.finance.boosting import TrainingRows, make_folds
from pipelines.finance.credit import CreditOptions, train_credit, update_credit
from pipelines.finance.features import extract, to_batch
from pipelines.finance.forgetting import at_rate
from pipelines.finance.network import FoldNets, LearningRows, fit_networks, margins_of, table_options
from pipelines.finance.network_options import NetworkOptions
from pipelines.finance.network_update import UpdateOptions, continue_networks
from pipelines.finance.reference import Reference, read_reference
from pipelines.finance.update import Base

pytestmark = [pytest.mark.bench, pytest.mark.realdata, pytest.mark.timeout(3600)]
TABLES = {  # target, what cuts, rows used
    "taiwan_default": ("default_next_month", "LIMIT_BAL", 21_000),
    "gmsc": ("SeriousDlqin2yrs", "age", 30_000),
}
DROPPED = ["split", "ID", "row_id"]
PARTS = 5
DRAWS = 500
SMALL = NetworkOptions(token=8, frequencies=8, width=64, members=4, depth=1, most_epochs=20)
NET_ROWS = 1_500  # of a part's training rows, for the networks alone
NETS = 3


@dataclass(frozen=True)
class Part:
    """One period: rows that are learned from, rows that validate, rows that test."""

    train: pd.DataFrame
    valid: pd.DataFrame
    test: pd.DataFrame


def parts_of(realdata: Path, name: str) -> list[Part]:
    target, cutting, most = TABLES[name]
    frame = read_table(realdata / "data/finance" / name / f"{name}.csv.gz").frame
    frame = frame.drop(columns=[column for column in DROPPED if column in frame])
    frame = (
        frame[frame[target].notna()].sample(most, random_state=0).sort_values(cutting, ascending=False, kind="stable")
    )
    rng, parts = np.random.default_rng(0), []
    for rows in np.array_split(np.arange(len(frame)), PARTS):
        order = rng.permutation(rows)
        cuts = (np.asarray([0.55, 0.7]) * len(order)).astype(int)
        parts.append(Part(*(frame.iloc[piece].reset_index(drop=True) for piece in np.split(order, cuts))))
    return parts


def silent(share: float, words: str) -> None:
    pass


def losses(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    z = at_rate(z, y)
    return np.logaddexp(0, z) - y * z


def entry(z: list[np.ndarray], y: list[np.ndarray]) -> str:
    """Loss and AUC, each the mean over parts: a part's base rate tells the parts apart, which is no merit."""
    loss = np.mean([losses(a, b).mean() for a, b in zip(z, y, strict=True)])
    area = np.mean([auc(b, a) for a, b in zip(z, y, strict=True)])
    return f"{loss:.4f} {area:.4f}"


def difference(one: list[np.ndarray], other: list[np.ndarray], y: list[np.ndarray]) -> str:
    """Loss of one less that of the other, mean over parts, with its interval by paired bootstrap."""
    gone = [losses(a, b) - losses(c, b) for a, c, b in zip(one, other, y, strict=True)]
    rng = np.random.default_rng(0)
    drawn = [np.mean([part[rng.integers(0, len(part), len(part))].mean() for part in gone]) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{np.mean([part.mean() for part in gone]):+.4f} [{low:+.4f}, {high:+.4f}]"


Asking = Callable[[pd.DataFrame], np.ndarray]  # log-odds of rows
Step = Callable[[int], Asking]  # the model that a way has after this part


def run(parts: list[Part], target: str, ways: dict[str, Step], own: str) -> None:
    """Give every way one part after the other and print what it knows of new and old."""
    last: dict[str, Asking] = {}
    y = [part.test[target].to_numpy(float) for part in parts]
    for at in range(1, PARTS):
        print(f"\npart {at}: rate {y[at].mean():.3f}, old {np.mean([b.mean() for b in y[:at]]):.3f}; loss and AUC")
        for name, step in ways.items():
            last[name] = step(at)
            z = [last[name](part.test) for part in parts[: at + 1]]
            print(f"  {name:28s} new {entry(z[at:], y[at : at + 1])}   old {entry(z[:at], y[:at])}", flush=True)
    found = {name: [ask(part.test) for part in parts] for name, ask in last.items()}
    print(f"\nafter the last part, {own} less the other: log loss on the new part; on the old ones")
    for name, z in found.items():
        if name != own:
            new = difference(found[own][-1:], z[-1:], y[-1:])
            print(f"  {name:28s} {new}; {difference(found[own][:-1], z[:-1], y[:-1])}")


@pytest.mark.parametrize("name", TABLES)
def test_updates_of_fast_in_a_row(realdata: Path, tmp_path: Path, name: str) -> None:
    target, parts = TABLES[name][0], parts_of(realdata, name)
    options = CreditOptions(target=target)

    def asking(engine: Engine, spec: FeatureSpec) -> Asking:
        def ask(rows: pd.DataFrame) -> np.ndarray:
            p = engine.predict(to_batch(extract(rows, spec).values)).probability
            return np.log(p) - np.log1p(-p)

        return ask

    def trained(upto: range) -> Asking:
        train = pd.concat([parts[at].train for at in upto], ignore_index=True)
        valid = pd.concat([parts[at].valid for at in upto], ignore_index=True)
        folder = tmp_path / f"trained-{upto.start}-{upto.stop}"
        bundle = train_credit(train, valid, options, folder, silent, tmp_path / "first.parquet")
        return asking(Engine.open(bundle, threads=1), FeatureSpec.from_json(bundle.manifest.spec))

    state: list[tuple[Engine, Path]] = []
    first = trained(range(1))
    state.append((Engine.open(tmp_path / "trained-0-1", threads=1), tmp_path / "first.parquet"))
    (tmp_path / "first.parquet").rename(tmp_path / "kept-0.parquet")

    def update(at: int) -> Asking:
        base = Base(engine=state[-1][0], kind="credit", name="loans", version=at)
        rows = read_reference(tmp_path / f"kept-{at - 1}.parquet", base.spec)
        reference = Reference(frame=rows, source="kept", limit=1.0, kept=rows)
        kept = tmp_path / f"kept-{at}.parquet"
        bundle = update_credit(base, reference, parts[at].train, parts[at].valid, options, tmp_path / f"updated-{at}",
                               silent, kept)  # fmt: skip
        forgot = bundle.manifest.about["update"]["reference"]["forgotten"]
        print(f"  the gate saw {forgot['value']:+.3f} [{forgot['low']:+.3f}, {forgot['high']:+.3f}] forgotten")
        state.append((Engine.open(bundle, threads=1), kept))
        return asking(state[-1][0], base.spec)

    ways: dict[str, Step] = {
        "no update": lambda at: first,
        "update": update,
        "new part alone": lambda at: trained(range(at, at + 1)),
        "all parts": lambda at: trained(range(at + 1)),
    }
    run(parts, target, ways, "update")


def test_updates_of_networks_in_a_row(realdata: Path) -> None:
    target, parts = TABLES["taiwan_default"][0], parts_of(realdata, "taiwan_default")
    spec = infer_spec(parts[0].train, target=target)
    torch.set_num_threads(1)

    def rows_of(upto: range) -> LearningRows:
        rows = pd.concat([parts[at].train.iloc[:NET_ROWS] for at in upto], ignore_index=True)
        x, y = extract(rows, spec).values, rows[target].to_numpy(float)
        return LearningRows(x_BF=x, y_B=y, folds=make_folds(TrainingRows(x_BF=x, y_B=y), 0, NETS))

    def asking(served: FoldNets) -> Asking:
        return lambda rows: margins_of(served, extract(rows, spec).values).mean(axis=0)

    def fitted(upto: range) -> FoldNets:
        rows = rows_of(upto)
        table = table_options(spec, rows.x_BF, SMALL)
        cpu = torch.device("cpu")
        return fit_networks(rows, table, SMALL, seed=0, device=cpu, folder=None, progress=silent).served

    first = fitted(range(1))

    def learning(options: UpdateOptions) -> Step:
        state = [deepcopy(first)]

        def step(at: int) -> Asking:
            served, rows, cpu = deepcopy(state[-1]), rows_of(range(at, at + 1)), torch.device("cpu")
            continue_networks(served, rows, SMALL, options, seed=0, device=cpu, folder=None, progress=silent, origin="")
            state.append(served)
            return asking(served)

        return step

    ways: dict[str, Step] = {
        "no update": lambda at: asking(first),
        "elastic, .9 least frozen": learning(UpdateOptions()),
        "elastic, .9 most frozen": learning(UpdateOptions(elastic=ElasticOptions(frozen="most"))),
        "plain fine-tuning": learning(UpdateOptions(elastic=ElasticOptions(share=0.0))),
        "plain, at the full rate": learning(UpdateOptions(elastic=ElasticOptions(share=0.0), lr=SMALL.lr)),
        "new part alone": lambda at: asking(fitted(range(at, at + 1))),
        "all parts": lambda at: asking(fitted(range(at + 1))),
    }
    run(parts, target, ways, "elastic, .9 least frozen")
