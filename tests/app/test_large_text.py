"""Text of half as much again in a small window; what a bound of the motion prior counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hands import resize
from PyQt6.QtCore import QSize
from PyQt6.QtGui import QFont, QImage, QPainter
from PyQt6.QtWidgets import QBoxLayout

from app.main_window import MainWindow
from app.runs import prior_windows
from app.theme import DARK
from app.viewport.overlay import CAPTION_HEIGHT, bar_lift, paint_scale_bar
from refine_engine.config import RefinementConfig
from refine_engine.refinement.window_lengths import window_lengths


def arrange(window: MainWindow, qtbot: Any, size: QSize, pixels: int) -> None:
    window.settings.set_preferences(replace(window.settings.preferences, font_px=pixels))
    resize(qtbot, window, size)
    qtbot.waitUntil(lambda: window.size() == size)


@pytest.mark.parametrize("pixels", [13, 17, 20])
def test_rows_of_the_left_column_need_no_scrolling(
    opened: MainWindow, qtbot: Any, pixels: int
) -> None:
    arrange(opened, qtbot, QSize(1280, 800), pixels)
    for panel in (opened.sub_stages, opened.weights):
        qtbot.waitUntil(lambda p=panel: p.verticalScrollBar().maximum() == 0)

    def people_are_behind() -> bool:
        return opened.docks["people"] in opened.tabifiedDockWidgets(opened.docks["weights"])

    qtbot.waitUntil(lambda: people_are_behind() == (pixels == 20))
    arrange(opened, qtbot, QSize(1600, 1000), 13)
    qtbot.waitUntil(lambda: not opened.sub_stages.compact)
    qtbot.waitUntil(lambda: not opened.tabifiedDockWidgets(opened.docks["weights"]))


def test_another_text_size_alone_fits_the_rows_too(opened: MainWindow, qtbot: Any) -> None:
    arrange(opened, qtbot, QSize(1280, 800), 13)
    opened.settings.set_preferences(replace(opened.settings.preferences, font_px=20))
    for panel in (opened.sub_stages, opened.weights):
        qtbot.waitUntil(lambda p=panel: p.verticalScrollBar().maximum() == 0)
    opened.settings.set_preferences(replace(opened.settings.preferences, font_px=13))


def test_a_panel_that_floats_is_left_where_it_is(opened: MainWindow, qtbot: Any) -> None:
    opened.docks["people"].setFloating(True)
    arrange(opened, qtbot, QSize(1280, 800), 20)
    assert opened.docks["people"].isFloating()
    opened.docks["people"].setFloating(False)
    arrange(opened, qtbot, QSize(1600, 1000), 13)


def test_low_rows_keep_the_names_of_their_columns(opened: MainWindow, qtbot: Any) -> None:
    arrange(opened, qtbot, QSize(1600, 1000), 13)
    qtbot.waitUntil(lambda: not opened.sub_stages.compact)
    row = opened.sub_stages.rows["init"]
    before = row.grab().toImage()
    opened.sub_stages.set_compact(True)
    assert opened.sub_stages.head.isHidden()
    after = row.grab().toImage()
    named = opened.sub_stages.rows["root"].cap.geometry()

    def written(image: QImage) -> int:
        y = image.height() // 2
        across = range(named.left() - 10, named.right())
        down = range(y - 4, y + 5)
        return len({image.pixel(x, v) for x in across for v in down})

    assert written(before) == 1, "the first row has no field there"
    assert written(after) > 3
    opened.sub_stages.set_compact(False)


def test_the_prior_s_bound_says_how_often_it_counts(opened: MainWindow) -> None:
    session = opened.session
    state = session.initial_state
    assert state is not None
    frames = max(len(p.frames) for p in state.people.values())
    lengths = window_lengths(10, None, frames)
    assert len(lengths) > 1
    row = opened.sub_stages.rows["motion"]
    assert row.cap.text() == f"10×{len(lengths)}"
    assert row.cap.value() == 10
    assert f"{len(lengths)} windows" in row.cap.toolTip()
    assert f"{len(lengths)} windows" in row.iterations.toolTip()
    session.change("motion_prior_chunk_size", frames)
    assert row.cap.text() == "10"
    session.undo.undo()
    row.cap.setValue(200)
    assert row.cap.text() == "200×", "no more fits; the tool tip has the number"
    assert opened.sub_stages.rows["root"].cap.text() == str(session.config.root_fitting_iterations)


def test_windows_of_a_roll_out_and_of_nothing() -> None:
    config = RefinementConfig()
    assert prior_windows(config, 0) == 1
    assert prior_windows(config, 5) == 1
    assert prior_windows(config.replace(humor_horizon_max=10), 100) == 1
    rolled = config.replace(motion_prior_mode="rollout")
    assert prior_windows(rolled, 45) == 5


def test_the_empty_state_puts_its_buttons_below_one_another(window: MainWindow, qtbot: Any) -> None:
    empty = window.area.empty
    arrange(window, qtbot, QSize(1600, 1000), 13)
    beside = QBoxLayout.Direction.LeftToRight
    qtbot.waitUntil(lambda: empty._ways.direction() == beside)
    arrange(window, qtbot, QSize(1280, 800), 20)
    for button in empty._buttons:
        if not button.isHidden():
            qtbot.waitUntil(lambda b=button: b.width() >= b.sizeHint().width())
    arrange(window, qtbot, QSize(1600, 1000), 13)


def test_the_scale_bar_makes_way_for_the_caption() -> None:
    font = QFont()
    font.setPixelSize(13)
    assert bar_lift(800.0, font) == 0.0
    assert bar_lift(420.0, font) == pytest.approx(CAPTION_HEIGHT)

    def lowest(width: int) -> int:
        image = QImage(width, 300, QImage.Format.Format_ARGB32)
        image.fill(0)
        painter = QPainter(image)
        paint_scale_bar(painter, DARK, font, (float(width), 300.0), 0.02)
        painter.end()
        return max(y for y in range(300) for x in range(width // 2, width) if image.pixel(x, y))

    assert lowest(420) == lowest(800) - round(CAPTION_HEIGHT)


def test_many_people_leave_the_view_its_share(
    opened: MainWindow, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = property(lambda _self: list(range(1, 11)))
    monkeypatch.setattr(type(opened.session), "person_ids", many)
    strip = opened.timeline.strip
    arrange(opened, qtbot, QSize(1280, 1000), 13)
    whole = strip.sizeHint().height()
    arrange(opened, qtbot, QSize(1280, 700), 13)
    assert strip.sizeHint().height() <= 0.3 * 700 < whole
    assert strip.sizeHint().height() >= strip.minimumSizeHint().height()
    monkeypatch.undo()
    arrange(opened, qtbot, QSize(1600, 1000), 13)
