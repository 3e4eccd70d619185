"""The import contracts of pyproject.toml let pass what they should and stop what they should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

ALLOWED = {
    "refine_engine/__init__.py": "",
    "refine_engine/errors.py": "",
    "refine_engine/geometry/__init__.py": "import numpy",
    "refine_engine/scene.py": "import refine_engine.errors",
    "refine_engine/terms/__init__.py": "import refine_engine.scene",
    "refine_engine/cli.py": "import refine_engine.terms",
    "app/__init__.py": "",
    "app/viewport/__init__.py": "",
    "app/viewport/people.py": "import vtkmodules.vtkCommonCore",
    "app/panels/__init__.py": "import app.actions",
    "app/actions.py": "import app.session",
    "app/session.py": "import refine_engine.terms",
    "app/main_window.py": "import app.viewport.people, app.panels",
}


def lint(project: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    for name, source in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source + "\n")
    (project / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return subprocess.run(
        [str(LINT_IMPORTS), "--no-logo", "--no-cache"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_intended_structure_passes_with_most_modules_missing(tmp_path: Path) -> None:
    result = lint(tmp_path, ALLOWED)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("refine_engine/terms/__init__.py", "PyQt6.QtCore", "no window toolkit"),
        ("refine_engine/scene.py", "vtkmodules.vtkCommonCore", "no window toolkit"),
        ("refine_engine/geometry/__init__.py", "app.session", "no window toolkit"),
        ("refine_engine/scene.py", "refine_engine.terms", "floors"),
        ("refine_engine/geometry/__init__.py", "refine_engine.cli", "floors"),
        ("refine_engine/utils.py", "numpy", "floors"),
        ("app/session.py", "app.panels", "session"),
        ("app/viewport/people.py", "app.main_window", "session"),
        ("app/panels/__init__.py", "vtkmodules.vtkCommonCore", "VTK"),
        ("app/session.py", "torch", "numerics"),
    ],
)
def test_a_forbidden_import_is_stopped(
    tmp_path: Path, module: str, imported: str, contract: str
) -> None:
    source = f"{ALLOWED.get(module, '')}\nimport {imported}"
    result = lint(tmp_path, ALLOWED | {module: source})
    assert result.returncode == 1, result.stdout + result.stderr
    assert contract in result.stdout
    assert "BROKEN" in result.stdout
