"""HuMoR's mixture over first states as a part of ``cvae``: how a person's track begins.

The mixture is over joints, their velocities and the root's in the canonical frame of the first
state (:mod:`refine_engine.motion_prior.humor.initial_state`). Velocities are one-sided differences
of the first two frames, as in HuMoR's own fitting. The derivative by the 138 variables of these
frames is exact; how joints move with the body's shape is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import PARENTS
from refine_engine.terms.humor_states import prior_frame
from refine_engine.terms.registry import CVAE_INFO

if TYPE_CHECKING:
    from refine_engine.motion_prior.humor.initial_state import InitialStatePrior
    from refine_engine.scene import Array
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

JOINTS = 22
WIDTH = 69
"""Variables of a frame: place, turns of the root and of joints 1..21."""
_SKEW = np.zeros((3, 3, 3))
"""[e_k]x of the three axes."""
for _k in range(3):
    _SKEW[_k, (_k + 2) % 3, (_k + 1) % 3] = 1.0
    _SKEW[_k, (_k + 1) % 3, (_k + 2) % 3] = -1.0


class InitialState:
    """The mixture as a term; it counts once for a person, like one transition.

    In the sub-stage ``motion`` of the roll-out mode the roll-out has this part itself, and
    :attr:`held` keeps the term still.
    """

    info = CVAE_INFO

    def __init__(self, prior: InitialStatePrior) -> None:
        self.prior = prior
        self.held = False

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        if self.held or len(track) < 2 or track.link1[0] == 0.0:
            return 0.0
        vector, derivative = first_state(posed, common, track.fps)
        nats, gradient, curvature = self.prior.quadratic(vector)
        if model is not None:
            dense = model.dense_blocks(reach=1)
            assert dense.next is not None
            pulled = weight * (derivative.T @ gradient)
            blocks = weight * (derivative.T @ curvature @ derivative)
            dense.gradient[:2] += pulled.reshape(2, WIDTH)
            dense.here[0] += blocks[:WIDTH, :WIDTH]
            dense.here[1] += blocks[WIDTH:, WIDTH:]
            dense.next[0] += blocks[:WIDTH, WIDTH:]
        return weight * nats


def first_state(posed: Posed, common: Common, rate: float) -> tuple[Array, Array]:
    """The (138,) that the mixture is over, and its derivative (138, 138).

    Columns are the place and turns of frame 0, then those of frame 1; turns are ``R <- R exp(d)``.
    """
    level, lift, pelvis = prior_frame(common.body, posed.betas, common.plane)
    flat = np.diag([1.0, 1.0, 0.0])
    X = posed.points[:2, :JOINTS] @ level.T
    dX = np.stack([level @ _joint_derivative(posed, f) for f in (0, 1)])
    R = level @ posed.R[:2, 0]
    turn, by_angle, d_angle = _heading(R[0])

    dx0, dx1 = np.zeros((2, JOINTS, 3, 2 * WIDTH))
    dx0[..., :WIDTH], dx1[..., WIDTH:] = dX
    relative = X[0] - flat @ X[0, 0]
    d_relative = dx0 - flat @ dx0[0]
    offset = flat @ pelvis
    speeds, d_speeds = rate * (X[1] - X[0]), rate * (dx1 - dx0)
    moved = rate * (level @ (posed.transl[1] - posed.transl[0]))
    d_moved = np.zeros((3, 2 * WIDTH))
    d_moved[:, :3], d_moved[:, WIDTH : WIDTH + 3] = -rate * level, rate * level
    omega = _vee(rate * R[1] @ R[0].T)
    d_omega = np.zeros((3, 2 * WIDTH))
    for k in range(3):
        d_omega[:, 3 + k] = _vee(-rate * R[1] @ _SKEW[k] @ R[0].T)
        d_omega[:, WIDTH + 3 + k] = _vee(rate * R[1] @ _SKEW[k] @ R[0].T)

    vectors = np.concatenate([relative, speeds, moved[None], omega[None]])
    derivative = np.concatenate([d_relative, d_speeds, d_moved[None], d_omega[None]])
    derivative = turn @ derivative
    derivative[:, :, 3:6] += (vectors @ by_angle.T)[:, :, None] * d_angle
    vectors = vectors @ turn.T
    vectors[:JOINTS] += lift + offset
    return vectors.reshape(-1), derivative.reshape(-1, 2 * WIDTH)


def _heading(R: Array) -> tuple[Array, Array, Array]:
    """The turn (3, 3) to face +y, its derivative by the heading, and that by the root's turn."""
    right = -R[:, 0]
    angle = np.arctan2(right[1], right[0])
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    by_angle = np.array([[-s, c, 0.0], [-c, -s, 0.0], [0.0, 0.0, 0.0]])
    d_right = -np.stack([(R @ _SKEW[k])[:, 0] for k in range(3)], 1)
    d_angle = (right[0] * d_right[1] - right[1] * d_right[0]) / max(right[:2] @ right[:2], 1e-12)
    return turn, by_angle, d_angle


def _joint_derivative(posed: Posed, frame: int) -> Array:
    """Derivative (22, 3, 69) of the joints' places by the frame's own variables."""
    found = np.zeros((JOINTS, 3, WIDTH))
    found[:, :, :3] = np.eye(3)
    X, G = posed.points[frame], posed.rotations[frame]
    for j in range(1, JOINTS):
        a = PARENTS[j]
        while a >= 0:
            arm = X[j] - X[a]
            found[j, :, 3 + 3 * a : 6 + 3 * a] = np.cross(G[a].T, arm).T
            a = PARENTS[a]
    return found


def _vee(M: Array) -> Array:
    """Axis (3,) of the skew part of M."""
    return 0.5 * np.array([M[2, 1] - M[1, 2], M[0, 2] - M[2, 0], M[1, 0] - M[0, 1]])
