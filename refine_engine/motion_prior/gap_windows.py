"""What is known around a gap: the frames before and after it, independent of place and heading.

A window is a gap together with its context. All of its poses become *channels*: logarithms of the
joints about their mean, the root about a heading half way through the gap, and the pelvis' place
from the middle between its ends. Turning or moving the whole motion changes none of them.

Times are continuous, so that a source may have any frame rate: contexts are read at the times of 30
frames a second, by cubic interpolation among the frames that were seen.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import MIRROR
from refine_engine.geometry.rotations import exp_so3, log_so3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.int64]

RATE = 30.0
"""Frames per second that offsets and spans count in."""
OFFSETS = np.array([0.0, 1.0, 2.0, 4.0, 7.0, 11.0, 16.0, 22.0, 29.0])
"""Distance of the context's samples from the gap, frames at 30 Hz."""
CONTEXT = len(OFFSETS)
"""Samples on each side."""
NEEDED = 2
"""Sample that must have been seen on both sides: it gives the speed at the gap's ends."""
JOINTS = 23
POSE = 3 * JOINTS
CHANNELS = POSE + 6
"""Pose (69), root orientation (3), place (3)."""
_MAYBE_SPIN = 1.5
"""Radians that the root must turn for a spin to be looked for."""


@dataclass(frozen=True, eq=False)
class SeenMotion:
    """Poses in the order of time, in runs without a hole; several motions may follow each other."""

    pose: Array
    """(n, 69) logarithms of joints 1..23 about their mean, or another linear measure of them."""
    R_root: Array
    """(n, 3, 3) global orientation, Y up."""
    place: Array
    """(n, 3) translation over body size, metres."""
    start: IntArray
    """(n,) first row of the run of each row."""
    stop: IntArray
    """(n,) last row of it. Rows that were not seen are runs of themselves."""
    turn: Array
    """(n, 3) logarithm of the root's turn to the next row, in its own frame; the last is 0."""
    step: float
    """Rows in 1/30 s."""

    def only(self, joined: BoolArray) -> SeenMotion:
        """The same where less was seen."""
        start, stop = _runs(joined)
        return replace(self, start=start, stop=stop)


def seen_motion(
    mean: Array, R: Array, transl: Array, size: float, fps: float, joined: BoolArray
) -> SeenMotion:
    """Prepare a motion for windows.

    Parameters
    ----------
    mean
        (23, 3, 3) mean rotations.
    R, transl
        (n, 24, 3, 3) and (n, 3); rows that were not seen are never read, but must be finite.
    size
        Body size, 1 = mean body.
    fps
        Frames per second.
    joined
        (n - 1,) whether frames t and t + 1 were both seen and nothing (a cut) lies between them.
    """
    logs = log_so3(np.swapaxes(mean, -1, -2) @ R[:, 1:]).reshape(len(R), POSE)
    turn = np.zeros((len(R), 3))
    turn[:-1] = log_so3(np.swapaxes(R[:-1, 0], -1, -2) @ R[1:, 0])
    return SeenMotion(logs, R[:, 0], transl / size, *_runs(joined), turn, fps / RATE)


def mirrored(motion: SeenMotion, mean: Array, R: Array) -> SeenMotion:
    """The same motion with left and right exchanged; arguments as of :func:`seen_motion`."""
    flip = np.array([-1.0, 1.0, 1.0])
    turned = R[:, MIRROR] * flip[:, None] * flip
    logs = log_so3(np.swapaxes(mean, -1, -2) @ turned[:, 1:]).reshape(len(R), POSE)
    # Turns are axial vectors: what lies in the mirror's plane changes its sign.
    return replace(
        motion, pose=logs, R_root=turned[:, 0], place=motion.place * flip, turn=-flip * motion.turn
    )


def one_after_the_other(first: SeenMotion, second: SeenMotion) -> SeenMotion:
    """Both motions, which must have the same step; rows of the first keep their numbers."""
    count = len(first.start)
    joined = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("pose", "R_root", "place", "turn")
    }
    start = np.concatenate([first.start, second.start + count])
    stop = np.concatenate([first.stop, second.stop + count])
    return SeenMotion(start=start, stop=stop, step=first.step, **joined)


def _runs(joined: BoolArray) -> tuple[IntArray, IntArray]:
    """First and last row of each row's run."""
    n = len(joined) + 1
    start = np.maximum.accumulate(np.where(np.append(True, ~joined), np.arange(n), 0))
    last = np.where(np.append(~joined, True), np.arange(n), n)
    return start, np.minimum.accumulate(last[::-1])[::-1].copy()


