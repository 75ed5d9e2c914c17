"""The process edge: every way to go wrong ends in one line and the right exit code."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from apps import cli
from core.errors import AssayError, GateError, InputError, NotFoundError


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[Exception]:
    class Holder:
        error: Exception = AssayError("nothing")

    def call(_name: str, _arguments: list[str]) -> int:
        raise Holder.error

    monkeypatch.setattr(cli, "_call", call)
    return Holder


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("bad\nfile"), 2),
        (NotFoundError("no model 'x'"), 2),
        (GateError("auc under its floor"), 3),
        (AssayError("the broker is down"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_one_line(
    failing: type, error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.error = error
    assert cli.run(["score"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("assay: ")
    assert said.err.count("\n") == 1


def test_an_unexpected_error_keeps_its_traceback_in_a_file(
    failing: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    failing.error = ZeroDivisionError("by nothing")
    assert cli.run(["score"]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert said.count("\n") == 1
    assert "Traceback" in (tmp_path / "home" / "log" / "last_error.txt").read_text()


def test_an_unknown_command_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scroe"]) == 2
    assert "no command 'scroe'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["score"], ["score", "x", "--data"], ["score", "x", "--nope"], ["keys", "mend"]])
def test_bad_usage_is_one_line_that_names_the_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--help" in said


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_help_of_every_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from typer.main import get_command

    cli.run([name, "--help"])
    command = get_command(__import__(cli.COMMANDS[name].module, fromlist=["app"]).app)
    grouped = getattr(command, "commands", {})
    leaves = [[name]] if name in grouped or not grouped else [[name, leaf] for leaf in grouped]
    for leaf in leaves:
        capsys.readouterr()
        assert cli.run([*leaf, "--help"]) == 0
        shown = capsys.readouterr().out
        assert "Example: " in shown
        assert f"assay {' '.join(leaf)}" in shown.replace("\n", " ")


def test_the_list_of_commands_needs_no_heavy_library() -> None:
    heavy = "print(sorted({'pandas', 'torch', 'typer'} & set(sys.modules)))"
    code = f"import sys; from apps import cli; cli.run(['--help']); {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_scoring_loads_no_torch() -> None:
    code = "import sys, apps.cli.score, apps.cli.inspect; print('torch' in sys.modules, 'lightgbm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"


def test_all_commands_are_typer_applications() -> None:
    for entry in cli.COMMANDS.values():
        assert isinstance(__import__(entry.module, fromlist=["app"]).app, typer.Typer)
