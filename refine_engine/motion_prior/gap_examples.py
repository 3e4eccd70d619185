"""Examples that the networks for gaps learn from: gaps cut out of recorded clips at random.

4 to 60 frames at 30 Hz, 0.85 to 1.2 times as fast as recorded, mirrored or not, with less context
than usual in a third of the cases. In half of them the context carries smooth errors, as poses of a
temporal network do, while the target stays the recorded motion.

Each example knows how its joints move with its channels (:func:`moved_joints`), so that training
can look at the distances of joints, which is what counts, at the price of a few sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from refine_engine.body import (
    ANCESTORS,
    PARENTS,
    embedded_body,
    joint_kinematics,
    rest_joints,
)
from refine_engine.geometry.rotations import exp_so3, skew
from refine_engine.motion_prior.gap_windows import (
    CHANNELS,
    CONTEXT,
    JOINTS,
    NEEDED,
    OFFSETS,
    POSE,
    Windows,
    channels_between,
    spline,
    windows,
)

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from refine_engine.motion_prior.gap_model import GapSpace
    from refine_engine.motion_prior.gap_windows import SeenMotion

    Array = NDArray[np.float64]

AT_ONCE = 2000
"""Gaps that are cut at once."""
QUANTILES = np.arange(1, 13) / 13.0
"""Fractions of a gap at which motion may be compared."""
COMPARED = 4
"""How many of them are, for each gap; drawn one from each quarter."""
_SPANS = np.geomspace(5.0, 61.0, 25)
_COMMON = (_SPANS >= 13) & (_SPANS <= 31)
_POSE_ERROR = 0.067
_LIMB_SHARE = np.array(
    [0.9, 0.9, 0.5, 1, 1, 0.5, 1.2, 1.2, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.8]
    + [1.3, 1.3, 1.3, 1.3, 1, 1, 0.3, 0.3]
)
_ROOT_ERROR, _PLACE_ERROR = (0.06, 0.03, 0.03), (0.05, 0.01, 0.05)
_POSE_TIME, _PLACE_TIME = 11.0, 34.0
"""Frames over which these errors stay; sizes and times as in scenes of level published."""
_TREMBLE = 0.003
_ABOVE = np.maximum(PARENTS, 0)
"""Parent of each joint; the root stands for its own."""


class GapExamples(NamedTuple):
    """Gaps to learn from, m of them."""

    seen: torch.Tensor
    """(m, 742) what the networks see."""
    gain: torch.Tensor
    """(m, 357) what their output is multiplied with."""
    when: torch.Tensor
    """(m, 4) which of :data:`QUANTILES` are compared."""
    lacking: torch.Tensor
    """(m, 4, 75) by how much the recorded channels differ from the cubic's there."""
    axes: torch.Tensor
    """(m, 4, 24, 3, 3) how each joint turns with its channels, in the window's frame."""
    bones: torch.Tensor
    """(m, 4, 24, 3) from each joint's parent to the joint, metres."""


def gap_examples(
    space: GapSpace, motion: SeenMotion, count: int, rng: np.random.Generator
) -> GapExamples:
    """Cut gaps out of a motion.

    Parameters
    ----------
    space
        Coordinates of the networks.
    motion
        Clips one after the other, see :func:`.gap_training.joined_clips`.
    count
        How many.
    rng
        Where chance comes from.
    """
    import torch

    parts = [
        _some(space, motion, min(AT_ONCE, count - done), rng) for done in range(0, count, AT_ONCE)
    ]
    return GapExamples(*(torch.from_numpy(np.concatenate(v)) for v in zip(*parts, strict=True)))


def moved_joints(change: torch.Tensor, axes: torch.Tensor, bones: torch.Tensor) -> torch.Tensor:
    """Displacements (m, 4, 24, 3) in metres of all joints, to first order.

    Parameters
    ----------
    change
        (m, 4, 75) of the channels.
    axes, bones
        As in :class:`GapExamples`.
    """
    import torch

    below = torch.from_numpy(ANCESTORS.astype(np.float64)).to(change.dtype)
    turns = change[..., : POSE + 3].reshape(*change.shape[:2], JOINTS + 1, 3).roll(1, dims=2)
    turned = torch.einsum("mqjik,mqjk->mqji", axes, turns)
    # A joint turns with all that are above it, and is carried by the bones between them.
    turned = torch.einsum("ja,mqai->mqji", below, turned)
    carried = torch.linalg.cross(turned[:, :, _ABOVE], bones)
    carried = torch.einsum("ja,mqai->mqji", below, carried)
    return carried + change[:, :, None, POSE + 3 :]


