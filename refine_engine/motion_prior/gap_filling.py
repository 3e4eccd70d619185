"""Filling one gap: a cubic, what the networks add to it, and what the same person did elsewhere.

People repeat themselves. Stretches of the same track show by how much the networks err for this
person: all over the track how far to believe them, and in stretches that look like the gap to them
what they miss. That is added: with a few periods of a walk beside the gap most of what is left of
the error goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.rotations import interpolate_rotations
from refine_engine.motion_prior.gap_model import POSE_PARTS, waves_at
from refine_engine.motion_prior.gap_windows import (
    NEEDED,
    OFFSETS,
    POSE,
    RATE,
    channels_between,
    mirrored,
    one_after_the_other,
    poses_from,
    spline,
    windows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from refine_engine.motion_prior.gap_model import GapModel, Look
    from refine_engine.motion_prior.gap_windows import SeenMotion, Windows

    Array = NDArray[np.float64]
    IntArray = NDArray[np.int64]

LONGEST_S = 2.0
"""Longer gaps are not filled by anything learned."""
ALIKE = 0.5
"""Squared distance of what the networks see over which their errors stay alike."""
UNRELATED = 0.2
"""Variance of errors that tell nothing about others, over that of those that do."""
CANDIDATES, CLOSELY = 400, 28
"""Stretches that are compared with the gap, and how many of the most similar are looked at."""
EVERYWHERE = 16
"""Stretches all over the track that show how well the networks know this person."""
BELIEF = 6.0
"""So many stretches' worth of belief in the networks before any is seen."""
STRAIGHTER = 0.6
"""How much of a cubic's bend is left out in long gaps where the networks are not believed.

Over a second and more speeds at the ends say little about the middle: a cubic overshoots.
"""
TOGETHER = 8
"""Gaps that go through the networks at once."""
TOO_LONG = f"longer than {LONGEST_S:g} s"
TOO_LITTLE = "too little is seen beside it to tell how fast the motion is"
TOO_FAR = "the prediction is far from everything nearby"
_ENDS = 4
"""Samples of the context that are compared."""
MOST_TURN = 6.0
"""A root that would be turned by more against the cubic, radians, is taken for a failure.

The root alone: hands may turn by as much without moving any joint.
"""
MOST_SHIFT = 0.75
"""The same for its place against the straight line, metres over body size."""
_QUANTILES = np.arange(1, 13) / 13.0
_TO_WAVES = 2.0 / 13.0 * np.sin(np.pi * np.arange(1, 8)[:, None] * _QUANTILES)


@dataclass(frozen=True, eq=False)
class FilledGap:
    """Poses for the frames of one gap."""

    R: Array
    """(m, 24, 3, 3) root, then joints relative to their parents."""
    transl: Array
    """(m, 3) metres."""
    learned: bool
    """False where it is the geodesic and the straight line."""
    reason: str
    """Why it is not learned; empty where it is."""


def geodesic_gap(R: Array, transl: Array, left: int, right: int) -> tuple[Array, Array]:
    """Rotations (m, 24, 3, 3) and places (m, 3) half way and so on between two rows."""
    fraction = np.arange(1, right - left) / (right - left)
    turned = interpolate_rotations(R[left], R[right], fraction)
    return turned, transl[left] + (transl[right] - transl[left]) * fraction[:, None]


def fill_gap(
    model: GapModel,
    motion: SeenMotion,
    R: Array,
    transl: Array,
    size: float,
    gap: tuple[int, int],
) -> FilledGap:
    """Fill the rows between two seen ones: :func:`fill_gaps_of` with one gap."""
    return fill_gaps_of(model, motion, R, transl, size, [gap])[0]