@dataclass(frozen=True, eq=False)
class Windows:
    """Gaps with their contexts; m windows."""

    before: Array
    """(m, 9, 75) channels, from the gap backwards; missing ones repeat the nearest known."""
    after: Array
    """(m, 9, 75) from the gap onwards."""
    known_before: BoolArray
    """(m, 9)."""
    known_after: BoolArray
    """(m, 9)."""
    span: Array
    """(m,) from the last seen to the next seen frame, frames at 30 Hz."""
    heading: Array
    """(m, 3, 3) turn that the channels leave out."""
    origin: Array
    """(m, 3) place that they leave out, over body size."""

    @property
    def usable(self) -> BoolArray:
        """(m,) whether the speed is known at both ends."""
        return np.asarray(self.known_before[:, NEEDED] & self.known_after[:, NEEDED])

    def __getitem__(self, which: IntArray | slice) -> Windows:
        """Some of the windows."""
        return Windows(*(getattr(self, field.name)[which] for field in fields(self)))


def windows(
    motion: SeenMotion,
    left: Array,
    right: Array,
    warp: Array | float = 1.0,
    samples: int = CONTEXT,
) -> Windows:
    """Windows of gaps between the rows ``left`` and ``right`` (m,), fractional ones too.

    Parameters
    ----------
    motion
        Where the context is read.
    left, right
        (m,) last seen and next seen row.
    warp
        How much faster than recorded the motion shall look (training), 1 = as it is.
    samples
        How many of the context's samples to read, from the gap outwards.
    """
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    step = motion.step * np.broadcast_to(warp, left.shape)
    reach = step[:, None] * OFFSETS[:samples]
    row = np.floor(left + 1e-9).astype(np.int64)
    pose_a, R_a, place_a, known_a = _read(motion, left[:, None] - reach, row)
    row = np.ceil(right - 1e-9).astype(np.int64)
    pose_b, R_b, place_b, known_b = _read(motion, right[:, None] + reach, row)
    span = (right - left) / step
    heading = _heading(R_a[:, 0] @ exp_so3(0.5 * _turn(R_a, R_b, span)))
    origin = 0.5 * (place_a[:, 0] + place_b[:, 0])
    return Windows(
        _held(_channels(pose_a, R_a, place_a, heading, origin), known_a),
        _held(_channels(pose_b, R_b, place_b, heading, origin), known_b),
        known_a,
        known_b,
        span,
        heading,
        origin,
    )


def channels_between(
    motion: SeenMotion, around: Windows, left: Array, right: Array, fraction: Array
) -> Array:
    """(m, q, 75) channels inside gaps that were seen after all, at fractions (q,) of the span."""
    times = left[:, None] + (right - left)[:, None] * fraction
    row = np.floor(left + 1e-9).astype(np.int64)
    pose, R, place, _ = _read(motion, times, row)
    return _channels(pose, R, place, around.heading, around.origin)


def poses_from(channels: Array, around: Windows, mean: Array) -> tuple[Array, Array]:
    """Rotations (m, q, 24, 3, 3) and places (m, q, 3), over body size, of channels (m, q, 75)."""
    turns = channels[..., :POSE].reshape(*channels.shape[:-1], JOINTS, 3)
    root = around.heading[:, None] @ exp_so3(channels[..., POSE : POSE + 3])
    R = np.concatenate([root[..., None, :, :], mean @ exp_so3(turns)], axis=-3)
    place = channels[..., POSE + 3 :] @ np.swapaxes(around.heading, -1, -2)
    return R, place + around.origin[:, None]


def spline(around: Windows, fraction: Array) -> Array:
    """(m, q, 75) cubic with the places and speeds of both ends, at fractions (q,) of the span."""
    a, b = around.before[:, 0], around.after[:, 0]
    span = around.span[:, None]
    # Speeds over two frames: over one they would be mostly tremble.
    speed_a = (around.before[:, 0] - around.before[:, NEEDED]) / OFFSETS[NEEDED] * span
    speed_b = (around.after[:, NEEDED] - around.after[:, 0]) / OFFSETS[NEEDED] * span
    f = fraction[:, None]
    line = a[:, None] + (b - a)[:, None] * f
    bend_a, bend_b = speed_a - (b - a), speed_b - (b - a)
    return np.asarray(
        line + (f**3 - 2 * f**2 + f) * bend_a[:, None] + (f**3 - f**2) * bend_b[:, None]
    )


