"""Every command, once: menus, toolbar, shortcuts, palette and cheat-sheet read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PyQt6.QtCore import QByteArray, QObject, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QActionGroup, QIcon, QKeySequence, QPainter, QPixmap
from PyQt6.QtSvg import QSvgRenderer
from PyQt6.QtWidgets import QWidget

from app.shortcuts import Shortcuts, native, portable
from app.theme import Theme
from refine_engine.resources import resource_path


@dataclass(frozen=True)
class Command:
    """One command as data.

    Commands without a menu are in the palette only.
    """

    key: str
    """"run.pause": group and name."""
    text: str
    menu: str
    """"File", "Edit", "View", "Run", "Help"; "" = palette only."""
    tip: str
    shortcut: str = ""
    """The default; the user may choose another."""
    icon: str = ""
    """Name of an SVG in resources/icons, or empty."""
    icon_colour: str = ""
    """``#rrggbb``; empty = the text's."""
    checkable: bool = False
    group: str = ""
    """Commands of one group are alternatives: exactly one of them is checked."""
    submenu: str = ""
    """Submenu of the menu it stands in."""
    separator_before: bool = False
    when: Callable[[], bool] | None = None
    """Whether it can be used now; None = always."""


class ActionRegistry(QObject):
    """Holds the commands and their ``QAction`` s.

    Parameters
    ----------
    window
        Owner of the actions: their shortcuts work in it.
    """

    shortcuts_changed = pyqtSignal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._groups: dict[str, QActionGroup] = {}
        self._commands: dict[str, Command] = {}
        self._actions: dict[str, QAction] = {}

    def add(self, command: Command, handler: Callable[..., object]) -> QAction:
        """Add a command; checkable ones call ``handler(checked)``, others ``handler()``.

        Raises
        ------
        ValueError
            The key or the shortcut is taken.
        """
        if command.key in self._commands:
            raise ValueError(f"the command {command.key} exists already")
        shortcut = portable(command.shortcut)
        if shortcut:
            taken = [k for k, a in self._actions.items() if _keys(a) == shortcut]
            if taken:
                raise ValueError(f"{command.shortcut} belongs to {taken[0]} already")
        action = QAction(command.text, self._window)
        action.setObjectName(command.key)
        action.setCheckable(command.checkable or bool(command.group))
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setStatusTip(command.tip)
        # Drawn for a filled button, such an icon could not be seen in a light menu.
        action.setIconVisibleInMenu(not command.icon_colour)
        if command.group:
            group = self._groups.setdefault(command.group, QActionGroup(self))
            group.addAction(action)
        if command.checkable:
            action.toggled.connect(handler)
        else:
            action.triggered.connect(lambda _checked=False: handler())
        self._window.addAction(action)
        self._commands[command.key] = command
        self._actions[command.key] = action
        self._set_shortcut(command.key, shortcut)
        return action

    def _set_shortcut(self, key: str, shortcut: str) -> None:
        action, tip = self._actions[key], self._commands[key].tip
        action.setShortcut(QKeySequence(shortcut))
        action.setToolTip(f"{tip} ({native(shortcut)})" if shortcut else tip)

    def __getitem__(self, key: str) -> QAction:
        return self._actions[key]

    def commands(self, menu: str | None = None) -> list[Command]:
        """All commands in order, or those of one menu."""
        return [c for c in self._commands.values() if menu is None or c.menu == menu]

    def title(self, key: str) -> str:
        """What a command is called, as plain text."""
        return self._actions[key].text().replace("&", "").rstrip("…")

    def shortcuts(self, chosen: Mapping[str, str] | None = None) -> Shortcuts:
        """A table to edit: the shortcuts in use, or the defaults with the user's choices."""
        if chosen is None:
            chosen = {k: _keys(a) for k, a in self._actions.items()}
        letters = "".join(c.menu[0] for c in self._commands.values() if c.menu)
        defaults = {k: c.shortcut for k, c in self._commands.items()}
        return Shortcuts(defaults, chosen, letters)

    def use_shortcuts(self, table: Shortcuts) -> None:
        """Give every command its keys."""
        for key in self._commands:
            self._set_shortcut(key, "")
        for key in self._commands:
            self._set_shortcut(key, table[key])
        self.shortcuts_changed.emit()

    def refresh(self) -> None:
        """Enable what can be used now."""
        for key, command in self._commands.items():
            if command.when is not None:
                self._actions[key].setEnabled(command.when())

    def set_checked(self, key: str, checked: bool) -> None:
        """Show a checkable command's state without running it."""
        action = self._actions[key]
        if self._commands[key].group:
            # These run when they are triggered only; the group's others hear of it by a signal.
            action.setChecked(checked)
            return
        blocked = action.blockSignals(True)
        action.setChecked(checked)
        action.blockSignals(blocked)

    def set_theme(self, theme: Theme) -> None:
        """Draw the icons in the theme's colours."""
        for key, command in self._commands.items():
            if command.icon:
                self._actions[key].setIcon(icon(command.icon, theme, command.icon_colour))


def _keys(action: QAction) -> str:
    return action.shortcut().toString(QKeySequence.SequenceFormat.PortableText)


def icon(name: str, theme: Theme, colour: str = "", size: int = 16) -> QIcon:
    """An icon of ``resources/icons`` in the theme's text colour, dimmed where disabled."""
    source = resource_path("icons", f"{name}.svg").read_text(encoding="utf-8")
    found = QIcon()
    for mode, paint in (
        (QIcon.Mode.Normal, colour or theme.text),
        (QIcon.Mode.Disabled, theme.disabled),
    ):
        renderer = QSvgRenderer(QByteArray(source.replace("currentColor", paint).encode()))
        for scale in (1, 2):
            pixmap = QPixmap(QSize(size * scale, size * scale))
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            renderer.render(painter)
            painter.end()
            pixmap.setDevicePixelRatio(scale)
            found.addPixmap(pixmap, mode)
    return found
