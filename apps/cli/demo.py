"""`assay demo`: the whole loop on generated data, both domains, by the same commands that a user would type."""

import csv
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Annotated

import typer

from apps import cli
from apps.cards import page
from apps.cli.console import note
from apps.settings import load_settings
from core.errors import AssayError, InputError

ROWS, PICTURES, SHOWN = 20_000, 720, 24
FIRM_YEARS = 400
LINE = ["--texture", "painted", "--defects", "scratch,pit,stain,bump"]  # one product line, as a station sees it
PAYMENTS, ALERTS_A_DAY = 60_000, 3
CREDIT, FRAUD, SURFACES = "demo_credit", "demo_fraud", "demo_surfaces"

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="folder for the data, verdicts, heatmaps and reports")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="seed of data and training")] = 0,
) -> None:
    """Make data, train, evaluate, score a batch through a worker, find frauds, read reports, inspect pictures.

    Example: assay demo --out demo
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out takes a folder, but {out} is a file; name another")
    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    _credit(out, str(seed))
    _fraud(out, str(seed))
    _reports(out, str(seed))
    _surfaces(out, str(seed))
    index = out / "index.html"
    index.write_text(_index(out), encoding="utf-8")
    home = load_settings().home
    note(f"\nDone in {time.monotonic() - started:.0f} s. Open {index} for the reports.")
    note(f"The dashboards over the same data (home {home}): {Path(sys.argv[0])} up")


def _credit(out: Path, seed: str) -> None:
    table = str(out / "credit.csv")
    _assay("data", "make", "credit", "--out", str(out), "--rows", str(ROWS), "--seed", seed)
    columns = ["--target", "default_12m", "--id", "application_id"]
    rows = ["--where", "split=train", "--valid-where", "split=val"]
    _assay("train", "credit", "--data", table, *columns, *rows, "--name", CREDIT, "--seed", seed)
    _assay("evaluate", CREDIT, "--data", table, "--where", "split=test")
    with _worker():
        scored = str(out / "scored.csv")
        _assay("score", CREDIT, "--data", table, "--where", "split=test", "--out", scored, "--workers")
    _assay("models", "card", CREDIT, "--out", str(out / f"{CREDIT}.html"))


def _fraud(out: Path, seed: str) -> None:
    folder = out / "fraud"
    payments = str(folder / "transactions.csv")
    _assay("data", "make", "fraud", "--out", str(folder), "--rows", str(PAYMENTS), "--seed", seed)
    keys = ["--entity", "card_id", "--counterpart", "terminal_id", "--time", "time", "--amount", "amount"]
    columns = ["--target", "is_fraud", "--id", "transaction_id", *keys, "--ignore", "fraud_kind"]
    rows = ["--where", "split=train", "--valid-where", "split=val"]
    _assay("train", "fraud", "--data", payments, *columns, *rows, "--name", FRAUD, "--seed", seed)
    _assay("evaluate", FRAUD, "--data", payments, "--where", "split=test")
    alerts = ["--per-day", str(ALERTS_A_DAY), "--out", str(out / "alerts.csv")]
    _assay("alerts", FRAUD, "--data", payments, "--where", "split=test", *alerts)
    _assay("models", "card", FRAUD, "--out", str(out / f"{FRAUD}.html"))


def _reports(out: Path, seed: str) -> None:
    """Read one company's report of each country in every form, and those with a misprint, which the checks find."""
    folder, read = out / "reports", out / "reports_read"
    for old in (folder, read):
        shutil.rmtree(old, ignore_errors=True)
    _assay("data", "make", "reports", "--out", str(folder), "--rows", str(FIRM_YEARS), "--seed", seed)
    names = sorted(path.name for path in (folder / "filings").iterdir())
    firsts = [next((name[:7] for name in names if name.startswith(country)), country) for country in ("US", "CN")]
    shown = [str(folder / "filings" / name) for name in names if name.startswith(tuple(firsts)) or "_flawed" in name]
    _assay("report", "extract", *shown, "--out", str(read))


def _surfaces(out: Path, seed: str) -> None:
    folder, heatmaps = out / "surfaces", out / "heatmaps"
    for old in (folder, heatmaps):
        shutil.rmtree(old, ignore_errors=True)
    _assay("data", "make", "surfaces", "--out", str(folder), "--rows", str(PICTURES), *LINE, "--seed", seed)
    split = {part: str(folder / f"{part}.csv") for part in ("train", "val", "test")}
    small = ["--size-px", "128", "--preset", "demo"]
    valid = ["--valid", split["val"]]
    _assay("train", "inspection", "--data", split["train"], *valid, *small, "--name", SURFACES, "--seed", seed)
    _assay("evaluate", SURFACES, "--data", split["test"])
    pictures = [str(folder / row["path"]) for row in _rows(Path(split["test"]))]
    _assay("inspect", SURFACES, *pictures[:SHOWN], "--heatmaps", str(heatmaps))
    _assay("models", "card", SURFACES, "--out", str(out / f"{SURFACES}.html"))


def _rows(split: Path) -> list[dict[str, str]]:
    with split.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _assay(*arguments: str) -> None:
    """Run a command as a user would, and show it."""
    shown = shlex.join(arguments)
    note(f"\n$ assay {shown if len(shown) < 300 else shown[:297] + '...'}")
    if code := cli.run(list(arguments)):
        raise AssayError(f"the demo stopped: assay {arguments[0]} ended with exit code {code}")


@contextmanager
def _worker() -> Iterator[None]:
    """Run a worker in the background; its log lies in the home."""
    log = load_settings().home / "log" / "demo_worker.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    note("\n$ assay worker --concurrency 2 &")
    with log.open("w") as file:
        worker = subprocess.Popen(
            [sys.executable, "-m", "apps.cli", "worker", "--concurrency", "2"], stdout=file, stderr=file
        )
        try:
            time.sleep(0.5)
            if worker.poll() is not None:
                raise AssayError(f"the worker did not start; {log} says why")
            yield
        finally:
            worker.terminate()
            worker.wait(timeout=60)


def _index(out: Path) -> str:
    truth = {Path(row["path"]).stem: row["label"] for row in _rows(out / "surfaces" / "test.csv")}
    figures = "".join(
        f"<figure><img src='heatmaps/{escape(path.name)}' width='230' alt='{escape(path.stem)}'>"
        f"<figcaption>truth: {escape(truth.get(path.stem.split('.')[0], ''))}</figcaption></figure>"
        for path in sorted((out / "heatmaps").glob("*.png"))
    )
    parts = [
        "<h1>Assay: what the demo made</h1>",
        "<p class='under'>All data here are generated; the commands are printed in the terminal.</p>",
        f"<h2>Credit</h2><p><a href='{CREDIT}.html'>The credit model</a>, "
        "<a href='scored.csv'>verdicts with reasons</a> on the applications of the test split.</p>",
        f"<h2>Fraud</h2><p><a href='{FRAUD}.html'>The fraud model</a>, <a href='alerts.csv'>each day's alerts</a> with "
        "reasons and the transactions that caused them.</p>",
        f"<h2>Inspection</h2><p><a href='{SURFACES}.html'>The surface model</a>. Below: test pictures with the "
        "defect probability drawn over them, regions in white frames, and what the generator put there: three in ten "
        "defects are faint on purpose; dirt, shadows, seams and print are none.</p>",
        f"<div class='charts'>{figures}</div>",
    ]
    return page("Assay demo", parts)
