"""The networks that say how motion in a gap differs from a cubic between its ends.

Small perceptrons look at the context on both sides (:mod:`.gap_windows`) and give the difference as
seven sine waves in time for each of 51 principal components. The waves vanish at the ends, so what
is filled always meets what was seen. Inputs are divided by how fast the context moves and outputs
multiplied with it: gestures and sprints look alike to the networks. Their mean counts; what they
see also tells which gaps are alike (:mod:`.gap_filling`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.errors import InputError
from refine_engine.geometry.rotations import nearest_rotation
from refine_engine.motion_prior.gap_windows import (
    CHANNELS,
    CONTEXT,
    JOINTS,
    OFFSETS,
    POSE,
)
from refine_engine.resources import resource_path
from refine_engine.safe_files import open_npz

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from refine_engine.motion_prior.gap_windows import SeenMotion, Windows

    Array = NDArray[np.float64]

FILE = ("prior", "gap_filler.npz")
MODES = 7
"""Sine waves over a gap."""
POSE_PARTS = 45
PARTS = POSE_PARTS + 6
"""Principal components of poses, then root orientation and place as they are."""
CONTEXT_PARTS = np.r_[0:30, POSE_PARTS:PARTS]
"""Those whose course before and after the gap is looked at."""
INPUTS = 2 * (PARTS - 3) + 2 * (CONTEXT - 1) * len(CONTEXT_PARTS) + PARTS + 2 * (CONTEXT - 1) + 3
HIDDEN, LINEAR = 256, 64
OUTPUTS = MODES * PARTS
_ERF = (0.3275911, 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_WAVE = np.arange(1, MODES + 1)
_SHAPES: dict[str, tuple[int, ...]] = {
    "w1": (INPUTS, HIDDEN),
    "b1": (HIDDEN,),
    "w2": (HIDDEN, HIDDEN),
    "b2": (HIDDEN,),
    "w3": (HIDDEN, OUTPUTS),
    "b3": (OUTPUTS,),
    "s1": (INPUTS, LINEAR),
    "s2": (LINEAR, OUTPUTS),
}
LAYERS = tuple(_SHAPES)
"""Names of a network's arrays: three layers, and a linear way past them."""


@dataclass(frozen=True, eq=False)
class GapSpace:
    """Coordinates in which a unit of every channel moves the body's joints about equally far."""

    mean: Array
    """(23, 3, 3) mean rotations of joints 1..23."""
    sensitivity: Array
    """(75,) root mean square displacement of the joints, metres per unit of each channel."""
    components: Array
    """(75, 51) orthonormal columns."""

    def parts(self, channels: Array) -> Array:
        """(..., 51) of channels (..., 75), or of those (..., 51) of a :meth:`reduced` motion."""
        if channels.shape[-1] == PARTS:
            found = channels.copy()
            found[..., POSE_PARTS:] *= self.sensitivity[POSE:]
            return found
        return np.asarray((channels * self.sensitivity) @ self.components)

    def parts_of_root(self, channels: Array) -> Array:
        """(..., 6) the last parts, of the last channels (..., 6): root and place."""
        return np.asarray(channels * self.sensitivity[POSE:])

    def reduced(self, motion: SeenMotion) -> SeenMotion:
        """A motion whose pose is already its 45 principal components."""
        pose = (motion.pose * self.sensitivity[:POSE]) @ self.components[:POSE, :POSE_PARTS]
        return replace(motion, pose=pose)

    def channels(self, parts: Array) -> Array:
        """(..., 75) of parts (..., 51)."""
        return np.asarray((parts @ self.components.T) / self.sensitivity)

    def inputs(self, around: Windows) -> tuple[Array, Array]:
        """What the networks see (m, 742), and what their output is multiplied with (m, 357)."""
        before, after = self.parts(around.before), self.parts(around.after)
        a, b = before[:, 0], after[:, 0]
        known_a = around.known_before[:, 1:, None].astype(np.float64)
        known_b = around.known_after[:, 1:, None].astype(np.float64)
        distance = OFFSETS[1:, None] ** 0.7
        past = (before[:, 1:] - a[:, None]) / distance * known_a
        coming = (after[:, 1:] - b[:, None]) / distance * known_b
        span = around.span[:, None]
        squared = (past**2).sum((1, 2)) + (coming**2).sum((1, 2))
        squared /= np.maximum(known_a.sum((1, 2)) + known_b.sum((1, 2)), 1.0)
        pace = np.sqrt(squared + (((b - a) / span) ** 2).sum(1) + 1e-6)[:, None]
        m = len(a)
        seen = np.concatenate(
            [
                # Place and heading are those of the window; only poses say something.
                3.0 * a[:, : PARTS - 3],
                3.0 * b[:, : PARTS - 3],
                3.0 * past[..., CONTEXT_PARTS].reshape(m, -1) / pace,
                3.0 * coming[..., CONTEXT_PARTS].reshape(m, -1) / pace,
                (b - a) / np.sqrt(span) / pace,
                known_a[..., 0],
                known_b[..., 0],
                np.log(pace) + 3.0,
                np.log(span) - 2.0,
                span / 20.0,
            ],
            axis=1,
        )
        # Short gaps leave little room: the difference from a cubic grows with the span squared.
        gain = 0.3 * pace * span**2 / (span + 15.0)
        return seen, np.repeat(gain / _WAVE, PARTS, axis=1)


