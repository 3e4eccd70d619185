"""The tool that measures the window: its parts, and the clock that they start from."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "measure_window.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("measure_window", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_part_can_be_measured_alone(tool: ModuleType) -> None:
    assert set(tool.PARTS) | {"headless"} == set(tool.ALONE)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_seconds_count_from_the_start_of_the_process() -> None:
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); time.sleep(0.5);"
        "from measure_window import seconds_alive; print(seconds_alive())"
    )
    command = [sys.executable, "-c", program, str(SCRIPT.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) > 0.45


def test_a_wrong_part_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path), "--only", "colour"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "colour" in done.stderr
