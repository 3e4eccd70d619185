from __future__ import annotations

import argparse
import re
import sys
import types
from pathlib import Path

import pytest

from refine_engine import cli
from refine_engine.errors import Cancelled, ExportError, InputError


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """A sub-command ``try`` whose behaviour the test sets."""
    state = types.SimpleNamespace(action=lambda args: 0)
    module = types.ModuleType("command_for_test")

    def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        parser = subparsers.add_parser("try", help="for the test")
        parser.add_argument("--value", type=int, default=1)
        parser.set_defaults(run=lambda args: state.action(args))

    module.add_command = add_command  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(cli, "COMMAND_MODULES", (module.__name__,))
    return state


def test_passes_arguments_and_returns_the_exit_code(command: types.SimpleNamespace) -> None:
    command.action = lambda args: args.value
    assert cli.main(["try", "--value", "0"]) == 0
    assert cli.main(["try", "--value", "1"]) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x.npz", "is damaged", "copy it again"), 2),
        (ExportError("out", "cannot be written", "choose another folder"), 1),
        (Cancelled(), 130),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    command: types.SimpleNamespace,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise error

    command.action = fail
    assert cli.main(["try"]) == code
    text = capsys.readouterr().err
    assert text == f"smpl-refiner: {error}\n"


def test_debug_shows_the_traceback(
    command: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise InputError("x", "is damaged", "copy it again")

    command.action = fail
    assert cli.main(["try", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_defect_of_the_program_is_named_as_one(
    command: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise ZeroDivisionError("by nought")

    command.action = fail
    assert cli.main(["try"]) == 1
    text = capsys.readouterr().err
    assert "defect of the program (ZeroDivisionError: by nought)" in text
    assert "Traceback" not in text
    with pytest.raises(ZeroDivisionError):
        cli.main(["try", "--debug"])


def test_versions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert re.match(r"smpl-refiner \d+\.\d+\.\d+ \(python 3\..*numpy ", capsys.readouterr().out)


def test_too_little_memory_is_no_defect(
    command: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise MemoryError("Unable to allocate 5.96 GiB")

    command.action = fail
    assert cli.main(["try"]) == 1
    text = capsys.readouterr().err
    assert "not enough memory (Unable to allocate 5.96 GiB)" in text
    assert "defect" not in text


def test_kernels_without_a_place_say_what_to_set(
    command: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise RuntimeError("cannot cache function 'f': no locator available for file 'blocks.py'")

    command.action = fail
    assert cli.main(["try"]) == 1
    text = capsys.readouterr().err
    assert "set the variable NUMBA_CACHE_DIR" in text
    assert "defect" not in text


def test_interruption(command: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    command.action = fail
    assert cli.main(["try"]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["try", "--value", "x"]])
def test_bad_usage_is_2(
    command: types.SimpleNamespace, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("smpl-refiner")
    assert said.endswith(" --help.\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize("given", [["--up", "-y"], ["--up=-y"], ["--up", "+Y"], ["--up", "y"]])
def test_an_axis_may_begin_with_a_dash(command: types.SimpleNamespace, given: list[str]) -> None:
    from refine_engine.importers.inspect_command import add_input_options

    parser = argparse.ArgumentParser()
    add_input_options(parser)
    found = parser.parse_args(cli._joined_axis(given))
    assert found.up.lower().strip("+-") == "y"


def test_every_registered_command_has_help_and_runs_something() -> None:
    parser = cli.build_parser()
    action = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    assert action.choices
    for name, command in action.choices.items():
        assert callable(command.get_default("run")), name
        assert command.description, name


def test_a_missing_folder_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err