def fill_gaps_of(
    model: GapModel,
    motion: SeenMotion,
    R: Array,
    transl: Array,
    size: float,
    gaps: Sequence[tuple[int, int]],
    poll: Callable[[], None] = lambda: None,
) -> list[FilledGap]:
    """Fill gaps of one track; none of them reads what was filled in another.

    Parameters
    ----------
    model
        Trained networks.
    motion
        The track by :func:`.gap_windows.seen_motion`, in which no gap is joined.
    R, transl
        (n, 24, 3, 3) and (n, 3) of the whole track in a world that is Y up; unseen rows are not
        read.
    size
        Body size, 1 = mean body.
    gaps
        Last seen row before and first seen row after each of them.
    poll
        Called between every few gaps; it may raise to leave them.
    """
    bridges = [geodesic_gap(R, transl, *gap) for gap in gaps]
    ends = np.array(gaps, dtype=np.float64).reshape(-1, 2)
    around = windows(motion, ends[:, 0], ends[:, 1])
    long = (ends[:, 1] - ends[:, 0]) / motion.step > LONGEST_S * RATE + 1.0
    fits = ~long & around.usable
    found: list[FilledGap | None] = [None] * len(gaps)
    same_track = None
    if fits.any():
        # What a person does with the left they may do with the right.
        other = mirrored(motion, model.space.mean, R)
        same_track = Elsewhere(model, one_after_the_other(motion, other))
    for first in range(0, len(gaps), TOGETHER):
        poll()
        some = first + np.flatnonzero(fits[first : first + TOGETHER])
        if same_track is None or not len(some):
            continue
        here = around[some]
        look = model.look(here)
        added = same_track.says(here, ends[some], look)
        for j, k in enumerate(some.tolist()):
            (left, right), (_, line) = gaps[k], bridges[k]
            fraction = np.arange(1, right - left) / (right - left)
            window = here[j : j + 1]
            change = model.space.channels(waves_at(fraction) @ added[j])
            curve = spline(window, fraction) + change
            turned, place = (v[0] for v in poses_from(curve, window, model.space.mean))
            away = np.linalg.norm(change[:, POSE : POSE + 3], axis=-1).max(initial=0.0)
            aside = np.linalg.norm(place - line / size, axis=1).max(initial=0.0)
            # Written so that what is no number fails too.
            if away < MOST_TURN and aside < MOST_SHIFT:
                found[k] = FilledGap(turned, place * size, learned=True, reason="")
    filled = []
    for k, (answer, bridge) in enumerate(zip(found, bridges, strict=True)):
        reason = TOO_LONG if long[k] else TOO_FAR if fits[k] else TOO_LITTLE
        filled.append(answer or FilledGap(*bridge, learned=False, reason=reason))
    return filled


