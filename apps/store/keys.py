"""API keys: 32 random bytes, shown once; only a prefix and the SHA-256 are kept."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime

import sqlalchemy
from sqlalchemy import select

from apps.store import audit
from apps.store.database import reading, writing
from apps.store.tables import ApiKey
from core.errors import AssayError, NotFoundError

_MARK = "assay_"
_PREFIX = 12  # characters after the mark that are kept readable, to find and name the key


class KeyRefusedError(AssayError):
    """The key is unknown, revoked or past its time; the message does not say which."""

    code = "KEY_REFUSED"


def add_key(
    db: sqlalchemy.Engine, name: str, *, expires_at: datetime | None = None, actor: str = "local"
) -> tuple[ApiKey, str]:
    """Make a key. The secret is returned here and nowhere else again."""
    secret = _MARK + secrets.token_urlsafe(32)
    key = ApiKey(
        name=name[:100],
        prefix=secret[len(_MARK) :][:_PREFIX],
        sha256=hashlib.sha256(secret.encode()).digest(),
        created_at=datetime.now(UTC),
        expires_at=expires_at,
    )
    with writing(db) as session:
        session.add(key)
        audit.append(session, actor=actor, action="key.add", subject=key.prefix, detail={"name": key.name})
    return key, secret


def check_key(db: sqlalchemy.Engine, secret: str) -> ApiKey:
    """Return the key that the secret belongs to. KeyRefusedError for any that may not be used."""
    if not secret.isascii() or not secret.isprintable():
        raise _refused()
    prefix = secret.removeprefix(_MARK)[:_PREFIX]
    with reading(db) as session:
        key = session.scalars(select(ApiKey).where(ApiKey.prefix == prefix)).first()
    digest = hashlib.sha256(secret.encode()).digest()
    matches = hmac.compare_digest(digest, key.sha256 if key else b"\0" * 32)
    if key is None or not matches or key.revoked_at is not None:
        raise _refused()
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        raise _refused()
    return key


def list_keys(db: sqlalchemy.Engine) -> list[ApiKey]:
    """Return all keys, revoked ones too, oldest first."""
    with reading(db) as session:
        return list(session.scalars(select(ApiKey).order_by(ApiKey.id)))


def revoke_key(db: sqlalchemy.Engine, prefix: str, *, actor: str = "local") -> ApiKey:
    """Make a key useless from now on. Revoking twice changes nothing."""
    with writing(db) as session:
        key = session.scalars(select(ApiKey).where(ApiKey.prefix == prefix.removeprefix(_MARK)[:_PREFIX])).first()
        if key is None:
            raise NotFoundError(f"no API key begins with {prefix[:_PREFIX]!r}; see assay keys list")
        if key.revoked_at is None:
            key.revoked_at = datetime.now(UTC)
            audit.append(session, actor=actor, action="key.revoke", subject=key.prefix, detail={"name": key.name})
        return key


def _refused() -> KeyRefusedError:
    return KeyRefusedError("this API key is not valid; make one with assay keys add")
