"""A worker as a process: python -m tests.faults.worker_process BODY CONCURRENCY [lease_s=2] [grace_s=20]."""

import sys

from apps.settings import Settings
from apps.worker.run import run_worker
from core.errors import AssayError
from tests.faults.bench import BODIES, LEASE_S


def main(body: str, concurrency: str, *options: str) -> None:
    how = {"lease_s": LEASE_S} | {name: float(value) for name, value in (option.split("=") for option in options)}
    bodies = dict.fromkeys(("score", "assess", "inspect"), BODIES[body])
    try:
        run_worker(Settings(_env_file=None), int(concurrency), bodies=bodies, **how)
    except AssayError as error:
        sys.exit(f"assay: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
