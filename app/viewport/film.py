"""Pictures of the video, decoded beside the window: a frame far from the last one takes long."""

from __future__ import annotations

import contextlib
import math
import threading
import time

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from refine_engine.errors import RefinementError
from refine_engine.scene import VideoFrames

Bytes = NDArray[np.uint8]

NEAR_FRAMES = 4
"""A frame so little ahead of the last one is decoded on the way; any other needs a search."""
SEARCH_MS = 200
"""Searches begin no sooner after each other: every one may decode a second of video."""


class Film(QObject):
    """The picture of the present frame, or the last one that was there in time.

    Only the newest wish is kept: while one frame is decoded, all others but the last are forgotten.
    Frames far from each other are decoded a few times a second only, so that bodies follow the
    hand that drags the playhead.
    """

    arrived = pyqtSignal()
    """Another picture is there."""
    _decoded = pyqtSignal(object, int, object)

    def __init__(self) -> None:
        super().__init__()
        self.at_once = False
        """Decode where asked and wait for it: for pictures that are kept."""
        self.number = -1
        """The frame that :meth:`picture` returned last."""
        self._video: VideoFrames | None = None
        self._picture: Bytes | None = None
        self._wanted: int | None = None
        self._busy = False
        self._search = QTimer(self)
        self._search.setSingleShot(True)
        self._search.timeout.connect(self._decode_wanted)
        self._searched_at = -math.inf
        # A thread of Python: one of Qt's pools would be waited for when it is collected, with
        # Python's lock held that its work needs to end.
        self._thread: threading.Thread | None = None
        self._decoded.connect(self._on_decoded)

    @property
    def busy(self) -> bool:
        """Whether a picture is on its way."""
        return self._busy or self._search.isActive()

    def set_video(self, video: VideoFrames | None) -> None:
        """Another video, or none; what was decoded of the one before is forgotten."""
        self._video, self._picture, self._wanted, self.number = video, None, None, -1

    def picture(self, frame: int) -> Bytes | None:
        """(H, W, 3) of a frame or, until it arrives, of an earlier wish; None where there is none.

        A frame that cannot be decoded has none, as without a video.
        """
        if self._video is None or frame >= self._video.num_frames:
            return None
        if frame != self.number:
            if self.at_once:
                self.number, self._picture = frame, decoded(self._video, frame)
            else:
                self._want(frame)
        return self._picture

    def stop(self) -> None:
        """Wait for the thread; nothing arrives afterwards."""
        self.set_video(None)
        self._search.stop()
        self.blockSignals(True)
        if self._thread is not None:
            self._thread.join()

    def _want(self, frame: int) -> None:
        self._wanted = frame
        if self._busy:
            return
        if 0 < frame - self.number <= NEAR_FRAMES:
            self._search.stop()
            self._decode_wanted()
        elif not self._search.isActive():
            wait = SEARCH_MS - 1000 * (time.perf_counter() - self._searched_at)
            self._search.start(math.ceil(wait) if wait > 0 else 0)

    def _decode_wanted(self) -> None:
        if self._busy or self._video is None or self._wanted is None:
            return
        frame, self._wanted = self._wanted, None
        if not 0 < frame - self.number <= NEAR_FRAMES:
            self._searched_at = time.perf_counter()
        self._busy = True
        self._thread = threading.Thread(
            target=self._decode, args=(self._video, frame), name="film", daemon=True
        )
        self._thread.start()

    def _decode(self, video: VideoFrames, frame: int) -> None:
        picture = decoded(video, frame)
        with contextlib.suppress(RuntimeError):  # the window is gone, and Qt's half of this
            self._decoded.emit(video, frame, picture)

    def _on_decoded(self, video: object, frame: int, picture: Bytes | None) -> None:
        self._busy = False
        if video is self._video:
            self.number, self._picture = frame, picture
            self.arrived.emit()
        if self._wanted is not None and self._wanted != self.number:
            self._want(self._wanted)


def decoded(video: VideoFrames, frame: int) -> Bytes | None:
    """A frame's picture; None where the file is damaged there."""
    try:
        return video.frame(frame)
    except (RefinementError, OSError):
        return None
