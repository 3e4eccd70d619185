from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.playback import Playback


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def playback(clock: Clock, qapp: object) -> Iterator[Playback]:
    made = Playback(clock=clock)
    made.set_clip(100, 30.0)
    yield made
    made.stop()


def frames_of(playback: Playback) -> list[int]:
    seen: list[int] = []
    playback.frame_changed.connect(seen.append)
    return seen


def test_time_is_kept_and_frames_are_dropped_when_drawing_is_slow(
    playback: Playback, clock: Clock
) -> None:
    seen = frames_of(playback)
    playback.play()
    for _ in range(4):
        clock.now += 0.5
        playback._tick()
    assert seen == [15, 30, 45, 60]


def test_loop_range_and_speed(playback: Playback, clock: Clock) -> None:
    playback.set_range(29, 20)
    assert (playback.first, playback.last) == (20, 29)
    playback.set_speed(0.5)
    playback.play()
    assert playback.frame == 20
    clock.now += 12 / 15.0 + 1e-6
    playback._tick()
    assert playback.frame == 22


def test_without_loop_it_stops_at_the_end(playback: Playback, clock: Clock) -> None:
    playback.set_loop(False)
    playback.play()
    clock.now += 100
    playback._tick()
    assert playback.frame == 99
    assert not playback.playing


def test_steps_and_seeks_stay_inside_the_clip(playback: Playback) -> None:
    playback.step(-5)
    assert playback.frame == 0
    playback.seek(1000)
    assert playback.frame == 99
    playback.step(-1)
    assert playback.frame == 98


def test_nothing_plays_without_a_clip(clock: Clock, qapp: object) -> None:
    empty = Playback(clock=clock)
    empty.play()
    assert not empty.playing