@dataclass(frozen=True, eq=False)
class Look:
    """What the networks make of m windows."""

    waves: Array
    """(m, 7, 51) amplitudes of the sine waves, the networks' mean."""
    kind: NDArray[np.float32]
    """(m, E 256) what each network saw in them: its hidden layers, together of length 1."""
    unit: Array
    """(m,) how far motion may stray from the cubic there, in the amplitudes' units."""


@dataclass(frozen=True, eq=False)
class GapModel:
    """Trained networks and the space that they work in; see :func:`load_gap_model`."""

    space: GapSpace
    layers: dict[str, Array]
    """Arrays of :data:`LAYERS`, each with the networks first (E, ...)."""

    def look(self, around: Windows) -> Look:
        """What the networks make of some windows."""
        seen, gain = self.space.inputs(around)
        # Single precision is far finer than the weights, which are kept in half of it.
        seen, net = seen.astype(np.float32), self._single
        count = len(net["w1"])
        found = np.zeros((len(seen), OUTPUTS), dtype=np.float32)
        kinds = np.empty((len(seen), count, HIDDEN), dtype=np.float32)
        for e in range(count):
            hidden = _gelu(seen @ net["w1"][e] + net["b1"][e])
            hidden = hidden + _gelu(hidden @ net["w2"][e] + net["b2"][e])
            found += hidden @ net["w3"][e] + net["b3"][e] + (seen @ net["s1"][e]) @ net["s2"][e]
            kinds[:, e] = hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
        waves = (found * (gain / count)).reshape(-1, MODES, PARTS)
        return Look(waves, kinds.reshape(len(seen), -1) / np.float32(np.sqrt(count)), gain[:, 0])

    @functools.cached_property
    def _single(self) -> dict[str, NDArray[np.float32]]:
        return {name: value.astype(np.float32) for name, value in self.layers.items()}


def waves_at(fraction: Array) -> Array:
    """(q, 7) the sine waves at fractions of the span."""
    return np.asarray(np.sin(np.pi * fraction[:, None] * _WAVE))


def _gelu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values times the normal distribution function of each.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: off by 1.5e-7 at most, as
    much as single precision is. It spares the start of the program a tenth of a second of SciPy.
    """
    far = np.abs(x) * np.float32(1.0 / np.sqrt(2.0))
    t = 1.0 / (1.0 + np.float32(_ERF[0]) * far)
    tail = np.full_like(t, _ERF[-1])
    for factor in _ERF[-2:0:-1]:
        tail *= t
        tail += np.float32(factor)
    tail *= t * np.exp(-far * far)
    # 0.5 x (1 + erf): what the tail leaves of x on the right, and of nothing on the left.
    return np.asarray(np.maximum(x, 0.0) - 0.5 * np.abs(x) * tail, dtype=np.float32)


def load_gap_model(path: Path | None = None) -> GapModel:
    """Read networks that :mod:`.gap_training` wrote; None = the embedded ones.

    Raises
    ------
    InputError
        The file is missing, damaged, or holds something else.
    """
    return _load(resource_path(*FILE) if path is None else path)


@functools.lru_cache(maxsize=4)
def _load(path: Path) -> GapModel:
    remedy = "make it with python -m refine_engine.motion_prior.train"
    with open_npz(path) as arrays:
        found = arrays.read_all()
    count = len(np.atleast_1d(found.get("w1", np.zeros(0))))
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (JOINTS, 3, 3),
        "sensitivity": (CHANNELS,),
        "components": (CHANNELS, PARTS),
        **{name: (count, *shape) for name, shape in _SHAPES.items()},
    }
    for name, shape in shapes.items():
        if name not in found:
            raise InputError(path, f"lacks '{name}': it fills no gaps", remedy)
        if found[name].shape != shape or not np.isfinite(found[name]).all():
            raise InputError(path, f"has '{name}' of shape {found[name].shape}", remedy)
    if count == 0 or not (found["sensitivity"] > 0).all():
        raise InputError(path, "holds no network", remedy)
    numbers = {name: found[name].astype(np.float64) for name in shapes}
    space = GapSpace(
        nearest_rotation(numbers["mean"]), numbers["sensitivity"], numbers["components"]
    )
    return GapModel(space, {name: numbers[name] for name in LAYERS})


__all__ = ["POSE", "GapModel", "GapSpace", "load_gap_model", "waves_at"]
