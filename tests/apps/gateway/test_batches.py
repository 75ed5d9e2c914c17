"""POST /v1/batches: accepted once, whatever is sent twice; nothing outside the inbox can be named."""

import os
from pathlib import Path

import pytest
from httpx import Response

from apps.gateway.forms import Upload
from apps.gateway.tables_in import table_suffix, uploaded_table
from apps.store.database import open_database
from apps.store.jobs import list_jobs
from apps.store.keys import add_key
from apps.store.models import register
from tests.apps.gateway.small_house import House, loans, picture
from tests.pipelines.finance.fraud_samples import write_fraud_bundle


def post(house: House, content: bytes = b"", *, key: str | None = None, **fields: str) -> Response:
    headers = house.headers | ({"Idempotency-Key": key} if key else {})
    return house.client.post(
        "/v1/batches",
        headers=headers,
        data={"model": "loans", **fields},
        files={"file": ("../loans.csv", content or loans(60).to_csv(index=False).encode())},
    )


def stored(house: House, path: str, model: str = "tiles", **more: object) -> Response:
    return house.client.post("/v1/batches", headers=house.headers, json={"model": model, "path": path, **more})


def jobs(house: House) -> int:
    return len(list_jobs(open_database(house.settings)))


def put(house: House, name: str, content: bytes) -> Path:
    path = house.settings.home / "inbox" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_table_is_accepted_and_can_be_watched(house: House) -> None:
    response = post(house)
    answer = response.json()
    assert response.status_code == 202
    assert response.headers["Location"] == f"/v1/batches/{answer['id']}" == answer["links"]["self"]
    assert (answer["state"], answer["rows_total"], answer["rows_done"]) == ("queued", 60, 0)
    assert answer["links"]["results"] is None
    again = house.client.get(response.headers["Location"], headers=house.headers).json()
    assert again == answer
    results = house.client.get(f"{response.headers['Location']}/results", headers=house.headers)
    assert (results.status_code, results.json()["code"]) == (409, "NOT_DONE")
    assert [path for path in (house.settings.home / "uploads").rglob("*") if path.is_file()] == []


def test_the_same_key_and_request_give_the_first_batch_and_another_request_is_409(house: House) -> None:
    first = post(house, key="order-7")
    assert post(house, key="order-7").json()["id"] == first.json()["id"]
    assert jobs(house) == 1
    for other in (
        post(house, loans(61).to_csv(index=False).encode(), key="order-7"),
        post(house, key="order-7", reasons="0"),
    ):
        assert (other.status_code, other.json()["code"]) == (409, "KEY_REUSED")
    assert jobs(house) == 1


def test_two_callers_may_use_the_same_idempotency_key(house: House) -> None:
    first = post(house, key="1").json()["id"]
    _, house.key = add_key(open_database(house.settings), "second")
    assert post(house, key="1").json()["id"] != first


@pytest.mark.parametrize("key", ["x" * 151, "a b", "a\x7f"])
def test_an_odd_idempotency_key_is_refused(house: House, key: str) -> None:
    assert post(house, key=key).status_code == 422


NO_TABLES = [b"\0\0\0\0", b"a,b\n", b"PK\x03\x04 no zip", b"PAR1 no parquet", b"\x1f\x8b no gzip", b"x\n1\n"]


@pytest.mark.parametrize("content", NO_TABLES)
def test_a_table_that_is_none_is_422_and_no_job(house: House, content: bytes) -> None:
    response = post(house, content)
    assert response.status_code == 422
    assert str(house.settings.home) not in response.text
    assert jobs(house) == 0


def test_an_upload_for_a_model_of_pictures_is_422(house: House) -> None:
    assert post(house, model="tiles").json()["code"] == "WRONG_KIND"


def test_a_table_for_a_fraud_model_is_422_and_says_the_way_out(house: House, tmp_path: Path) -> None:
    """A piece of a table has no past."""
    folder = write_fraud_bundle(tmp_path / "cards")
    register(open_database(house.settings), house.settings, folder, "cards")
    answer = post(house, model="cards")
    assert (answer.status_code, answer.json()["code"]) == (422, "WRONG_KIND")
    assert "to a stream" in answer.json()["detail"]
    assert str(house.settings.home) not in answer.text
    put(house, "loans.csv", loans(5).to_csv(index=False).encode())
    assert stored(house, "loans.csv", model="cards").json()["code"] == "WRONG_KIND"
    assert jobs(house) == 0


@pytest.mark.parametrize("fields", [{"reasons": "-1"}, {"reasons": "many"}, {"colour": "red"}, {"reasons_for": "none"}])
def test_options_are_checked(house: House, fields: dict[str, str]) -> None:
    assert post(house, **fields).status_code == 422


def test_a_stored_table_and_a_folder_of_pictures_are_accepted(house: House) -> None:
    put(house, "new.csv", loans(30).to_csv(index=False).encode())
    assert stored(house, "new.csv", "loans").json()["rows_total"] == 30
    for number in range(3):
        put(house, f"shift/{number}.png", picture(spot=number == 1))
    put(house, "shift/notes.txt", b"no picture")
    answer = stored(house, "shift")
    assert (answer.status_code, answer.json()["kind"], answer.json()["rows_total"]) == (202, "inspect", 3)


@pytest.mark.parametrize("path", ["/etc/passwd", "../assay.db", "a/../../assay.db", "way-out/assay.db", "x\0y", "~/x"])
def test_nothing_outside_the_inbox_can_be_named(house: House, path: str) -> None:
    put(house, "here.txt", b"")
    os.symlink(house.settings.home, house.settings.home / "inbox" / "way-out")
    for model in ("loans", "tiles"):
        assert stored(house, path, model).status_code in (404, 422)
    assert jobs(house) == 0


def test_a_picture_that_is_a_link_out_of_the_inbox_is_left_out(house: House, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture())
    put(house, "shift/a.png", picture())
    os.symlink(tmp_path / "secret.png", house.settings.home / "inbox" / "shift" / "b.png")
    assert stored(house, "shift").json()["rows_total"] == 1


@pytest.mark.parametrize("batch", ["0" * 32, "nothing", "..%2f..", "%00" * 32])
def test_a_batch_that_is_not_there_is_said_so(house: House, batch: str) -> None:
    assert house.client.get(f"/v1/batches/{batch}", headers=house.headers).status_code in (404, 422)


def test_another_content_type_is_415(house: House) -> None:
    headers = house.headers | {"Content-Type": "text/csv"}
    assert house.client.post("/v1/batches", headers=headers, content=b"a,b\n1,2\n").status_code == 415


def test_an_upload_is_named_after_its_content_and_lives_until_its_last_user(tmp_path: Path) -> None:
    def upload(name: str) -> Upload:
        path = tmp_path / name
        path.write_bytes(b"PAR1....")
        return Upload(path=path, label="x.csv", size_bytes=8, sha256="ab" * 32)

    with uploaded_table(upload("one"), tmp_path) as first:
        assert first.name == "ab" * 32 + ".parquet"
        with uploaded_table(upload("two"), tmp_path) as second:
            assert first == second
        assert first.exists()
    assert not first.exists()


@pytest.mark.parametrize(
    ("head", "suffix"),
    [(b"PK\x03\x04", ".xlsx"), (b"PAR1", ".parquet"), (b"\x1f\x8b\x08", ".csv.gz"), (b"a,b", ".csv"), (b"", ".csv")],
)
def test_the_kind_of_a_table_is_told_by_its_content(tmp_path: Path, head: bytes, suffix: str) -> None:
    (tmp_path / "x").write_bytes(head)
    assert table_suffix(tmp_path / "x") == suffix
