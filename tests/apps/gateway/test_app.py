"""The app as a whole: keys on every route, problems for every error, ids, figures, logs."""

import json
from collections.abc import Iterable, Iterator

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from apps.gateway.keys import OPEN_PATHS
from apps.store.database import open_database
from apps.store.keys import add_key, list_keys, revoke_key
from tests.apps.gateway.small_house import House, picture


def routes(found: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Every method and path, path parameters filled in, through routers that are included."""
    for route in found:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner.routes)
            continue
        assert isinstance(route, Route | APIRoute), f"{route} would not be looked at"
        for method in sorted(route.methods or ()):
            yield method, route.path.replace("{batch_id}", "0" * 32)


def is_problem(response: object, status: int) -> bool:
    body = response.json()  # type: ignore[attr-defined]
    return (
        response.status_code == status == body["status"]  # type: ignore[attr-defined]
        and response.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
        and {"type", "title", "detail", "instance", "code", "request_id"} <= set(body)
    )


def test_every_route_but_health_refuses_a_missing_a_wrong_and_a_revoked_key(house: House) -> None:
    db = open_database(house.settings)
    _, revoked = add_key(db, "gone")
    revoke_key(db, list_keys(db)[-1].prefix)
    bad: list[dict[str, str]] = [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "assay_wrong"},
        {"X-API-Key": house.key[:-1] + ("A" if house.key[-1] != "A" else "B")},
        {"X-API-Key": revoked},
        {"X-API-Key": "x" * 5000},
        {"Authorization": f"Bearer {house.key}"},
    ]
    closed = [(method, path) for method, path in routes(house.client.app.routes) if path not in OPEN_PATHS]
    assert len(closed) >= 7
    for method, path in [*closed, ("GET", "/nowhere"), ("POST", "/healthz/")]:
        for headers in bad:
            response = house.client.request(method, path, headers=headers)
            assert response.status_code == 401, f"{method} {path} answered {response.status_code} to {headers}"
            assert method == "HEAD" or is_problem(response, 401)


def test_two_keys_at_once_are_refused(house: House) -> None:
    response = house.client.get("/v1/models", headers=[("X-API-Key", house.key), ("X-API-Key", house.key)])
    assert is_problem(response, 401)


def test_health_needs_no_key_and_tells_no_secrets(house: House) -> None:
    assert house.client.get("/healthz").json() == {"status": "ok"}
    ready = house.client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ready",
        "checks": {"database": "ok", "disk": "ok", "models": "ok", "broker": "ok"},
    }
    assert str(house.settings.home) not in ready.text


def test_a_valid_key_opens_the_rest(house: House) -> None:
    models = house.client.get("/v1/models", headers=house.headers).json()["models"]
    assert [(entry["name"], entry["version"], entry["state"]) for entry in models] == [
        ("firms", 1, "champion"),
        ("loans", 1, "champion"),
        ("tiles", 1, "champion"),
    ]
    assert house.client.get("/openapi.json", headers=house.headers).status_code == 200


def test_the_openapi_document_is_whole(house: House) -> None:
    document = house.client.get("/openapi.json", headers=house.headers).json()
    text = json.dumps(document)
    assert {"/v1/inspections", "/v1/assessments", "/v1/batches", "/v1/models", "/healthz"} <= set(document["paths"])
    for path, calls in document["paths"].items():
        for call in calls.values():
            assert ("security" in call) == (path not in OPEN_PATHS)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        here = document
        for step in reference.split("/"):
            here = here[step]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("DELETE", "/v1/models", 405), ("GET", "/docs", 404), ("GET", "/v1/models/", 404)],
)
def test_errors_of_the_framework_are_problems_too(house: House, method: str, path: str, status: int) -> None:
    assert is_problem(house.client.request(method, path, headers=house.headers), status)


def test_an_error_nobody_foresaw_is_a_problem_without_its_words(house: House) -> None:
    @house.client.app.get("/boom")  # type: ignore[attr-defined]
    def boom() -> None:
        raise ZeroDivisionError("hunter2 lives here")

    response = house.client.get("/boom", headers=house.headers)
    assert is_problem(response, 500)
    assert "hunter2" not in response.text
    entry = next(entry for entry in house.log_entries() if entry["event"] == "unforeseen")
    assert entry["request_id"] == response.json()["request_id"]
    assert "ZeroDivisionError" in str(entry["exception"])


def test_a_database_that_is_gone_is_503_with_retry_after(house: House) -> None:
    @house.client.app.get("/gone")  # type: ignore[attr-defined]
    def gone() -> None:
        from apps.store.database import DatabaseError

        raise DatabaseError("the database does not answer")

    response = house.client.get("/gone", headers=house.headers)
    assert is_problem(response, 503)
    assert response.headers["Retry-After"]


def test_a_request_keeps_its_id_when_it_is_a_plain_word(house: House) -> None:
    given = house.client.get("/healthz", headers={"X-Request-ID": "line-7.part_12"})
    assert given.headers["X-Request-ID"] == "line-7.part_12"
    forged = house.client.get("/healthz", headers={"X-Request-ID": "a b\x7f{}"})
    assert forged.headers["X-Request-ID"].isalnum()


def test_every_request_is_one_line_of_log_and_no_line_holds_the_key(house: House) -> None:
    house.client.get("/nowhere%0A%7B%22event%22:%22forged%22%7D", headers=house.headers)
    house.client.post("/v1/inspections", headers=house.headers, data={"model": "tiles"}, files={"image": picture()})
    entries = [entry for entry in house.log_entries() if entry["event"] == "request"]
    assert [entry["status"] for entry in entries] == [404, 200]
    assert entries[1]["route"] == "/v1/inspections"
    assert house.key not in house.log.getvalue()
    assert all(entry["event"] != "forged" for entry in house.log_entries())


def test_figures_count_requests_verdicts_and_refusals(house: House) -> None:
    house.client.post("/v1/inspections", headers=house.headers, data={"model": "tiles"}, files={"image": picture()})
    house.client.get("/v1/models")
    text = house.client.get("/metrics", headers=house.headers).text
    assert 'assay_requests_total{method="POST",route="/v1/inspections",status="200"} 1.0' in text
    assert 'assay_decisions_total{decision="pass",domain="inspection"} 1.0' in text
    assert 'assay_refused_total{code="KEY_REFUSED"} 1.0' in text


def test_answers_are_not_to_be_cached_or_guessed_at(house: House) -> None:
    response = house.client.get("/v1/models", headers=house.headers)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
