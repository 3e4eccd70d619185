"""What a hand does in the window: clicks on the toolbar, drags of sliders; tests only."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import QPoint, QSize, Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QToolButton

from app.main_window import MainWindow
from app.panels.log_slider import LogSlider

LEFT = Qt.MouseButton.LeftButton


def tool_button(window: MainWindow, key: str) -> QToolButton:
    found = window.toolbar.widgetForAction(window.registry[key])
    assert isinstance(found, QToolButton)
    return found


def click(qtbot: Any, window: MainWindow, key: str) -> None:
    button = tool_button(window, key)
    assert button.isEnabled(), f"{key} cannot be clicked"
    qtbot.mouseClick(button, LEFT)


def resize(qtbot: Any, window: MainWindow, size: QSize) -> None:
    """Default layout in a window of this size; what follows from it is for the test to wait for.

    An answer of the window system to an earlier size would undo this one for a moment.
    """
    QGuiApplication.sync()
    qtbot.wait(1)
    window.arrange(size)


def drag(slider: LogSlider, value: float) -> None:
    start = QPoint(round(slider.x_of(slider.value)), slider.height() // 2)
    end = QPoint(round(slider.x_of(value)), slider.height() // 2)
    QTest.mousePress(slider, LEFT, pos=start)
    QTest.mouseMove(slider, (start + end) / 2)
    QTest.mouseMove(slider, end)
    QTest.mouseRelease(slider, LEFT, pos=end)
