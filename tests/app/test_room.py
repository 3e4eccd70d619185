"""Small windows and large text: nothing is cut off, nothing disappears."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hands import resize
from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QColor
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QToolButton

from app.__main__ import print_qt_message
from app.dialogs.message import ErrorDialog
from app.elided_label import ElidedLabel
from app.errors import ErrorReport
from app.main_window import MainWindow
from app.panels.report import ReportPanel
from app.theme import DARK, LIGHT, TERM_COLOURS
from app.toolbar import STEERING
from app.view_area import FLOATING

LEFT = Qt.MouseButton.LeftButton


def set_text(window: MainWindow, pixels: int) -> None:
    window.settings.set_preferences(replace(window.settings.preferences, font_px=pixels))


def test_a_small_window_shows_all_rows_without_scrolling(opened: MainWindow, qtbot: Any) -> None:
    row = opened.weights.rows["smooth"]

    def low_rows() -> None:
        for panel in (opened.sub_stages, opened.weights):
            assert panel.verticalScrollBar().maximum() == 0
            assert panel.compact
        assert row.meaning.isHidden()
        assert "acceleration" in row.slider.toolTip()
        for inside in (row.name, row.slider, row.field, row.reset):
            assert row.rect().contains(inside.geometry()) or inside is row.name

    def usual_rows() -> None:
        assert not opened.weights.compact
        assert not row.meaning.isHidden()
        assert not opened.sub_stages.head.isHidden()
        assert opened.sub_stages.verticalScrollBar().maximum() == 0

    resize(qtbot, opened, QSize(1280, 800))
    qtbot.waitUntil(low_rows)
    resize(qtbot, opened, QSize(1600, 1000))
    qtbot.waitUntil(usual_rows)


@pytest.mark.parametrize(("pixels", "width"), [(13, 1600), (13, 1280), (20, 1600), (20, 1280)])
def test_every_button_of_the_toolbar_is_there(
    opened: MainWindow, qtbot: Any, pixels: int, width: int
) -> None:
    bar = opened.toolbar

    def all_are_there() -> None:
        for key in (*STEERING, "run.live", "run.reset", "file.export"):
            button = bar.widgetForAction(opened.registry[key])
            assert isinstance(button, QToolButton)
            assert button.isVisible(), key
            assert bar.rect().contains(button.geometry()), key
            assert button.width() >= button.sizeHint().width(), key
            assert button.accessibleName() == opened.registry.title(key)

    set_text(opened, pixels)
    resize(qtbot, opened, QSize(width, 800))
    qtbot.waitUntil(all_are_there)
    shown = bar.widgetForAction(opened.registry["run.step_iteration"])
    assert isinstance(shown, QToolButton)
    alone = shown.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly
    assert alone == (pixels == 20)
    assert bar.iconSize().width() == round(14 * pixels / 13)
    set_text(opened, 13)


def test_what_the_floating_bar_leaves_out_stands_in_more(opened: MainWindow, qtbot: Any) -> None:
    bar = opened.area.bar

    def some_are_left_out() -> None:
        assert bar.minimumSizeHint().width() <= bar.width() < 500
        offered = {action.objectName() for action in bar.more_menu(opened.registry).actions()}
        hidden = {key for key, b in zip(FLOATING, bar.toggles, strict=True) if b.isHidden()}
        assert hidden
        assert hidden <= offered
        assert bar.through.isHidden() == ("view.look_through" in offered)
        assert bar.more.isVisible()

    set_text(opened, 20)
    resize(qtbot, opened, QSize(1000, 700))
    qtbot.waitUntil(some_are_left_out)
    set_text(opened, 13)
    resize(qtbot, opened, QSize(1600, 1000))
    qtbot.waitUntil(lambda: not any(button.isHidden() for button in bar.toggles))


@pytest.mark.parametrize("pixels", [13, 20])
def test_the_caption_is_written_out(opened: MainWindow, qtbot: Any, pixels: int) -> None:
    set_text(opened, pixels)
    opened.session.playback.seek(7)
    caption = opened.area.caption
    qtbot.waitUntil(lambda: caption.text().endswith("as imported") and "frame 7" in caption.text())
    set_text(opened, 13)


def test_a_label_that_is_too_narrow_ends_in_an_ellipsis(qtbot: Any) -> None:
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.show_text("a sentence that does not fit")
    label.resize(80, 20)
    label.show()
    assert label.text().endswith("…")
    assert label.toolTip() == "a sentence that does not fit"
    label.resize(600, 20)
    assert label.text() == "a sentence that does not fit"


def test_one_iteration_alone_is_a_dot(opened: MainWindow, qtbot: Any) -> None:
    session = opened.session
    session.step_iteration()
    qtbot.waitUntil(lambda: session.activity == "paused")
    qtbot.waitUntil(lambda: "root" in session.curves)
    assert len(session.curves["root"].iterations) == 1
    opened.losses.toggle_term("total")
    opened.losses.redraw()
    plot = opened.losses.plots["root"]
    wanted = QColor(TERM_COLOURS["data"])

    def dots() -> int:
        picture = plot.plot.grab().toImage()
        return sum(
            picture.pixelColor(x, y).name() == wanted.name()
            for x in range(picture.width())
            for y in range(picture.height())
        )

    qtbot.waitUntil(lambda: dots() >= 6)
    with qtbot.waitSignal(session.ended):
        session.cancel()


def test_choosing_among_folders_is_no_error_report(qtbot: Any) -> None:
    several = ErrorDialog(ErrorReport("Which?", "two", "trace", (Path("a"), Path("b"))), None)
    failed = ErrorDialog(ErrorReport("Broken", "why", "trace"), None)
    for dialog in (several, failed):
        dialog.show()
        qtbot.waitUntil(dialog.isVisible)
    assert not several.more.isVisible()
    assert several.choices.isVisible()
    assert failed.more.isVisible()
    assert not failed.choices.isVisible()
    for dialog in (several, failed):
        dialog.accept()


def test_the_report_begins_with_what_is_missing(opened: MainWindow, qtbot: Any) -> None:
    text = opened.report.text.toPlainText()
    assert text.index("No video") < text.index("The cameras' unit") < text.index("was rebuilt")
    assert "1 repair on opening, 1 thing missing" in opened.title.text()
    assert "30 fps assumed" in opened.title.text()
    opened.docks["report"].hide()
    opened.title.linkActivated.emit("report")
    qtbot.waitUntil(opened.report.isVisible)


def test_what_is_missing_can_be_said_from_the_report(opened: MainWindow, qtbot: Any) -> None:
    panel: ReportPanel = opened.report
    assert 'href="file.open_with"' in panel.text.toHtml()
    triggered: list[str] = []
    panel.command_wanted.disconnect()
    panel.command_wanted.connect(triggered.append)
    opened.show_dock("report")
    document = panel.text.document()
    assert document is not None

    def click() -> bool:
        # Again, should the panel have been laid out anew meanwhile.
        place = panel.text.cursorRect(document.find("Say it…")).center()
        place.setX(place.x() - 8)
        QTest.mouseClick(panel.text.viewport(), LEFT, pos=place)
        return bool(triggered)

    qtbot.waitUntil(click)
    assert triggered == ["file.open_with"]


def test_only_qts_chatter_is_kept_back(capsys: pytest.CaptureFixture[str]) -> None:
    print_qt_message(0, None, "This plugin does not support propagateSizeHints()")
    print_qt_message(0, None, "Something is wrong")
    assert capsys.readouterr().err == "Something is wrong\n"


def test_the_title_is_readable_in_either_theme(opened: MainWindow) -> None:
    for name, theme in (("light", LIGHT), ("dark", DARK)):
        opened.apply_theme(name)
        assert f"color:{theme.quiet}" in opened.title.text()
