"""Playing a clip by the wall clock: when drawing is slow, frames are dropped, never time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)


class Playback(QObject):
    """Which frame is shown, and how it moves.

    Parameters
    ----------
    parent
        Qt owner.
    clock
        Seconds, monotonic.
    """

    frame_changed = pyqtSignal(int)
    """The video frame to show."""
    playing_changed = pyqtSignal(bool)
    range_changed = pyqtSignal()
    """Loop range, number of frames, rate or speed changed."""

    def __init__(
        self, parent: QObject | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        super().__init__(parent)
        self._clock = clock
        self._timer = QTimer(self)
        self._timer.setInterval(10)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self.frame = 0
        self.num_frames = 0
        self.fps = 30.0
        self.speed = 1.0
        self.loop = True
        self.first = 0
        """First frame of the loop range."""
        self.last = 0
        """Last frame of the loop range, included."""
        self._started_at = 0.0
        self._started_frame = 0

    @property
    def playing(self) -> bool:
        """Whether frames advance."""
        return self._timer.isActive()

    def set_clip(self, num_frames: int, fps: float) -> None:
        """Another clip: stop, go to its first frame, loop over all of it."""
        self.stop()
        self.num_frames, self.fps = num_frames, fps
        self.first, self.last = 0, max(num_frames - 1, 0)
        self.frame = 0
        self.range_changed.emit()
        self.frame_changed.emit(0)

    def seek(self, frame: int) -> None:
        """Show a frame (clamped to the clip); playing goes on from there."""
        frame = min(max(int(frame), 0), max(self.num_frames - 1, 0))
        self._restart_clock(frame)
        if frame != self.frame:
            self.frame = frame
            self.frame_changed.emit(frame)

    def step(self, frames: int) -> None:
        """Stop and move by some frames."""
        self.stop()
        self.seek(self.frame + frames)

    def set_range(self, first: int, last: int) -> None:
        """Loop from ``first`` to ``last``, both included, in either order."""
        first, last = sorted((first, last))
        top = max(self.num_frames - 1, 0)
        self.first, self.last = min(max(first, 0), top), min(max(last, 0), top)
        self._restart_clock(self.frame)
        self.range_changed.emit()

    def set_speed(self, speed: float) -> None:
        """Times real time."""
        self.speed = float(speed)
        self._restart_clock(self.frame)
        self.range_changed.emit()

    def set_loop(self, on: bool) -> None:
        """Begin again at the end of the range, or stop there."""
        self.loop = on
        self.range_changed.emit()

    def toggle(self) -> None:
        """Play or stop."""
        if self.playing:
            self.stop()
        else:
            self.play()

    def play(self) -> None:
        """Start from the present frame, or from the range's first if outside of it."""
        if self.num_frames < 2 or self.playing:
            return
        if not self.first <= self.frame < self.last:
            self.seek(self.first)
        self._restart_clock(self.frame)
        self._timer.start()
        self.playing_changed.emit(True)

    def stop(self) -> None:
        """Hold the present frame."""
        if self.playing:
            self._timer.stop()
            self.playing_changed.emit(False)

    def _restart_clock(self, frame: int) -> None:
        self._started_at, self._started_frame = self._clock(), frame

    def _tick(self) -> None:
        elapsed = self._clock() - self._started_at
        frame = self._started_frame + math.floor(elapsed * self.fps * self.speed)
        if frame > self.last:
            if not self.loop:
                self.stop()
                frame = self.last
            else:
                length = self.last - self.first + 1
                frame = self.first + (frame - self.first) % length
        if frame != self.frame:
            self.frame = frame
            self.frame_changed.emit(frame)
