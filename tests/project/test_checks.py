"""``make test`` reports every check, and no way of testing nothing passes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import checks


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project that the checks take for this one."""
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    monkeypatch.setattr(checks, "REPORTS", tmp_path / "build")
    (tmp_path / "tests" / "app").mkdir(parents=True)
    return tmp_path


def run_one(project: Path, source: str) -> tuple[bool, str]:
    (project / "tests" / "test_one.py").write_text(source)
    return checks.run_pytest("engine", ["-p", "no:cacheprovider", "-p", "no:pytest-qt", "tests"])


def test_passing_tests_pass_with_their_closing_line(project: Path) -> None:
    passed, closing = run_one(project, "def test_one(): pass\n")
    assert passed
    assert "1 passed" in closing


def test_a_failing_test_fails(project: Path) -> None:
    passed, closing = run_one(project, "def test_one(): assert False\ndef test_two(): pass\n")
    assert not passed
    assert "1 failed, 1 passed" in closing
    assert "exit code 1" in closing


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "exit code 5"),
        ("import pytest\n@pytest.mark.skip\ndef test_one(): pass\n", "nothing was tested"),
        ("import pytest\npytest.skip('none', allow_module_level=True)\n", "exit code 5"),
        ("def test_one(: pass\n", "exit code 2"),
    ],
)
def test_testing_nothing_fails(project: Path, source: str, reason: str) -> None:
    passed, closing = run_one(project, source)
    assert not passed
    assert reason in closing


def test_a_report_of_an_earlier_run_does_not_count(project: Path) -> None:
    assert run_one(project, "def test_one(): pass\n")[0]
    assert not run_one(project, "import pytest\n@pytest.mark.skip\ndef test_one(): pass\n")[0]


def test_all_checks_run_and_each_has_a_closing_line(capfd: pytest.CaptureFixture[str]) -> None:
    exit_code = checks.run_checks(
        [
            checks.Check("first", checks.python_module("no_such_module")),
            checks.Check("second", lambda: (True, "3 passed")),
        ]
    )
    assert exit_code == 1
    first, second = capfd.readouterr().out.splitlines()[-2:]
    assert first.startswith("FAILED first")
    assert "exit code 1" in first
    assert second.startswith("ok     second")
    assert second.endswith("3 passed")


def test_only_passing_checks_pass() -> None:
    assert checks.run_checks([checks.Check("one", lambda: (True, ""))]) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="virtual screens are Linux's")
def test_app_tests_need_a_virtual_screen(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    passed, closing = checks.run_app_tests()
    assert not passed
    assert "make test" in closing


def test_app_tests_run_once_there_are_any(project: Path) -> None:
    names = [check.name for check in checks.test_checks()]
    assert names == ["tests"]
    (project / "tests" / "app" / "test_window.py").write_text("")
    names = [check.name for check in checks.test_checks()]
    assert names == ["tests", "tests of the app"]


def run_window(project: Path, source: str) -> tuple[bool, str]:
    (project / "tests" / "app" / "test_window.py").write_text(source)
    return checks.run_window_pytest(["-p", "no:pytest-qt", "tests/app"])


TRIES = """
from pathlib import Path
def tried(name):
    path = Path(__file__).with_name(name)
    count = int(path.read_text()) + 1 if path.exists() else 1
    path.write_text(str(count))
    return count
"""


def test_a_window_test_that_passes_only_the_second_time_is_named(project: Path) -> None:
    source = TRIES + (
        "def test_slow(): assert tried('slow') > 1\ndef test_sound(): assert tried('sound') == 1\n"
    )
    passed, closing = run_window(project, source)
    assert passed
    assert "1 failed, 1 passed" in closing
    assert closing.endswith("PASSED ONLY THE SECOND TIME: tests.app.test_window.test_slow")


@pytest.mark.parametrize(
    ("source", "tries"),
    [
        ("def test_bad(): assert tried('bad') == 0\n", 2),
        ("".join(f"def test_{k}(): assert tried('bad') > 9\n" for k in range(4)), 4),
        ("tried('bad')\ndef test_one(: pass\n", 0),
        ("def test_one(): tried('bad'); __import__('os')._exit(3)\n", 1),
    ],
    ids=["fails twice", "too many", "does not parse", "breaks down"],
)
def test_a_second_try_excuses_nothing_else(project: Path, source: str, tries: int) -> None:
    passed, _ = run_window(project, TRIES + source)
    assert not passed
    count = project / "tests" / "app" / "bad"
    assert (int(count.read_text()) if count.exists() else 0) == tries
