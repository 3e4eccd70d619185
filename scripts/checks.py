"""Run every check of the project, say how each ended, and fail if any failed.

``make test`` runs them all, ``make lint`` (``--no-tests``) all but the tests.  A test run in which
nothing was tested counts as failed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "test-reports"
FEW = 3
"""So many tests of the window may need a second try; more failures are no accident of timing."""

Outcome = tuple[bool, str]
"""Whether a check passed, and the closing line to repeat at the end."""


@dataclass(frozen=True)
class Check:
    """One thing to run."""

    name: str
    run: Callable[[], Outcome]


def tested_count(report: Path) -> int:
    """How many tests of a JUnit report ran, skipped ones not counted."""
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    return sum(int(s.get("tests", "0")) - int(s.get("skipped", "0")) for s in suites)


def failed_tests(report: Path) -> list[str]:
    """Names of the tests of a JUnit report that failed or broke."""
    cases = ElementTree.parse(report).getroot().iter("testcase")
    bad = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
    # A test may fail and then break in its teardown.
    return list(dict.fromkeys(f"{c.get('classname')}.{c.get('name')}" for c in bad))


def run_command(command: Sequence[str]) -> Outcome:
    """Run a command in the project root, its output passed on as it comes."""
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return code == 0, "" if code == 0 else f"exit code {code}"


def run_pytest(name: str, arguments: Sequence[str], prefix: Sequence[str] = ()) -> Outcome:
    """Run pytest, pass its output on as it comes, and return its closing line."""
    report = REPORTS / f"{name}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [*prefix, sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments]
    last = ""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            last = line.strip() or last
    if process.returncode != 0:
        return False, f"{last} (exit code {process.returncode})"
    if not report.is_file() or tested_count(report) == 0:
        return False, f"{last} (nothing was tested)"
    return True, last


def run_window_pytest(arguments: Sequence[str], prefix: Sequence[str] = ()) -> Outcome:
    """Run tests that draw and click, and a few failed ones once more by themselves.

    A real window on a busy machine may lose a race that no program can win.  What fails twice has
    failed; what passes only the second time is named, for somebody to look at.
    """
    passed, closing = run_pytest("app", arguments, prefix)
    report = REPORTS / "app.xml"
    # Exit code 1 is pytest's for failed tests: nothing else gets a second try.
    if passed or not closing.endswith("(exit code 1)") or not report.is_file():
        return passed, closing
    failed = failed_tests(report)
    if not 0 < len(failed) <= FEW:
        return passed, closing
    print(f"== once more, by themselves: {', '.join(failed)}", flush=True)
    again = ["--last-failed", "--last-failed-no-failures=none", *arguments]
    passed, second = run_pytest("app-again", again, prefix)
    if passed and tested_count(REPORTS / "app-again.xml") == len(failed):
        return True, f"{closing}; PASSED ONLY THE SECOND TIME: {', '.join(failed)}"
    return False, f"{closing}; again: {second}"


def has_app_tests() -> bool:
    """Whether there is anything for a virtual screen to show."""
    return any((ROOT / "tests" / "app").rglob("test_*.py"))


def run_app_tests() -> Outcome:
    """Run the app's tests on a virtual screen of their own (Linux) or the real one (elsewhere)."""
    prefix: list[str] = []
    if sys.platform.startswith("linux"):
        if shutil.which("xvfb-run") is None:
            return False, "xvfb-run is missing; type make test, which installs it"
        prefix = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24 +extension GLX"]
    # A pytest-xvfb that happens to be installed would start a second server and exit with 1.
    return run_window_pytest(["-p", "no:xvfb", "tests/app"], prefix)


def python_module(*arguments: str) -> Callable[[], Outcome]:
    """Make a check out of ``python -m ...``."""
    return lambda: run_command([sys.executable, "-m", *arguments])


def lint_checks() -> list[Check]:
    """Everything that only reads the sources."""
    lint_imports = str(Path(sys.executable).with_name("lint-imports"))
    return [
        Check("ruff check", python_module("ruff", "check", ".")),
        Check("ruff format", python_module("ruff", "format", "--check", ".")),
        Check("mypy", python_module("mypy")),
        Check("import contracts", lambda: run_command([lint_imports, "--no-logo"])),
    ]


def test_checks() -> list[Check]:
    """Run the tests: the engine's without pytest-qt, which proves that they need no Qt."""
    engine = ["-p", "no:pytest-qt", "--ignore=tests/app", "tests"]
    checks = [Check("tests", lambda: run_pytest("engine", engine))]
    if has_app_tests():
        checks.append(Check("tests of the app", run_app_tests))
    return checks


def run_checks(checks: Sequence[Check]) -> int:
    """Run all, whatever fails, and print one line for each at the end."""
    lines: list[str] = []
    failed = False
    for check in checks:
        print(f"== {check.name}", flush=True)
        start = time.monotonic()
        passed, closing = check.run()
        failed |= not passed
        word = "ok    " if passed else "FAILED"
        lines.append(f"{word} {check.name} ({time.monotonic() - start:.1f} s) {closing}".rstrip())
    print("\n".join(["", *lines]), flush=True)
    return int(failed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and return the exit code."""
    parser = argparse.ArgumentParser(description="Run the project's checks.")
    parser.add_argument("--no-tests", action="store_true", help="lint, types and contracts only")
    options = parser.parse_args(arguments)
    return run_checks(lint_checks() + ([] if options.no_tests else test_checks()))


if __name__ == "__main__":
    sys.exit(main())
