"""One line of text that never asks for room."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QSize, Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QLabel, QSizePolicy, QWidget


class ElidedLabel(QLabel):
    """What does not fit ends in an ellipsis; the tool tip has all of it.

    Parameters
    ----------
    parent
        Qt owner.
    margin
        Pixels left free beside the text.
    grows
        Take what room there is; else as much as the text needs, and less where there is less.
    """

    def __init__(self, parent: QWidget | None = None, margin: int = 16, grows: bool = True) -> None:
        super().__init__(parent)
        self._full = ""
        self._margin = margin
        self._grows = grows
        wide = QSizePolicy.Policy.Ignored if grows else QSizePolicy.Policy.Preferred
        self.setSizePolicy(wide, QSizePolicy.Policy.Preferred)

    def show_text(self, text: str) -> None:
        """Show a sentence."""
        self._full = " ".join(text.split())
        self.setToolTip(self._full)
        self.updateGeometry()
        self._elide()

    def changeEvent(self, event: QEvent | None) -> None:
        """Another font needs other room."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.updateGeometry()
            self._elide()

    def sizeHint(self) -> QSize:
        """Of the whole text."""
        self.ensurePolished()
        hint = super().sizeHint()
        if not self._grows:
            hint.setWidth(self.fontMetrics().horizontalAdvance(self._full) + self._margin + 2)
        return hint

    def minimumSizeHint(self) -> QSize:
        """Nothing is asked for."""
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Elide anew."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        room = max(self.width() - self._margin, 0)
        text = self.fontMetrics().elidedText(self._full, Qt.TextElideMode.ElideRight, room)
        if text != self.text():
            self.setText(text)
