"""Shortcuts: the table behind them, and the editor in the preferences by clicks and keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from modal import answer_dialog
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDialogButtonBox

from app.dialogs.palette import PaletteDialog
from app.dialogs.preferences import PreferencesDialog
from app.dialogs.shortcuts import ShortcutsDialog
from app.main_window import MainWindow
from app.shortcuts import Shortcuts
from refine_engine.errors import ConfigError

LEFT = Qt.MouseButton.LeftButton
DEFAULTS = {"a": "G", "b": "Ctrl+B", "c": "", "d": "F5"}


def test_a_table_gives_takes_and_resets() -> None:
    table = Shortcuts(DEFAULTS)
    table.assign("c", "ctrl+shift+k")
    assert table["c"] == "Ctrl+Shift+K"
    assert table.chosen() == {"c": "Ctrl+Shift+K"}
    with pytest.raises(ConfigError, match="belongs to a"):
        table.assign("c", "G")
    assert table["c"] == "Ctrl+Shift+K"
    table.assign("c", "G", take_over=True)
    assert (table["a"], table["c"]) == ("", "G")
    with pytest.raises(ConfigError):
        table.reset("a")
    table.reset("a", take_over=True)
    assert (table["a"], table["c"]) == ("G", "")
    table.assign("a", "")
    table.reset_all()
    assert not table.chosen()


def test_what_was_kept_is_used_as_far_as_it_fits() -> None:
    chosen = {"a": "Ctrl+B", "b": "G", "c": "F5", "d": "Left", "gone": "X"}
    table = Shortcuts(DEFAULTS, chosen)
    assert [table[k] for k in "abcd"] == ["Ctrl+B", "G", "F5", ""]
    taken = Shortcuts(DEFAULTS, {"c": "F5"})
    assert (taken["c"], taken["d"]) == ("F5", ""), "nothing is bound twice"
    assert Shortcuts(DEFAULTS, table.chosen())["a"] == "Ctrl+B"


@pytest.mark.parametrize("keys", ["Tab", "Space", "Shift+Left", "Alt+F", "Ctrl+K, Ctrl+S"])
def test_keys_that_are_needed_elsewhere_are_refused(keys: str) -> None:
    table = Shortcuts(DEFAULTS, menu_letters="FE")
    assert table.refusal(keys)
    with pytest.raises(ConfigError, match="cannot be a shortcut"):
        table.assign("a", keys)
    assert not table.refusal("Ctrl+Left")


def in_preferences(
    window: MainWindow, qtbot: Any, act: Callable[[PreferencesDialog], None]
) -> None:
    """Open the preferences, act in them, and let an exception through to the test."""
    done: list[Exception | None] = []

    def inside(dialog: PreferencesDialog) -> None:
        try:
            act(dialog)
        except Exception as error:  # noqa: BLE001  (raised again outside of Qt's slot)
            done.append(error)
        else:
            done.append(None)

    answer_dialog(PreferencesDialog, inside)
    window.dialogs.show_preferences("shortcuts")
    (problem,) = done
    if problem is not None:
        raise problem
    # Without a window manager nobody gives the window the focus back.
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)


def press(dialog: PreferencesDialog, which: QDialogButtonBox.StandardButton, qtbot: Any) -> None:
    (box,) = dialog.findChildren(QDialogButtonBox)
    qtbot.mouseClick(box.button(which), LEFT)


def test_a_shortcut_is_changed_kept_and_shown_everywhere(opened: MainWindow, qtbot: Any) -> None:
    def act(dialog: PreferencesDialog) -> None:
        editor = dialog.shortcuts
        qtbot.keyClicks(editor.filter, "ghost")
        assert editor.chosen == "view.ghost"
        assert editor._items["run.all"].isHidden()
        editor.keys.setFocus()
        qtbot.keyClick(editor.keys, Qt.Key.Key_U)
        assert editor.table["view.ghost"] == "U"
        press(dialog, QDialogButtonBox.StandardButton.Ok, qtbot)

    in_preferences(opened, qtbot, act)
    assert not opened.viewing.display.ghost
    qtbot.keyClick(opened, "g")
    assert not opened.viewing.display.ghost
    qtbot.keyClick(opened, "u")
    assert opened.viewing.display.ghost
    assert "(U)" in opened.registry["view.ghost"].toolTip()
    buttons = [b.text() for b in opened.toolbar.findChildren(type(opened.timeline.play))]
    assert "Before / after  U" in buttons
    help_ = ShortcutsDialog(opened.registry, opened)
    shown = help_.tree.findItems("Ghost", Qt.MatchFlag.MatchRecursive | Qt.MatchFlag.MatchExactly)
    assert [item.text(1) for item in shown] == ["U"]
    help_.close()
    palette = PaletteDialog(opened.registry, opened)
    palette.query.setText("ghost")
    item = palette.list.currentItem()
    assert item is not None
    assert item.text(1).strip() == "U"
    palette.close()
    assert opened.settings.shortcuts() == {"view.ghost": "U"}
    again = opened.registry.shortcuts(opened.settings.shortcuts())
    assert again["view.ghost"] == "U"


def test_a_conflict_is_named_and_can_be_taken_over(opened: MainWindow, qtbot: Any) -> None:
    def act(dialog: PreferencesDialog) -> None:
        editor = dialog.shortcuts
        editor.choose("view.ghost")
        editor.keys.setFocus()
        qtbot.keyClick(editor.keys, Qt.Key.Key_M)
        assert "Mesh" in editor.problem.text()
        assert editor.table["view.ghost"] == "G"
        qtbot.mouseClick(editor.take, LEFT)
        assert (editor.table["view.ghost"], editor.table["view.mesh"]) == ("M", "")
        qtbot.keyClick(editor.keys, Qt.Key.Key_Tab)
        press(dialog, QDialogButtonBox.StandardButton.Ok, qtbot)

    in_preferences(opened, qtbot, act)
    assert opened.registry["view.mesh"].shortcut().isEmpty()
    qtbot.keyClick(opened, "m")
    assert opened.viewing.display.ghost
    assert opened.viewing.display.mesh


def test_defaults_come_back_and_cancel_changes_nothing(opened: MainWindow, qtbot: Any) -> None:
    opened.settings.set_shortcuts({"view.ghost": "U", "view.mesh": "Ctrl+M"})

    def reset_one_and_leave(dialog: PreferencesDialog) -> None:
        editor = dialog.shortcuts
        editor.choose("view.ghost")
        qtbot.mouseClick(editor.reset, LEFT)
        assert editor.table["view.ghost"] == "G"
        assert editor.table["view.mesh"] == "Ctrl+M"
        qtbot.mouseClick(editor.none, LEFT)
        assert editor.table["view.ghost"] == ""
        press(dialog, QDialogButtonBox.StandardButton.Cancel, qtbot)

    in_preferences(opened, qtbot, reset_one_and_leave)
    assert opened.settings.shortcuts() == {"view.ghost": "U", "view.mesh": "Ctrl+M"}

    def reset_all(dialog: PreferencesDialog) -> None:
        press(dialog, QDialogButtonBox.StandardButton.RestoreDefaults, qtbot)
        press(dialog, QDialogButtonBox.StandardButton.Ok, qtbot)

    in_preferences(opened, qtbot, reset_all)
    assert opened.settings.shortcuts() == {}
    qtbot.keyClick(opened, "g")
    assert opened.viewing.display.ghost
