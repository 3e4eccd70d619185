"""What the engine says is said in the window's words: no option of the command line."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import refine_engine
from app.errors import report
from app.main_window import MainWindow
from app.panels.runs import notes_of
from app.wording import PHRASES, error_in_window_words, in_window_words
from refine_engine.errors import ExportError
from refine_engine.scene import ImportReport

OPTION = re.compile(r"(?<![\w`-])--[a-z][a-z-]+")
NEVER_IN_A_WINDOW = (
    "refine_engine/batch/",
    "refine_engine/cli.py",
    "refine_engine/pipeline.py",
    "refine_engine/warm.py",
    "refine_engine/exporters/blender.py",
    "refine_engine/exporters/sources.py",
    "refine_engine/evaluation/accuracy.py",
    "refine_engine/evaluation/difference.py",
    "refine_engine/evaluation/people_and_scale.py",
    "refine_engine/evaluation/prior_gain.py",
    "refine_engine/evaluation/train_prior.py",
    "refine_engine/evaluation/unseen_motion.py",
)
"""Modules whose sentences only the command line shows, beside all ``*_command.py``."""
ARGUMENT_ERRORS = ("--set ", "write --set KEY=VALUE")
"""Of texts that are only parsed from a command line."""


def sentences() -> list[tuple[str, str]]:
    """(module, text) of the string literals of the engine that name an option."""
    root = Path(refine_engine.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root.parent).as_posix()
        if name.endswith("command.py") or name.startswith(NEVER_IN_A_WINDOW):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        free = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        arguments = {
            id(a)
            for n in ast.walk(tree)
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute | ast.Name)
            if getattr(n.func, "attr", getattr(n.func, "id", "")) in ("add", "add_argument")
            for a in ast.walk(n)
        }
        for node in ast.walk(tree):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if not is_text or id(node) in free or id(node) in arguments:
                continue
            text = str(node.value)
            # An option alone is compared with or passed on, not said.
            if OPTION.search(text) and " " in text.strip() and text not in ARGUMENT_ERRORS:
                found.append((name, text))
    return found


SENTENCES = sentences()


def test_there_are_such_sentences() -> None:
    assert len(SENTENCES) > 5


@pytest.mark.parametrize(("module", "text"), SENTENCES)
def test_no_sentence_names_an_option(module: str, text: str) -> None:
    said = in_window_words(text)
    assert not OPTION.search(said), f"{module}: {said}"


@pytest.mark.parametrize(("said", "meant"), PHRASES)
def test_no_phrase_is_left_over(said: str, meant: str) -> None:
    assert said != meant
    assert any(said in text for _, text in SENTENCES), "the engine says it no more"


def test_an_error_says_what_to_choose() -> None:
    error = ExportError("/media/full", "cannot be written to", "name another folder (--output)")
    assert (
        report("It", error).message == "/media/full: cannot be written to; choose another folder."
    )
    waits = error_in_window_words("a", "is busy", "wait for it to end, or name another folder")
    assert waits == "a: is busy; wait for it to end, or choose another folder."
    kept = error_in_window_words("a.npz", "holds no number", "name it person_001 or similar")
    assert kept.endswith("name it person_001 or similar.")


def test_the_report_speaks_the_windows_words(opened: MainWindow) -> None:
    session = opened.session
    assert session.opened is not None
    missing = ImportReport(missing=("No frame rate: 30 are assumed (say it: --fps).",))
    scene = replace(session.opened.scene, report=missing)
    session.opened = replace(session.opened, scene=scene)
    opened.report.refresh()
    for text in (opened.report.plain(), opened.report.text.toPlainText()):
        assert "--fps" not in text
        assert "Open folder with" in text


def test_notes_about_a_run_are_told(opened: MainWindow, qtbot: Any) -> None:
    session = opened.session
    with qtbot.waitSignal(session.ended):
        session.run(None, "root")
    record = session.runs[-1]
    assert record.output is not None
    warning = "fps: assumed to be 30; give --fps if it is not"
    record.output = replace(record.output, warnings=(warning,))
    (note,) = notes_of(record)
    assert "--fps" not in note
    opened.runs.refresh()
    assert note in opened.runs.details.toPlainText()
