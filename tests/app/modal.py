"""Answering a dialog that blocks until it is answered; tests only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication, QDialog

_PATIENCE = 400
"""Looks, 20 ms apart, until a dialog is given up that never came."""


def answer_dialog(kind: type[QDialog], fill: Callable[[Any], None]) -> None:
    """Once a modal dialog of this kind is shown, let ``fill`` operate it; it always ends."""
    looks = 0

    def look() -> None:
        nonlocal looks
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, kind) or not dialog.isVisible():
            looks += 1
            if looks < _PATIENCE:
                QTimer.singleShot(20, look)
            return
        try:
            fill(dialog)
        finally:
            # Whatever an assertion in it said: the test must not wait for ever.
            if dialog.isVisible():
                dialog.reject()

    QTimer.singleShot(0, look)
