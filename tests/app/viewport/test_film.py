"""Pictures of a video that takes its time."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from patience import PATIENCE_S

from app.viewport.film import SEARCH_MS, Film
from refine_engine.errors import InputError


class SlowVideo:
    """Frame k is grey k; decoding waits for leave, which is given once, or from now on."""

    path = Path("slow.mp4")
    num_frames = 30
    fps = 30.0
    size = (2, 3)

    def __init__(self) -> None:
        self._leave = threading.Semaphore(0)
        self._free = False
        self.asked: list[int] = []

    def let_one(self) -> None:
        """One frame may be decoded."""
        self._leave.release()

    def let_all(self) -> None:
        """Nothing waits any more."""
        self._free = True
        self._leave.release()

    def frame(self, index: int) -> NDArray[np.uint8]:
        self.asked.append(index)
        if not self._free:
            assert self._leave.acquire(timeout=PATIENCE_S)
        if index == 13:
            raise InputError(self.path, "is damaged", "use another")
        return np.full((2, 3, 3), index, dtype=np.uint8)


def grey(picture: NDArray[np.uint8] | None) -> int | None:
    return None if picture is None else int(picture[0, 0, 0])


def test_the_newest_wish_is_decoded_and_those_between_are_forgotten(qtbot: Any) -> None:
    video, film = SlowVideo(), Film()
    film.set_video(video)
    with qtbot.waitSignal(film.arrived):
        film.picture(3)
        qtbot.waitUntil(lambda: video.asked == [3])
        for frame in (4, 5, 6):
            assert film.picture(frame) is None, "nothing is there yet, and nobody waits"
        video.let_one()
    assert grey(film.picture(3)) == 3
    video.let_one()
    qtbot.waitUntil(lambda: not film.busy)
    assert grey(film.picture(6)) == 6
    assert video.asked == [3, 6]
    film.stop()


def test_searching_leaves_time_for_everything_else(qtbot: Any) -> None:
    video, film = SlowVideo(), Film()
    video.let_all()
    film.set_video(video)
    began = time.perf_counter()
    for frame in range(29, 0, -1):
        film.picture(frame)
        qtbot.wait(5)
    qtbot.waitUntil(lambda: not film.busy)
    searches = (time.perf_counter() - began) / (SEARCH_MS / 1000)
    assert grey(film.picture(1)) == 1, "where the hand rests, its frame is shown"
    # Qt's timers may come a twentieth early. Where 29 x 5 ms take long, there is time for more.
    assert len(video.asked) <= 1 + searches / 0.9
    for frame in range(2, 12):
        film.picture(frame)
        qtbot.waitUntil(lambda: not film.busy)
    assert video.asked[-10:] == list(range(2, 12)), "playing shows every frame"
    film.stop()


def test_an_earlier_picture_stands_in_until_the_wanted_one_is_there(qtbot: Any) -> None:
    video, film = SlowVideo(), Film()
    video.let_all()
    film.set_video(video)
    film.picture(1)
    qtbot.waitUntil(lambda: not film.busy)
    assert grey(film.picture(2)) == 1
    assert film.number == 1
    film.at_once = True
    assert grey(film.picture(9)) == 9
    film.at_once = False
    qtbot.waitUntil(lambda: not film.busy)
    film.stop()


def test_damaged_frames_and_those_behind_the_end_have_no_picture(qtbot: Any) -> None:
    video, film = SlowVideo(), Film()
    video.let_all()
    film.set_video(video)
    film.picture(12)
    qtbot.waitUntil(lambda: film.number == 12)
    film.picture(13)
    qtbot.waitUntil(lambda: film.number == 13)
    assert film.picture(13) is None
    assert film.picture(30) is None
    film.stop()


def test_what_arrives_of_another_video_is_not_shown(qtbot: Any) -> None:
    first, second, film = SlowVideo(), SlowVideo(), Film()
    film.set_video(first)
    film.picture(5)
    qtbot.waitUntil(lambda: first.asked == [5])
    film.set_video(second)
    assert film.picture(7) is None
    first.let_all()
    second.let_all()
    qtbot.waitUntil(lambda: film.number == 7)
    assert first.asked == [5]
    assert second.asked == [7]
    film.stop()
