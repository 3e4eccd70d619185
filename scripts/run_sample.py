"""What ``make run`` does: the main job on an embedded sample scene.

With a display it opens the app on the sample; without one it inspects, refines and evaluates the
sample from the command line and says where the results and a picture lie.
"""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.display import has_display

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "build" / "sample"
SAMPLE_OPTIONS = ("--people", "3", "--frames", "100", "--level", "published")
RESULTS = "5_refinement"


def is_fresh(sample: Path, sources: Path) -> bool:
    """Whether a complete sample is there that is younger than the program that makes it.

    The ground truth is written last, so a sample that was interrupted is not complete.
    """
    truth = sample / "ground_truth.npz"
    if not truth.is_file():
        return False
    newest = max((path.stat().st_mtime for path in sources.rglob("*.py")), default=0.0)
    return truth.stat().st_mtime >= newest


@dataclass(frozen=True)
class Program:
    """SMPL Refiner as it is typed, from this checkout."""

    root: Path = ROOT

    def run(self, module: str, arguments: Sequence[str]) -> int:
        """Run ``python -m module``, show how it would be typed, and return its exit code."""
        name = {"app": "smpl-refiner-gui", "refine_engine": "smpl-refiner"}.get(
            module, f"python -m {module}"
        )
        print(f"\n$ {name} {shlex.join(arguments)}", flush=True)
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, cwd=self.root, check=False).returncode

    def has_app(self) -> bool:
        """Whether the desktop program is part of this version."""
        return importlib.util.find_spec("app.__main__") is not None

    def has_command(self, name: str) -> bool:
        """Whether this version knows a command of ``smpl-refiner``."""
        command = [sys.executable, "-m", "refine_engine", name, "--help"]
        return (
            subprocess.run(command, cwd=self.root, capture_output=True, check=False).returncode == 0
        )


def run_sample(program: Program, sample: Path, *, display: bool) -> int:
    """Make the sample where it is not there yet and do the main job on it.

    Returns
    -------
    int
        0, or the exit code of the first step that failed; nothing runs after it.
    """
    if not is_fresh(sample, program.root / "refine_engine"):
        # Ours alone, below build/: what an older version or an interrupted run left is of no use.
        shutil.rmtree(sample, ignore_errors=True)
        code = program.run("refine_engine", ["sample", str(sample), *SAMPLE_OPTIONS])
        if code != 0:
            return code
    if display and program.has_app():
        return program.run("app", [str(sample)])
    if not display:
        print("\nNo display answers, so the sample is refined without a window.", flush=True)
    steps = (
        ["inspect", "refine", "evaluate"]
        if program.has_command("refine")
        else ["inspect", "evaluate"]
    )
    for step in steps:
        code = program.run("refine_engine", [step, str(sample)])
        if code != 0:
            return code
    picture = sample / "picture.png"
    code = program.run("scripts.draw_picture", [str(sample), str(picture)])
    if code != 0:
        return code
    print()
    if "refine" in steps:
        print(f"Results: {sample / RESULTS}")
    else:
        print(f"This version does not refine yet. The scene: {sample}")
    print(f"Picture: {picture}")
    programs = Path(".venv", "bin")
    print(f"Your own data: {programs / 'smpl-refiner'} refine FOLDER")
    print(f"The window: {programs / 'smpl-refiner-gui'} FOLDER")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(run_sample(Program(), SAMPLE, display=has_display()))
    except KeyboardInterrupt:  # the step that was running has said what it kept
        sys.exit(130)
