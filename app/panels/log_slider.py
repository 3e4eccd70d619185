"""A slider over decades, with zero at its left end and a tick at the default."""

from __future__ import annotations

import math

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen, QWheelEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from app.theme import DARK, Theme

_MARGIN = 8.0
_ZERO_WIDTH = 10.0
"""Pixels at the left end that mean exactly zero: the term is absent."""


class LogSlider(QWidget):
    """Value from 0, or from three decades below the default to three above.

    Keyboard: arrows by a twentieth of a decade, page keys by half a decade, Home = 0,
    Backspace or Delete or a double click = the default.
    """

    value_changed = pyqtSignal(float)
    """By the user's hand only."""

    def __init__(self, default: float, parent: QWidget | None = None, decades: float = 3.0) -> None:
        super().__init__(parent)
        self.default = default
        self._value = default
        self._decades = decades
        self._theme: Theme = DARK
        self._hover = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(90)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    @property
    def value(self) -> float:
        """The present value."""
        return self._value

    def set_value(self, value: float) -> None:
        """Show a value without telling anybody."""
        if value != self._value:
            self._value = value
            self.update()

    def set_theme(self, theme: Theme) -> None:
        """Colours."""
        self._theme = theme
        self.update()

    def sizeHint(self) -> QSize:
        """Room for the handle."""
        return QSize(120, 22)

    def x_of(self, value: float) -> float:
        """Pixel of a value."""
        left, right = _MARGIN + _ZERO_WIDTH, self.width() - _MARGIN
        if value <= 0:
            return _MARGIN
        low = math.log10(self.default) - self._decades
        part = (math.log10(value) - low) / (2 * self._decades)
        return left + min(max(part, 0.0), 1.0) * (right - left)

    def value_at(self, x: float) -> float:
        """Value at a pixel, rounded to three figures."""
        left, right = _MARGIN + _ZERO_WIDTH, self.width() - _MARGIN
        if x < left - _ZERO_WIDTH / 2:
            return 0.0
        part = min(max((x - left) / max(right - left, 1.0), 0.0), 1.0)
        exponent = math.log10(self.default) + (2 * part - 1) * self._decades
        if abs(x - self.x_of(self.default)) < 3:
            return self.default
        return float(f"{10**exponent:.3g}")

    def _choose(self, value: float) -> None:
        if value != self._value:
            self._value = value
            self.update()
            self.value_changed.emit(value)

    def _nudge(self, decades: float) -> None:
        top = self.default * 10**self._decades
        bottom = self.default * 10**-self._decades
        if self._value <= 0:
            if decades > 0:
                self._choose(bottom)
            return
        value = self._value * 10**decades
        self._choose(0.0 if value < bottom * 0.999 else float(f"{min(value, top):.3g}"))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Jump to the pointer."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._choose(self.value_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Follow the pointer."""
        if event is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(self.value_at(event.position().x()))

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Back to the default."""
        self._choose(self.default)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Only while focused: scrolling a panel must not change weights."""
        if event is None:
            return
        if not self.hasFocus():
            event.ignore()
            return
        self._nudge(0.05 if event.angleDelta().y() > 0 else -0.05)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Arrows, page keys, Home and Delete."""
        if event is None:
            return
        steps = {
            Qt.Key.Key_Right: 0.05,
            Qt.Key.Key_Up: 0.05,
            Qt.Key.Key_Left: -0.05,
            Qt.Key.Key_Down: -0.05,
            Qt.Key.Key_PageUp: 0.5,
            Qt.Key.Key_PageDown: -0.5,
        }
        key = Qt.Key(event.key())
        if key in steps:
            self._nudge(steps[key])
        elif key == Qt.Key.Key_Home:
            self._choose(0.0)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._choose(self.default)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: object) -> None:
        """Groove, filled part, default tick, handle."""
        theme, painter = self._theme, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        right = self.width() - _MARGIN
        x = self.x_of(self._value)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.line))
        painter.drawRoundedRect(QRectF(_MARGIN, middle - 1.5, right - _MARGIN, 3), 1.5, 1.5)
        on = self.isEnabled() and self._value > 0
        fill = QColor(theme.accent if on else theme.disabled)
        fill.setAlpha(170)
        painter.setBrush(fill)
        painter.drawRoundedRect(QRectF(_MARGIN, middle - 1.5, x - _MARGIN, 3), 1.5, 1.5)
        tick = self.x_of(self.default)
        painter.setPen(QPen(QColor(theme.quiet), 1))
        painter.drawLine(QPointF(tick, middle - 7), QPointF(tick, middle + 7))
        handle = QColor(theme.text if self.isEnabled() else theme.disabled)
        painter.setPen(QPen(QColor(theme.accent), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(handle if self._value > 0 else QColor(theme.panel))
        if self._value <= 0 and not self.hasFocus():
            painter.setPen(QPen(handle, 1.5))
        radius = 6.0 if self.underMouse() or self.hasFocus() else 5.5
        painter.drawEllipse(QPointF(x, middle), radius, radius)
