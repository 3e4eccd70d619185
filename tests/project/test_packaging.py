"""What lands in the wheel, what an install of it can read, and that the pins agree."""

from __future__ import annotations

import configparser
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from refine_engine.errors import InputError
from refine_engine.resources import config_path, data_path, resource_path

ROOT = Path(__file__).resolve().parents[2]
BUILD = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
SHOW = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
from refine_engine.resources import resource_path, config_path
for folder in (resource_path(), config_path("")):
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            print(path)
"""


def shipped_files() -> set[str]:
    """Names of all data files of the checkout, relative to it."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in ("resources", "configs")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, check=True)
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_claims_only_its_own_names(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"app", "refine_engine"}
    assert not [name for name in names if name.endswith((".pyc", ".nbi", ".nbc"))]
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


def test_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in ("app", "refine_engine")
        for path in (ROOT / package).rglob("*.py")
    }
    assert modules <= names
    assert {f"refine_engine/_data/{name}" for name in shipped_files()} <= names


def test_every_folder_of_modules_is_a_package() -> None:
    """Without ``__init__.py`` a folder still imports, but types and contracts pass it over."""
    folders = {
        path.parent for name in ("app", "refine_engine") for path in (ROOT / name).rglob("*.py")
    }
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").is_file()]


def test_console_scripts(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
    parser = configparser.ConfigParser()
    parser.read_string(archive.read(name).decode())
    assert dict(parser["console_scripts"]) == {"smpl-refiner": "refine_engine.cli:main"}
    assert dict(parser["gui_scripts"]) == {"smpl-refiner-gui": "app.__main__:main"}


def test_install_of_the_wheel_reads_its_own_data(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    install = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
    subprocess.run(
        [sys.executable, *install, str(target), str(wheel)],
        check=True,
        env={"PATH": "", "PIP_CONFIG_FILE": "/dev/null"},
    )
    shown = subprocess.run(
        [sys.executable, "-I", "-c", SHOW, str(target)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    data = target / "refine_engine" / "_data"
    found = {Path(line).relative_to(data).as_posix(): Path(line) for line in shown}
    assert set(found) >= shipped_files()
    for name, path in found.items():
        if name in shipped_files():
            assert path.read_bytes() == (ROOT / name).read_bytes()


def test_checkout_reads_its_own_data() -> None:
    assert resource_path() == ROOT / "resources"
    assert config_path("") == ROOT / "configs"


def test_missing_data_file_is_named() -> None:
    with pytest.raises(InputError, match=r"resources/body/NO_SUCH\.npz.*install"):
        resource_path("body", "NO_SUCH.npz")
    with pytest.raises(InputError, match=r"configs/no_such\.yaml"):
        config_path("no_such.yaml")
    with pytest.raises(InputError, match="nowhere"):
        data_path("nowhere")


def project_table() -> dict[str, list[str]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = {}
    for line in lines:
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s+]+)", line)
        assert match, f"constraints.txt: '{line}' is not an exact, public pin"
        found[canonicalize_name(match[1])] = Version(match[2])
    return found


def test_every_requirement_is_pinned_and_agrees_with_its_pin() -> None:
    pinned = pins()
    for text in (text for group in project_table().values() for text in group):
        requirement = Requirement(text)
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, text


def test_constraints_reach_everything_that_is_needed() -> None:
    """Walk the installed requirements: each must be pinned, at the version that is installed."""
    pinned = pins()
    todo = [Requirement(text) for group in project_table().values() for text in group]
    seen = set()
    while todo:
        name = canonicalize_name(todo.pop().name)
        if name in seen:
            continue
        seen.add(name)
        installed = importlib.metadata.distribution(name)
        assert name in pinned, f"{name} is needed but has no pin in constraints.txt"
        assert Version(Version(installed.version).public) == pinned[name], (
            f"{name} {installed.version} is installed, {pinned[name]} is pinned: type make setup"
        )
        for text in installed.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement)
