"""The shortcuts: a list of all of them, and the editor that the preferences hold."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QKeySequence
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.actions import ActionRegistry
from app.dialogs.palette import matches
from app.shortcuts import Shortcuts, native

FOCUSED = (
    ("Time line: one frame, one second, ends", "← →, Page Up/Down, Home/End"),
    ("Weight slider: a little, half a decade, zero, default", "← →, Page Up/Down, Home, Del"),
    ("Person: select", "Enter"),
    ("3-D view: turn, nearer, farther", "← → ↑ ↓, +, −"),
)
"""Keys of what has the focus; these stay as they are."""


def _tree(headings: list[str], parent: QWidget) -> QTreeWidget:
    tree = QTreeWidget(parent)
    tree.setHeaderLabels(headings)
    tree.setUniformRowHeights(True)
    header = tree.header()
    if header is not None:
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return tree


def _group(tree: QTreeWidget, name: str) -> QTreeWidgetItem:
    item = QTreeWidgetItem([name])
    item.setFlags(Qt.ItemFlag.ItemIsEnabled)
    tree.addTopLevelItem(item)
    item.setExpanded(True)
    return item


class ShortcutsDialog(QDialog):
    """Every command that has a shortcut, by menu."""

    edit_wanted = pyqtSignal()

    def __init__(self, registry: ActionRegistry, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("shortcuts_dialog")
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(640, 640)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        self.tree = _tree(["Command", "Shortcut"], self)
        self.tree.setAccessibleName("Shortcuts")
        groups: dict[str, QTreeWidgetItem] = {}
        for command in registry.commands():
            shortcut = registry[command.key].shortcut()
            if shortcut.isEmpty():
                continue
            name = command.menu or "Other"
            if name not in groups:
                groups[name] = _group(self.tree, name)
            keys = shortcut.toString(QKeySequence.SequenceFormat.NativeText)
            groups[name].addChild(QTreeWidgetItem([registry.title(command.key), keys]))
        extra = _group(self.tree, "With the focus on")
        for what, keys in FOCUSED:
            extra.addChild(QTreeWidgetItem([what, keys]))
        column.addWidget(self.tree)
        buttons = QDialogButtonBox(self)
        edit = QPushButton("Change…", self)
        edit.setToolTip("Choose other keys in the preferences")
        edit.clicked.connect(self._edit)
        close = QPushButton("Close", self)
        close.setDefault(True)
        close.clicked.connect(self.accept)
        buttons.addButton(edit, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(close, QDialogButtonBox.ButtonRole.AcceptRole)
        column.addWidget(buttons)

    def _edit(self) -> None:
        self.accept()
        self.edit_wanted.emit()


class ShortcutEditor(QWidget):
    """Edits a table of shortcuts: choose a command, press its new keys.

    Parameters
    ----------
    registry
        Names and menus of the commands.
    table
        What is edited; the registry itself is left alone.
    """

    def __init__(self, registry: ActionRegistry, table: Shortcuts, parent: QWidget) -> None:
        super().__init__(parent)
        self.table = table
        self._registry = registry
        self._items: dict[str, QTreeWidgetItem] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        self.filter = QLineEdit(self)
        self.filter.setPlaceholderText("Find a command, or type its keys")
        self.filter.setAccessibleName("Find a command")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._filter)
        column.addWidget(self.filter)
        self.tree = _tree(["Command", "Shortcut", "Default"], self)
        self.tree.setAccessibleName("Commands and their shortcuts")
        self.tree.setMinimumHeight(250)
        self.tree.currentItemChanged.connect(self._choose)
        column.addWidget(self.tree, 1)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        self.name = QLabel("", self)
        self.name.setMinimumWidth(170)
        self.keys = QKeySequenceEdit(self)
        self.keys.setMaximumSequenceLength(1)
        self.keys.setAccessibleName("New shortcut: press the keys")
        self.keys.setToolTip("Click here and press the keys")
        self.keys.keySequenceChanged.connect(self._on_keys)
        self.none = QPushButton("None", self)
        self.none.setToolTip("This command without a shortcut")
        self.none.clicked.connect(self._on_none)
        self.reset = QPushButton("Default", self)
        self.reset.setToolTip("This command's default again")
        self.reset.clicked.connect(self._on_reset)
        for at, widget in enumerate((self.name, self.keys, self.none, self.reset)):
            grid.addWidget(widget, 0, at)
        grid.setColumnStretch(1, 1)
        column.addLayout(grid)
        line = QHBoxLayout()
        self.problem = QLabel("", self)
        self.problem.setProperty("role", "warn")
        self.problem.setWordWrap(True)
        self.problem.setMinimumHeight(32)
        self.take = QPushButton("Take it over", self)
        self.take.setToolTip("Give the keys to this command; the other one loses them")
        self.take.clicked.connect(self._on_take)
        line.addWidget(self.problem, 1)
        line.addWidget(self.take)
        column.addLayout(line)
        self._fill()

    def _fill(self) -> None:
        groups: dict[str, QTreeWidgetItem] = {}
        for command in self._registry.commands():
            name = command.menu or "Other"
            if name not in groups:
                groups[name] = _group(self.tree, name)
            item = QTreeWidgetItem([self._registry.title(command.key)])
            item.setData(0, Qt.ItemDataRole.UserRole, command.key)
            item.setToolTip(0, command.tip)
            groups[name].addChild(item)
            self._items[command.key] = item
        self._show()
        first = next(iter(self._items.values()), None)
        self.tree.setCurrentItem(first)

    def _show(self) -> None:
        for key, item in self._items.items():
            item.setText(1, native(self.table[key]))
            item.setText(2, native(self.table.default(key)) if self.table.changed(key) else "")
            font = item.font(1)
            font.setBold(self.table.changed(key))
            item.setFont(1, font)
        self._show_chosen()

    @property
    def chosen(self) -> str:
        """The command that is edited; "" = none."""
        item = self.tree.currentItem()
        return str(item.data(0, Qt.ItemDataRole.UserRole) or "") if item is not None else ""

    def choose(self, key: str) -> None:
        """Edit a command."""
        self.tree.setCurrentItem(self._items[key])

    def _choose(self, *_: object) -> None:
        self._show_chosen()

    def _show_chosen(self) -> None:
        key = self.chosen
        self.name.setText(self._registry.title(key) if key else "")
        self.keys.setEnabled(bool(key))
        self.keys.blockSignals(True)
        self.keys.setKeySequence(QKeySequence(self.table[key] if key else ""))
        self.keys.blockSignals(False)
        self.none.setEnabled(bool(key and self.table[key]))
        self.reset.setEnabled(bool(key) and self.table.changed(key))
        self._show_problem("", "")

    def _show_problem(self, text: str, what: str) -> None:
        """Say what is in the way of some keys, and offer to take them over."""
        if not text:
            self.problem.setText("")
            self.take.setVisible(False)
            return
        why = self.table.refusal(text)
        others = [self._registry.title(k) for k in self.table.holders(text, self.chosen)]
        self.take.setVisible(not why)
        self.problem.setText(why or f"{native(text)} {what} “{', '.join(others)}”.")

    def _pressed(self) -> str:
        return self.keys.keySequence().toString(QKeySequence.SequenceFormat.PortableText)

    def _on_keys(self, _: QKeySequence) -> None:
        key, text = self.chosen, self._pressed()
        # Qt's field is empty for a moment before it has the keys that are being pressed.
        if not key or not text:
            return
        if self.table.refusal(text) or self.table.holders(text, key):
            self._show_problem(text, "belongs to")
            return
        self.table.assign(key, text)
        self._show()

    def _on_take(self) -> None:
        self.table.assign(self.chosen, self._pressed(), take_over=True)
        self._show()

    def _on_none(self) -> None:
        self.table.assign(self.chosen, "")
        self._show()

    def _on_reset(self) -> None:
        key = self.chosen
        text = self.table.default(key)
        if self.table.holders(text, key):
            self.keys.blockSignals(True)
            self.keys.setKeySequence(QKeySequence(text))
            self.keys.blockSignals(False)
            self._show_problem(text, "is now used by")
            return
        self.table.reset(key)
        self._show()

    def restore(self) -> None:
        """Every command's default again."""
        self.table.reset_all()
        self._show()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter in the search field goes on to the keys; it does not close the dialog."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.keys.setFocus()
            return
        super().keyPressEvent(event)

    def _filter(self, query: str) -> None:
        for item in self._items.values():
            text = f"{item.text(0)} {item.text(1)}"
            item.setHidden(not matches(query, text))
        for at in range(self.tree.topLevelItemCount()):
            group = self.tree.topLevelItem(at)
            if group is not None:
                rows = [group.child(row) for row in range(group.childCount())]
                group.setHidden(all(r is not None and r.isHidden() for r in rows))
        visible = [i for i in self._items.values() if not i.isHidden()]
        if visible and self.tree.currentItem() not in visible:
            self.tree.setCurrentItem(visible[0])
