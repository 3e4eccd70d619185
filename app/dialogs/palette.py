"""The command palette: every command of the action registry, found by a few letters."""

from __future__ import annotations

import re

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QBrush, QKeyEvent, QKeySequence, QPalette
from PyQt6.QtWidgets import (
    QDialog,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.actions import ActionRegistry, Command
from app.panels.dock import scaled

_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


def matches(query: str, text: str) -> bool:
    """Whether every word of the query occurs in the text."""
    lowered = text.lower()
    return all(word in lowered for word in query.lower().split())


def rank(query: str, title: str, more: str) -> int | None:
    """How well a command fits, 0 best: words begin its title's words, occur in it, or elsewhere.

    None = not every word of the query occurs.
    """
    begun = [re.sub(r"^\W+", "", word) for word in title.lower().split()]
    if all(any(word.startswith(part) for word in begun) for part in query.lower().split()):
        return 0
    if matches(query, title):
        return 1
    return 2 if matches(query, f"{title} {more}") else None


class PaletteDialog(QDialog):
    """Type a few letters, Enter runs the command."""

    def __init__(self, registry: ActionRegistry, parent: QWidget | None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("palette")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._registry = registry
        self.resize(scaled(560), scaled(400))
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        self.query = QLineEdit(self)
        self.query.setPlaceholderText("Type a command")
        self.query.setAccessibleName("Command")
        self.query.installEventFilter(self)
        self.list = QTreeWidget(self)
        self.list.setAccessibleName("Commands")
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setHeaderHidden(True)
        self.list.setColumnCount(2)
        header = self.list.header()
        if header is not None:
            header.setStretchLastSection(False)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        column.addWidget(self.query)
        column.addWidget(self.list)
        self.query.textChanged.connect(self._fill)
        self.query.returnPressed.connect(self._run)
        self.list.itemClicked.connect(lambda *_: self._run())
        # Rows are as high as the style says only once it is known.
        self.list.ensurePolished()
        self._fill("")
        self.query.setFocus()

    def _fill(self, query: str) -> None:
        self.list.clear()
        quiet = QBrush(self.palette().color(QPalette.ColorRole.PlaceholderText))
        found: list[tuple[int, Command]] = []
        for command in self._registry.commands():
            title = f"{command.menu} {self._registry.title(command.key)}"
            place = rank(query, title, command.tip)
            if place is not None and command.key != "help.palette":
                found.append((place, command))
        for _, command in sorted(found, key=lambda f: f[0]):
            action = self._registry[command.key]
            shortcut = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            where = f"{command.menu}: " if command.menu else ""
            mark = "✓ " if action.isChecked() else ""
            text = f"{mark}{where}{self._registry.title(command.key)}"
            item = QTreeWidgetItem([text, f"{shortcut} "])
            item.setForeground(1, quiet)
            item.setTextAlignment(1, _RIGHT)
            item.setData(0, Qt.ItemDataRole.UserRole, command.key)
            for at in (0, 1):
                item.setToolTip(at, command.tip)
            if not action.isEnabled():
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self.list.addTopLevelItem(item)
        rows = [self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount())]
        usable = [r for r in rows if r is not None and r.flags() & Qt.ItemFlag.ItemIsEnabled]
        if usable:
            self.list.setCurrentItem(usable[0])

    def _run(self) -> None:
        item = self.list.currentItem()
        if item is None or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        key = item.data(0, Qt.ItemDataRole.UserRole)
        self.close()
        self._registry[key].trigger()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Arrow keys move in the list while the field keeps the focus."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            moves = {
                Qt.Key.Key_Down: 1,
                Qt.Key.Key_Up: -1,
                Qt.Key.Key_PageDown: 10,
                Qt.Key.Key_PageUp: -10,
            }
            move = moves.get(Qt.Key(event.key()))
            item = self.list.currentItem()
            if move is not None and item is not None:
                count = self.list.topLevelItemCount()
                row = self.list.indexOfTopLevelItem(item) + move
                row = row % count if abs(move) == 1 else min(max(row, 0), count - 1)
                self.list.setCurrentItem(self.list.topLevelItem(row))
                return True
        return super().eventFilter(watched, event)