def _read(motion: SeenMotion, times: Array, row: IntArray) -> tuple[Array, Array, Array, BoolArray]:
    """Pose, orientation and place at times (m, k) within the runs of rows (m,); which were seen."""
    low, high = motion.start[row][:, None], motion.stop[row][:, None]
    known = (times >= low - 1e-6) & (times <= high + 1e-6)
    times = np.clip(times, low, high)
    below = np.clip(np.floor(times + 1e-9).astype(np.int64), low, high)
    f = np.maximum(times - below, 0.0)[..., None]
    if not f.any():
        # Sources at 30 frames a second: nothing lies between rows.
        return motion.pose[below], motion.R_root[below], motion.place[below], known
    taps = [np.clip(below + k, low, high) for k in (-1, 0, 1, 2)]
    # Catmull-Rom.
    shares = (
        -0.5 * f + f**2 - 0.5 * f**3,
        1 - 2.5 * f**2 + 1.5 * f**3,
        0.5 * f + 2 * f**2 - 1.5 * f**3,
        -0.5 * f**2 + 0.5 * f**3,
    )
    pose = _mixed(motion.pose, taps, shares)
    place = _mixed(motion.place, taps, shares)
    # The root turns too fast for differences of logarithms about a mean. In a run of one row
    # there is no next one, and f is 0.
    R = motion.R_root[taps[1]] @ exp_so3(f * motion.turn[taps[1]])
    return pose, R, place, known


def _mixed(values: Array, taps: Sequence[IntArray], shares: Sequence[Array]) -> Array:
    """Sum of rows ``taps`` (m, k) of values (n, c) with shares (m, k, 1)."""
    found = values[taps[0]]
    found *= shares[0]
    for tap, share in zip(taps[1:], shares[1:], strict=True):
        more = values[tap]
        more *= share
        found += more
    return found


def _turn(R_a: Array, R_b: Array, span: Array) -> Array:
    """(m, 3) turn of the root through gaps, in its frame before: more than half a one in spins.

    The way round is the one that the speeds at both ends make more likely.
    """
    turn = log_so3(np.swapaxes(R_a[:, 0], -1, -2) @ R_b[:, 0])
    angle = np.linalg.norm(turn, axis=-1)
    large = np.flatnonzero(angle > _MAYBE_SPIN)
    if large.size and R_a.shape[1] > NEEDED:
        a, b = R_a[large], R_b[large]
        speed = log_so3(np.swapaxes(a[:, NEEDED], -1, -2) @ a[:, 0])
        speed += log_so3(np.swapaxes(b[:, 0], -1, -2) @ b[:, NEEDED])
        axis = turn[large] / angle[large, None]
        expected = (speed * axis).sum(-1) / (2.0 * OFFSETS[NEEDED]) * span[large]
        other = large[expected < angle[large] - np.pi]
        turn[other] *= (1.0 - 2.0 * np.pi / angle[other])[:, None]
    return turn


def _channels(pose: Array, R: Array, place: Array, heading: Array, origin: Array) -> Array:
    root = log_so3(np.swapaxes(heading, -1, -2)[:, None] @ R)
    if (root**2).sum(-1).max(initial=0.0) > _MAYBE_SPIN**2:
        # A spin goes on past half a turn: logarithms that follow each other stay close.
        for k in range(1, root.shape[1]):
            angle = np.linalg.norm(root[:, k], axis=-1, keepdims=True)
            other = root[:, k] * (1.0 - 2.0 * np.pi / np.maximum(angle, 1e-9))
            nearer = ((other - root[:, k - 1]) ** 2).sum(-1) < (
                (root[:, k] - root[:, k - 1]) ** 2
            ).sum(-1)
            root[nearer, k] = other[nearer]
    return np.concatenate([pose, root, (place - origin[:, None]) @ heading], axis=-1)


def _held(channels: Array, known: BoolArray) -> Array:
    """Channels with unknown samples replaced by the nearest known one towards the gap."""
    for k in range(1, channels.shape[1]):
        channels[~known[:, k], k] = channels[~known[:, k], k - 1]
    return channels


def _heading(R: Array) -> Array:
    """(m, 3, 3) turns about the vertical to where the root's front (+Z) points."""
    angle = np.arctan2(R[:, 0, 2], R[:, 2, 2])
    H = np.zeros((len(R), 3, 3))
    H[:, 0, 0] = H[:, 2, 2] = np.cos(angle)
    H[:, 0, 2] = np.sin(angle)
    H[:, 2, 0] = -np.sin(angle)
    H[:, 1, 1] = 1.0
    return H
