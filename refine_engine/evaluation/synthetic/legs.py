"""Legs by inverse kinematics: ankles where they are told to be, feet turned as they are told.

Two bones and a hinge have a closed form.  A pelvis that is too high for a foot to reach the floor
is lowered first, smoothly, so that a planted foot never has to give way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from refine_engine.body.joints import LANDMARK_VERTICES
from refine_engine.body.kinematics import joint_kinematics, rest_joints
from refine_engine.body.model import BodyModel
from refine_engine.evaluation.synthetic.motion import rotation_x
from refine_engine.geometry.rotations import exp_so3

Array = NDArray[np.float64]

HIPS, KNEES, ANKLES, TOES = (1, 2), (4, 5), (7, 8), (10, 11)
REACH = 0.997
"""Share of the leg's length that may be used: a fully straight knee is a singularity."""


@dataclass(frozen=True)
class FootShape:
    """One body's feet at rest; left then right where there are two."""

    joints: Array
    """(24, 3) rest joints."""
    sole: float
    """Height of the soles in the T-pose (metres, negative)."""
    heel: Array
    """(2, 3) from the ankle joint to the heel's landmark vertex."""
    toe: Array
    """(2, 3) from the toe joint to the big toe's landmark vertex."""

    @property
    def ball(self) -> Array:
        """(2, 3) from the ankle joint to the toe joint."""
        return np.asarray(self.joints[list(TOES)] - self.joints[list(ANKLES)])

    @property
    def ankle_height(self) -> float:
        """Height of the ankle over the floor when the foot stands flat."""
        return float(self.joints[ANKLES[0], 1] - self.sole)

    @property
    def leg_length(self) -> float:
        """Thigh plus shin."""
        thigh = self.joints[KNEES[0]] - self.joints[HIPS[0]]
        shin = self.joints[ANKLES[0]] - self.joints[KNEES[0]]
        return float(np.linalg.norm(thigh) + np.linalg.norm(shin))


def foot_shape(model: BodyModel, betas: Array) -> FootShape:
    """Measure the feet of a body with these betas (10,)."""
    vertices = model.v_template + model.shapedirs @ betas
    joints = rest_joints(model, betas)
    heels = vertices[[LANDMARK_VERTICES["left_heel"], LANDMARK_VERTICES["right_heel"]]]
    toes = vertices[[LANDMARK_VERTICES["left_big_toe"], LANDMARK_VERTICES["right_big_toe"]]]
    return FootShape(
        joints=joints,
        sole=float(vertices[:, 1].min()),
        heel=heels - joints[list(ANKLES)],
        toe=toes - joints[list(TOES)],
    )


def lowered_pelvis(
    shape: FootShape,
    pelvis_rotation: Array,
    pelvis: Array,
    ankles: Array,
    smoothing: float,
) -> Array:
    """Pelvis positions (n, 3), lowered where a leg would not reach its ankle.

    Parameters
    ----------
    shape
        The body.
    pelvis_rotation, pelvis
        (n, 3, 3) and (n, 3), metres, Y up.
    ankles
        (n, 2, 3) where the ankles must be.
    smoothing
        Standard deviation in frames of the smoothing of the lowering, which stays above what is
        needed in every frame: a running maximum as wide as the filter goes before it.
    """
    reach = REACH * shape.leg_length
    needed = np.zeros(len(pelvis))
    for side in range(2):
        hip = pelvis + pelvis_rotation @ (shape.joints[HIPS[side]] - shape.joints[0])
        across = np.linalg.norm((hip - ankles[:, side])[:, [0, 2]], axis=-1)
        above = np.sqrt(np.maximum(reach**2 - across**2, 1e-4))
        needed = np.maximum(needed, hip[:, 1] - (ankles[:, side, 1] + above))
    radius = int(np.ceil(3 * smoothing))
    highest = maximum_filter1d(needed, 2 * radius + 1, mode="nearest")
    drop = gaussian_filter1d(highest, smoothing, mode="nearest", radius=radius)
    lowered = pelvis.copy()
    lowered[:, 1] -= drop
    return lowered


def with_legs(
    shape: FootShape,
    rotations: Array,
    transl: Array,
    ankles: Array,
    feet: Array,
    toes: Array,
) -> Array:
    """Rotations (n, 24, 3, 3) with both legs solved for their ankles.

    Parameters
    ----------
    shape
        The body.
    rotations, transl
        The motion (n, 24, 3, 3), (n, 3); its knees decide where the new knees point.
    ankles
        (n, 2, 3) wanted ankle positions, metres.
    feet, toes
        (n, 2, 3, 3) wanted global rotations of the ankle and of the toe joints.
    """
    result = rotations.copy()
    posed = joint_kinematics(shape.joints, rotations[:, 0], rotations[:, 1:], transl)
    for side in range(2):
        hip, knee, ankle, toe = HIPS[side], KNEES[side], ANKLES[side], TOES[side]
        thigh = shape.joints[knee] - shape.joints[hip]
        shin = shape.joints[ankle] - shape.joints[knee]
        goal = ankles[:, side] - posed.positions[:, hip]
        distance = np.minimum(
            np.linalg.norm(goal, axis=-1),
            0.9999 * (np.linalg.norm(thigh) + np.linalg.norm(shin)),
        )
        result[:, knee] = _bent_knee(rotations[:, knee], thigh, shin, distance)
        leg = thigh + result[:, knee] @ shin
        hip_rotation = posed.rotations[:, hip]
        now = np.einsum("nij,nj->ni", hip_rotation, leg)
        hip_rotation = _turn(now, goal) @ hip_rotation
        pelvis_rotation = posed.rotations[:, 0]
        result[:, hip] = np.swapaxes(pelvis_rotation, -1, -2) @ hip_rotation
        shin_rotation = hip_rotation @ result[:, knee]
        result[:, ankle] = np.swapaxes(shin_rotation, -1, -2) @ feet[:, side]
        result[:, toe] = np.swapaxes(feet[:, side], -1, -2) @ toes[:, side]
    return result


def _bent_knee(knee: Array, thigh: Array, shin: Array, distance: Array) -> Array:
    """Knees (n, 3, 3), turned about their own hinge (x) until hip and ankle are this far apart.

    ``|thigh + K Rx(d) shin|`` is ``distance`` where ``B cos d + C sin d`` takes a known value;
    of its two solutions the one that flexes the knee forwards is taken.
    """
    u = np.einsum("nji,j->ni", knee, thigh)
    along = u[:, 1] * shin[1] + u[:, 2] * shin[2]
    across = u[:, 2] * shin[1] - u[:, 1] * shin[2]
    wanted = 0.5 * (distance**2 - thigh @ thigh - shin @ shin) - u[:, 0] * shin[0]
    size = np.hypot(along, across)
    angle = np.arctan2(across, along) + np.arccos(np.clip(wanted / size, -1.0, 1.0))
    return knee @ rotation_x(angle)


def _turn(a: Array, b: Array) -> Array:
    """Smallest rotations (n, 3, 3) that turn the directions ``a`` (n, 3) to ``b`` (n, 3)."""
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1)
    angle = np.arctan2(sine, np.einsum("ni,ni->n", a, b))
    return exp_so3(axis / np.maximum(sine, 1e-12)[:, None] * angle[:, None])