class Elsewhere:
    """What stretches of the same track say about the networks.

    Parameters
    ----------
    model
        Trained networks.
    motion
        The track, and its mirror image after it.
    """

    def __init__(self, model: GapModel, motion: SeenMotion) -> None:
        self._model = model
        rows = np.arange(len(motion.start), dtype=np.float64)
        margin = OFFSETS[NEEDED] * motion.step
        self._begins = rows - margin >= motion.start
        self._stop = motion.stop - margin
        # Principal components instead of joints, once for all windows.
        self._motion = model.space.reduced(motion)
        ends = windows(self._motion, rows, rows, samples=_ENDS)
        before, after = ends.before[..., :POSE_PARTS], ends.after[..., :POSE_PARTS]
        self._leaving, self._coming = _end(before, -1.0), _end(after, 1.0)
        self._root = replace(motion, pose=motion.pose[:, :0])

    def says(self, around: Windows, ends: Array, look: Look) -> Array:
        """(m, 7, 51) what to add to the cubics of gaps, in amplitudes of the sine waves.

        The networks' answers are multiplied by what is best for this person, 0 to 1, from
        stretches all over the track (in long gaps as differences from straighter curves than the
        cubics). What is missing then comes from a Gaussian process over what the networks see:
        where their hidden layers are alike, so are their errors.

        Parameters
        ----------
        around
            The gaps.
        ends
            (m, 2) their last and next seen rows.
        look
            What the networks make of the gaps.
        """
        added = look.waves.copy()
        chosen: list[tuple[int, IntArray, int]] = []
        for k, rows, similar in self._similar(ends.astype(np.int64)):
            spread = np.linspace(0, len(rows) - 1, EVERYWHERE).round().astype(np.int64)
            everywhere = rows[np.unique(spread)]
            both = np.concatenate([everywhere, np.setdiff1d(similar, everywhere)])
            chosen.append((k, both, len(everywhere)))
        if not chosen:
            return added
        straighter = self._straighter(around)
        left = np.concatenate([rows.astype(np.float64) for _, rows, _ in chosen])
        width = np.concatenate([np.full(len(r), ends[k, 1] - ends[k, 0]) for k, r, _ in chosen])
        others = windows(self._motion, left, left + width)
        truth = channels_between(self._motion, others, left, left + width, _QUANTILES)
        bend = self._straighter(others)
        lacking = _TO_WAVES @ self._model.space.parts(truth - spline(others, _QUANTILES)) - bend
        found = self._model.look(others)
        lacking /= found.unit[:, None, None]
        answers = (found.waves - bend) / found.unit[:, None, None]
        first = 0
        for k, rows, count in chosen:
            here = slice(first, first + len(rows))
            first += len(rows)
            scale = _scale(lacking[here][:count], answers[here][:count])
            share = look.unit[k] * _shares(found.kind[here], look.kind[k])
            missing = np.tensordot(share, lacking[here] - scale * answers[here], axes=1)
            added[k] = straighter[k] + scale * (look.waves[k] - straighter[k]) + missing
        return added

    def _straighter(self, around: Windows) -> Array:
        """(m, 7, 51) what makes straighter curves of the cubics of long gaps."""
        share = STRAIGHTER * np.clip(around.span / 20.0 - 1.05, 0.0, 1.0)
        ends = np.stack([around.before[:, 0], around.after[:, 0]], axis=1)
        line = np.stack([1.0 - _QUANTILES, _QUANTILES], axis=1) @ ends
        bend = self._model.space.parts(line - spline(around, _QUANTILES))
        return np.asarray(_TO_WAVES @ bend * share[:, None, None])

    def _candidates(self, width: int) -> IntArray:
        """Rows at which a stretch of this width begins that was seen, with its ends' speeds."""
        rows = np.arange(len(self._begins))
        left = rows[self._begins & (rows + width <= self._stop)]
        return left[:: -(-len(left) // CANDIDATES)] if len(left) else left

    def _similar(self, ends: IntArray) -> Iterator[tuple[int, IntArray, IntArray]]:
        """Of each gap that has any: its number, candidates, and those most like it."""
        candidates = [self._candidates(int(right - left)) for left, right in ends]
        begin = np.concatenate([np.append(r, e[0]) for r, e in zip(candidates, ends, strict=True)])
        counts = [len(rows) + 1 for rows in candidates]
        end = begin + np.repeat(ends[:, 1] - ends[:, 0], counts)
        root = windows(self._root, begin, end, samples=_ENDS)
        space = self._model.space
        before, after = space.parts_of_root(root.before), space.parts_of_root(root.after)
        leaving, coming = _end(before, -1.0), _end(after, 1.0)
        # A window's own place says nothing; where it ends, from where it begins, does.
        leaving[:, 3:6], coming[:, 3:6] = 0.0, after[:, 0, 3:] - before[:, 0, 3:]
        last = np.cumsum(counts)
        for k, rows in enumerate(candidates):
            if not len(rows):
                continue
            here = slice(int(last[k]) - counts[k], int(last[k]))
            compared = (
                self._leaving[begin[here]],
                self._coming[end[here]],
                leaving[here],
                coming[here],
            )
            apart = np.zeros(len(rows))
            for features in compared:
                apart += ((features[:-1] - features[-1]) ** 2).sum(1)
            yield k, rows, rows[np.argsort(apart)[:CLOSELY]]


def _scale(lacking: Array, answers: Array) -> float:
    """By what answers (m, 7, 51) are best multiplied to be what the cubic lacks, 0 to 1."""
    # Stretches count alike, however fast: their answers are divided by the cubic's error.
    size = (lacking**2).sum((1, 2)) + 1e-4
    agree = ((lacking * answers).sum((1, 2)) / size).sum()
    length = ((answers**2).sum((1, 2)) / size).sum()
    belief = BELIEF * length / len(answers)
    return float(np.clip((agree + belief) / (length + belief + 1e-9), 0.0, 1.0))


def _shares(kinds: NDArray[np.float32], kind: NDArray[np.float32]) -> Array:
    """(m,) of the errors in stretches (m, d) that are expected in a gap (d,): kriging."""
    near = np.exp((kinds @ kinds.T - 1.0) * (2.0 / ALIKE)).astype(np.float64)
    here = np.exp((kinds @ kind - 1.0) * (2.0 / ALIKE)).astype(np.float64)
    near[np.diag_indices_from(near)] += UNRELATED
    return np.asarray(np.linalg.solve(near, here))


def _end(samples: Array, side: float) -> Array:
    """(m, 3 c) value and speeds at an end, of its samples (m, 4, c); differences compare."""
    near = 2.0 * side * (samples[:, 2] - samples[:, 0])
    far = 1.5 * side * (samples[:, 3] - samples[:, 2])
    return np.concatenate([samples[:, 0], near, far], axis=1)
