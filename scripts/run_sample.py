"""What ``make run`` does: the main job on an embedded sample scene.

With a display it opens the app on the sample; without one it inspects, refines and evaluates the
sample from the command line and says where the results and a picture lie.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "build" / "sample"
SAMPLE_OPTIONS = ("--people", "3", "--frames", "100", "--level", "published")

Run = Callable[[Sequence[str]], int]
"""Runs one command of smpl-refiner and returns its exit code."""


def has_display(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a window can be shown: always on a desktop system, with a server on the others."""
    if platform in ("darwin", "win32"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def has_app() -> bool:
    """Whether the desktop program is part of this version."""
    return importlib.util.find_spec("app.__main__") is not None


def is_fresh(sample: Path, sources: Path) -> bool:
    """Whether a complete sample is there that is younger than the program that makes it.

    The ground truth is written last, so a sample that was interrupted is not complete.
    """
    truth = sample / "ground_truth.npz"
    if not truth.is_file():
        return False
    newest = max((path.stat().st_mtime for path in sources.rglob("*.py")), default=0.0)
    return truth.stat().st_mtime >= newest


def smpl_refiner(arguments: Sequence[str]) -> int:
    """Run a command of the engine, as it would be typed, and return its exit code."""
    print(f"\n$ smpl-refiner {' '.join(arguments)}", flush=True)
    return subprocess.run(
        [sys.executable, "-m", "refine_engine", *arguments], cwd=ROOT, check=False
    ).returncode


def open_app(sample: Path) -> int:
    """Open the app on the sample and wait until it is closed."""
    print(f"\n$ smpl-refiner-gui {sample}", flush=True)
    return subprocess.run(
        [sys.executable, "-m", "app", str(sample)], cwd=ROOT, check=False
    ).returncode


def has_command(name: str) -> bool:
    """Whether this version knows a command."""
    return (
        subprocess.run(
            [sys.executable, "-m", "refine_engine", name, "--help"],
            cwd=ROOT,
            check=False,
            capture_output=True,
        ).returncode
        == 0
    )
