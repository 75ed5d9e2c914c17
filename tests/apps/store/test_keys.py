"""API keys: shown once, checked by hash, revoked at once."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy

from apps.store import keys
from core.errors import NotFoundError


def test_a_new_key_is_accepted_and_only_its_hash_is_kept(db: sqlalchemy.Engine) -> None:
    key, secret = keys.add_key(db, "line 3")
    assert secret.startswith("assay_")
    assert keys.check_key(db, secret).id == key.id
    kept = keys.list_keys(db)[0]
    assert secret not in (kept.prefix, kept.name)
    assert len(kept.sha256) == 32


@pytest.mark.parametrize("change", [lambda s: "", lambda s: s[:-1], lambda s: s + "x", lambda s: "assay_\udcff\0ß"])
def test_any_other_secret_is_refused(db: sqlalchemy.Engine, change: object) -> None:
    _, secret = keys.add_key(db, "line 3")
    with pytest.raises(keys.KeyRefusedError):
        keys.check_key(db, change(secret))


def test_a_revoked_or_expired_key_is_refused(db: sqlalchemy.Engine) -> None:
    key, secret = keys.add_key(db, "line 3")
    keys.revoke_key(db, key.prefix)
    _, old = keys.add_key(db, "line 4", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    for refused in (secret, old):
        with pytest.raises(keys.KeyRefusedError):
            keys.check_key(db, refused)
    with pytest.raises(NotFoundError):
        keys.revoke_key(db, "nothing")
