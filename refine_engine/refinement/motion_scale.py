"""What everybody's motion together says about alpha: a curve, its minimum, its curvature.

When alpha changes, people stay where their camera sees them and move with it in the world:
``x(alpha) = x - (alpha - alpha_0) R^T t``. With the right alpha the motion of the camera cancels;
with a wrong one a share of it stays in everybody's motion, which the prior then finds unlikely. The
energy is divided by body sizes, so a smaller world gains nothing, and the sum over people is what
several people know together. It is reported, and not added to any loss: in ``scale`` and ``final``
the same energy is already there as ``cvae``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from refine_engine.body import body_size
from refine_engine.motion_prior.features import root_velocities
from refine_engine.motion_prior.transition import COMBINED, PRIOR_RATE, load_transition_prior
from refine_engine.terms.registry import CVAE_INFO
from refine_engine.terms.transition_kernel import NEXT_VELOCITY, VELOCITY, all_features

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.scene import Array, Scene
    from refine_engine.state import OptimizationState

SAMPLES = 21
SPAN = 0.3
"""The curve covers this much of log alpha to either side."""
FLAT_NATS = 0.5
"""A curve that rises by less than this within its span says nothing about alpha."""


@dataclass(frozen=True)
class MotionScaleCurve:
    """Energy of everybody's motion over alpha."""

    alphas: Array
    """(21,) log-spaced about the present alpha."""
    nats: Array
    """(21,) over its least sample, summed over people, at the weight of ``cvae``'s default."""
    alpha: float | None
    """Where the parabola through the least samples has its minimum; None = says nothing."""
    sigma: float | None
    """Standard deviation of alpha from the curvature there."""

    def samples(self) -> tuple[tuple[float, float], ...]:
        """(alpha, nats) pairs."""
        return tuple(zip(self.alphas.tolist(), self.nats.tolist(), strict=True))


def motion_scale_curve(scene: Scene, body: BodyModel, state: OptimizationState) -> MotionScaleCurve:
    """Sample the energy of everybody's observed motion over alpha, poses held fixed."""
    logs = np.linspace(-SPAN, SPAN, SAMPLES)
    alphas = state.alpha * np.exp(logs)
    weight = CVAE_INFO.weight(CVAE_INFO.default_weight) * PRIOR_RATE / scene.fps
    total = np.zeros(SAMPLES)
    for i in state.people:
        total += weight * _person_curve(scene, body, state, i, alphas)
    nats = total - total.min()
    k = int(np.clip(nats.argmin(), 1, SAMPLES - 2))
    step = logs[1] - logs[0]
    curvature = (nats[k + 1] - 2 * nats[k] + nats[k - 1]) / step**2
    inside = 0 < int(nats.argmin()) < SAMPLES - 1
    if nats.max() < FLAT_NATS or not inside or curvature <= 0:
        return MotionScaleCurve(alphas, nats, None, None)
    shift = -0.5 * (nats[k + 1] - nats[k - 1]) / step / curvature
    alpha = float(alphas[k] * np.exp(shift))
    return MotionScaleCurve(alphas, nats, alpha, float(alpha / np.sqrt(curvature)))


def _person_curve(
    scene: Scene, body: BodyModel, state: OptimizationState, i: int, alphas: Array
) -> Array:
    """Energies (21,) of one person's observed transitions.

    Velocities, and so the whole vector ``z``, are affine in alpha: each component's quadratic form
    is a parabola, and the curve costs as much as two of its points.
    """
    p, prior = state.people[i], load_transition_prior()
    n = len(p.frames)
    if n < 3:
        return np.zeros(len(alphas))
    seen = p.observed[2:] & p.observed[1:-1] & p.observed[:-2]
    chunk = np.asarray(scene.cameras.chunk)[p.frames]
    seen = seen & (chunk[2:] == chunk[:-2])
    R_cam = np.asarray(scene.cameras.R_cam_world)[p.frames]
    ride = np.einsum("tji,tj->ti", R_cam, np.asarray(scene.cameras.t_cam_world)[p.frames])
    size = float(body_size(body, p.betas).value)
    R = np.concatenate([p.R_world_root[:, None], p.body_pose], 1)
    z = np.empty((n - 2, COMBINED))
    all_features(R, np.array(p.transl_world), prior.mean, size, scene.fps, z)
    slope = np.zeros_like(z)
    velocity = root_velocities(p.R_world_root, -ride, size, scene.fps)[:, :3]
    slope[:, VELOCITY : VELOCITY + 3] = velocity[:-1]
    slope[:, NEXT_VELOCITY : NEXT_VELOCITY + 3] = velocity[1:]
    form = prior.forms(scene.fps)
    rows = form.rows.reshape(-1, COMBINED).T
    shape = (-1, len(form.constants), len(form.rows[0]))
    there, change = (z[seen] @ rows).reshape(shape), (slope[seen] @ rows).reshape(shape)
    square, cross, bend = (
        (a * b).sum(-1) for a, b in ((there, there), (there, change), (change, change))
    )
    offset = (alphas - state.alpha)[:, None, None]
    q = square + offset * (2.0 * cross + offset * bend)
    half = 0.5 * (form.freedom + shape[2])
    logs = form.constants - half * np.log1p(q / form.freedom)
    energies: Array = -logsumexp(logs, axis=-1).sum(-1)
    return energies
