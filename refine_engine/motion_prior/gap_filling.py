"""Filling one gap: a cubic, what the networks add to it, and what the same person did elsewhere.

People repeat themselves. Stretches of the same track that begin and end like the gap show by how
much the networks err for this person, and that is added: with a few periods of a walk beside the
gap most of what is left of the error goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.rotations import geodesic_angle, interpolate_rotations
from refine_engine.motion_prior.gap_model import PARTS, waves_at
from refine_engine.motion_prior.gap_windows import (
    NEEDED,
    OFFSETS,
    RATE,
    channels_between,
    poses_from,
    spline,
    windows,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.motion_prior.gap_model import GapModel
    from refine_engine.motion_prior.gap_windows import SeenMotion, Windows

    Array = NDArray[np.float64]

LONGEST_S = 2.0
"""Longer gaps are not filled by anything learned."""
SIMILAR = 0.3
"""How alike a stretch must be to count: distance over the length of the ends' speeds."""
DOUBTED = 0.3
"""Weight of "no correction" beside similar stretches, each of which weighs up to 1."""
CANDIDATES, CLOSELY = 300, 48
"""Stretches that are compared with the gap, and how many of them are looked at closely."""
EVERYWHERE = 24
"""Stretches all over the track that show how well the networks know this person."""
BELIEF = 3.0
"""So many stretches' worth of belief in the networks before any is seen."""
_ENDS = 4
"""Samples of the context that are compared."""
MOST_TURN = 2.9
"""A joint that would leave the geodesic by more, radians, is taken for a failure."""
MOST_SHIFT = 0.75
"""The same for the pelvis, metres over body size."""
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
    share: float = 0.0
    """How much of the networks' answer was taken, 0 to 1."""


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
    """Fill the rows between two seen ones.

    Parameters
    ----------
    model
        Trained networks.
    motion
        The track by :func:`.gap_windows.seen_motion`, in which the gap is not joined.
    R, transl
        (n, 24, 3, 3) and (n, 3) of the whole track in a world that is Y up; unseen rows are not
        read.
    size
        Body size, 1 = mean body.
    gap
        Last seen row before, first seen row after.
    """
    left, right = gap
    straight, line = geodesic_gap(R, transl, left, right)

    def geodesic(reason: str) -> FilledGap:
        return FilledGap(straight, line, learned=False, reason=reason)

    ends = np.array([float(left)]), np.array([float(right)])
    if (right - left) / motion.step > LONGEST_S * RATE + 1.0:
        return geodesic(f"longer than {LONGEST_S:g} s")
    around = windows(motion, *ends)
    if not around.usable[0]:
        return geodesic("too little is seen beside it to tell how fast the motion is")
    added, share = model.waves(around)
    scale, missing = _as_elsewhere(model, motion, around, ends)
    added = scale * added + missing
    fraction = np.arange(1, right - left) / (right - left)
    channels = spline(around, fraction) + model.space.channels(waves_at(fraction) @ added)
    turned, place = poses_from(channels, around, model.space.mean)
    turned, place = turned[0], place[0]
    away = geodesic_angle(straight, turned).max(initial=0.0)
    aside = np.linalg.norm(place - line / size, axis=1).max(initial=0.0)
    if not (away < MOST_TURN and aside < MOST_SHIFT):
        return geodesic("the prediction is far from everything nearby")
    return FilledGap(turned, place * size, learned=True, reason="", share=scale * float(share[0]))


def _as_elsewhere(
    model: GapModel, motion: SeenMotion, around: Windows, ends: tuple[Array, Array]
) -> tuple[float, Array]:
    """What stretches of the same track say about the networks.

    Returns
    -------
    tuple
        By what their answer is best multiplied for this person, 0 to 1, from stretches all over
        the track; and their mean error (1, 7, 51) in stretches that begin and end like the gap.
    """
    width = float(ends[1][0] - ends[0][0])
    rows = np.arange(len(motion.start))
    margin = OFFSETS[NEEDED] * motion.step
    inside = (rows - margin >= motion.start) & (rows + width + margin <= motion.stop)
    left = rows[inside].astype(np.float64)
    if not len(left):
        return 1.0, np.zeros((1, 1, PARTS))
    left = left[:: -(-len(left) // CANDIDATES)]
    others = windows(motion, left, left + width, samples=_ENDS)
    wanted, found = _likeness(model, around)[0], _likeness(model, others)
    speed = wanted[-4 * PARTS :]
    apart = ((found - wanted) ** 2).sum(1) / ((speed**2).sum() + 0.05)
    similar = np.argsort(apart)[:CLOSELY]
    weight = np.exp(-0.5 * apart[similar] / SIMILAR**2)
    similar, weight = similar[weight > 1e-3], weight[weight > 1e-3]
    spread = np.unique(np.linspace(0, len(left) - 1, EVERYWHERE).round().astype(np.int64))
    chosen = left[np.concatenate([spread, similar])]
    others = windows(motion, chosen, chosen + width)
    truth = channels_between(motion, others, chosen, chosen + width, _QUANTILES)
    lacking = _TO_WAVES @ model.space.parts(truth - spline(others, _QUANTILES))
    answers = model.waves(others)[0]
    count = len(spread)
    # Stretches count alike, however fast: their answers are divided by the cubic's error.
    unit = (lacking[:count] ** 2).sum((1, 2)) + 1e-4
    agree = ((lacking * answers)[:count].sum((1, 2)) / unit).sum()
    length = ((answers[:count] ** 2).sum((1, 2)) / unit).sum()
    belief = BELIEF * length / count
    scale = float(np.clip((agree + belief) / (length + belief + 1e-9), 0.0, 1.0))
    errors = (lacking - scale * answers)[count:]
    missing = np.einsum("m,mkp->kp", weight, errors)[None] / (weight.sum() + DOUBTED)
    return scale, np.asarray(missing)


def _likeness(model: GapModel, around: Windows) -> Array:
    """(m, 6 * 51 - 3) poses, displacement and speeds at the ends; their differences compare."""
    before, after = model.space.parts(around.before), model.space.parts(around.after)
    poses = [before[:, 0, : PARTS - 3], after[:, 0, : PARTS - 3]]
    apart = (after[:, 0] - before[:, 0])[:, PARTS - 3 :]
    speeds = [
        2.0 * (before[:, 0] - before[:, 2]),
        2.0 * (after[:, 2] - after[:, 0]),
        1.5 * (before[:, 2] - before[:, 3]),
        1.5 * (after[:, 3] - after[:, 2]),
    ]
    return np.concatenate([*poses, apart, *speeds], axis=1)
