"""Answering a dialog that blocks until it is answered; tests only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from patience import PATIENCE_MS
from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication, QDialog

_APART_MS = 20
_LOOKS = PATIENCE_MS // _APART_MS
"""Until a dialog is given up that never came."""


def answer_dialog(kind: type[QDialog], fill: Callable[[Any], None]) -> None:
    """Once a modal dialog of this kind has the keys, let ``fill`` operate it; it always ends."""
    looks = 0

    def look() -> None:
        nonlocal looks
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, kind) or not dialog.isActiveWindow():
            looks += 1
            if looks < _LOOKS:
                QTimer.singleShot(_APART_MS, look)
                if dialog is not None:
                    # Where there is no window manager nobody else gives it the keys.
                    dialog.activateWindow()
            elif dialog is not None:
                dialog.close()
            return
        try:
            fill(dialog)
        finally:
            # Whatever an assertion in it said: the test must not wait for ever.
            if dialog.isVisible():
                dialog.reject()

    QTimer.singleShot(0, look)
