"""A picture of a part, from the file to the verdict, by command line, worker and gateway: one answer."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from apps.gateway.app import create_app
from apps.settings import Settings

pytestmark = pytest.mark.slow

KEYS = {
    "id", "path", "verdict", "score", "threshold", "label", "labels", "regions",
    "model", "model_version", "latency_ms", "error",
}  # fmt: skip


@pytest.fixture(scope="module")
def pictures(surfaces: Path) -> list[Path]:
    return [surfaces / line.split(",")[0] for line in (surfaces / "test.csv").read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def answers(house, pictures: list[Path]) -> list[dict]:
    return house.assay("inspect", "surfaces", *pictures, "--json").document


def test_every_picture_gets_the_contracts_answer(answers: list[dict], pictures: list[Path]) -> None:
    assert [answer["path"] for answer in answers] == [str(path) for path in pictures]
    for answer in answers:
        assert set(answer) == KEYS
        assert answer["verdict"] in ("pass", "review", "reject", "unknown")
        assert set(answer["latency_ms"]) >= {"decode", "model", "total"}
        for region in answer["regions"]:
            x0, y0, x1, y1 = region["box"]
            assert 0 <= x0 < x1 <= 256
            assert 0 <= y0 < y1 <= 256


def test_evaluation_prints_the_contracts_metrics(house, surfaces: Path) -> None:
    document = house.assay("evaluate", "surfaces", "--data", surfaces / "test.csv", "--json").document
    names = (
        "image_auroc image_average_precision accuracy balanced_accuracy f1 escape_rate overkill_rate "
        "pixel_auroc pixel_average_precision aupro aupro_005 pixel_f1_2px per_class ms_per_image"
    )
    assert set(names.split()) <= set(document)
    assert set(document["ms_per_image"]) == {"p50", "p99"}


def test_heatmaps_are_pictures_that_can_be_opened(house, pictures: list[Path], tmp_path: Path) -> None:
    from PIL import Image

    house.assay("inspect", "surfaces", *pictures[:2], "--heatmaps", tmp_path / "heat")
    drawn = list((tmp_path / "heat").glob("*.png"))
    assert len(drawn) == 2
    assert Image.open(drawn[0]).size == (256, 256)


def test_a_worker_and_the_gateway_give_the_same_verdicts(house, pictures: list[Path], answers: list[dict]) -> None:
    key = house.assay("keys", "add", "station", "--json").document["key"]
    settings = Settings(_env_file=None, home=house.home, threads=1)
    with TestClient(create_app(settings)) as client, house.worker():
        posted = [
            client.post(
                "/v1/inspections",
                files={"image": (path.name, path.read_bytes(), "image/png")},
                data={"model": "surfaces"},
                headers={"X-API-Key": key},
            ).json()
            for path in pictures[:3]
        ]
        folder = pictures[0].parent
        data = ["--model", "surfaces", "--data", folder, "--kind", "inspect", "--cron", "0 2 * * *"]
        house.assay("jobs", "add", "shift", *data, "--out", house.home / "shift.jsonl")
        house.assay("jobs", "run", "shift")
    import json

    by_worker = [json.loads(line) for line in (house.home / "shift.jsonl").read_text().splitlines()]
    by_path = {answer["path"]: answer for answer in by_worker}
    for mine, theirs in zip(answers[:3], posted, strict=True):
        assert theirs["verdict"] == mine["verdict"]
        assert theirs["score"] == pytest.approx(mine["score"], abs=1e-6)
        assert theirs["regions"] == mine["regions"]
        worked = by_path[mine["path"]]
        assert set(worked) == KEYS
        assert worked["verdict"] == mine["verdict"]
        assert worked["score"] == pytest.approx(mine["score"], abs=1e-6)


def test_one_broken_picture_among_good_ones_is_unknown(house, pictures: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(pictures[0].read_bytes()[:500])
    done = house.assay("inspect", "surfaces", pictures[0], broken, "--json")
    assert [answer["verdict"] == "unknown" for answer in done.document] == [False, True]
    assert done.document[1]["error"]
    assert "1 of 2 pictures could not be judged" in done.err
