"""A first look at a bundle of unknown origin, in a process of its own, which may die in our place.

A damaged LightGBM file ends the process that parses it, without an exception. A bundle that a key known here signed
needs no canary; one that is let in with --trust does.
"""

import resource
import subprocess
import sys
from pathlib import Path

from core.errors import AssayError, InputError
from core.runtime.engine import Engine

MEMORY_BYTES = 8 * 2**30
REFUSED = 2  # exit code of the canary for a fault that it could name


def check_in_canary(folder: Path, *, timeout_s: float = 120.0) -> None:
    """Load the bundle on the processor in another process. InputError where it is refused, dies, or takes too long."""
    command = [sys.executable, "-m", "core.runtime.canary", str(folder), str(int(timeout_s))]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"bundle {folder} did not load within {timeout_s:g} s; it is not imported") from error
    if done.returncode == 0:
        return
    lines = done.stderr.decode("ascii", "backslashreplace").split("\n")  # it may repeat bytes of the file
    said = next((line[:500] for line in reversed(lines) if line.strip()), "no word")
    if done.returncode == REFUSED:
        raise InputError(done.stderr.decode().strip(), code="BAD_BUNDLE")
    words = f"bundle {folder} ended the process that loaded it ({said!r}, exit code {done.returncode})"
    raise InputError(f"{words}; it is damaged or hostile, and is not imported", code="BAD_BUNDLE")


def main(folder: str, seconds: str) -> int:
    """Load the bundle under limits of memory and processor time; return the exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        Engine.open(Path(folder), device="cpu", threads=1)
    except AssayError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
