"""The audit chain only grows, and whatever is changed behind its back is found."""

import threading

import pytest
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from apps.store import audit
from apps.store.database import DatabaseError, writing


def _add(db: sqlalchemy.Engine, number: int) -> None:
    with writing(db) as session:
        detail = {"number": number, "words": "利率 é", "share": 0.1}
        audit.append(session, actor="tester", action="test", subject=str(number), detail=detail)


def test_a_chain_of_events_verifies(db: sqlalchemy.Engine) -> None:
    assert audit.verify(db).events == 0
    for number in range(5):
        _add(db, number)
    check = audit.verify(db)
    assert (check.events, check.broken_at) == (5, None)
    assert check.head == audit.page(db, limit=1)[0].hash


def test_events_added_at_once_form_one_chain(db: sqlalchemy.Engine) -> None:
    threads = [threading.Thread(target=lambda n=n: [_add(db, n) for _ in range(5)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (audit.verify(db).events, audit.verify(db).broken_at) == (20, None)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_or_remove_events(db: sqlalchemy.Engine, statement: str) -> None:
    _add(db, 1)
    with pytest.raises((DBAPIError, DatabaseError), match="only grows"), writing(db) as session:
        session.execute(text(statement))
    assert audit.verify(db).events == 1


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE id = 2", "changed"),
        ("UPDATE audit SET detail = '{\"number\": 9}' WHERE id = 2", "changed"),
        ("DELETE FROM audit WHERE id = 2", "missing"),
        ("UPDATE audit SET previous_hash = hash WHERE id = 2", "before it"),
    ],
)
def test_a_change_past_the_triggers_is_found(db: sqlalchemy.Engine, statement: str, reason: str) -> None:
    for number in range(3):
        _add(db, number)
    with writing(db) as session:
        if db.dialect.name == "sqlite":
            session.execute(text("DROP TRIGGER audit_keeps_UPDATE"))
            session.execute(text("DROP TRIGGER audit_keeps_DELETE"))
        else:
            session.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        session.execute(text(statement))
    check = audit.verify(db)
    assert check.broken_at in (2, 3)
    assert reason in (check.reason or "")


def test_an_event_is_not_kept_when_its_action_fails(db: sqlalchemy.Engine) -> None:
    def fail() -> None:
        with writing(db) as session:
            audit.append(session, actor="tester", action="test", subject="x", detail={})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert audit.verify(db).events == 0
