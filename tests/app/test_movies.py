from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PyQt6.QtCore import QSize
from PyQt6.QtGui import QColor, QImage

from app.movies import Recording, VideoFile, even, pixels_of
from refine_engine.errors import ExportError

SIZE = QSize(64, 48)


def plain(colour: str) -> QImage:
    image = QImage(SIZE, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    return image


def record(path: Path, draw: Callable[[int], QImage], after: Callable[[], None]) -> Recording:
    return Recording(VideoFile(path, SIZE, 25.0), 5, draw, after)


def test_pixels_keep_their_places_and_colours() -> None:
    image = QImage(QSize(5, 3), QImage.Format.Format_RGB32)
    image.fill(QColor("#102030"))
    image.setPixelColor(4, 1, QColor("#ff8000"))
    pixels = pixels_of(image)
    assert pixels.shape == (3, 5, 3)
    assert pixels[1, 4].tolist() == [255, 128, 0]
    assert pixels[2, 0].tolist() == [16, 32, 48]


def test_a_recording_can_be_played_back(tmp_path: Path, qtbot: Any) -> None:
    colours = ["#c00000", "#00c000", "#0000c0", "#c0c000", "#c0c0c0"]
    put_back: list[int] = []
    path = tmp_path / "turn.mp4"
    recording = record(path, lambda i: plain(colours[i]), lambda: put_back.append(1))
    with qtbot.waitSignal(recording.ended) as ended:
        recording.start()
    assert ended.args == [None]
    assert put_back == [1]
    with av.open(str(path)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        rate = container.streams.video[0].average_rate
    assert rate == 25
    assert len(frames) == 5
    for frame, colour in zip(frames, colours, strict=True):
        wanted = QColor(colour)
        middle = frame[24, 32].astype(int)
        assert np.abs(middle - [wanted.red(), wanted.green(), wanted.blue()]).max() < 30
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_while_drawing_leaves_no_file(tmp_path: Path, qtbot: Any) -> None:
    put_back: list[int] = []

    def draw(index: int) -> QImage:
        if index == 2:
            raise ZeroDivisionError
        return plain("#808080")

    recording = record(tmp_path / "a.mp4", draw, lambda: put_back.append(1))
    with qtbot.waitSignal(recording.ended) as ended:
        recording.start()
    assert isinstance(ended.args[0], ZeroDivisionError)
    assert put_back == [1]
    assert list(tmp_path.iterdir()) == []


def test_cancelling_leaves_no_file(tmp_path: Path, qtbot: Any) -> None:
    put_back: list[int] = []
    recording = record(tmp_path / "a.mp4", lambda _: plain("#808080"), lambda: put_back.append(1))
    recording.start()
    recording.cancel()
    assert put_back == [1]
    assert list(tmp_path.iterdir()) == []


def test_bad_places_explain_themselves(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot be written"):
        VideoFile(tmp_path / "missing" / "a.mp4", SIZE, 30.0)
    with pytest.raises(ExportError, match="cannot be written"):
        VideoFile(tmp_path / "a.unknown", SIZE, 30.0)


def test_videos_have_even_sizes() -> None:
    assert even(QSize(641, 1)) == QSize(640, 2)


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ExportError, match="Not a directory"):
        VideoFile(tmp_path / "file" / "turn.mp4", SIZE, 25.0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_ends_the_recording_with_one_sentence(tmp_path: Path, qtbot: Any) -> None:
    path = tmp_path / "turn.mp4"
    (tmp_path / "turn.part.mp4").symlink_to("/dev/full")
    put_back: list[int] = []
    recording = record(path, lambda _: plain("#c00000"), lambda: put_back.append(1))
    with qtbot.waitSignal(recording.ended) as ended:
        recording.start()
    assert ended.args is not None
    assert isinstance(ended.args[0], ExportError)
    assert "No space left" in str(ended.args[0])
    assert put_back == [1]
    assert list(tmp_path.iterdir()) == []
