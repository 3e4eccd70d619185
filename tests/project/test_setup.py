"""``scripts/setup.sh`` on machines that lack something, played by programs that pretend.

Every program that the script may call is replaced or reachable through one folder, so that nothing
of the real machine is read or changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = [
    "libGL.so.1",
    "libEGL.so.1",
    "libglib-2.0.so.0",
    "libdbus-1.so.3",
    "libfontconfig.so.1",
    "libxkbcommon.so.0",
    "libxkbcommon-x11.so.0",
    "libxcb-cursor.so.0",
    "libxcb-icccm.so.4",
    "libxcb-keysyms.so.1",
    "libxcb-shape.so.0",
    "libxcb-xkb.so.1",
]
REAL_PROGRAMS = (
    "bash",
    "cat",
    "cut",
    "dirname",
    "env",
    "flock",
    "grep",
    "mkdir",
    "rm",
    "sha256sum",
    "sort",
    "tr",
    "xargs",
)

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the script installs system packages on Linux only"
)


class Machine:
    """A pretended machine around a copy of the set-up script."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "bin"
        self.project = folder / "project"
        self.log = folder / "log"
        self.programs.mkdir()
        (self.project / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "setup.sh", self.project / "scripts")
        for name in ("pyproject.toml", "constraints.txt"):
            (self.project / name).write_text(f"# {name}\n")
        for name in REAL_PROGRAMS:
            (self.programs / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        self.program("uname", "echo Linux")
        self.program("id", "echo 0")
        self.program("find", "echo a-font.ttf")
        self.program("Xvfb", "")
        self.program("xvfb-run", "")
        self.program("xauth", "")
        self.program("apt-get", "")
        self.libraries(LIBRARIES)
        # Stands for both the system's interpreter and the environment's: making an environment
        # copies it there, everything else only succeeds.
        self.program(
            "python3.11",
            'if [ "$2" = venv ]; then mkdir -p .venv/bin; cat "$0" >.venv/bin/python; '
            "chmod +x .venv/bin/python; fi",
        )
        os.symlink("/bin/chmod", self.programs / "chmod")

    def program(self, name: str, body: str) -> None:
        """Put a shell script in the PATH that notes its arguments."""
        path = self.programs / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.log}"\n{body}\n')
        path.chmod(0o755)

    def libraries(self, names: list[str]) -> None:
        """Say which libraries ldconfig lists."""
        lines = "\n".join(f"echo '\t{name} (libc6,x86-64) => /usr/lib/{name}'" for name in names)
        self.program("ldconfig", lines + "\n:")

    def setup(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the script with an empty log."""
        self.log.write_text("")
        return subprocess.run(
            [str(self.programs / "bash"), "scripts/setup.sh", *arguments],
            cwd=self.project,
            env={"PATH": str(self.programs), "HOME": str(self.project)},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self, name: str) -> list[str]:
        """Arguments of each call of a program."""
        start = f"{name} "
        return [
            x.removeprefix(start) for x in self.log.read_text().splitlines() if x.startswith(start)
        ]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def installs(machine: Machine) -> list[str]:
    return [call for call in machine.calls("python3.11") if "pip install" in call]


def test_first_set_up_installs_and_the_second_does_nothing(machine: Machine) -> None:
    first = machine.setup()
    assert first.returncode == 0, first.stderr
    assert len(installs(machine)) == 2
    assert all("--constraint constraints.txt" in call for call in installs(machine))
    assert not machine.calls("apt-get")
    second = machine.setup()
    assert second.returncode == 0
    assert second.stdout == ""
    assert not installs(machine)


def test_changed_pins_are_installed(machine: Machine) -> None:
    machine.setup()
    (machine.project / "constraints.txt").write_text("numpy==2.4.6\n")
    assert machine.setup().returncode == 0
    assert len(installs(machine)) == 2


def test_interrupted_installation_is_repeated(machine: Machine) -> None:
    machine.setup()
    (machine.project / "constraints.txt").write_text("numpy==2.4.6\n")
    python = machine.project / ".venv" / "bin" / "python"
    working = python.read_text()
    python.write_text(working.replace("fi\n", 'fi\n[ "$3" != install ]\n'))
    assert machine.setup().returncode != 0
    python.write_text(working)
    assert machine.setup().returncode == 0
    assert len(installs(machine)) == 2


def test_a_failed_installation_says_what_it_needs(machine: Machine) -> None:
    machine.setup()
    (machine.project / "constraints.txt").write_text("numpy==2.4.6\n")
    python = machine.project / ".venv" / "bin" / "python"
    python.write_text(python.read_text().replace("fi\n", 'fi\n[ "$3" != install ]\n'))
    failed = machine.setup()
    assert failed.returncode == 1
    assert "needs the network (a mirror: set PIP_INDEX_URL) and 3 GB" in failed.stderr
    assert not (machine.project / ".venv" / "setup.stamp").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_checkout_that_cannot_be_written_says_so(machine: Machine) -> None:
    machine.setup()
    machine.project.chmod(0o555)
    try:
        assert machine.setup().returncode == 0
        (machine.project / "constraints.txt").write_text("numpy==2.4.6\n")
        failed = machine.setup()
    finally:
        machine.project.chmod(0o755)
    assert failed.returncode == 1
    assert "cannot be written to; clone or copy" in failed.stderr


def test_missing_libraries_are_installed_as_root(machine: Machine) -> None:
    machine.libraries([name for name in LIBRARIES if name != "libxcb-cursor.so.0"])
    # Installing the package puts another ldconfig in place, one that lists every library.
    whole = machine.programs / "ldconfig-afterwards"
    lines = "\n".join(f"echo '\t{name} (libc6)'" for name in LIBRARIES)
    machine.program(whole.name, lines)
    machine.program(
        "apt-get",
        f'case "$*" in *libxcb-cursor0) cat "{whole}" >"{machine.programs}/ldconfig";; esac',
    )
    result = machine.setup()
    assert result.returncode == 0, result.stderr
    assert machine.calls("apt-get") == [
        "-qq update",
        "-qq install -y --no-install-recommends libxcb-cursor0",
    ]


def test_missing_libraries_without_rights_are_named_in_one_line(machine: Machine) -> None:
    machine.libraries([name for name in LIBRARIES if name not in ("libEGL.so.1", "libGL.so.1")])
    machine.program("id", "echo 1000")
    machine.program("sudo", "exit 1")
    result = machine.setup()
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "setup: type this, then repeat: sudo apt-get update && "
        "sudo apt-get install -y --no-install-recommends libgl1 libegl1"
    ]
    assert not machine.calls("apt-get")


def test_a_library_that_apt_does_not_bring_is_named(machine: Machine) -> None:
    machine.libraries(LIBRARIES[:-1])
    result = machine.setup()
    assert result.returncode == 1
    assert len(machine.calls("apt-get")) == 2
    assert result.stderr.splitlines()[-1].endswith("--no-install-recommends libxcb-xkb1")


def test_without_apt_the_line_says_so(machine: Machine) -> None:
    machine.libraries(LIBRARIES[:-1])
    (machine.programs / "apt-get").unlink()
    result = machine.setup()
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.endswith("repeat: libxcb-xkb1")


def test_virtual_screen_is_wanted_only_for_the_tests(machine: Machine) -> None:
    (machine.programs / "Xvfb").unlink()
    assert machine.setup().returncode == 0
    result = machine.setup("--tests")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith("--no-install-recommends xvfb")


def test_missing_or_old_python_is_named(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    machine.program("sudo", "exit 1")
    machine.program("python3.11", "exit 1")
    result = machine.setup()
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith("python3 python3-venv")
    assert not (machine.project / ".venv").exists()


def test_python_without_venv_is_named_by_its_own_package(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    machine.program("sudo", "exit 1")
    machine.program(
        "python3.11",
        'case "$2" in *ensurepip*) exit 1;; *venv*) echo python3.11-venv;; esac',
    )
    result = machine.setup()
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith("--no-install-recommends python3.11-venv")


def test_kernels_are_compiled_once_for_each_state_of_their_sources(machine: Machine) -> None:
    engine = machine.project / "refine_engine"
    engine.mkdir()
    (engine / "warm.py").write_text("import numba\n")
    kernel = engine / "kernel.py"
    kernel.write_text("import numba\n")
    machine.setup()
    assert "-m refine_engine.warm" in machine.calls("python3.11")
    machine.setup()
    assert "-m refine_engine.warm" not in machine.calls("python3.11")
    kernel.write_text("import numba  # changed\n")
    machine.setup()
    assert "-m refine_engine.warm" in machine.calls("python3.11")


def test_unknown_argument_is_bad_usage(machine: Machine) -> None:
    result = machine.setup("--test")
    assert result.returncode == 2
    assert "--tests" in result.stderr
