"""What stands beside the view: each panel, driven by clicks and keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QColor
from PyQt6.QtTest import QTest
from recorded import PlainView, RecordedEngine

from app.main_window import MainWindow

LEFT = Qt.MouseButton.LeftButton


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
    qtbot.waitUntil(lambda: ("set_moving", (False,)) in opened.area.view.calls)


def test_playing_moves_frames_and_stops(opened: MainWindow, qtbot: Any) -> None:
    playback = opened.session.playback
    qtbot.mouseClick(opened.timeline.play, LEFT)
    qtbot.waitUntil(lambda: playback.frame > 3)
    qtbot.mouseClick(opened.timeline.play, LEFT)
    assert not playback.playing
    qtbot.waitUntil(lambda: not opened.viewing.still.isActive())


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
    qtbot.waitUntil(lambda: "Effective" in row.slider.toolTip())
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
    with qtbot.waitSignal(opened.session.ended):
        menu.actions()[0].trigger()
    assert opened.session.rows["smpl"].status == "converged"
    assert opened.session.rows["motion"].status == "skipped"
    menu.deleteLater()


def test_iteration_caps_are_upper_bounds(opened: MainWindow, qtbot: Any) -> None:
    opened.sub_stages.rows["root"].cap.setValue(4)
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "root")
    assert opened.session.rows["root"].iterations == 4
    assert opened.sub_stages.rows["root"].state.text() == "capped"


def test_losses_are_drawn_hidden_read_and_exported(
    opened: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    with qtbot.waitSignal(opened.session.ended):
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


def test_a_part_is_run_from_the_dock_s_own_menu(opened: MainWindow, qtbot: Any) -> None:
    menu = opened.sub_stages.part_menu()
    only = menu.actions()[2].menu()
    assert only is not None
    with qtbot.waitSignal(opened.session.ended):
        only.actions()[1].trigger()
    ran = [s for s, row in opened.session.rows.items() if row.status not in ("skipped", "waiting")]
    assert ran == ["init", "smpl"]
    menu.deleteLater()


def test_numbers_are_of_the_selected_person_else_of_all(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "root")
    assert "all people" in opened.people.numbers.text()
    assert "1.4" in opened.people.numbers.text()
    assert "-82%" in opened.people.numbers.text()
    qtbot.mouseClick(opened.people.rows[2], LEFT)
    assert "person 2" in opened.people.numbers.text()
    assert "2.5" in opened.people.numbers.text()


def test_the_scale_panel_says_which_bound_was_reached(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "scale")
    report = opened.session.scale
    assert report is not None
    assert opened.scale.note.isHidden()
    note = "delta stopped at its bound of +25.0 % (2 sigma of alpha_0)"
    opened.session.scale = replace(report, at_bound=True, note=note)
    opened.session.scale_changed.emit()
    assert opened.scale.heading() == "at its bound"
    assert opened.scale.note.text() == note
    assert "alpha_bound_sigmas" in opened.scale.delta.toolTip()
    opened.session.scale = replace(report, bound=None, bound_source="free")
    opened.session.scale_changed.emit()
    assert "not bounded" in opened.scale.delta.toolTip()


def test_the_scale_panel_draws_everybody_s_motion(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended):
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


def test_two_runs_are_compared_in_settings_and_numbers(opened: MainWindow, qtbot: Any) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "root")
    opened.session.set_weight("depth", 4.0)
    with qtbot.waitSignal(opened.session.ended):
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


def test_undo_says_what_it_undoes(opened: MainWindow) -> None:
    opened.session.set_weight("depth", 4.0)
    assert "lambda_depth" in opened.registry.title("edit.undo")
    opened.registry["edit.undo"].trigger()
    assert "lambda_depth" in opened.registry.title("edit.redo")
    assert opened.registry.title("edit.undo") == "Undo"


def test_a_run_that_holds_is_paused_in_its_row_too(
    opened: MainWindow, qtbot: Any, engine: RecordedEngine
) -> None:
    session, row = opened.session, opened.sub_stages.rows["root"]
    session.step_iteration()
    qtbot.waitUntil(lambda: session.activity == "paused")
    assert row.state.text() == "paused"
    assert row.iterations.text() == "1"
    engine.wait_before("root", 3)
    session.resume()
    qtbot.waitUntil(lambda: row.state.text() != "paused")
    with qtbot.waitSignal(session.ended):
        session.cancel()
    assert row.state.text() == "waiting"
