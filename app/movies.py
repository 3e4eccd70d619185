"""Turntable and overlay videos of the 3-D view: one frame a turn of the event loop.

VTK draws on the GUI thread only; between two frames the window stays alive, shows progress and can
end the recording.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PyQt6.QtCore import QObject, QSize, QTimer, pyqtSignal
from PyQt6.QtGui import QImage

from refine_engine.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURN_SECONDS = 8
TURN_FPS = 30


def pixels_of(image: QImage) -> NDArray[np.uint8]:
    """(H, W, 3) RGB copy of a picture."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    if bits is None:
        raise ExportError("picture", "is empty", "make the window larger")
    height, width, line = image.height(), image.width(), image.bytesPerLine()
    rows = np.frombuffer(bytes(bits.asarray(line * height)), dtype=np.uint8).reshape(height, line)
    return rows[:, : 3 * width].reshape(height, width, 3).copy()


def even(size: QSize) -> QSize:
    """The size that a video can have: whole pairs of pixels."""
    return QSize(max(size.width() // 2 * 2, 2), max(size.height() // 2 * 2, 2))


class VideoFile:
    """An mp4 that appears under its name only when it is complete.

    Raises
    ------
    ExportError
        The file cannot be written.
    """

    def __init__(self, path: Path, size: QSize, fps: float) -> None:
        import av

        self._av = av
        self.path = path
        self._temporary = path.with_name(f"{path.stem}.part{path.suffix}")
        codec: Literal["libx264", "mpeg4"]
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        try:
            # FFmpeg opens the file with its first frame; whether it may is asked now.
            self._temporary.touch()
            self._container = av.open(str(self._temporary), "w")
            rate = Fraction(fps).limit_denominator(1001)
            self._stream = self._container.add_stream(codec, rate=rate)
        except (OSError, ValueError) as error:
            with suppress(OSError):  # there may be no such folder to delete it from
                self._temporary.unlink(missing_ok=True)
            why = getattr(error, "strerror", None) or error
            raise ExportError(
                path, f"cannot be written ({why})", "choose another place, ending in .mp4"
            ) from None
        self._stream.width, self._stream.height = size.width(), size.height()
        self._stream.pix_fmt = "yuv420p"
        if codec == "libx264":
            self._stream.options = {"preset": "veryfast", "crf": "18"}

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Encode one (H, W, 3) RGB picture.

        Raises
        ------
        ExportError
            The file cannot be written any more, say because the disk is full.
        """
        frame = self._av.VideoFrame.from_ndarray(picture, "rgb24")
        with self._writing():
            self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Complete the file and give it its name.

        Raises
        ------
        ExportError
            The file cannot be completed.
        """
        with self._writing():
            self._container.mux(self._stream.encode())
            self._container.close()
            os.replace(self._temporary, self.path)

    def discard(self) -> None:
        """Leave nothing behind, also where the disk is full."""
        with suppress(OSError):  # closing writes what is still held back
            self._container.close()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror or error
            raise ExportError(
                self.path, f"cannot be written ({why})", "make room or choose another place"
            ) from None


class Recording(QObject):
    """Draws and encodes frame after frame.

    Parameters
    ----------
    video
        Where pictures go.
    count
        How many frames.
    draw
        Makes the picture of a frame; called on the GUI thread.
    after
        Puts the view back; called once, however it ends.
    """

    progress = pyqtSignal(int, int)
    """Frames done, and of how many."""
    ended = pyqtSignal(object)
    """None, or the exception that ended it."""

    def __init__(
        self,
        video: VideoFile,
        count: int,
        draw: Callable[[int], QImage],
        after: Callable[[], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.video, self.count = video, count
        self._draw, self._after = draw, after
        self._done = 0
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._step)

    def start(self) -> None:
        """Begin."""
        self._timer.start()

    def cancel(self) -> None:
        """End without a file."""
        if self._timer.isActive():
            self._timer.stop()
            self.video.discard()
            self._after()

    def _step(self) -> None:
        try:
            self.video.add(pixels_of(self._draw(self._done)))
            self._done += 1
            if self._done == self.count:
                self.video.finish()
        except Exception as error:  # noqa: BLE001  (the view must be put back, then it is shown)
            self.cancel()
            self.ended.emit(error)
            return
        self.progress.emit(self._done, self.count)
        if self._done == self.count:
            self._timer.stop()
            self._after()
            self.ended.emit(None)
