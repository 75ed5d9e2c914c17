"""Addresses: taking a port before anything starts, and not opening a house without a lock. Loads no web library."""

import ipaddress
import socket

import sqlalchemy

from apps.store.keys import list_keys
from core.errors import AssayError


def require_free_port(host: str, port: int, *, option: str = "--port") -> None:
    """Raise AssayError, one line with port and option, when the port cannot be taken now."""
    listen(host, port, option=option).close()


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """Take the port, so that nobody else can between the check and the start.

    Raises:
        AssayError: it is taken or not ours to take; the line names the port and the option that changes it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise AssayError(
            f"{host} is no address of this machine: {error.strerror}; choose another with --host"
        ) from None
    listener = socket.socket(family, kind, protocol)  # asyncio sends small answers at once only if it sees TCP here
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise AssayError(
            f"port {port} on {host} is taken ({error.strerror}); stop what listens there, or choose another "
            f"with {option}",
            code="PORT_TAKEN",
        ) from None
    listener.set_inheritable(False)
    return listener


def refuse_open_house(db: sqlalchemy.Engine, host: str) -> None:
    """An address that others can reach needs at least one API key. Raises AssayError."""
    if is_loopback(host):
        return
    if all(key.revoked_at is not None for key in list_keys(db)):
        raise AssayError(
            f"{host} can be reached from other machines and there is no API key yet; make one first "
            "(assay keys add NAME), or bind 127.0.0.1",
            code="NO_KEY",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
