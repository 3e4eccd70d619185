"""Where things stand in the window: docks, menus, toolbar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QMenu, QTabBar, QWidget

from app import commands
from app.panels.dock import Dock, scaled
from app.toolbar import RunBar

if TYPE_CHECKING:
    from app.main_window import MainWindow


_SLACK = 3
"""Pixels that borders between docks, and their rounding, take of each of them."""
_NUMBERS = 110
"""Pixels that the numbers below the people take after a run."""


def make_docks(window: MainWindow) -> dict[str, Dock]:
    """The eight docks in their default places."""
    left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
    bottom = Qt.DockWidgetArea.BottomDockWidgetArea
    docks: dict[str, Dock] = {}
    for key, title, panel, area in (
        ("sub_stages", "Sub-stages", window.sub_stages, left),
        ("weights", "Weights", window.weights, left),
        ("people", "People", window.people, left),
        ("losses", "Losses", window.losses, right),
        ("scale", "Scale", window.scale, right),
        ("runs", "Runs", window.runs, right),
        ("report", "Report", window.report, right),
        ("timeline", "Time", window.timeline, bottom),
    ):
        dock = Dock(key, title, panel, window)
        window.addDockWidget(area, dock)
        docks[key] = dock
    # The left column needs the whole height: at 1000 pixels people's numbers would be cut off.
    window.setCorner(Qt.Corner.BottomLeftCorner, left)
    window.setCorner(Qt.Corner.BottomRightCorner, bottom)
    window.setDockNestingEnabled(True)
    window.tabifyDockWidget(docks["scale"], docks["runs"])
    window.tabifyDockWidget(docks["runs"], docks["report"])
    docks["scale"].raise_()
    name_tabs(window)
    _merge_title(docks["timeline"], window.timeline.transport)
    docks["weights"].title.extra.addWidget(window.weights.preset_button)
    for button in (window.sub_stages.settings_button, window.sub_stages.part_button):
        docks["sub_stages"].title.extra.addWidget(button)
    return docks


def _merge_title(dock: Dock, transport: QWidget) -> None:
    """Make a panel's own row of buttons the dock's title bar: one row instead of two."""
    row = transport.layout()
    assert row is not None
    for button in (dock.title.float_button, dock.title.close_button):
        row.addWidget(button)
    dock.title.hide()
    dock.setTitleBarWidget(transport)


def size_docks(window: MainWindow) -> None:
    """Default widths and heights; the view gets its share of a small window too."""
    docks, horizontal = window.docks, Qt.Orientation.Horizontal
    vertical = Qt.Orientation.Vertical
    wide, tall = window.width() >= 1500, window.height() >= 930
    columns = [scaled(width) for width in ((415, 350) if wide else (330, 300))]
    # Large text in a small window: the view is what one looks at.
    columns[0] = min(columns[0], max(330, round(window.width() / 2.6)))
    columns[1] = min(columns[1], max(300, window.width() // 4))
    window.resizeDocks([docks["sub_stages"], docks["losses"]], columns, horizontal)
    _fill_left_column(window)
    answers = [430, 290] if tall else [254, 292]
    window.resizeDocks([docks["losses"], docks["scale"]], answers, vertical)
    window.resizeDocks([docks["timeline"]], [scaled(150)], vertical)


def _fill_left_column(window: MainWindow) -> None:
    """All rows of the left column where they fit, lower ones where they only then do.

    Where not even those fit, people stand behind the weights, as a tab.
    """
    docks, panels = window.docks, (window.sub_stages, window.weights, window.people)
    column = [docks[key] for key in ("sub_stages", "weights", "people")]
    titles = [dock.title.sizeHint().height() + _SLACK for dock in column]
    bars = (window.menuBar(), window.toolbar, window.statusBar())
    room = window.height() - sum(bar.sizeHint().height() for bar in bars if bar is not None)
    full = [t + p.full_height() for t, p in zip(titles, panels, strict=True)]
    low = [t + p.low_height() for t, p in zip(titles, panels, strict=True)]
    vertical = Qt.Orientation.Vertical
    _stack(window, column[1], column[2], sum(low) > room)
    if sum(low) > room:
        window.resizeDocks(column[:2], [low[0], room - low[0]], vertical)
        return
    # People last: their rows, and the numbers after a run, take what is left.
    heights = full if sum(full) + scaled(_NUMBERS) <= room else low
    window.resizeDocks(column, [*heights[:2], room - sum(heights[:2])], vertical)


def _stack(window: MainWindow, first: Dock, second: Dock, stacked: bool) -> None:
    """Put a dock behind another one as a tab, or below it again; floating ones are left alone."""
    for dock in (first, second):
        shown = dock.toggleViewAction()  # a tab that is not in front counts as hidden
        if dock.isFloating() or (shown is not None and not shown.isChecked()):
            return
    if stacked == (second in window.tabifiedDockWidgets(first)):
        return
    if stacked:
        window.tabifyDockWidget(first, second)
        first.raise_()
        name_tabs(window)
    else:
        # Qt splits no place that is shared by tabs: it is left, then taken again below.
        window.removeDockWidget(second)
        window.addDockWidget(window.dockWidgetArea(first), second)
        second.show()


def name_tabs(window: MainWindow) -> None:
    """For those who hear the window."""
    for tabs in window.findChildren(QTabBar):
        if not tabs.accessibleName():
            tabs.setAccessibleName("Panels that share this place")


def make_menus(window: MainWindow) -> QMenu:
    """All menus; returns the one of recent folders, which :func:`fill_recent` fills."""
    bar = window.menuBar()
    assert bar is not None
    recent = QMenu("Open &recent", window)
    for name in commands.MENUS:
        menu = bar.addMenu(f"&{name}")
        assert menu is not None
        menu.setToolTipsVisible(True)
        submenus: dict[str, QMenu] = {}
        for command in window.registry.commands(name):
            target = menu
            if command.submenu:
                if command.submenu not in submenus:
                    made = menu.addMenu(command.submenu)
                    assert made is not None
                    made.setToolTipsVisible(True)
                    submenus[command.submenu] = made
                target = submenus[command.submenu]
            if command.separator_before and not target.isEmpty():
                target.addSeparator()
            target.addAction(window.registry[command.key])
            if command.key == "file.open":
                menu.addMenu(recent)
        if name == "View":
            panels = menu.addMenu("P&anels")
            for dock in window.docks.values():
                if panels is not None:
                    panels.addAction(dock.toggleViewAction())
    return recent


def fill_recent(window: MainWindow, menu: QMenu) -> None:
    """The folders opened last, in the menu and in the empty state."""
    menu.clear()
    folders = window.settings.recent
    for folder in folders:
        action = menu.addAction(str(folder))
        if action is not None:
            action.triggered.connect(lambda _=False, f=folder: window.files.open(f))
    if folders:
        menu.addSeparator()
        forget = menu.addAction("Forget these")
        if forget is not None:
            forget.triggered.connect(window.settings.clear_recent)
    menu.setEnabled(bool(folders))
    window.area.empty.show_recent([str(f) for f in folders])


def make_toolbar(window: MainWindow) -> RunBar:
    """Run, steer, compare, export."""
    bar = RunBar(window)
    window.addToolBar(bar)
    return bar


def place_title(window: MainWindow, title: QLabel) -> None:
    """Show what is open in the menu bar's corner."""
    # A menu bar gives its corner widget a size only when it is set.
    bar = window.menuBar()
    if bar is not None:
        bar.setCornerWidget(title, Qt.Corner.TopRightCorner)
        title.show()
