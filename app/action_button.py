"""A push button that follows a command."""

from __future__ import annotations

from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QPushButton, QWidget


class ActionButton(QPushButton):
    """A push button that shows and triggers a ``QAction``."""

    def __init__(self, action: QAction, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self._action = action
        self.setObjectName(f"button_{action.objectName()}")
        self.setCheckable(action.isCheckable())
        self.clicked.connect(action.trigger)
        action.changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        self.setEnabled(self._action.isEnabled())
        self.setChecked(self._action.isChecked())
        self.setToolTip(self._action.toolTip())
        self.setAccessibleName(self._action.text().replace("&", ""))
