"""The command palette and the list of shortcuts, both from the action registry."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QKeyEvent, QKeySequence
from PyQt6.QtWidgets import (
    QDialog,
    QHeaderView,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.actions import ActionRegistry


def matches(query: str, text: str) -> bool:
    """Whether every word of the query occurs in the text."""
    lowered = text.lower()
    return all(word in lowered for word in query.lower().split())


class PaletteDialog(QDialog):
    """Type a few letters, Enter runs the command."""

    def __init__(self, registry: ActionRegistry, parent: QWidget | None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("palette")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._registry = registry
        self.resize(560, 380)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        self.query = QLineEdit(self)
        self.query.setPlaceholderText("Type a command")
        self.query.setAccessibleName("Command")
        self.query.installEventFilter(self)
        self.list = QListWidget(self)
        self.list.setAccessibleName("Commands")
        column.addWidget(self.query)
        column.addWidget(self.list)
        self.query.textChanged.connect(self._fill)
        self.query.returnPressed.connect(self._run)
        self.list.itemActivated.connect(lambda _: self._run())
        self._fill("")
        self.query.setFocus()

    def _fill(self, query: str) -> None:
        self.list.clear()
        for command in self._registry.commands():
            action = self._registry[command.key]
            text = action.text().replace("&", "").rstrip("…")
            if command.key == "help.palette" or not matches(query, f"{command.menu} {text}"):
                continue
            shortcut = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            where = f"{command.menu}: " if command.menu else ""
            item = QListWidgetItem(f"{where}{text}" + (f"    {shortcut}" if shortcut else ""))
            item.setData(Qt.ItemDataRole.UserRole, command.key)
            item.setToolTip(command.tip)
            if not action.isEnabled():
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self.list.addItem(item)
        for row in range(self.list.count()):
            found = self.list.item(row)
            if found is not None and found.flags() & Qt.ItemFlag.ItemIsEnabled:
                self.list.setCurrentRow(row)
                break

    def _run(self) -> None:
        item = self.list.currentItem()
        if item is None or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        key = item.data(Qt.ItemDataRole.UserRole)
        self.close()
        self._registry[key].trigger()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Arrow keys move in the list while the field keeps the focus."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            moves = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
            move = moves.get(Qt.Key(event.key()))
            if move is not None and self.list.count():
                row = (self.list.currentRow() + move) % self.list.count()
                self.list.setCurrentRow(row)
                return True
        return super().eventFilter(watched, event)


class ShortcutsDialog(QDialog):
    """Every command that has a shortcut, by menu."""

    def __init__(self, registry: ActionRegistry, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(560, 560)
        column = QVBoxLayout(self)
        self.tree = QTreeWidget(self)
        self.tree.setHeaderLabels(["Command", "Shortcut"])
        self.tree.setAccessibleName("Shortcuts")
        header = self.tree.header()
        if header is not None:
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        groups: dict[str, QTreeWidgetItem] = {}
        for command in registry.commands():
            action = registry[command.key]
            shortcut = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            if not shortcut:
                continue
            name = command.menu or "Other"
            if name not in groups:
                groups[name] = QTreeWidgetItem([name])
                self.tree.addTopLevelItem(groups[name])
            text = action.text().replace("&", "").rstrip("…")
            groups[name].addChild(QTreeWidgetItem([text, shortcut]))
        extra = QTreeWidgetItem(["With the focus on"])
        self.tree.addTopLevelItem(extra)
        for what, keys in (
            ("Time line: one frame, one second, ends", "← →, Page Up/Down, Home/End"),
            (
                "Weight slider: a little, half a decade, zero, default",
                "← →, Page Up/Down, Home, Del",
            ),
            ("Person: select", "Enter"),
        ):
            extra.addChild(QTreeWidgetItem([what, keys]))
        self.tree.expandAll()
        column.addWidget(self.tree)
