"""The toolbar: run, steer, compare, export; texts give way to icons where there is little room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt6.QtCore import QEvent, QSize, Qt
from PyQt6.QtGui import QKeySequence, QResizeEvent
from PyQt6.QtWidgets import QSizePolicy, QToolBar, QToolButton, QWidget

from app.panels.dock import scaled

if TYPE_CHECKING:
    from app.main_window import MainWindow

STEERING = (
    "run.all",
    "run.pause",
    "run.step_iteration",
    "run.step_stage",
    "run.stop",
    "run.cancel",
)
_GIVE_WAY = (
    ("run.step_iteration", "run.step_stage"),
    ("run.stop", "run.cancel"),
    ("run.pause", "run.reset"),
    ("file.export",),
)
"""Commands that are shown by their icons alone, group after group, until all fit."""
_ICON = 14


class RunBar(QToolBar):
    """A toolbar on which nothing is hidden: it fits itself to the window's width.

    Parameters
    ----------
    window
        Its commands are offered.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__("Run", window)
        self.setObjectName("toolbar")
        self.setMovable(False)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._fitting = False
        registry = window.registry
        for key in STEERING:
            self.addAction(registry[key])
        primary = self.widgetForAction(registry["run.all"])
        if primary is not None:
            primary.setProperty("role", "primary")
        self.addSeparator()
        self.addAction(registry["run.live"])
        self._spacer = QWidget(self)
        self._spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(self._spacer)
        self.addWidget(_compare_button(window, self))
        self.addAction(registry["run.reset"])
        self.addAction(registry["file.export"])
        for child in self.findChildren(QToolButton):
            child.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._may_shrink = [
            [b for key in keys if isinstance(b := self.widgetForAction(registry[key]), QToolButton)]
            for keys in _GIVE_WAY
        ]
        # A button that shows its icon alone is still called by its text.
        for key in (*STEERING, "run.live", "run.reset", "file.export"):
            button = self.widgetForAction(registry[key])
            if button is not None:
                button.setAccessibleName(registry.title(key))
        self.fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit again."""
        super().resizeEvent(event)
        self.fit()

    def changeEvent(self, event: QEvent | None) -> None:
        """Another text size or theme needs another fit."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.fit()

    def fit(self) -> None:
        """Texts where they fit, icons alone for what may give way where they do not."""
        if self._fitting or not hasattr(self, "_may_shrink"):
            return
        self._fitting = True
        side = scaled(_ICON)
        if self.iconSize().width() != side:
            self.setIconSize(QSize(side, side))
        style = Qt.ToolButtonStyle
        for count in range(len(self._may_shrink) + 1):
            for number, group in enumerate(self._may_shrink):
                alone = number < count
                wanted = style.ToolButtonIconOnly if alone else style.ToolButtonTextBesideIcon
                for button in group:
                    if button.toolButtonStyle() != wanted:
                        button.setToolButtonStyle(wanted)
            layout = self.layout()
            if layout is None:
                break
            layout.invalidate()
            if self.sizeHint().width() <= self.width():
                break
        self._fitting = False


def _compare_button(window: MainWindow, bar: QToolBar) -> QToolButton:
    action = window.registry["view.ghost"]
    button = QToolButton(bar)
    button.setCheckable(True)
    button.setAccessibleName("Before and after")

    def follow() -> None:
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        button.setText(f"Before / after  {keys}".rstrip())
        button.setToolTip(action.toolTip())
        button.setChecked(action.isChecked())
        button.setEnabled(action.isEnabled())

    button.clicked.connect(action.trigger)
    action.changed.connect(follow)
    follow()
    return button
