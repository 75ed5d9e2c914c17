"""`assay keys`: API keys of the gateway."""

from typing import Annotated

import typer

from apps.cli.console import emit_json, emit_table, note, tell
from apps.settings import load_settings
from apps.store import keys
from apps.store.database import open_database

app = typer.Typer(add_completion=False, no_args_is_help=True, help="API keys of the gateway.")

Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="who or what uses the key, for example station-7")], as_json: Json = False
) -> None:
    """Make a key and print it once; only its hash is kept.

    Example: assay keys add station-7
    """
    key, secret = keys.add_key(open_database(load_settings()), name)
    if as_json:
        emit_json({"name": key.name, "prefix": key.prefix, "key": secret})
    else:
        note(f"key for {key.name}; it is shown only now:")
        print(secret)  # noqa: T201


@app.command(name="list")
def list_all(as_json: Json = False) -> None:
    """List the keys, without their secrets.

    Example: assay keys list
    """
    rows = keys.list_keys(open_database(load_settings()))
    columns = ("prefix", "name", "created", "expires", "revoked")
    table = [(k.prefix, k.name, k.created_at, k.expires_at, k.revoked_at) for k in rows]
    if as_json:
        emit_json([dict(zip(columns, (None if c is None else str(c) for c in row), strict=True)) for row in table])
    else:
        emit_table("API keys (times are UTC)", columns, table)


@app.command()
def revoke(
    prefix: Annotated[str, typer.Argument(help="first letters of the key, as `assay keys list` shows")],
    as_json: Json = False,
) -> None:
    """Refuse a key from now on.

    Example: assay keys revoke assay_1a2b3c
    """
    key = keys.revoke_key(open_database(load_settings()), prefix)
    tell(f"revoked {key.prefix} ({key.name})", {"prefix": key.prefix, "name": key.name, "revoked": True}, as_json)
