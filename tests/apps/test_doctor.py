"""The doctor: each check finds its fault, says how to mend it, and shows no secret."""

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from apps import doctor
from apps.doctor import examine, masked, runtime_finding, settings_finding
from apps.settings import Settings
from apps.store.database import open_database
from apps.store.keys import add_key, revoke_key
from tests.apps.gateway.small_house import register_tiles


def but(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update=changes)


def test_a_fresh_home_has_no_failure_and_is_left_as_it_was(settings: Settings) -> None:
    findings = examine(settings)
    assert [finding.name for finding in findings if finding.state == "fail"] == []
    assert not settings.home.exists()


def test_whatever_is_not_ok_says_how_to_mend_it(settings: Settings) -> None:
    broken = but(settings, database_url=SecretStr("mysql://x/y"), broker_url=SecretStr("ftp://x"))
    for finding in examine(broken):
        assert bool(finding.remedy) == (finding.state != "ok"), finding


def test_both_runtimes_at_once_is_a_failure_and_so_is_none() -> None:
    both = runtime_finding(frozenset({"onnxruntime", "onnxruntime-gpu"}))
    assert (both.state, runtime_finding(frozenset()).state) == ("fail", "fail")
    assert "pip uninstall" in both.remedy
    assert runtime_finding(frozenset({"onnxruntime"})).state == "ok"


def test_the_accelerator_is_what_a_session_really_runs_on(settings: Settings) -> None:
    finding = doctor.accelerator_finding(but(settings, device="cpu"))
    assert (finding.state, "cpu" in finding.detail) == ("ok", True)


def test_a_home_that_cannot_be_written_is_found(settings: Settings) -> None:
    finding = doctor.home_finding(but(settings, home=Path("/proc/assay")))
    assert finding.state == "fail"
    assert "ASSAY_HOME" in finding.remedy


def test_a_home_that_anybody_can_write_is_found(settings: Settings) -> None:
    settings.home.mkdir()
    settings.home.chmod(0o777)
    assert doctor.home_finding(settings).state == "warn"


def test_a_database_that_is_not_there_is_found_within_seconds(settings: Settings) -> None:
    url = SecretStr("postgresql://me:hunter2@127.0.0.1:1/nothing")
    finding = doctor.database_finding(but(settings, database_url=url))
    assert finding.state == "fail"
    assert "hunter2" not in finding.detail


def test_a_database_says_its_revision(settings: Settings) -> None:
    open_database(settings)
    finding = doctor.database_finding(settings)
    assert finding.state == "ok"
    assert "revision" in finding.detail


def test_a_broker_that_is_down_is_found(settings: Settings) -> None:
    finding = doctor.broker_finding(but(settings, broker_url=SecretStr("redis://:hunter2@127.0.0.1:1/0")))
    assert finding.state == "fail"
    assert "127.0.0.1:1" in finding.detail
    assert "hunter2" not in finding.detail + finding.remedy


def test_a_broker_that_listens_is_well(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = SecretStr(f"amqp://guest@127.0.0.1:{listener.getsockname()[1]}//")
        assert doctor.broker_finding(but(settings, broker_url=url)).state == "ok"


def test_a_revoked_key_does_not_count(settings: Settings) -> None:
    db = open_database(settings)
    assert doctor.keys_finding(settings).state == "warn"
    key, _ = add_key(db, "station")
    assert doctor.keys_finding(settings).state == "ok"
    revoke_key(db, key.prefix)
    assert doctor.keys_finding(settings).state == "warn"


def test_a_setting_nobody_reads_is_pointed_out(settings: Settings) -> None:
    finding = settings_finding(settings, ["ASSAY_HOMES", "ASSAY_TEST_DATA", "PATH", "ASSAY_DEVICE"])
    assert finding.state == "warn"
    assert "ASSAY_HOMES" in finding.detail
    assert "ASSAY_TEST_DATA" not in finding.detail


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hunter2@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
        ("postgresql://db/x?password=hunter2", "postgresql://db/x?***"),
        ("redis://cache/0", "redis://cache/0"),
    ],
)
def test_secrets_are_masked(settings: Settings, url: str, shown: str) -> None:
    assert masked(but(settings, broker_url=SecretStr(url)), "broker_url") == shown


def test_a_model_whose_files_were_changed_is_found(settings: Settings) -> None:
    register_tiles(settings)
    assert doctor.bundles_finding(settings).state == "ok"
    file = next((settings.home / "models/tiles/1").glob("*.onnx"))
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    finding = doctor.bundles_finding(settings)
    assert finding.state == "fail"
    assert "SHA-256" in finding.detail


def test_a_broker_that_refuses_our_password_is_found(settings: Settings, rabbitmq_url: str) -> None:
    good = but(settings, broker_url=SecretStr(rabbitmq_url))
    assert doctor.broker_finding(good, log_in=True).state == "ok"
    bad = but(settings, broker_url=SecretStr(rabbitmq_url.replace("guest:guest", "guest:hunter2")))
    assert doctor.broker_finding(bad).state == "ok"
    finding = doctor.broker_finding(bad, log_in=True)
    assert finding.state == "fail"
    assert "hunter2" not in finding.detail
