"""The time dock: transport buttons, frame, loop range and speed above the strip."""

from __future__ import annotations

import re

import numpy as np
from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.actions import icon
from app.panels.dock import GUTTER, label, scaled
from app.panels.timeline_strip import TimelineStrip
from app.playback import SPEEDS
from app.session import Session
from app.theme import DARK, Theme


class Legend(QLabel):
    """What the strip's marks mean, as many whole entries as there is room for."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._entries: list[str] = []
        self.setProperty("role", "small")
        self.setTextFormat(Qt.TextFormat.RichText)
        # What has least to say gives way first: the title bar must not widen the window.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def show_entries(self, entries: list[str]) -> None:
        """Show these, each as rich text."""
        self._entries = entries
        self.setToolTip("<br>".join(entries))
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit again."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        plain = [re.sub(r"<[^>]*>", "", entry) for entry in self._entries]
        metrics, count = self.fontMetrics(), len(plain)
        while count and metrics.horizontalAdvance("    ".join(plain[:count])) > self.width() - 8:
            count -= 1
        text = " &nbsp; ".join(self._entries[:count])
        if text != self.text():
            self.setText(text)


class TimelinePanel(QWidget):
    """The strip; the transport buttons are a widget of their own, the dock's title bar."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        playback = session.playback
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 2)
        self.transport = QWidget(self)
        self.transport.setAccessibleName("Time")
        row = QHBoxLayout(self.transport)
        row.setContentsMargins(GUTTER, 8, GUTTER - 4, 7)
        row.setSpacing(6)
        self.first = self._button("First frame", lambda: playback.step(-playback.num_frames))
        self.back = self._button("One frame back", lambda: playback.step(-1))
        self.play = self._button("Play or stop", playback.toggle)
        self.forward = self._button("One frame on", lambda: playback.step(1))
        self.last = self._button("Last frame", lambda: playback.step(playback.num_frames))
        for button in (self.first, self.back, self.play, self.forward, self.last):
            row.addWidget(button)
        self.frame = QSpinBox(self)
        self.frame.setObjectName("frame_number")
        self.frame.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.frame.setAccessibleName("Frame")
        self.frame.setToolTip("Frame number, from 0")
        self.frame.setKeyboardTracking(False)
        self.frame.valueChanged.connect(playback.seek)
        self.total = label("", "number")
        self.time = label("", "quiet-number")
        self.loop = self._button("Repeat the loop range", None)
        self.loop.setCheckable(True)
        self.loop.setChecked(True)
        self.loop.toggled.connect(playback.set_loop)
        self.range = label("", "quiet-number")
        self.range.setToolTip("Loop range in frames; drag on the strip with Shift to set it")
        self.speed = QComboBox(self)
        self.speed.setAccessibleName("Playback speed")
        self.speed.setToolTip("Playback speed, times real time; slow drawing drops frames")
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g}×", speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.currentIndexChanged.connect(lambda i: playback.set_speed(SPEEDS[i]))
        for widget in (self.frame, self.total, self.time, self.loop, self.range, self.speed):
            row.addWidget(widget)
        self.legend = Legend(self)
        row.addWidget(self.legend, 1)
        self.strip = TimelineStrip(session, self)
        column.addWidget(self.strip, 1)
        playback.frame_changed.connect(self._show_frame)
        playback.range_changed.connect(self._show_clip)
        playback.playing_changed.connect(self._show_playing)
        session.scene_changed.connect(self._show_clip)
        session.runs_changed.connect(self._show_legend)
        self._theme: Theme = DARK
        self._show_clip()

    def _button(self, tip: str, slot) -> QToolButton:
        button = QToolButton(self)
        button.setProperty("role", "command")
        button.setFixedSize(34, 28)
        button.setIconSize(QSize(16, 16))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        if slot is not None:
            button.clicked.connect(slot)
        return button

    def _show_clip(self) -> None:
        playback = self._session.playback
        there = playback.num_frames > 0
        for widget in (
            *(self.first, self.back, self.play, self.forward, self.last),
            *(self.frame, self.loop, self.speed),
        ):
            widget.setEnabled(there)
        shown: tuple[QWidget, ...] = (self.frame, self.total, self.time, self.loop)
        for part in (*shown, self.range, self.speed):
            part.setVisible(there)
        self.frame.blockSignals(True)
        self.frame.setRange(0, max(playback.num_frames - 1, 0))
        self.frame.blockSignals(False)
        self.total.setText(f"/ {playback.num_frames - 1}" if there else "")
        whole = playback.first == 0 and playback.last >= playback.num_frames - 1
        self.range.setText(
            "" if not there else "loop all" if whole else f"loop {playback.first}–{playback.last}"
        )
        self._show_legend()
        self._show_frame(playback.frame)

    def _show_frame(self, frame: int) -> None:
        self.frame.blockSignals(True)
        self.frame.setValue(frame)
        self.frame.blockSignals(False)
        playback = self._session.playback
        self.time.setText(f"{frame / playback.fps:6.2f} s" if playback.num_frames else "")

    def _show_playing(self, playing: bool) -> None:
        self.play.setIcon(icon("pause" if playing else "play", self._theme))

    def _show_legend(self) -> None:
        """Explain what the strip draws of this clip, and nothing that it does not."""
        scene, state, theme = self._session.scene, self._session.state, self._theme
        if scene is None or state is None:
            self.legend.show_entries([])
            return
        entries = ["▬ observed"]
        people = state.people.values()
        if any(not p.observed.all() for p in people):
            entries.append("┄ filled")
        if any((p.contacts > 0.5).any() for p in people):
            entries.append(f'<span style="color:{theme.quiet}">▁</span> foot contact')
        if len(np.unique(scene.cameras.chunk)) > 1:
            entries.append(f'<span style="color:{theme.warn}">┊</span> chunk border')
        self.legend.show_entries(entries)

    def set_theme(self, theme: Theme) -> None:
        """Icons and colours."""
        self._theme = theme
        self.frame.setFixedWidth(scaled(58))
        self.speed.setFixedWidth(scaled(74))
        for button, name in (
            (self.first, "first"),
            (self.back, "back"),
            (self.forward, "forward"),
            (self.last, "last"),
            (self.loop, "loop"),
        ):
            button.setIcon(icon(name, theme))
        self._show_playing(self._session.playback.playing)
        self._show_legend()
        self.strip.set_theme(theme)
