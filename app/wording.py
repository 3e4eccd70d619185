"""The engine's sentences in the window's words: what to do is named as the window names it.

Errors, findings and notes are written for the command line too, where some name an option. Here
those options become the command, dialog or field that does the same.
"""

from __future__ import annotations

import re

_WITH = "File → Open folder with…"

PHRASES: tuple[tuple[str, str], ...] = (
    ("choose another --output, or allow --overwrite", "choose another place"),
    (" (--output)", ""),
    ("(say it: --fps)", f"(say it: {_WITH})"),
    ("give --fps if it is not", f"say it in {_WITH} if it is not"),
    ("(--fps)", f"({_WITH})"),
    ("--floor moves it to 0", "“Floor at height 0” in the export's dialog moves it to 0"),
    ("(--body)", "(File → Preferences)"),
    ("(--prior)", "(Run → Settings)"),
    ("run without --resume to start again", "refine the folder again"),
    ("run without --resume", "refine the folder again"),
    ("give even numbers, or --no-video:", "give even numbers:"),
)
"""What the engine says, and what the window says instead."""

_NAME = re.compile(r"(^|, or |, )name (?=(?:a|an|another|the|that) )")
"""On a command line things are named, in a window they are chosen."""


def in_window_words(text: str) -> str:
    """A sentence of the engine, as the window says it."""
    for said, meant in PHRASES:
        text = text.replace(said, meant)
    return text


def remedy_in_window_words(remedy: str) -> str:
    """What to do about an error, as the window says it."""
    return _NAME.sub(r"\1choose ", in_window_words(remedy))


def error_in_window_words(where: str, problem: str, remedy: str) -> str:
    """The text of a :class:`~refine_engine.errors.RefinementError` for people at the window."""
    remedy = remedy_in_window_words(remedy)
    end = "" if remedy.endswith("?") else "."
    return f"{where}: {in_window_words(problem)}; {remedy}{end}"
