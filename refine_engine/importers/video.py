"""Video frames, decoded only when asked for and found again by their order in the file."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_CACHED_FRAMES = 8
_DECODE_AHEAD = 48
"""Frames that are rather decoded in passing than sought."""
_REORDERED = 32
_SEEK_BACK = (0, 30, 150)
"""Frames before the wanted one to seek to, in turn."""


class VideoFile:
    """Frames of a video file by their number in display order (not by time stamp).

    Safe to use from several threads.

    Parameters
    ----------
    path
        The file.
    upright
        Apply the rotation that the file asks for, as players do.
    limit
        Frames to know of, counted from the beginning; the rest of a long film is not even read.

    Raises
    ------
    InputError
        When the file cannot be read as a video.
    """

    _container: Any = None
    _stream: Any = None

    def __init__(self, path: str | Path, *, upright: bool = True, limit: int | None = None) -> None:
        import av  # here because it takes longer to import than most folders to open

        self.path = Path(path)
        self._lock = threading.Lock()
        self._cache: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._upright = upright
        self._errors: tuple[type[BaseException], ...] = (av.error.FFmpegError, OSError, ValueError)
        if not self.path.is_file():
            raise InputError(
                self.path, "does not exist or is no file", "check the path of the video"
            )
        try:
            self._open()
            self._pts = self._display_times(limit)
        except self._errors as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                self.path, f"cannot be read as a video ({reason})", "name another video"
            ) from None
        rate = self._stream.average_rate or self._stream.base_rate
        self.fps: float | None = float(rate) if rate else None
        self.num_frames = len(self._pts)
        self._next = 0
        self._decoded: Iterator[Any] | None = None
        if self.num_frames == 0:
            self._container.close()
            raise InputError(self.path, "holds no frames", "name another video")
        try:
            first = self.frame(0)
        except InputError:
            self._container.close()
            raise
        self.size: tuple[int, int] = (first.shape[0], first.shape[1])

    def frame(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB of one frame, read-only.

        Raises
        ------
        InputError
            When the file has no such frame, or it cannot be decoded.
        """
        if not 0 <= index < self.num_frames:
            raise InputError(
                self.path,
                f"has frames 0 to {self.num_frames - 1}, not {index}",
                "name another video",
            )
        with self._lock:
            found = self._cache.get(index)
            if found is not None:
                self._cache.move_to_end(index)
                return found
            try:
                return self._decode(index)
            except self._errors as error:
                self._decoded = None
                raise InputError(
                    self.path, f"cannot be decoded at frame {index} ({error})", "name another video"
                ) from None

    def close(self) -> None:
        """Release the decoder."""
        with self._lock:
            self._decoded = None
            self._cache.clear()
            self._container.close()

    def _open(self) -> None:
        import av

        if self._container is not None:
            self._container.close()
        self._container = av.open(str(self.path))
        streams = self._container.streams.video
        if not streams:
            self._container.close()
            raise InputError(self.path, "holds no video stream", "name another video")
        self._stream = streams[0]
        self._stream.thread_type = "AUTO"

    def _display_times(self, limit: int | None) -> list[int]:
        """Time stamps of the frames in display order."""
        times: list[int] = []
        for packet in self._container.demux(self._stream):
            if packet.pts is not None and packet.size and not packet.is_discard:
                times.append(packet.pts)
                # Frames are stored out of order, but never by more than this.
                if limit is not None and len(times) >= limit + _REORDERED:
                    break
        return sorted(times)[:limit]

    def _decode(self, index: int) -> NDArray[np.uint8]:
        if self._decoded is not None and self._next <= index <= self._next + _DECODE_AHEAD:
            frame = self._advance(index)
            if frame is not None and frame.pts == self._pts[index]:
                return self._kept(index, frame)
        # Seeking is not exact in every container: it may land behind the frame that was asked for.
        for back in _SEEK_BACK:
            self._container.seek(
                self._pts[max(0, index - back)], stream=self._stream, backward=True
            )
            self._decoded = self._container.decode(self._stream)
            frame = self._advance(index)
            if frame is not None and frame.pts == self._pts[index]:
                return self._kept(index, frame)
        self._open()
        self._decoded = self._container.decode(self._stream)
        frame = self._advance(index)
        if frame is None:
            self._decoded = None
            raise InputError(self.path, f"ends before frame {index}", "name another video")
        # A frame that the file lists but the decoder drops is shown as the one after it.
        return self._kept(index, frame)

    def _advance(self, index: int) -> Any:
        """Decode up to the first frame that is not before frame ``index``; None at the end."""
        assert self._decoded is not None
        for frame in self._decoded:
            if frame.pts is not None and frame.pts >= self._pts[index]:
                return frame
        return None

    def _kept(self, index: int, frame: Any) -> NDArray[np.uint8]:
        image = self._image(frame)
        self._next = index + 1
        self._cache[index] = image
        while len(self._cache) > _CACHED_FRAMES:
            self._cache.popitem(last=False)
        return image

    def _image(self, frame: Any) -> NDArray[np.uint8]:
        image = frame.to_ndarray(format="rgb24")
        quarter_turns = round(float(getattr(frame, "rotation", 0) or 0) / 90) % 4
        if self._upright and quarter_turns:
            image = np.ascontiguousarray(np.rot90(image, quarter_turns))
        image.flags.writeable = False
        return np.asarray(image, dtype=np.uint8)


class ImageFolder:
    """Video frames kept as one image file each.

    Parameters
    ----------
    files
        Video frame number to file.

    Raises
    ------
    InputError
        When there is none, or the first cannot be read.
    """

    fps: float | None = None

    def __init__(self, folder: Path, files: dict[int, Path]) -> None:
        self.path = folder
        self._files = files
        if not files:
            raise InputError(folder, "holds no images", "name the video instead")
        self.num_frames = max(files) + 1
        height, width, _ = self.frame(min(files)).shape
        self.size: tuple[int, int] = (height, width)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB of one frame; :class:`InputError` when it is missing or damaged."""
        from PIL import Image

        if index not in self._files:
            raise InputError(self.path, f"has no image of frame {index}", "name the video instead")
        try:
            with Image.open(self._files[index]) as image:
                return np.asarray(image.convert("RGB"), dtype=np.uint8)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(
                self._files[index], f"is no readable image ({error})", "name the video instead"
            ) from None

    def close(self) -> None:
        """Nothing is held open."""
