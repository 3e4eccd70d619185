"""The order of ``make run`` with and without a display, and what stops it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import run_sample


class Recorder(run_sample.Program):
    """Notes commands instead of running them; ``sample`` leaves a ground truth behind."""

    def __init__(
        self, root: Path, failing: str = "", *, app: bool = True, refine: bool = True
    ) -> None:
        super().__init__(root)
        object.__setattr__(self, "commands", [])
        object.__setattr__(self, "failing", failing)
        object.__setattr__(self, "known", (app, refine))

    def run(self, module: str, arguments: Sequence[str]) -> int:
        name = arguments[0] if module == "refine_engine" else module
        self.commands.append(name)
        if name == "sample":
            folder = Path(arguments[1])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "ground_truth.npz").touch()
        return 3 if name == self.failing else 0

    def has_app(self) -> bool:
        return self.known[0]

    def has_command(self, name: str) -> bool:
        return self.known[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    engine = tmp_path / "refine_engine"
    engine.mkdir()
    (engine / "cli.py").touch()
    os.utime(engine / "cli.py", (1_000, 1_000))
    return tmp_path


def test_with_a_display_the_app_opens_on_the_sample(project: Path) -> None:
    program = Recorder(project)
    assert run_sample.run_sample(program, project / "sample", display=True) == 0
    assert program.commands == ["sample", "app"]


def test_without_a_display_the_sample_is_refined_and_drawn(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = Recorder(project)
    sample = project / "sample"
    assert run_sample.run_sample(program, sample, display=False) == 0
    assert program.commands == ["sample", "inspect", "refine", "evaluate", "scripts.draw_picture"]
    out = capsys.readouterr().out
    assert f"Results: {sample / '5_refinement'}" in out
    assert f"Picture: {sample / 'picture.png'}" in out


def test_without_the_app_a_display_changes_nothing(project: Path) -> None:
    program = Recorder(project, app=False)
    assert run_sample.run_sample(program, project / "sample", display=True) == 0
    assert "app" not in program.commands
    assert "refine" in program.commands


def test_a_version_that_cannot_refine_says_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = Recorder(project, refine=False)
    assert run_sample.run_sample(program, project / "sample", display=False) == 0
    assert program.commands == ["sample", "inspect", "evaluate", "scripts.draw_picture"]
    assert "does not refine" in capsys.readouterr().out


@pytest.mark.parametrize(
    "step", ["sample", "inspect", "refine", "evaluate", "scripts.draw_picture"]
)
def test_the_first_failure_ends_it_with_its_exit_code(
    project: Path, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    program = Recorder(project, failing=step)
    assert run_sample.run_sample(program, project / "sample", display=False) == 3
    assert program.commands[-1] == step
    assert "Picture:" not in capsys.readouterr().out


def test_the_sample_is_made_again_only_when_the_program_is_younger(project: Path) -> None:
    sample = project / "sample"
    first, second, third = (Recorder(project) for _ in range(3))
    run_sample.run_sample(first, sample, display=True)
    run_sample.run_sample(second, sample, display=True)
    assert second.commands == ["app"]
    os.utime(sample / "ground_truth.npz", (500, 500))
    run_sample.run_sample(third, sample, display=True)
    assert third.commands == ["sample", "app"]


def test_what_an_interrupted_run_left_is_removed(project: Path) -> None:
    sample = project / "sample"
    (sample / "5_refinement").mkdir(parents=True)
    program = Recorder(project)
    assert run_sample.run_sample(program, sample, display=True) == 0
    assert program.commands == ["sample", "app"]
    assert [path.name for path in sample.iterdir()] == ["ground_truth.npz"]


def test_commands_run_for_real(tmp_path: Path) -> None:
    """Exit codes and the existence of commands come from the program itself."""
    package = tmp_path / "refine_engine"
    package.mkdir()
    source = "import sys\nsys.exit(0 if sys.argv[1] == 'refine' else 2)\n"
    (package / "__main__.py").write_text(source)
    (package / "__init__.py").touch()
    program = run_sample.Program(tmp_path)
    assert program.has_command("refine")
    assert not program.has_command("export")
    assert program.run("refine_engine", ["export", "x"]) == 2