def _some(
    space: GapSpace, motion: SeenMotion, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.generic], ...]:
    left, right, warp = _draw(motion, count, rng)
    around = windows(motion, left, right, warp)
    truth = channels_between(motion, around, left, right, QUANTILES)
    _shorten(around, rng)
    _disturb(around, rng)
    quarter = len(QUANTILES) // COMPARED
    when = quarter * np.arange(COMPARED) + rng.integers(0, quarter, (count, COMPARED))
    rows = np.arange(count)[:, None]
    lacking = (truth - spline(around, QUANTILES))[rows, when]
    axes, bones = _levers(space, truth[rows, when])
    seen, gain = space.inputs(around)
    single = (v.astype(np.float32) for v in (seen, gain))
    # Levers are the bulk of the memory, and half precision is a millimetre of a metre.
    half = (v.astype(np.float16) for v in (axes, bones))
    return (*single, when, lacking.astype(np.float32), *half)


def _levers(space: GapSpace, channels: Array) -> tuple[Array, Array]:
    """:attr:`GapExamples.axes` and bones of poses (m, q, 75)."""
    turns = channels[..., : POSE + 3].reshape(*channels.shape[:-1], JOINTS + 1, 3)
    turns = np.roll(turns, 1, axis=-2)
    R = exp_so3(turns)
    R[..., 1:, :, :] = space.mean @ R[..., 1:, :, :]
    rest = rest_joints(embedded_body(), np.zeros(10))
    posed = joint_kinematics(rest, R[..., 0, :, :], R[..., 1:, :, :])
    bones = posed.positions - posed.positions[..., _ABOVE, :]
    return posed.rotations @ _right_jacobian(turns), bones


def _right_jacobian(turns: Array) -> Array:
    """(..., 3, 3) J with exp(c + d) = exp(c) exp(J d) to first order, of turns c (..., 3)."""
    angle2 = (turns**2).sum(-1)[..., None, None]
    small = angle2 < 1e-6
    safe = np.where(small, 1.0, angle2)
    angle = np.sqrt(safe)
    first = np.where(small, 0.5, (1.0 - np.cos(angle)) / safe)
    second = np.where(small, 1.0 / 6.0, (angle - np.sin(angle)) / (safe * angle))
    K = skew(turns)
    return np.asarray(np.eye(3) - first * K + second * (K @ K))


def _draw(motion: SeenMotion, count: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Last seen and next seen rows of random gaps, and how much faster than recorded."""
    first, where = np.unique(motion.start, return_index=True)
    last = motion.stop[where]
    share = np.maximum(last - first - 7.0, 0.0) ** 0.8
    lefts, rights, warps = [], [], []
    found = 0
    while found < count:
        k = rng.choice(len(first), 2 * count, p=share / share.sum())
        span = rng.choice(_SPANS, 2 * count, p=(1.0 + _COMMON) / (1.0 + _COMMON).sum())
        warp = rng.uniform(0.85, 1.2, 2 * count)
        margin = (OFFSETS[NEEDED] + 1.0) * warp
        room = last[k] - first[k] - span * warp - 2 * margin
        left = first[k] + margin + rng.uniform(size=2 * count) * room
        fits = room > 0
        lefts.append(left[fits])
        rights.append((left + span * warp)[fits])
        warps.append(warp[fits])
        found += int(fits.sum())
    return tuple(np.concatenate(v)[:count] for v in (lefts, rights, warps))  # type: ignore[return-value]


def _shorten(around: Windows, rng: np.random.Generator) -> None:
    """Forget the far end of some contexts."""
    for channels, known in (
        (around.before, around.known_before),
        (around.after, around.known_after),
    ):
        m = len(channels)
        kept = np.where(rng.uniform(size=m) < 0.3, rng.integers(3, CONTEXT + 1, m), CONTEXT)
        for k in range(NEEDED + 1, CONTEXT):
            gone = (k >= kept) | ~known[:, k]
            channels[gone, k] = channels[gone, k - 1]
            known[gone, k] = False


def _disturb(around: Windows, rng: np.random.Generator) -> None:
    """Add smooth errors to half of the contexts."""
    m = len(around.span)
    times = np.concatenate([np.tile(-OFFSETS, (m, 1)), around.span[:, None] + OFFSETS], axis=1)
    apart = (times[:, :, None] - times[:, None]) ** 2
    size = np.concatenate([np.repeat(_POSE_ERROR * _LIMB_SHARE, 3), _ROOT_ERROR, _PLACE_ERROR])
    errors = np.empty((m, 2 * CONTEXT, CHANNELS))
    turns = slice(0, 3 * JOINTS + 3)
    for time, which in ((_POSE_TIME, turns), (_PLACE_TIME, slice(turns.stop, CHANNELS))):
        smooth = np.exp(-apart / (2 * time**2)) + 1e-4 * np.eye(2 * CONTEXT)
        white = rng.standard_normal((m, 2 * CONTEXT, which.stop - which.start))
        errors[:, :, which] = np.linalg.cholesky(smooth) @ white * size[which]
    errors[:, :, turns] += _TREMBLE * rng.standard_normal(errors[:, :, turns].shape)
    errors *= (rng.uniform(size=m) * (rng.uniform(size=m) < 0.5))[:, None, None]
    around.before[:] += errors[:, :CONTEXT]
    around.after[:] += errors[:, CONTEXT:]
