"""What the window shows where nothing is open: what to do, and what was open last."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.action_button import ActionButton
from app.actions import ActionRegistry, icon
from app.theme import Theme

_TITLE = "Open a results folder"
_TEXT = (
    "Drop a folder of MultiTRAM results here, with its stages 1 to 4.<br>"
    "You will see people, ground and depth, and can refine them."
)
_DOING = "This takes a few seconds; large folders take longer."


class EmptyState(QWidget):
    """What to do when nothing is open."""

    recent_chosen = pyqtSignal(str)

    def __init__(self, registry: ActionRegistry, parent: QWidget) -> None:
        super().__init__(parent)
        self._busy = False
        outer = QVBoxLayout(self)
        outer.addStretch(2)
        self.picture = QLabel(self)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.title = title = QLabel(_TITLE, self)
        title.setProperty("role", "title")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title.setWordWrap(True)
        title.setTextFormat(Qt.TextFormat.PlainText)
        self.text = text = QLabel(_TEXT, self)
        text.setProperty("role", "quiet")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text.setWordWrap(True)
        outer.addWidget(self.picture)
        outer.addSpacing(6)
        outer.addWidget(title)
        outer.addSpacing(2)
        outer.addWidget(text)
        outer.addSpacing(12)
        self._ways = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._ways.addStretch(1)
        self._buttons = [
            ActionButton(registry["file.open"], "Open folder…", self),
            ActionButton(registry["file.sample"], "Try a sample…", self),
        ]
        self._last = registry["file.reopen_last"]
        self.reopen = ActionButton(self._last, "Reopen last session", self)
        self._last.changed.connect(self._show_last)
        self._buttons.append(self.reopen)
        for button in self._buttons:
            self._ways.addWidget(button)
        self._ways.addStretch(1)
        outer.addLayout(self._ways)
        outer.addSpacing(14)
        self.recent = QVBoxLayout()
        self.recent.setSpacing(0)
        outer.addLayout(self.recent)
        outer.addStretch(3)
        self._show_last()

    def _show_last(self) -> None:
        if not self._busy:
            self.reopen.setVisible(self._last.isEnabled())
            self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit again."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Buttons below one another where they do not fit beside one another."""
        shown = [button for button in self._buttons if not button.isHidden()]
        needed = sum(button.sizeHint().width() + self._ways.spacing() for button in shown)
        ways = QBoxLayout.Direction
        wanted = ways.LeftToRight if needed + 24 <= self.width() else ways.TopToBottom
        if wanted != self._ways.direction():
            self._ways.setDirection(wanted)

    def show_doing(self, what: str) -> None:
        """Say what is being done, instead of what could be; "" = nothing is."""
        busy = bool(what)
        if busy == self._busy:
            return
        self._busy = busy
        self.title.setText(what or _TITLE)
        self.text.setText(_DOING if busy else _TEXT)
        for button in self._buttons:
            button.setVisible(not busy)
        for at in range(self.recent.count()):
            item = self.recent.itemAt(at)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.setVisible(not busy)
        self._show_last()

    def show_recent(self, folders: list[str]) -> None:
        """Offer the folders opened last."""
        while self.recent.count():
            item = self.recent.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        for folder in folders[:5]:
            button = QPushButton(folder, self)
            button.setProperty("role", "link")
            button.setToolTip(f"Open {folder}")
            button.clicked.connect(lambda _=False, f=folder: self.recent_chosen.emit(f))
            button.setVisible(not self._busy)
            self.recent.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)

    def set_theme(self, theme: Theme) -> None:
        """The folder in a quiet colour."""
        self.picture.setPixmap(
            icon("folder-large", theme, theme.disabled, 64).pixmap(QSize(64, 64))
        )
        self._fit()
