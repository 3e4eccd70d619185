"""Time: a bar a person, gaps dashed, foot contacts, chunk borders, the loop range, the playhead."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QFontMetrics, QPainter, QPen, QPixmap
from PyQt6.QtWidgets import QSizePolicy, QWidget

from app.panels.dock import GUTTER, scaled
from app.session import Session
from app.theme import DARK, Theme
from refine_engine.state import OptimizationState

_BAR = 11
_SHARE = 0.3
"""Of the window's height, at most."""
_EDGE = 6
"""Pixels within which the pointer takes hold of an end of the loop range."""


def _left() -> int:
    """Pixels for the names."""
    return scaled(92)


def _row() -> int:
    """Height of a person."""
    return scaled(26)


def _axis() -> int:
    """Height of the ruler."""
    return scaled(24)


def spans(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of each run of True in (n,)."""
    padded = np.concatenate([[False], flags, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


class TimelineStrip(QWidget):
    """The painted part: everything but the playhead and the range is kept in a pixmap."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._theme: Theme = DARK
        self._cache: QPixmap | None = None
        self._drag = ""
        self._head = 0
        self.setObjectName("timeline_strip")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.setMouseTracking(True)
        self.setAccessibleName("Timeline")
        self.setToolTip(
            "Click or drag: show a frame. Drag on the ruler with Shift: loop range. "
            "Arrow keys: one frame, page keys: one second."
        )
        for signal in (session.scene_changed, session.people_changed, session.runs_changed):
            signal.connect(self.redraw)
        session.selection_changed.connect(self.redraw)
        session.playback.frame_changed.connect(self._on_frame)
        session.playback.range_changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """A row a person and the ruler; in a low window many people share what can be spared."""
        rows = _row() * max(len(self._session.person_ids), 1) + _axis() + 4
        window = self.window()
        room = round(_SHARE * window.height()) if window is not None else rows
        return QSize(600, max(min(rows, room), self.minimumSizeHint().height()))

    def minimumSizeHint(self) -> QSize:
        """At most four rows: with more people they become thinner."""
        return QSize(200, _row() * min(max(len(self._session.person_ids), 1), 4) + _axis() + 4)

    def set_theme(self, theme: Theme) -> None:
        """Colours."""
        self._theme = theme
        self.redraw()

    def redraw(self, _: object = None) -> None:
        """Paint all anew."""
        self._cache = None
        self.updateGeometry()
        self.update()

    def _on_frame(self, frame: int) -> None:
        # Only where the playhead was and is: every repainted pixel of the window is uploaded
        # again to be shown beside the 3-D view.
        for at in (self._head, frame):
            self.update(round(self.x_of(at)) - 3, 0, 6, self.height())
        self._head = frame

    def x_of(self, frame: float) -> float:
        """Pixel of a frame's middle."""
        last = max(self._session.playback.num_frames - 1, 1)
        return _left() + frame / last * (self.width() - _left() - 18)

    def frame_at(self, x: float) -> int:
        """Frame nearest to a pixel."""
        last = max(self._session.playback.num_frames - 1, 1)
        part = (x - _left()) / max(self.width() - _left() - 18, 1)
        return round(min(max(part, 0.0), 1.0) * last)

    def _row_height(self) -> float:
        people = max(len(self._session.person_ids), 1)
        return min(float(_row()), (self.height() - _axis()) / people)

    def paintEvent(self, event: object) -> None:
        """The kept picture, then range and playhead."""
        ratio = self.devicePixelRatioF()
        if self._cache is None or self._cache.size() != self.size() * ratio:
            self._cache = QPixmap(self.size() * ratio)
            self._cache.setDevicePixelRatio(ratio)
            self._cache.fill(QColor(self._theme.panel))
            painter = QPainter(self._cache)
            self._paint_rows(painter)
            painter.end()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._cache)
        playback = self._session.playback
        if playback.num_frames < 1:
            return
        bottom = self._row_height() * max(len(self._session.person_ids), 1)
        whole = playback.first == 0 and playback.last >= playback.num_frames - 1
        if not whole:
            shade = QColor(self._theme.panel)
            shade.setAlpha(170)
            a, b = self.x_of(playback.first), self.x_of(playback.last)
            painter.fillRect(QRectF(_left() - 2, 0, a - _left() + 2, bottom), shade)
            painter.fillRect(QRectF(b, 0, self.width() - b, bottom), shade)
            painter.setPen(QPen(QColor(self._theme.accent), 2))
            for x in (a, b):
                painter.drawLine(QPointF(x, 0), QPointF(x, bottom + 4))
            painter.drawLine(QPointF(a, bottom + 4), QPointF(b, bottom + 4))
        x = self.x_of(playback.frame)
        painter.setPen(QPen(QColor(self._theme.text), 2))
        painter.drawLine(QPointF(x, 0), QPointF(x, bottom + 6))
        if self.hasFocus():
            painter.setPen(QPen(QColor(self._theme.accent), 1))
            painter.drawRect(self.rect().adjusted(2, 0, -3, -2))

    def _paint_rows(self, painter: QPainter) -> None:
        session, theme = self._session, self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        height = self._row_height()
        metrics = QFontMetrics(self.font())
        if session.scene is None:
            painter.setPen(QColor(theme.quiet))
            painter.drawText(QPointF(GUTTER, 18), "The clip's time line appears here.")
            return
        for row, person_id in enumerate(session.person_ids):
            top = row * height
            selected = session.selection == person_id
            painter.setPen(QColor(theme.text if selected else theme.quiet))
            if height >= metrics.height() - 2:
                painter.drawText(
                    QRectF(GUTTER, top, _left() - GUTTER - 6, height),
                    int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft),
                    f"Person {person_id}",
                )
            self._paint_person(painter, person_id, top, height)
        self._paint_borders(painter)
        self._paint_ruler(painter, height * len(session.person_ids), metrics)

    def _paint_person(self, painter: QPainter, person_id: int, top: float, height: float) -> None:
        session, theme = self._session, self._theme
        state: OptimizationState | None = session.state
        if state is None or person_id not in state.people:
            return
        person = state.people[person_id]
        colour = QColor(session.colour(person_id))
        if person_id in session.hidden:
            colour.setAlpha(80)
        bar = min(_BAR, height * 0.45)
        y = top + (height - bar) / 2 - 1
        first = int(person.frames[0])
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        for a, b in spans(person.observed):
            xa, xb = self.x_of(first + a - 0.5), self.x_of(first + b + 0.5)
            painter.drawRoundedRect(QRectF(max(xa, _left()), y, xb - max(xa, _left()), bar), 2, 2)
        dashes = QPen(colour, 1.5, Qt.PenStyle.DashLine)
        painter.setPen(dashes)
        for a, b in spans(~person.observed):
            xa, xb = self.x_of(first + a - 0.5), self.x_of(first + b + 0.5)
            painter.drawLine(QPointF(xa, y + bar / 2), QPointF(xb, y + bar / 2))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.quiet))
        for a, b in spans(np.any(person.contacts > 0.5, axis=1)):
            xa, xb = self.x_of(first + a - 0.4), self.x_of(first + b + 0.4)
            xa = max(xa, _left())
            painter.drawRect(QRectF(xa, y + bar + 2, max(xb - xa, 1.5), 2))

    def _paint_borders(self, painter: QPainter) -> None:
        scene = self._session.scene
        if scene is None:
            return
        borders = np.flatnonzero(np.diff(scene.cameras.chunk)) + 0.5
        painter.setPen(QPen(QColor(self._theme.warn), 1, Qt.PenStyle.DotLine))
        bottom = self._row_height() * len(self._session.person_ids)
        for border in borders:
            x = self.x_of(float(border))
            painter.drawLine(QPointF(x, 0), QPointF(x, bottom))

    def _paint_ruler(self, painter: QPainter, top: float, metrics: QFontMetrics) -> None:
        frames = self._session.playback.num_frames
        painter.setPen(QColor(self._theme.quiet))
        wanted = max((self.width() - _left()) / 90, 2)
        raw = max(frames / wanted, 1)
        power = 10 ** int(np.floor(np.log10(raw)))
        step = int(next(m * power for m in (1, 2, 5, 10) if m * power >= raw))
        for frame in range(0, frames, step):
            x = self.x_of(frame)
            painter.drawLine(QPointF(x, top + 4), QPointF(x, top + 8))
            text = str(frame)
            width = metrics.horizontalAdvance(text)
            painter.drawText(QPointF(x - width / 2, top + 9 + metrics.ascent()), text)

    def mousePressEvent(self, event) -> None:
        """Take hold of the playhead, an end of the range, or start a new range with Shift."""
        if event.button() != Qt.MouseButton.LeftButton or not self._session.scene:
            return
        playback = self._session.playback
        x = event.position().x()
        whole = playback.first == 0 and playback.last >= playback.num_frames - 1
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._drag = "last"
            frame = self.frame_at(x)
            playback.set_range(frame, frame)
        elif not whole and abs(x - self.x_of(playback.first)) < _EDGE:
            self._drag = "first"
        elif not whole and abs(x - self.x_of(playback.last)) < _EDGE:
            self._drag = "last"
        else:
            self._drag = "head"
            self._session.playback.seek(self.frame_at(x))
            row = int(event.position().y() // self._row_height())
            ids = self._session.person_ids
            if x < _left() and 0 <= row < len(ids):
                self._drag = ""
                self._session.select(ids[row])

    def mouseMoveEvent(self, event) -> None:
        """Scrub, or move an end of the range."""
        playback, frame = self._session.playback, self.frame_at(event.position().x())
        if self._drag == "head":
            playback.seek(frame)
        elif self._drag == "first":
            playback.set_range(min(frame, playback.last), playback.last)
        elif self._drag == "last":
            playback.set_range(playback.first, max(frame, playback.first))

    def mouseReleaseEvent(self, event) -> None:
        """Let go."""
        self._drag = ""

    def mouseDoubleClickEvent(self, event) -> None:
        """Loop over everything again."""
        playback = self._session.playback
        playback.set_range(0, playback.num_frames - 1)

    @property
    def scrubbing(self) -> bool:
        """Whether the pointer holds the playhead."""
        return self._drag == "head"

    def keyPressEvent(self, event) -> None:
        """Arrows, page keys, Home, End."""
        playback = self._session.playback
        second = max(round(playback.fps), 1)
        moves = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_PageDown: second,
            Qt.Key.Key_PageUp: -second,
            Qt.Key.Key_Home: -playback.num_frames,
            Qt.Key.Key_End: playback.num_frames,
        }
        if event.key() in moves:
            playback.step(moves[event.key()])
        else:
            super().keyPressEvent(event)
