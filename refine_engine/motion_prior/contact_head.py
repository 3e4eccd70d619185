"""The prior's contact head: which parts of the feet stand, from a short window of motion.

A small perceptron looks at one foot at a time, with the other foot as "the other": the right foot
is the left one in a mirror, so both sides share their weights. It sees positions and velocities of
sole points, ankle, knee and pelvis over 0.6 s, in a frame that is turned with the person's heading
and stands on the ground plane, divided by the body size. It was trained on the feet of refinements
(before, between and after their sub-stages) of recorded motion, whose true contacts are known; so
it expects the errors that a temporal pose network, drifting cameras and the solver leave.

The head works at 30 frames a second; other rates are resampled for it and back.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline

from refine_engine.errors import InputError
from refine_engine.geometry.planes import heights
from refine_engine.motion_prior.transition import PRIOR_RATE
from refine_engine.resources import resource_path
from refine_engine.safe_files import open_npz

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FILE = ("prior", "contact_head.npz")
OFFSETS = (-9, -6, -4, -2, -1, 0, 1, 2, 4, 6, 9)
"""Frames of the window at 30 a second, relative to the one that is asked about."""
PER_FRAME = 24
INPUTS = PER_FRAME * len(OFFSETS)
OUTPUTS = 2
"""Heel and toe of the foot."""
HEIGHT_UNIT, SPEED_UNIT = 0.05, 0.2
"""Heights (m) and speeds (m/s) are compressed beyond these: a foot in the air is in the air."""
_HIPS, _KNEES, _ANKLES = (1, 2), (4, 5), (7, 8)


@dataclass(frozen=True, eq=False)
class ContactHead:
    """A perceptron with two hidden layers; see :func:`load_contact_head`."""

    mean: Array
    """(264,) of the inputs."""
    spread: Array
    """(264,)."""
    weights: tuple[Array, ...]
    """Of each layer, (out, in)."""
    biases: tuple[Array, ...]
    """(out,)."""

    def logits(self, features: Array) -> Array:
        """Log odds (m, 2) of contact of heel and toe, from features (m, 264)."""
        x = (features - self.mean) / self.spread
        last = len(self.weights) - 1
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weight.T + bias
            if k < last:
                x = np.maximum(x, 0.0)
        return np.asarray(x)

    def probabilities(
        self, feet: Array, joints: Array, plane: Array, size: float, rate: float
    ) -> Array:
        """Probability (n, 4) that left heel, left toe, right heel, right toe stand.

        Parameters
        ----------
        feet
            (n, 4, 3) sole points under heels and balls, in that order; world, metres.
        joints
            (n, 24, 3) in the same world.
        plane
            (4,) ground plane, normal up.
        size
            Body size, 1 = mean body.
        rate
            Frames per second of the rows.
        """
        n = len(feet)
        if n < 2:
            return np.zeros((n, 4))
        count = max(2, round((n - 1) / rate * PRIOR_RATE) + 1)
        if count != n:
            # From first to last frame in whole steps: the rate is off by less than half a step.
            known, wanted = np.linspace(0.0, 1.0, n), np.linspace(0.0, 1.0, count)
            feet, joints = CubicSpline(known, feet)(wanted), CubicSpline(known, joints)(wanted)
        logits = np.concatenate(
            [self.logits(foot_features(feet, joints, plane, size, side)) for side in (0, 1)], 1
        )
        if count != n:
            logits = np.stack([np.interp(known, wanted, column) for column in logits.T], 1)
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0))))


def foot_features(feet: Array, joints: Array, plane: Array, size: float, side: int) -> Array:
    """What the head sees of one foot (0 left, 1 right) at 30 frames a second: (n, 264).

    Arguments as :meth:`ContactHead.probabilities`. Nothing depends on place or heading, and both
    sides look the same in a mirror.
    """
    n = len(feet)
    own, other = feet[:, 2 * side : 2 * side + 2], feet[:, 2 - 2 * side : 4 - 2 * side]
    up = plane[:3] / np.linalg.norm(plane[:3])
    outwards = joints[:, _HIPS[side]] - joints[:, _HIPS[1 - side]]
    outwards = outwards - (outwards @ up)[:, None] * up
    outwards /= np.maximum(np.linalg.norm(outwards, axis=-1, keepdims=True), 1e-9)
    # In a mirror the product of two axes changes its sign.
    forwards = np.cross(outwards, up) if side == 0 else np.cross(up, outwards)
    axes = np.stack([outwards, np.broadcast_to(up, outwards.shape), forwards], 1)
    pelvis = joints[:, 0]
    moving = np.stack([own[:, 0], own[:, 1], other[:, 0], other[:, 1], pelvis], 1)
    velocity = np.gradient(moving, axis=0) * (PRIOR_RATE / size)
    height = heights(moving, plane) / size
    legs = np.stack([joints[:, _ANKLES[side]], joints[:, _KNEES[side]]], 1) - pelvis[:, None]
    speed = np.linalg.norm(velocity[:, :4], axis=-1)
    parts = []
    for offset in OFFSETS:
        at = np.clip(np.arange(n) + offset, 0, n - 1)
        turned = np.einsum("nij,nkj->nki", axes, velocity[at][:, [0, 1, 4]])
        parts += [
            np.arcsinh(height[at, :4] / HEIGHT_UNIT),
            np.arcsinh(turned / SPEED_UNIT).reshape(n, 9),
            np.arcsinh(speed[at] / SPEED_UNIT),
            height[at, 4:],
            np.einsum("nij,nkj->nki", axes, legs[at] / size).reshape(n, 6),
        ]
    return np.concatenate(parts, 1)


def load_contact_head(path: Path | None = None) -> ContactHead:
    """Read a head that :mod:`refine_engine.evaluation.train_prior` wrote; None = the embedded one.

    Raises
    ------
    InputError
        The file is missing, damaged, or no such head.
    """
    return _load(resource_path(*FILE) if path is None else path)


@functools.lru_cache(maxsize=4)
def _load(path: Path) -> ContactHead:
    with open_npz(path) as arrays:
        found = arrays.read_all()
    remedy = "make it with python -m refine_engine.evaluation.train_prior"
    layers = sum(name.startswith("weight_") for name in found)
    names = ["mean", "spread", *(f"{p}_{k}" for k in range(layers) for p in ("weight", "bias"))]
    width = INPUTS
    for name in names:
        if name not in found:
            raise InputError(path, f"lacks '{name}': it is no contact head", remedy)
        array = found[name]
        fits = array.shape == (width,)
        if name.startswith("weight_"):
            fits = array.ndim == 2 and array.shape[1] == width
            width = array.shape[0]
        if not fits or not np.isfinite(array).all():
            raise InputError(path, f"has '{name}' of shape {array.shape}", remedy)
    if not layers or width != OUTPUTS:
        raise InputError(path, f"has {layers} layers to {width} outputs", remedy)
    return ContactHead(
        mean=found["mean"].astype(np.float64),
        spread=found["spread"].astype(np.float64),
        weights=tuple(found[f"weight_{k}"].astype(np.float64) for k in range(layers)),
        biases=tuple(found[f"bias_{k}"].astype(np.float64) for k in range(layers)),
    )
