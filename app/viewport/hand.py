"""The user's hand in the 3-D view: clicks, drags, the wheel and keys."""

from __future__ import annotations

import math
from typing import Protocol

from PyQt6.QtCore import QEvent, QObject, QPointF, Qt
from PyQt6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QWheelEvent

CLICK_PIXELS = 4.0
"""A press that moved less than this is a click."""
KEY_PIXELS = 14.0
"""An arrow key turns as far as a drag by so much."""


class Handled(Protocol):
    """What a hand does to a view; positions are pixels from the upper left."""

    def click(self, at: QPointF) -> None:
        """Choose who is there, or nobody."""
        ...

    def look_at(self, at: QPointF) -> None:
        """Make the point under the mouse the focal point."""
        ...

    def drag(self, dx: float, dy: float, shift: bool) -> None:
        """Turn, or shift."""
        ...

    def zoom(self, steps: float, at: QPointF | None = None) -> None:
        """Nearer by some notches of the wheel, at a point of the view."""
        ...

    def show_focus(self, on: bool) -> None:
        """Show that the keys go here, or no more."""
        ...


_BY_KEYS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class Hand(QObject):
    """Turns mouse, wheel and keys of a canvas, whichever it is, into calls of the view.

    It filters the canvas' events. Positions are device-independent pixels from the upper left
    corner, as everything in Qt; only the canvas' ``device_ratio`` makes device pixels of them.

    Parameters
    ----------
    view
        What is turned, moved and picked in.
    """

    def __init__(self, view: Handled) -> None:
        super().__init__()
        self._view = view
        self._from: QPointF | None = None
        self._last = QPointF()
        self._button = Qt.MouseButton.NoButton
        self._shift = False
        self._dragged = False

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Use what a hand can do; everything else goes its usual way."""
        if isinstance(event, QMouseEvent):
            used = self._mouse(event)
        elif isinstance(event, QWheelEvent):
            self.wheeled(event.position(), event.angleDelta().y() / 120.0)
            used = True
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            used = self.key(event)
        elif isinstance(event, QFocusEvent):
            # Who came with the mouse knows where the mouse is.
            self._view.show_focus(event.gotFocus() and event.reason() in _BY_KEYS)
            return super().eventFilter(watched, event)
        else:
            return super().eventFilter(watched, event)
        if used:
            event.accept()
        return used

    def _mouse(self, event: QMouseEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.MouseButtonPress:
            self.pressed(event.position(), event.button(), event.modifiers())
        elif kind == QEvent.Type.MouseMove:
            self.moved(event.position(), event.buttons())
        elif kind == QEvent.Type.MouseButtonRelease:
            self.released(event.position(), event.button())
        elif kind == QEvent.Type.MouseButtonDblClick:
            self.double_clicked(event.position())
        else:
            return False
        return True

    def pressed(self, at: QPointF, button: Qt.MouseButton, keys: Qt.KeyboardModifier) -> None:
        """Begin of a click or a drag."""
        self._from = self._last = at
        self._button = button
        self._dragged = False
        held = bool(keys & Qt.KeyboardModifier.ShiftModifier)
        self._shift = button != Qt.MouseButton.LeftButton or held

    def moved(self, at: QPointF, buttons: Qt.MouseButton) -> None:
        """Drag once it is more than a shaky click."""
        if self._from is None or buttons == Qt.MouseButton.NoButton:
            return
        way = at - self._from
        if not self._dragged and math.hypot(way.x(), way.y()) < CLICK_PIXELS:
            return
        self._dragged = True
        step, self._last = at - self._last, at
        self._view.drag(step.x(), step.y(), self._shift)

    def released(self, at: QPointF, button: Qt.MouseButton) -> None:
        """A click, unless it was a drag."""
        was, self._from = self._from, None
        if was is not None and not self._dragged and button == Qt.MouseButton.LeftButton:
            self._view.click(at)

    def double_clicked(self, at: QPointF) -> None:
        """Look at who is there."""
        self._view.look_at(at)

    def wheeled(self, at: QPointF, steps: float) -> None:
        """Zoom at the mouse."""
        self._view.zoom(steps, at)

    def key(self, event: QKeyEvent) -> bool:
        """Shift and arrows turn, plus and minus zoom."""
        key, shift = event.key(), event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        turns = {
            Qt.Key.Key_Left: (-KEY_PIXELS, 0.0),
            Qt.Key.Key_Right: (KEY_PIXELS, 0.0),
            Qt.Key.Key_Up: (0.0, -KEY_PIXELS),
            Qt.Key.Key_Down: (0.0, KEY_PIXELS),
        }
        if shift and key in turns:
            self._view.drag(*turns[Qt.Key(key)], False)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._view.zoom(1.0)
        elif key == Qt.Key.Key_Minus:
            self._view.zoom(-1.0)
        else:
            return False
        event.accept()
        return True
