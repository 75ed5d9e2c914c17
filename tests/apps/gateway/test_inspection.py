"""POST /v1/inspections with a real engine: answers, what is kept, and what is refused."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from httpx import Response
from PIL import Image

from apps.judging import heatmap_png
from apps.store import audit
from apps.store.database import open_database
from apps.store.inspections import InspectionFilter, get_inspection, page_inspections
from apps.store.objects import open_objects
from tests.apps.gateway.small_house import House, picture

FIELDS = {
    "id", "path", "verdict", "score", "threshold", "label", "labels", "regions", "model", "model_version",
    "latency_ms", "error",
}  # fmt: skip


def post(house: House, content: bytes, *, model: str = "tiles", name: str = "part.png", **more: Any) -> Response:
    return house.client.post(
        "/v1/inspections", headers=house.headers, data={"model": model, **more}, files={"image": (name, content)}
    )


def kept(house: House) -> int:
    return len(page_inspections(open_database(house.settings), InspectionFilter()))


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header promises a large picture and whose data is tiny."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_spot_is_rejected_with_its_place_and_a_clean_picture_passes(house: House) -> None:
    answer = post(house, picture(spot=True)).json()
    assert set(answer) == FIELDS
    assert (answer["verdict"], answer["label"], answer["model"], answer["model_version"]) == (
        "reject",
        "spot",
        "tiles",
        1,
    )
    x0, y0, x1, y1 = answer["regions"][0]["box"]
    assert abs(x0 - 40) <= 4
    assert abs(y0 - 20) <= 4
    assert abs(x1 - 60) <= 4
    assert abs(y1 - 34) <= 4
    clean = post(house, picture()).json()
    assert (clean["verdict"], clean["regions"], clean["error"]) == ("pass", [], None)


def test_the_decision_is_kept_with_picture_heatmap_and_audit_event(house: House) -> None:
    content = picture(spot=True)
    answer = post(house, content).json()
    db, objects = open_database(house.settings), open_objects(house.settings)
    row = get_inspection(db, answer["id"])
    assert row.answer == answer
    assert row.image_key is not None
    assert row.heatmap_key is not None
    assert objects.get(row.image_key) == content
    heat = np.asarray(Image.open(io.BytesIO(objects.get(row.heatmap_key))))
    assert heat.shape == (64, 96)
    assert heat[27, 50] > 200 > 20 > heat[2, 2]
    event = audit.page(db)[0]
    assert (event.action, event.subject, event.detail["verdict"]) == ("inspection", answer["id"], "reject")
    assert event.actor.startswith("key:")
    assert house.uploads() == []


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture at all", picture()[:-40], picture(kind="JPEG")[:200], picture()[:20], b"\x89PNG\r\n\x1a\n"],
    ids=["empty", "garbage", "cut PNG", "cut JPEG", "header only", "magic only"],
)
def test_a_broken_picture_is_unknown_and_never_pass(house: House, content: bytes) -> None:
    response = post(house, content)
    answer = response.json()
    assert response.status_code == 200
    assert (answer["verdict"], answer["score"], answer["regions"]) == ("unknown", None, [])
    assert answer["error"].startswith("BAD_IMAGE")
    assert kept(house) == 1


def test_a_dead_camera_is_unknown(house: House) -> None:
    stream = io.BytesIO()
    Image.new("L", (64, 64), 0).save(stream, "PNG")
    assert post(house, stream.getvalue()).json()["verdict"] == "unknown"


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "TIFF", "PNG"])
def test_the_four_kinds_are_read_whatever_the_file_is_called(house: House, kind: str) -> None:
    assert post(house, picture(spot=True, kind=kind), name="x.exe").json()["verdict"] == "reject"


@pytest.mark.parametrize(
    "content", [b"GIF89a" + b"\0" * 50, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n"]
)
def test_a_kind_that_is_not_read_is_415_and_not_kept(house: House, content: bytes) -> None:
    response = post(house, content)
    assert response.status_code == 415
    assert response.headers["content-type"] == "application/problem+json"
    assert kept(house) == 0


def test_a_bomb_is_413_before_it_is_decoded(house: House) -> None:
    response = post(house, png_of(20_000, 20_000))
    assert response.status_code == 413
    assert kept(house) == 0


@pytest.mark.parametrize(
    ("model", "status"),
    [("nothing", 404), ("tiles@9", 404), ("../x", 422), ("tiles@99999999999999999999", 422), ("", 422)],
)
def test_a_model_that_is_not_there_is_said_so(house: House, model: str, status: int) -> None:
    response = post(house, picture(), model=model)
    assert response.status_code == status
    assert response.json()["status"] == status


def test_a_version_can_be_asked_for(house: House) -> None:
    assert post(house, picture(), model="tiles@1").json()["model_version"] == 1


def test_an_unknown_field_is_refused(house: House) -> None:
    assert post(house, picture(), threshold="0.9").status_code == 422


def test_a_missing_picture_is_422_and_a_json_body_415(house: House) -> None:
    none = house.client.post("/v1/inspections", headers=house.headers, files={"model": (None, "tiles")})
    assert none.status_code == 422
    assert house.client.post("/v1/inspections", headers=house.headers, json={}).status_code == 415


def test_the_senders_file_name_is_a_label_and_nothing_else(house: House) -> None:
    assert post(house, picture(), name="../../../etc/pass\nwd").json()["path"] in ("passwd", "pass%0Awd")


def test_a_damaged_model_is_503_and_decides_nothing(house: House) -> None:
    from apps.engines import forget_engines

    forget_engines()
    file = next((house.settings.home / "models/tiles/1").glob("*.onnx"))
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    response = post(house, picture())
    assert (response.status_code, response.json()["code"]) == (503, "MODEL_UNUSABLE")
    assert "Retry-After" in response.headers
    assert kept(house) == 0


def test_a_large_heatmap_is_kept_small() -> None:
    heat = np.zeros((300, 5000), np.float32)
    assert Image.open(io.BytesIO(heatmap_png(heat))).size == (1024, 61)
