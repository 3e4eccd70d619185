"""Asking for the name of a file to write: with its ending, and not over another one unasked."""

from __future__ import annotations

import re
from pathlib import Path

from PyQt6.QtWidgets import QFileDialog, QMessageBox, QWidget


def endings(kinds: str) -> list[str]:
    """Endings of a Qt name filter: "Picture (*.png *.jpg)" has [".png", ".jpg"]."""
    return re.findall(r"\*(\.\w+)", kinds)


def with_ending(path: Path, chosen_kind: str, kinds: str) -> Path:
    """The path as named, or with the chosen kind's ending where it has none of those offered."""
    known = endings(kinds)
    if not known or path.suffix.lower() in known:
        return path
    return path.with_name(path.name + (endings(chosen_kind) or known)[0])


def ask_save_name(parent: QWidget, title: str, proposal: Path, kinds: str) -> Path | None:
    """The file to write, or None.

    Parameters
    ----------
    parent
        Over which window.
    title
        What is saved.
    proposal
        Where, and under which name.
    kinds
        Qt name filters, "Values (*.csv);;Picture (*.png)".
    """
    chosen, kind = QFileDialog.getSaveFileName(parent, title, str(proposal), kinds)
    if not chosen:
        return None
    named = Path(chosen)
    path = with_ending(named, kind, kinds)
    # Qt's dialog asked about the name as it was typed, not about the one with its ending.
    if path != named and path.exists() and not may_replace(parent, path):
        return None
    return path


def may_replace(parent: QWidget, path: Path) -> bool:
    """Ask whether a file, or files in a folder, may be replaced."""
    if path.is_dir():
        text = f"{path} holds files already. Replace those of the same name?"
    else:
        text = f"{path} exists already. Replace it?"
    answer = QMessageBox.question(parent, "Replace files?", text)
    return answer == QMessageBox.StandardButton.Yes
