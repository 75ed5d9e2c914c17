"""Company models beside LightGBM and XGBoost on raw columns: same rows, test split, three seeds, paired bootstrap.

Run: pytest tests/benchmarks/test_company.py -m bench -s. One table and preset: -k "polish and fast".
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.metrics.binary import auc, ece, ks
from core.runtime.engine import Engine
from data.tables import read_table
from pipelines.finance.boosting import Preset
from pipelines.finance.company import score_company, train_company
from pipelines.finance.company_plan import CompanyOptions
from tests.benchmarks.credit_peers import Parts, gain_draws, interval, lightgbm_margin, xgboost_margin

pytestmark = [pytest.mark.bench, pytest.mark.realdata, pytest.mark.timeout(7200)]
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Table:
    """A table, its options, and which rows train, validate and test."""

    options: CompanyOptions
    train: Mapping[str, str]
    valid: Mapping[str, str]
    test: Mapping[str, str]
    history: Mapping[str, str]  # rows that may be history of the test rows


TABLES = {
    "american_bankruptcy": Table(
        CompanyOptions(target="failed", id_column="company_id", period="fyear", ignore=("split",), unit=1e6),
        {"split": "train"},
        {"split": "val"},
        {"split": "test"},
        {"split": "test"},
    ),
    "polish_5year": Table(
        CompanyOptions(target="bankrupt", ignore=("split",)),
        {"split": "train"},
        {"split": "val"},
        {"split": "test"},
        {"split": "test"},
    ),
    "zh_listed_financials": Table(
        CompanyOptions(target="next_year_loss", id_column="证券代码", period="年份", ignore=("split",)),
        {"split": "train", "年份": "2019"},
        {"split": "val", "年份": "2019"},
        {"split": "test", "年份": "2020"},
        {"split": "test"},
    ),
}


def rows(realdata: Path, name: str, where: Mapping[str, str]) -> pd.DataFrame:
    id_column = TABLES[name].options.id_column
    path = realdata / "data/finance" / name / f"{name}.csv.gz"
    return read_table(path, where=where, text=[id_column] if id_column else []).frame


def peer_columns(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """What the peers see: of american_bankruptcy one row a company: year, last figures, to assets, one-year change."""
    options = TABLES[name].options
    keys = [column for column in (options.id_column, options.period) if column]
    if name != "american_bankruptcy":
        return frame.drop(columns=["split", *keys]).select_dtypes("number")
    frame = frame.sort_values(keys, kind="stable").reset_index(drop=True)
    figures = frame.drop(columns=["split", options.target, *keys])
    assets = figures["total_assets"].where(figures["total_assets"] != 0)
    before = figures.groupby(frame[keys[0]]).shift(1)
    change = (figures / before.where(before != 0) - 1).add_suffix("_change")
    ratios = figures.drop(columns="total_assets").div(assets, axis=0).add_suffix("_to_assets")
    last = ~frame[keys[0]].duplicated(keep="last")
    return pd.concat([figures, ratios, change, frame[[keys[1], options.target]]], axis=1)[last].reset_index(drop=True)


def peers(realdata: Path, name: str) -> Parts:
    table = TABLES[name]
    frames = [peer_columns(name, rows(realdata, name, where)) for where in (table.train, table.valid, table.test)]
    frames = [frame[frame[table.options.target].notna()] for frame in frames]
    target = table.options.target
    return Parts(tuple(f.drop(columns=target) for f in frames), tuple(f[target].to_numpy(float) for f in frames))


def answers(engine: Engine, realdata: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of the test rows that have a label, in the peers' order."""
    table, options = TABLES[name], TABLES[name].options
    frame = rows(realdata, name, table.history)
    if name == "american_bankruptcy":
        frame = frame.sort_values([options.id_column, options.period], kind="stable").reset_index(drop=True)
    scored = score_company(frame, engine, ids=[str(row) for row in range(len(frame))], reasons=0).frame
    assert scored["error"].isna().all()
    judged = frame.iloc[scored["id"].astype(int).to_numpy()].reset_index(drop=True)
    wanted = judged[options.target].notna().to_numpy()
    for column, value in table.test.items():
        wanted = wanted & (judged[column].astype(str) == value).to_numpy()
    return scored["probability"].to_numpy()[wanted], judged[options.target].to_numpy(float)[wanted]


@pytest.mark.parametrize("preset", ["fast", "full"])
@pytest.mark.parametrize("name", TABLES)
def test_company_models_beside_the_peers(realdata: Path, tmp_path: Path, name: str, preset: Preset) -> None:
    table = TABLES[name]
    parts = peers(realdata, name)
    y = parts.y[2]
    found: dict[str, list[np.ndarray]] = {preset: [], "lightgbm": [], "xgboost": []}
    for seed in SEEDS:
        options = replace(table.options, seed=seed, preset=preset)
        started, cpu = time.perf_counter(), time.process_time()
        train, valid = (rows(realdata, name, where) for where in (table.train, table.valid))
        bundle = train_company(train, valid, options, tmp_path / str(seed), lambda share, words: None)
        spent = f"{time.perf_counter() - started:.0f} s by the clock, {time.process_time() - cpu:.0f} s of processor"
        p, labels = answers(Engine.open(bundle, device="cpu", threads=1), realdata, name)
        assert np.array_equal(labels, y)
        found[preset].append(p)
        found["lightgbm"].append(lightgbm_margin(parts, seed)[1])
        found["xgboost"].append(xgboost_margin(parts, seed))
        about = bundle.manifest.about
        print(f"\n{name} {preset} seed {seed}: {spent}; {about['columns']}; {about.get('stack')}", flush=True)
    aucs = {who: [auc(y, p) for p in answers] for who, answers in found.items()}
    for who, values in aucs.items():
        others = f"ks {np.mean([ks(y, p) for p in found[who]]):.3f}"
        others += f" ece {np.mean([ece(y, p) for p in found[who]]):.4f}" if who == preset else ""
        print(f"  {who:10s} auc {np.mean(values):.4f} ({', '.join(f'{v:.4f}' for v in values)}) {others}", flush=True)
    for who in ("lightgbm", "xgboost"):
        draws = gain_draws(y, found[preset], found[who])
        print(
            f"  {preset} less {who}: {interval(draws, float(np.mean(aucs[preset]) - np.mean(aucs[who])))}", flush=True
        )


def test_the_base_rate_mends_the_probabilities(realdata: Path, tmp_path: Path) -> None:
    name = "american_bankruptcy"
    table = TABLES[name]
    train, valid, test = (rows(realdata, name, where) for where in (table.train, table.valid, table.test))
    rate = float(test.groupby("company_id")[table.options.target].first().mean())
    unlabelled = test.drop(columns=table.options.target)
    for what, options, population in (
        ("as validated", table.options, None),
        ("base rate given", replace(table.options, base_rate=round(rate, 3)), None),
        ("estimated without labels", table.options, unlabelled),
    ):
        bundle = train_company(train, valid, options, tmp_path / what, lambda share, words: None, population)
        p, y = answers(Engine.open(bundle, device="cpu", threads=1), realdata, name)
        base = bundle.manifest.about["base_rate"]
        print(f"\n{what}: ece {ece(y, p):.4f}, mean {p.mean():.4f} for {y.mean():.4f}; {base}", flush=True)
