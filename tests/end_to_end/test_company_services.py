"""Companies through the services: jobs and schedules by a worker, single companies and batches over HTTP."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.pipelines.finance.company_samples import make_companies

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def filings(house, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    """Tables and a filing; a model `debtors` with the hard rules that come along."""
    folder = tmp_path_factory.mktemp("debtors")
    for name, seed, companies in (("train", 0, 150), ("valid", 1, 100), ("new", 2, 40)):
        make_companies(seed, companies=companies).to_csv(folder / f"{name}.csv", index=False)
    (folder / "policy.csv").write_text(
        "name,kind,version,valid_from,priority,condition,action,floor,if_missing,en,zh\n"
        "doubt,policy,1,2020-01-01,1,text_going_concern_doubt == 1,decline,,ignore,The report doubts it,报告存疑\n",
        encoding="utf-8",
    )
    keys = ["--target", "failed", "--id", "firm", "--period", "year", "--policy", folder / "policy.csv"]
    data = ["--data", folder / "train.csv", "--valid", folder / "valid.csv"]
    house.assay("train", "company", *data, *keys, "--name", "debtors")
    return folder


@pytest.fixture(scope="module")
def ask(house, filings: Path) -> Iterator[Ask]:  # type: ignore[no-untyped-def]
    """A gateway as a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key = house.assay("keys", "add", "companies", "--json").document["key"]
    command = [sys.executable, "-m", "apps.cli", "serve", "--port", str(port)]
    log = (filings / "gateway.txt").open("ab")

    def call(path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", sent, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    with (
        log,
        subprocess.Popen(command, env=house.environment, stdout=log, stderr=log) as p,
    ):
        try:
            for _ in range(120):
                try:
                    call("/healthz")
                    break
                except OSError:
                    time.sleep(0.5)
            yield call
        finally:
            p.terminate()
            p.wait(timeout=60)


def test_workers_write_the_file_of_the_direct_way(house, filings: Path) -> None:  # type: ignore[no-untyped-def]
    data = ["score", "debtors", "--data", filings / "new.csv", "--reasons-for", "all"]
    house.assay(*data, "--out", filings / "direct.csv")
    with house.worker():
        house.assay(*data, "--out", filings / "workers.csv", "--workers", "--chunk", 15)
    assert (filings / "workers.csv").read_bytes() == (filings / "direct.csv").read_bytes()
    assert len(pd.read_csv(filings / "direct.csv")) == 40


def test_a_scheduled_job_scores_companies(house, filings: Path) -> None:  # type: ignore[no-untyped-def]
    out = filings / "nightly.csv"
    what = ["--model", "debtors", "--data", filings / "new.csv", "--out", out]
    house.assay("jobs", "add", "nightly-debtors", "--cron", "0 2 * * *", *what)
    with house.worker():
        assert house.assay("jobs", "run", "nightly-debtors", "--json").document["rows"] == 40
    assert pd.read_csv(out)["error"].isna().all()


def test_reports_are_no_job(house, filings: Path) -> None:  # type: ignore[no-untyped-def]
    (filings / "filing.htm").write_text("<html></html>")
    what = ["--data", filings / "filing.htm", "--out", filings / "no.csv"]
    for command in (
        ["score", "debtors", *what, "--workers"],
        ["jobs", "add", "reports", "--cron", "@daily", "--model", "debtors", *what],
    ):
        words = house.assay(*command, code=2).err
        assert "tables of statements, not reports" in words
        assert len(words.strip().splitlines()) == 1


def test_a_company_is_judged_over_http_as_in_a_file(house, filings: Path, ask: Ask) -> None:  # type: ignore[no-untyped-def]
    house.assay("score", "debtors", "--data", filings / "new.csv", "--out", filings / "direct.csv")
    expected = pd.read_csv(filings / "direct.csv").set_index("id")
    new = pd.read_csv(filings / "new.csv").drop(columns="failed")
    for firm in ("F0001", "F0002", "F0003"):
        years = json.loads(new[new["firm"] == firm].to_json(orient="records"))
        status, answer = ask("/v1/assessments", {"model": "debtors", "statements": years})
        assert (status, answer["decision"]) == (200, expected.loc[firm, "decision"])
        assert answer["probability"] == pytest.approx(expected.loc[firm, "probability"], rel=1e-9)
    text = "There is substantial doubt about the company's ability to continue as a going concern. " * 40
    status, answer = ask("/v1/assessments", {"model": "debtors", "statements": years, "report_text": text})
    assert (answer["decision"], answer["reasons"][0]["text"]) == ("decline", "POLICY_DOUBT: The report doubts it")


def test_a_batch_of_companies_over_http_is_done_by_a_worker(house, filings: Path, ask: Ask) -> None:  # type: ignore[no-untyped-def]
    inbox = house.home / "inbox"
    inbox.mkdir(exist_ok=True)
    (inbox / "new.csv").write_bytes((filings / "new.csv").read_bytes())
    status, batch = ask("/v1/batches", {"model": "debtors", "path": "new.csv"})
    assert (status, batch["rows_total"]) == (202, 40)
    with house.worker():
        for _ in range(120):
            batch = ask(batch["links"]["self"])[1]
            if batch["state"] == "done":
                break
            time.sleep(0.5)
    assert (batch["state"], batch["rows_failed"]) == ("done", 0)
