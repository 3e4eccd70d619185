"""Everything can be found, named, reached by keys, and laid out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from hands import resize
from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QWidget
from recorded import PlainView

from app.dialogs.palette import PaletteDialog
from app.main_window import MainWindow
from app.view_commands import DISPLAY

LEFT = Qt.MouseButton.LeftButton


@pytest.mark.parametrize("key", [d[0] for d in DISPLAY if d[2]])
def test_display_keys_reach_the_view(opened: MainWindow, qtbot: Any, key: str) -> None:
    _, _, shortcut, field, _ = next(d for d in DISPLAY if d[0] == key)
    before = getattr(opened.viewing.display, field)
    qtbot.keyClick(opened, shortcut.lower())
    assert getattr(opened.area.view.last("set_display"), field) is not before
    assert opened.registry[key].isChecked() is not before


def test_before_and_after_with_one_key(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "root")
    view: PlainView = opened.area.view
    after = view.last("show_state")
    assert after is opened.session.state
    qtbot.keyClick(opened, "b")
    assert view.last("show_state") is opened.session.initial_state
    assert "before" in opened.area.caption.text()
    qtbot.keyClick(opened, "b")
    assert view.last("show_state") is after


def test_palette_runs_a_command(opened: MainWindow, qtbot: Any) -> None:
    opened.dialogs.show_palette()
    dialog = opened.findChild(PaletteDialog)
    assert dialog is not None
    qtbot.keyClicks(dialog.query, "light the")
    qtbot.keyClick(dialog.query, Qt.Key.Key_Return)
    assert opened.theme.name == "light"
    assert opened.settings.preferences.theme == "light"


def test_layout_is_kept_and_can_be_reset(opened: MainWindow) -> None:
    dock = opened.docks["weights"]
    dock.setFloating(True)
    opened.docks["losses"].close()
    opened.reset_layout()
    assert not dock.isFloating()
    assert opened.docks["losses"].isVisible()


def test_every_dock_floats_and_hides_by_its_own_buttons(opened: MainWindow, qtbot: Any) -> None:
    for key, dock in opened.docks.items():
        dock.raise_()
        assert dock.title.float_button.isVisible(), key
        qtbot.mouseClick(dock.title.float_button, LEFT)
        assert dock.isFloating(), key
        qtbot.mouseClick(dock.title.float_button, LEFT)
        assert not dock.isFloating(), key
        qtbot.mouseClick(dock.title.close_button, LEFT)
        assert not dock.isVisible(), key
    opened.reset_layout()
    assert all(dock.toggleViewAction().isChecked() for dock in opened.docks.values())


def test_everything_that_can_be_operated_has_a_name_and_a_tip(opened: MainWindow) -> None:
    for command in opened.registry.commands():
        assert command.tip, command.key
    for widget in opened.findChildren(QWidget):
        if widget.objectName().startswith(("slider_", "weight_", "cap_", "enable_")):
            assert widget.accessibleName(), widget.objectName()


def test_shortcuts_are_unique(window: MainWindow) -> None:
    shortcuts = [c.shortcut for c in window.registry.commands() if c.shortcut]
    assert len(shortcuts) == len(set(shortcuts)) > 30


def test_a_narrow_window_cuts_nothing_off(opened: MainWindow, qtbot: Any) -> None:
    legend, bar = opened.timeline.legend, opened.area.bar
    row = opened.sub_stages.rows["final"]

    def nothing_is_cut_off() -> None:
        assert opened.area.width() > 600
        assert legend.text(), "some of it fits"
        assert legend.fontMetrics().horizontalAdvance("▬ observed") < legend.width()
        hidden = [b for b in bar.toggles if b.isHidden()]
        offered = {a.text() for a in bar.more_menu(opened.registry).actions()}
        assert {b.accessibleName() for b in hidden} <= offered
        last = row.state.geometry()
        assert last.right() <= row.width()
        assert row.check.width() >= row.check.sizeHint().width()

    def the_legend_fits() -> None:
        for entries in range(4):
            legend.show_entries(["entry"] * entries)
            assert legend.sizeHint().width() <= max(legend.width(), 20)

    resize(qtbot, opened, QSize(1280, 800))
    qtbot.waitUntil(nothing_is_cut_off)
    resize(qtbot, opened, QSize(700, 600))
    qtbot.waitUntil(the_legend_fits)


def test_docks_and_views_have_names(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "root")
    opened.losses.redraw()
    nameless = [
        (type(w).__name__, w.objectName())
        for w in opened.findChildren(QWidget)
        if w.isVisible()
        and w.focusPolicy() != Qt.FocusPolicy.NoFocus
        and not isinstance(w, PlainView)
        and not (w.accessibleName() or getattr(w, "text", str)())
        and type(w.parent()).__name__ != "PlotWidget"
    ]
    assert not nameless


def test_every_command_stands_in_a_menu_once(window: MainWindow) -> None:
    def entries(menu: QMenu) -> list[QAction]:
        found = []
        for action in menu.actions():
            inner = action.menu()
            found += entries(inner) if inner is not None else [action]
        return found

    bar = window.menuBar()
    assert bar is not None
    shown = [a.objectName() for top in bar.actions() for a in entries(cast("QMenu", top.menu()))]
    for command in window.registry.commands():
        assert shown.count(command.key) == 1, command.key
    assert not window.registry["file.export_glb"].isEnabled(), "nothing is open"


@pytest.mark.parametrize("pixels", [13, 18])
def test_larger_text_is_not_cut_off(opened: MainWindow, qtbot: Any, pixels: int) -> None:
    chosen = replace(opened.settings.preferences, font_px=pixels)
    opened.settings.set_preferences(chosen)
    resize(qtbot, opened, QSize(1600, 1000))
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "smpl")

    def everything_fits() -> None:
        for row in opened.sub_stages.rows.values():
            pill = row.state
            assert pill.fontMetrics().horizontalAdvance(pill.text()) < pill.width()
            assert row.check.width() >= row.check.sizeHint().width()
            assert pill.height() >= pill.fontMetrics().height()
        for weight in opened.weights.rows.values():
            for label in (weight.name, weight.meaning):
                needed = label.fontMetrics().horizontalAdvance(label.text())
                assert label.isHidden() or needed <= label.width()

    qtbot.waitUntil(everything_fits)
    opened.settings.set_preferences(replace(chosen, font_px=13))


def test_n_goes_from_person_to_person(opened: MainWindow, qtbot: Any) -> None:
    seen = []
    for _ in range(5):
        qtbot.keyClick(opened, "n")
        seen.append(opened.session.selection)
    assert seen == [1, 2, 4, None, 1]
