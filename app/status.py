"""The status line: what runs, how far, how long; autosave, device, frame rate."""

from __future__ import annotations

import os
import time

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QLabel, QProgressBar, QStatusBar, QWidget

from app.elided_label import ElidedLabel
from app.runs import TITLES
from app.session import Session

_TEXT = {
    "empty": "Ready",
    "opening": "Opening …",
    "ready": "Ready",
    "pausing": "Pausing …",
    "paused": "Paused",
    "stopping": "Stopping …",
    "working": "Working …",
}


_FRAME_TEXT_SECONDS = 0.5
"""The drawing time is written anew no more often: writing costs drawing time."""


def duration_text(seconds: float) -> str:
    """A rough length of time."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


class StatusLine(QStatusBar):
    """Left the activity, right the machine."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._saved_at: float | None = None
        self._frame_seconds: list[float] = []
        self._frame_shown_at = 0.0
        self._recorded: float | None = None
        self.setSizeGripEnabled(False)
        self.activity = QLabel("Ready", self)
        self.activity.setMinimumWidth(110)
        self.bar = QProgressBar(self)
        self.bar.setFixedWidth(190)
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Progress of the run")
        self.left = QLabel("", self)
        self.notice = ElidedLabel(self)
        self.saved = QLabel("", self)
        self.device = QLabel(f"CPU, {os.cpu_count()} cores", self)
        self.drawing = QLabel("", self)
        for widget in (self.activity, self.bar, self.left):
            self.addWidget(widget)
        self.addWidget(self.notice, 1)
        for widget in (self.saved, self.device, self.drawing):
            self.addPermanentWidget(widget)
        self._notice_timer = QTimer(self)
        self._notice_timer.setSingleShot(True)
        self._notice_timer.setInterval(8000)
        self._notice_timer.timeout.connect(lambda: self.notice.show_text(""))
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._show_saved)
        self._clock.start()
        session.activity_changed.connect(self.refresh)
        session.rows_changed.connect(self.refresh)
        session.notice.connect(self.say)
        session.failed.connect(lambda failure: self.say(failure.title))
        self.refresh()

    def say(self, sentence: str) -> None:
        """Show a sentence for some seconds."""
        self.notice.show_text(sentence)
        self._notice_timer.start()

    def refresh(self) -> None:
        """Activity, progress, time left."""
        session = self._session
        fraction, left = session.progress()
        active = session.run_active
        text = _TEXT.get(session.activity, "")
        running = session.running_sub_stage()
        if session.activity == "running":
            begun = any(row.iterations for row in session.rows.values())
            text = TITLES[running] if running else "Next sub-stage …" if begun else "Starting …"
        elif session.activity == "paused" and running:
            text = f"Paused: {TITLES[running]}"
        recorded = None if active else self._recorded
        if recorded is not None:
            text = "Recording"
        self.activity.setText(text)
        busy = active or session.activity in ("opening", "working")
        self.bar.setVisible(busy or recorded is not None)
        if recorded is not None:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * recorded))
            self.left.setText(f"{recorded:.0%}")
        elif active:
            self.bar.setRange(0, 1000)
            # A progress bar repaints at once when its value is set; in the next turn is enough.
            self.bar.setUpdatesEnabled(False)
            self.bar.setValue(round(1000 * fraction))
            self.bar.setUpdatesEnabled(True)
            eta = f", about {duration_text(left)} left" if left is not None else ""
            self.left.setText(f"{fraction:.0%}{eta}")
        else:
            self.bar.setRange(0, 0)
            self.left.setText("")

    def show_recording(self, fraction: float | None) -> None:
        """How much of a video is recorded; None = none is being recorded."""
        self._recorded = fraction
        self.refresh()

    def note_saved(self) -> None:
        """A copy of the session was just written."""
        self._saved_at = time.monotonic()
        self._show_saved()

    def _show_saved(self) -> None:
        if self._saved_at is not None:
            ago = time.monotonic() - self._saved_at
            self.saved.setText(f"autosaved {duration_text(ago)} ago")

    def note_frame(self, seconds: float, renderer: str) -> None:
        """The view drew a frame."""
        self._frame_seconds = [*self._frame_seconds, seconds][-20:]
        now = time.monotonic()
        if now - self._frame_shown_at < _FRAME_TEXT_SECONDS:
            return
        self._frame_shown_at = now
        mean = sum(self._frame_seconds) / len(self._frame_seconds)
        name = renderer.split(" (")[0].split("/")[0] or "OpenGL"
        self.drawing.setText(f"{name}, {mean * 1000:.0f} ms a frame")
        self.drawing.setToolTip(renderer)

    def stop(self) -> None:
        """Stop the timers."""
        self._clock.stop()
        self._notice_timer.stop()
