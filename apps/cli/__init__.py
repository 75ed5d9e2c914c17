"""The command line: one module a command group, loaded only when its command is called, so that each starts fast."""

import importlib
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from core.errors import AssayError, GateError, InputError, NotFoundError


@dataclass(frozen=True)
class Entry:
    """Where a command lives and what it does, in a line."""

    module: str
    words: str


COMMANDS = {
    "demo": Entry("apps.cli.demo", "The whole loop on generated data, both domains, in under two minutes."),
    "up": Entry("apps.cli.services", "Gateway, worker, schedule and dashboards in one command; Ctrl-C stops all."),
    "train": Entry("apps.cli.train", "Train a model: credit, company, fraud, inspection, volatility."),
    "evaluate": Entry("apps.cli.evaluate", "All metrics of a model on labelled data, with intervals."),
    "score": Entry("apps.cli.score", "Score a file of cases, row by row, in bounded memory."),
    "alerts": Entry("apps.cli.alerts", "Queue suspicious cards day by day, with reasons and evidence."),
    "inspect": Entry("apps.cli.inspect", "Inspect pictures, folders or a watched folder."),
    "features": Entry("apps.cli.features", "Features of transactions over time, written as a table."),
    "report": Entry("apps.cli.report", "Read company reports: facts, statements, sections, checks, features."),
    "data": Entry("apps.cli.data", "Make data to try things on; check a file before it is used."),
    "augment": Entry("apps.cli.augment", "Augment series: make new ones, search policies, find label noise."),
    "rules": Entry("apps.cli.rules", "Rules: list features, check tables, try and adopt hard rules."),
    "models": Entry("apps.cli.models", "The model registry: list, show, promote, rollback, import, export, card."),
    "jobs": Entry("apps.cli.jobs", "Scheduled batch jobs: list, add, run, remove."),
    "serve": Entry("apps.cli.services", "The HTTP gateway alone."),
    "worker": Entry("apps.cli.services", "A worker alone."),
    "schedule": Entry("apps.cli.services", "The schedule and the sweeper alone."),
    "dashboard": Entry("apps.cli.services", "The dashboards alone."),
    "stream": Entry("apps.cli.stream", "Streams of transactions: load a history, replay a file, show what is held."),
    "keys": Entry("apps.cli.keys", "API keys of the gateway: add, list, revoke."),
    "doctor": Entry("apps.cli.doctor", "Check the set-up and say how to mend what is wrong."),
}

HELP = """assay: messy evidence in, a verdict that somebody can defend out.

Usage: assay COMMAND [OPTIONS]      assay COMMAND --help      assay --version

{commands}

Exit codes: 0 done; 1 the run failed or a service was not there; 2 bad usage or bad input; 3 a gate said no.

Example:
  assay train credit --data loans.csv --target defaulted --id loan_id --name loans
  assay score loans --data new.csv --out scored.csv
"""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and leave with its exit code. Errors become one line on stderr, never a traceback."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; the process edge where every error ends."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        print(HELP.format(commands="\n".join(f"  {n:<{width}}  {e.words}" for n, e in COMMANDS.items())))  # noqa: T201
        return 0 if arguments else 2
    name = arguments[0]
    if name == "--version":
        print(importlib.import_module("importlib.metadata").version("assay"))  # noqa: T201
        return 0
    if name not in COMMANDS:
        return _complain(f"no command {name!r}; there is {', '.join(COMMANDS)}", 2)
    try:
        return _call(name, arguments)
    except GateError as error:
        return _complain(str(error), 3)
    except (InputError, NotFoundError) as error:
        return _complain(str(error), 2)
    except AssayError as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return _complain("stopped by Ctrl-C; a long training goes on with --resume", 130)
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  the process edge: kept in a file for whoever mends it
        return _complain(f"unexpected {type(error).__name__}: {error}; details are in {_keep_traceback()}", 1)


def _call(name: str, arguments: list[str]) -> int:
    from typer.exceptions import Abort, Exit, TyperException  # noqa: PLC0415  (the help needs no typer)
    from typer.main import get_command  # noqa: PLC0415

    command = get_command(importlib.import_module(COMMANDS[name].module).app)
    grouped = getattr(command, "commands", {})
    if name in grouped:  # several top-level commands share the module
        command = grouped[name]
    try:
        result = command.main(args=arguments[1:], prog_name=f"assay {name}", standalone_mode=False)
    except Exit as stop:
        return stop.exit_code
    except Abort as stop:
        raise KeyboardInterrupt from stop
    except TyperException as error:
        where = getattr(getattr(error, "ctx", None), "command_path", f"assay {name}")
        return _complain(f"{error.format_message()} (see {where} --help)", error.exit_code)
    return result if isinstance(result, int) else 0


def _complain(words: str, code: int) -> int:
    print(f"assay: {' '.join(words.split())}", file=sys.stderr)  # noqa: T201
    return code


def _keep_traceback() -> Path:
    from apps.settings import load_settings  # noqa: PLC0415  (only on the way out)

    try:
        folder = load_settings().home / "log"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "last_error.txt"
        path.write_text(traceback.format_exc(), encoding="utf-8")
    except (OSError, ValueError):
        traceback.print_exc()
        return Path("the lines above")
    return path
