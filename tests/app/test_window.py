"""The whole window, driven by clicks and keys as a user drives it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from PyQt6.QtCore import QMimeData, QPoint, QPointF, QSize, Qt, QUrl
from PyQt6.QtGui import QAction, QColor, QDropEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QFileDialog, QMenu, QMessageBox, QToolButton, QWidget
from recorded import PlainView, RecordedEngine

from app.dialogs.palette import PaletteDialog
from app.main_window import MainWindow
from app.panels.log_slider import LogSlider
from app.view_commands import DISPLAY

LEFT = Qt.MouseButton.LeftButton


def tool_button(window: MainWindow, key: str) -> QToolButton:
    found = window.toolbar.widgetForAction(window.registry[key])
    assert isinstance(found, QToolButton)
    return found


def click(qtbot: Any, window: MainWindow, key: str) -> None:
    button = tool_button(window, key)
    assert button.isEnabled(), f"{key} cannot be clicked"
    qtbot.mouseClick(button, LEFT)


def drag(slider: LogSlider, value: float) -> None:
    start = QPoint(round(slider.x_of(slider.value)), slider.height() // 2)
    end = QPoint(round(slider.x_of(value)), slider.height() // 2)
    QTest.mousePress(slider, LEFT, pos=start)
    QTest.mouseMove(slider, (start + end) / 2)
    QTest.mouseMove(slider, end)
    QTest.mouseRelease(slider, LEFT, pos=end)


def test_the_whole_story(
    opened: MainWindow,
    qtbot: Any,
    engine: RecordedEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Uncheck a sub-stage, drag a slider, run, pause, step, go on, re-run, export, read back."""
    engine.pace = 0.01
    session = opened.session
    check = opened.sub_stages.rows["motion"].check
    qtbot.mouseClick(check, LEFT, pos=QPoint(10, check.height() // 2))
    assert not session.config.enable_motion_prior

    drag(opened.weights.rows["smooth"].slider, 0.02)
    assert session.config.lambda_smooth == pytest.approx(0.02, rel=0.2)
    assert float(opened.weights.rows["smooth"].field.text()) == pytest.approx(
        session.config.lambda_smooth, rel=1e-3
    )

    click(qtbot, opened, "run.all")
    qtbot.waitUntil(lambda: engine.produced > 3, timeout=5000)
    click(qtbot, opened, "run.pause")
    qtbot.waitUntil(lambda: session.activity == "paused", timeout=5000)
    assert tool_button(opened, "run.pause").text() == "Go on"
    held = engine.produced
    click(qtbot, opened, "run.step_iteration")
    qtbot.waitUntil(lambda: engine.produced == held + 1, timeout=5000)
    qtbot.waitUntil(lambda: session.activity == "paused", timeout=5000)
    with qtbot.waitSignal(session.ended, timeout=20000):
        click(qtbot, opened, "run.pause")
    assert session.rows["motion"].status == "skipped"
    assert opened.sub_stages.rows["smpl"].state.text() == "converged"

    with qtbot.waitSignal(session.ended, timeout=20000):
        click(qtbot, opened, "run.all")
    assert opened.runs.table.topLevelItemCount() == 2

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    with qtbot.waitSignal(session.job_done, timeout=5000):
        click(qtbot, opened, "file.export")
    written = json.loads((folder / "5_refinement" / "refinement_results.json").read_text())
    assert written["status"] == "success"
    assert written["num_people"] == 3
    assert written["config"]["enable_motion_prior"] is False
    assert written["config"]["lambda_smooth"] == session.config.lambda_smooth
    assert "motion" not in written["metrics"]["total_loss_history"]
    assert set(written["per_person_likelihoods"]) == {"1", "2", "4"}


def test_export_asks_before_it_replaces(
    opened: MainWindow, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run(None, "root")
    target = tmp_path / "out"
    target.mkdir()
    (target / "refinement_results.json").write_text("mine")
    asked: list[str] = []

    def no(*arguments: Any, **_: Any) -> QMessageBox.StandardButton:
        asked.append(arguments[2])
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", no)
    opened.exports.export_to(target)
    assert len(asked) == 1
    assert (target / "refinement_results.json").read_text() == "mine"


def test_a_folder_can_be_dropped(window: MainWindow, qtbot: Any, folder: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(folder))])
    with qtbot.waitSignal(window.session.scene_changed, timeout=5000):
        window.dropEvent(
            QDropEvent(
                QPointF(50, 50),
                Qt.DropAction.CopyAction,
                data,
                LEFT,
                Qt.KeyboardModifier.NoModifier,
            )
        )
    assert window.settings.recent[0] == folder
    assert window.area.pages.currentIndex() == 1


def test_a_bad_folder_explains_itself(opened: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    scene = opened.session.scene
    with qtbot.waitSignal(opened.session.failed, timeout=5000):
        opened.files.open(tmp_path / "bad")
    (dialog,) = opened.dialogs.errors
    assert "holds no people" in dialog.message.text()
    dialog._copy()
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    assert "holds no people" in clipboard.text()
    dialog.accept()
    assert opened.session.scene is scene
    assert not opened.dialogs.errors


def test_selecting_a_person_anywhere_selects_everywhere(opened: MainWindow, qtbot: Any) -> None:
    view: PlainView = opened.area.view
    qtbot.mouseClick(opened.people.rows[2], LEFT)
    assert view.last("set_selection") == 2
    assert opened.people.rows[2].property("active") == "true"
    view.person_picked.emit(4)
    assert opened.people.rows[4].property("active") == "true"
    assert opened.people.rows[2].property("active") == "false"
    qtbot.keyClick(opened, Qt.Key.Key_Escape)
    assert opened.session.selection is None


def test_hiding_a_person(opened: MainWindow, qtbot: Any) -> None:
    qtbot.mouseClick(opened.people.rows[1].eye, LEFT)
    styles = opened.area.view.last("set_people")
    assert not styles[1].visible
    assert styles[2].visible
    assert len({s.colour for s in styles.values()}) == 3


@pytest.mark.parametrize("key", [d[0] for d in DISPLAY if d[2]])
def test_display_keys_reach_the_view(opened: MainWindow, qtbot: Any, key: str) -> None:
    _, _, shortcut, field, _ = next(d for d in DISPLAY if d[0] == key)
    before = getattr(opened.viewing.display, field)
    qtbot.keyClick(opened, shortcut.lower())
    assert getattr(opened.area.view.last("set_display"), field) is not before
    assert opened.registry[key].isChecked() is not before


def test_before_and_after_with_one_key(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run(None, "root")
    view: PlainView = opened.area.view
    after = view.last("show_state")
    assert after is opened.session.state
    qtbot.keyClick(opened, "b")
    assert view.last("show_state") is opened.session.initial_state
    assert "before" in opened.area.caption.text()
    qtbot.keyClick(opened, "b")
    assert view.last("show_state") is after


def test_scrubbing_on_the_time_line(opened: MainWindow, qtbot: Any) -> None:
    strip = opened.timeline.strip
    y = strip.height() // 2
    QTest.mousePress(strip, LEFT, pos=QPoint(round(strip.x_of(20)), y))
    QTest.mouseMove(strip, QPoint(round(strip.x_of(33)), y))
    QTest.mouseRelease(strip, LEFT, pos=QPoint(round(strip.x_of(33)), y))
    assert opened.session.playback.frame == 33
    assert opened.area.view.last("show_frame") == 33
    assert opened.timeline.frame.value() == 33
    QTest.mousePress(
        strip, LEFT, Qt.KeyboardModifier.ShiftModifier, QPoint(round(strip.x_of(10)), y)
    )
    QTest.mouseMove(strip, QPoint(round(strip.x_of(25)), y))
    QTest.mouseRelease(strip, LEFT, pos=QPoint(round(strip.x_of(25)), y))
    assert (opened.session.playback.first, opened.session.playback.last) == (10, 25)
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    assert opened.session.playback.frame == 34
    qtbot.waitUntil(lambda: ("set_moving", (False,)) in opened.area.view.calls, timeout=3000)


def test_playing_moves_frames_and_stops(opened: MainWindow, qtbot: Any) -> None:
    playback = opened.session.playback
    qtbot.mouseClick(opened.timeline.play, LEFT)
    qtbot.waitUntil(lambda: playback.frame > 3, timeout=5000)
    qtbot.mouseClick(opened.timeline.play, LEFT)
    assert not playback.playing
    qtbot.waitUntil(lambda: not opened.viewing.still.isActive(), timeout=3000)


def test_weights_by_keyboard_field_and_reset(opened: MainWindow, qtbot: Any) -> None:
    row = opened.weights.rows["data"]
    row.slider.setFocus()
    qtbot.keyClick(row.slider, Qt.Key.Key_PageUp)
    assert opened.session.config.lambda_data == pytest.approx(10**0.5, rel=0.01)
    qtbot.keyClick(row.slider, Qt.Key.Key_Home)
    assert opened.session.config.lambda_data == 0.0
    assert "absent" in row.slider.toolTip()
    row.field.setFocus()
    row.field.selectAll()
    # Unit constants come a moment after the first picture.
    qtbot.waitUntil(lambda: "Effective" in row.slider.toolTip(), timeout=3000)
    qtbot.keyClicks(row.field, "2.5e1")
    qtbot.keyClick(row.field, Qt.Key.Key_Return)
    assert opened.session.config.lambda_data == 25.0
    assert "50" in row.slider.toolTip(), "the effective weight is lambda times the unit constant"
    qtbot.mouseClick(row.reset, LEFT)
    assert opened.session.config.lambda_data == 1.0
    qtbot.keyClick(opened, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert opened.session.config.lambda_data == 25.0


def test_weight_presets(opened: MainWindow, qtbot: Any) -> None:
    opened.session.set_weight("cvae", 0.9)
    opened.weights.save_preset("mine")
    assert opened.weights.preset_button.text() == "Preset: mine ▾"
    opened.weights.reset_all()
    assert opened.weights.preset_button.text() == "Preset: default ▾"
    menu = opened.weights.preset_menu()
    next(a for a in menu.actions() if a.text() == "mine").trigger()
    assert opened.session.config.lambda_cvae == 0.9
    menu.deleteLater()


def test_run_to_here_by_the_row_s_menu(opened: MainWindow, qtbot: Any) -> None:
    menu = opened.sub_stages.menu_of("smpl")
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        menu.actions()[0].trigger()
    assert opened.session.rows["smpl"].status == "converged"
    assert opened.session.rows["motion"].status == "skipped"
    menu.deleteLater()


def test_iteration_caps_are_upper_bounds(opened: MainWindow, qtbot: Any) -> None:
    opened.sub_stages.rows["root"].cap.setValue(4)
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run(None, "root")
    assert opened.session.rows["root"].iterations == 4
    assert opened.sub_stages.rows["root"].state.text() == "capped"


def test_losses_are_drawn_hidden_read_and_exported(
    opened: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run()
    opened.losses.redraw()
    assert set(opened.losses.plots) == {"root", "smpl", "motion", "environmental", "scale", "final"}
    plot = opened.losses.plots["smpl"]
    drawn = plot.curves["total"].getOriginalDataset()[0]
    assert len(drawn) == opened.session.rows["smpl"].iterations
    opened.losses.toggle_term("pose")
    assert not plot.curves["pose"].isVisible()
    assert not opened.losses.plots["final"].curves["pose"].isVisible()
    plot.hovered.emit(7)
    assert opened.losses.plots["final"].reading.text().startswith("it 7")
    assert "pose" not in plot.reading.toolTip()
    assert "data" in plot.reading.toolTip()
    for name in ("a.csv", "a.png", "a.svg"):
        opened.losses.export(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 500
    assert (tmp_path / "a.csv").read_text().startswith("sub_stage,iteration,total")


def test_report_names_repairs_and_what_is_missing(opened: MainWindow) -> None:
    text = opened.report.plain()
    assert "[B1] repaired" in text
    assert "missing: No video" in text
    assert "1 repair on opening" in opened.title.text()


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


def test_session_round_trip(opened: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    opened.session.set_weight("depth", 3.0)
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run(None, "smpl")
    opened.session.playback.seek(12)
    path = tmp_path / "a.smplsession"
    opened.files.save_session_to(path)
    opened.session.set_weight("depth", 9.0)
    opened.session.reset()
    with qtbot.waitSignal(opened.session.scene_changed, timeout=5000):
        opened.files.open(path)
    assert opened.session.config.lambda_depth == 3.0
    assert opened.session.playback.frame == 12
    assert opened.session.rows["smpl"].status == "converged"
    assert opened.session.runs[0].final_state is not None
    opened.losses.redraw()
    drawn = opened.losses.plots["smpl"].curves["total"].getOriginalDataset()[0]
    assert len(drawn) == opened.session.rows["smpl"].iterations > 5


def test_a_crashed_session_is_offered_and_comes_back(
    opened: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run(None, "root")
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    left = tmp_path / "unfinished" / f"{ended.pid}.smplsession"
    opened.files.save_session_to(left)
    opened.session.reset()
    opened.session.set_weight("data", 5.0)
    with qtbot.waitSignal(opened.session.scene_changed, timeout=5000):
        opened.dialogs.offer_recovery()
    assert opened.session.config.lambda_data == 1.0
    assert opened.session.runs[0].final_state is not None
    assert not left.exists()


def test_closing_during_a_run_asks(
    opened: MainWindow, qtbot: Any, engine: RecordedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.pace = 0.02
    opened.session.run()
    qtbot.waitUntil(lambda: engine.produced > 0, timeout=5000)
    monkeypatch.setattr(QMessageBox, "question", lambda *_, **__: QMessageBox.StandardButton.No)
    opened.close()
    assert opened.isVisible()
    assert opened.session.run_active
    monkeypatch.setattr(QMessageBox, "question", lambda *_, **__: QMessageBox.StandardButton.Yes)
    opened.close()
    assert not opened.isVisible()
    assert ("shutdown", ()) in opened.area.view.calls


def test_everything_that_can_be_operated_has_a_name_and_a_tip(opened: MainWindow) -> None:
    for command in opened.registry.commands():
        assert command.tip, command.key
    for widget in opened.findChildren(QWidget):
        if widget.objectName().startswith(("slider_", "weight_", "cap_", "enable_")):
            assert widget.accessibleName(), widget.objectName()


def test_shortcuts_are_unique(window: MainWindow) -> None:
    shortcuts = [c.shortcut for c in window.registry.commands() if c.shortcut]
    assert len(shortcuts) == len(set(shortcuts)) > 30


@pytest.mark.slow
def test_twenty_windows_open_and_close(
    qtbot: Any, settings: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QMessageBox, "question", lambda *_, **__: QMessageBox.StandardButton.Yes)
    for _ in range(20):
        made = MainWindow(settings, RecordedEngine(), PlainView, tmp_path / "unfinished")
        made.show()
        with qtbot.waitSignal(made.session.scene_changed, timeout=5000):
            made.files.open(folder)
        made.session.run()
        qtbot.wait(10)
        made.close()
        assert not made.isVisible()
        made.deleteLater()
        QApplication.processEvents()


def test_a_part_is_run_from_the_dock_s_own_menu(opened: MainWindow, qtbot: Any) -> None:
    menu = opened.sub_stages.part_menu()
    only = menu.actions()[2].menu()
    assert only is not None
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        only.actions()[1].trigger()
    ran = [s for s, row in opened.session.rows.items() if row.status not in ("skipped", "waiting")]
    assert ran == ["init", "smpl"]
    menu.deleteLater()


def test_numbers_are_of_the_selected_person_else_of_all(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run(None, "root")
    assert "all people" in opened.people.numbers.text()
    assert "1.4" in opened.people.numbers.text()
    assert "-82%" in opened.people.numbers.text()
    qtbot.mouseClick(opened.people.rows[2], LEFT)
    assert "person 2" in opened.people.numbers.text()
    assert "2.5" in opened.people.numbers.text()


def test_a_narrow_window_cuts_nothing_off(opened: MainWindow, qtbot: Any) -> None:
    opened.arrange(QSize(1280, 800))
    qtbot.wait(50)
    assert opened.area.width() > 600
    legend = opened.timeline.legend
    assert legend.text(), "some of it fits"
    assert legend.fontMetrics().horizontalAdvance("▬ observed") < legend.width()
    bar = opened.area.bar
    hidden = [b for b in bar.toggles if b.isHidden()]
    offered = {a.text() for a in bar.more_menu(opened.registry).actions()}
    assert {b.accessibleName() for b in hidden} <= offered
    row = opened.sub_stages.rows["final"]
    last = row.state.geometry()
    assert last.right() <= row.width()
    assert row.check.width() >= row.check.sizeHint().width()
    opened.resize(700, 600)
    qtbot.wait(50)
    for entries in range(4):
        legend.show_entries(["entry"] * entries)
        assert legend.sizeHint().width() <= max(legend.width(), 20)


def test_the_scale_panel_draws_everybody_s_motion(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run(None, "scale")
    report = opened.session.scale
    assert report is not None
    assert opened.scale.profile.isHidden(), "nothing was computed"
    curve = tuple((0.8 + 0.02 * k, (k - 10) ** 2 / 20) for k in range(21))
    opened.session.scale = replace(report, curve=curve)
    opened.session.scale_changed.emit()
    assert not opened.scale.profile.isHidden()
    picture = opened.scale.profile.grab().toImage()
    accent = QColor(opened.theme.accent)
    found = [
        x
        for x in range(picture.width())
        for y in range(picture.height())
        if picture.pixelColor(x, y).name() == accent.name()
    ]
    assert max(found) - min(found) > 100, "the curve goes from end to end"


def test_docks_and_views_have_names(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
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


def test_two_runs_are_compared_in_settings_and_numbers(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run(None, "root")
    opened.session.set_weight("depth", 4.0)
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run(None, "root")
    opened.docks["runs"].raise_()
    newest, first = (opened.runs.table.topLevelItem(row) for row in range(2))
    assert opened.runs.table.currentItem() is newest, "what just ended is read about"
    assert "lambda_depth: 1 → 4" in opened.runs.details.toPlainText()
    opened.runs.table.setCurrentItem(first)
    text = opened.runs.details.toPlainText()
    assert "Against run 2, shown: lambda_depth: 4 → 1" in text
    qtbot.mouseClick(opened.runs.compare, LEFT)
    assert opened.session.ghost_run == 1
    qtbot.keyClick(opened, "b")
    assert "run 1, compared" in opened.area.caption.text()
    qtbot.mouseClick(opened.runs.back, LEFT)
    assert opened.session.config.lambda_depth == 1.0
    qtbot.keyClick(opened, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert opened.session.config.lambda_depth == 4.0


def test_n_goes_from_person_to_person(opened: MainWindow, qtbot: Any) -> None:
    seen = []
    for _ in range(5):
        qtbot.keyClick(opened, "n")
        seen.append(opened.session.selection)
    assert seen == [1, 2, 4, None, 1]


def test_undo_says_what_it_undoes(opened: MainWindow) -> None:
    opened.session.set_weight("depth", 4.0)
    assert "lambda_depth" in opened.registry.title("edit.undo")
    opened.registry["edit.undo"].trigger()
    assert "lambda_depth" in opened.registry.title("edit.redo")
    assert opened.registry.title("edit.undo") == "Undo"


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


def test_a_recording_shows_how_far_it_is_and_can_be_stopped(
    opened: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    stop = opened.registry["file.stop_recording"]
    assert not stop.isEnabled()
    opened.exports.turntable_to(tmp_path / "turn.mp4", 500)
    assert stop.isEnabled()
    qtbot.waitUntil(lambda: opened.status.left.text() not in ("", "0%"), timeout=20000)
    assert opened.status.activity.text() == "Recording"
    assert opened.status.bar.isVisible()
    stop.trigger()
    assert not opened.exports.recording
    assert not stop.isEnabled()
    assert opened.status.activity.text() == "Ready"
    assert not list(tmp_path.glob("*.mp4"))


@pytest.mark.parametrize("pixels", [13, 18])
def test_larger_text_is_not_cut_off(opened: MainWindow, qtbot: Any, pixels: int) -> None:
    chosen = replace(opened.settings.preferences, font_px=pixels)
    opened.settings.set_preferences(chosen)
    opened.arrange(QSize(1600, 1000))
    with qtbot.waitSignal(opened.session.ended, timeout=20000):
        opened.session.run(None, "smpl")
    qtbot.wait(50)
    for row in opened.sub_stages.rows.values():
        pill = row.state
        assert pill.fontMetrics().horizontalAdvance(pill.text()) < pill.width()
        assert row.check.width() >= row.check.sizeHint().width()
        assert pill.height() >= pill.fontMetrics().height()
    for weight in opened.weights.rows.values():
        for label in (weight.name, weight.meaning):
            assert label.fontMetrics().horizontalAdvance(label.text()) <= label.width()
    opened.settings.set_preferences(replace(chosen, font_px=13))
