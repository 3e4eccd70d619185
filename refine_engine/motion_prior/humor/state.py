"""HuMoR's state of 339 numbers and its canonical frame.

The prior's world is Z up with the floor at z = 0 (Rempe et al. 2021, section 3.1); ours is
Y up.  A state holds, in this order, translation 3, its velocity 3, root orientation 9
(row-major matrix), its angular velocity 3, body pose 21x9, joints 22x3 and their velocities
22x3.  Each step is taken in the canonical frame of the **past** state: heading turned so that
the person faces +y, horizontal translation removed, height kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from refine_engine.motion_prior.humor.rotations import exp_so3, log_so3

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUM_JOINTS = 22
"""Model joints 0..21 (SMPL without hands)."""
NUM_BODY = 21
"""Body rotations 1..21."""
STATE_SIZE = 339
OUTPUT_SIZE = 216
"""Decoder output: rotations as axis-angle deltas, then 9 contact logits."""
CONTACT_JOINTS = (0, 4, 5, 7, 8, 10, 11, 20, 21)
"""Joints of the 9 contact logits: hips, knees, ankles, toes, hands."""

Y_UP_TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Rotation from our Y-up world to the prior's Z-up world."""


@dataclass(frozen=True)
class MotionState:
    """States of a motion; all fields share the leading dimensions (...,)."""

    trans: Tensor
    """(..., 3) SMPL translation (not the pelvis), metres."""
    trans_vel: Tensor
    """(..., 3) metres per second."""
    root_orient: Tensor
    """(..., 3, 3)."""
    root_orient_vel: Tensor
    """(..., 3) world-frame angular velocity, radians per second."""
    pose_body: Tensor
    """(..., 21, 3, 3)."""
    joints: Tensor
    """(..., 22, 3) metres."""
    joints_vel: Tensor
    """(..., 22, 3) metres per second."""

    def pack(self) -> Tensor:
        """The (..., 339) vector the networks take."""
        lead = self.trans.shape[:-1]
        return torch.cat(
            [
                self.trans,
                self.trans_vel,
                self.root_orient.reshape(*lead, 9),
                self.root_orient_vel,
                self.pose_body.reshape(*lead, NUM_BODY * 9),
                self.joints.reshape(*lead, NUM_JOINTS * 3),
                self.joints_vel.reshape(*lead, NUM_JOINTS * 3),
            ],
            -1,
        )

    @classmethod
    def unpack(cls, vector: Tensor) -> MotionState:
        """Inverse of :meth:`pack`."""
        lead = vector.shape[:-1]
        parts = torch.split(vector, [3, 3, 9, 3, NUM_BODY * 9, NUM_JOINTS * 3, NUM_JOINTS * 3], -1)
        return cls(
            parts[0],
            parts[1],
            parts[2].reshape(*lead, 3, 3),
            parts[3],
            parts[4].reshape(*lead, NUM_BODY, 3, 3),
            parts[5].reshape(*lead, NUM_JOINTS, 3),
            parts[6].reshape(*lead, NUM_JOINTS, 3),
        )

    def __getitem__(self, index: int | slice | tuple[slice | int, ...]) -> MotionState:
        """Index the leading dimensions."""
        return MotionState(
            self.trans[index],
            self.trans_vel[index],
            self.root_orient[index],
            self.root_orient_vel[index],
            self.pose_body[index],
            self.joints[index],
            self.joints_vel[index],
        )

    def batched(self) -> MotionState:
        """The same single state with a leading dimension of one."""
        return MotionState.unpack(self.pack().unsqueeze(0))


def sampled(states: MotionState, positions: NDArray[np.floating]) -> MotionState:
    """States (m,) between the rows of states (n,), n >= 2.

    Rotations go along geodesics, everything else along straight lines. Positions beyond the rows
    go on with the last step; velocities stay there.

    Parameters
    ----------
    states
        States (n,).
    positions
        (m,) in rows: 0.5 is half way between the first two.
    """
    last = len(states.trans) - 1
    positions = np.asarray(positions, dtype=np.float64)
    below = torch.as_tensor(np.clip(np.floor(positions), 0, last - 1).astype(np.int64))
    part = torch.as_tensor(positions) - below
    inside = part.clamp(0.0, 1.0)
    a, b = states.pack()[below], states.pack()[below + 1]
    here, there = MotionState.unpack(a), MotionState.unpack(b)

    def between(fraction: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return x + fraction.reshape(-1, *(1,) * (x.ndim - 1)) * (y - x)

    def turned(x: Tensor, y: Tensor) -> Tensor:
        step = log_so3(x.transpose(-1, -2) @ y)
        return x @ exp_so3(part.reshape(-1, *(1,) * (step.ndim - 1)) * step)

    return MotionState(
        between(part, here.trans, there.trans),
        between(inside, here.trans_vel, there.trans_vel),
        turned(here.root_orient, there.root_orient),
        between(inside, here.root_orient_vel, there.root_orient_vel),
        turned(here.pose_body, there.pose_body),
        between(part, here.joints, there.joints),
        between(inside, here.joints_vel, there.joints_vel),
    )


def states_of_motion(
    transl: NDArray[np.floating],
    R_root: NDArray[np.floating],
    body_pose: NDArray[np.floating],
    joints: NDArray[np.floating],
    rate: float = 30.0,
) -> MotionState:
    """States (n,) of a motion given in the prior's Z-up frame, floor at z = 0.

    Velocities are central differences, one-sided at both ends (as HuMoR does when fitting).

    Parameters
    ----------
    transl
        (n, 3) SMPL translation, metres.
    R_root, body_pose
        (n, 3, 3) and (n, 21 or more, 3, 3); body rotations past the 21st are left out.
    joints
        (n, 22 or more, 3) metres; joints past the 22nd are left out.
    rate
        Frames per second; HuMoR was trained at 30.
    """
    root = np.asarray(R_root, dtype=np.float64)
    step = np.gradient(root, 1.0 / rate, axis=0) @ np.swapaxes(root, -1, -2)
    # The skew part of dR/dt R^T; its symmetric part is the error of the finite difference.
    omega = 0.5 * np.stack(
        [
            step[:, 2, 1] - step[:, 1, 2],
            step[:, 0, 2] - step[:, 2, 0],
            step[:, 1, 0] - step[:, 0, 1],
        ],
        -1,
    )
    joints = np.asarray(joints, dtype=np.float64)[:, :NUM_JOINTS]
    transl = np.asarray(transl, dtype=np.float64)
    return MotionState(
        torch.as_tensor(transl),
        torch.as_tensor(np.gradient(transl, 1.0 / rate, axis=0)),
        torch.as_tensor(root),
        torch.as_tensor(omega),
        torch.as_tensor(np.asarray(body_pose, dtype=np.float64)[:, :NUM_BODY]),
        torch.as_tensor(joints),
        torch.as_tensor(np.gradient(joints, 1.0 / rate, axis=0)),
    )


@dataclass(frozen=True)
class CanonicalFrame:
    """The rigid change to a canonical frame: rotation about z, then horizontal shift."""

    R: Tensor
    """(..., 3, 3) rotation about z."""
    shift: Tensor
    """(..., 3) added before the rotation; its z is 0."""
    pelvis_offset: Tensor
    """(..., 3) horizontal pelvis offset that stays unrotated (HuMoR's ``t2j``)."""

    def apply(self, state: MotionState) -> MotionState:
        """Express a state in this frame."""
        R, Rj = self.R, self.R.unsqueeze(-3)
        offset = self.pelvis_offset.unsqueeze(-2)
        moved = state.joints + self.shift.unsqueeze(-2) + offset
        return MotionState(
            _turn(R, state.trans + self.shift),
            _turn(R, state.trans_vel),
            R @ state.root_orient,
            _turn(R, state.root_orient_vel),
            state.pose_body,
            _turn(Rj, moved) - offset,
            _turn(Rj, state.joints_vel),
        )

    def invert(self, state: MotionState) -> MotionState:
        """Express a state of this frame in the world."""
        R = self.R.transpose(-1, -2)
        Rj, offset = R.unsqueeze(-3), self.pelvis_offset.unsqueeze(-2)
        return MotionState(
            _turn(R, state.trans) - self.shift,
            _turn(R, state.trans_vel),
            R @ state.root_orient,
            _turn(R, state.root_orient_vel),
            state.pose_body,
            _turn(Rj, state.joints + offset) - offset - self.shift.unsqueeze(-2),
            _turn(Rj, state.joints_vel),
        )


def pelvis_offset(state: MotionState) -> Tensor:
    """Horizontal vector (..., 3) from the pelvis joint to the translation, z = 0.

    HuMoR computes it once per sequence, from the first frame.
    """
    return horizontal(state.trans - state.joints[..., 0, :])


def canonical_frame(past: MotionState, offset: Tensor | None = None) -> CanonicalFrame:
    """Canonical frame of each past state.

    Heading is the horizontal direction of the body's right side (minus the root's x axis), turned
    onto +x so that the person faces +y.  The angle comes from atan2, which equals HuMoR's acos but
    has a derivative everywhere.

    Parameters
    ----------
    past
        States (...,).
    offset
        (3,) or (..., 3) pelvis offset; default: computed from ``past``.
    """
    right = -past.root_orient[..., :, 0]
    angle = torch.atan2(right[..., 1], right[..., 0])
    cosine, sine = torch.cos(angle), torch.sin(angle)
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    R = torch.stack([cosine, sine, zero, -sine, cosine, zero, zero, zero, one], -1)
    shift = -horizontal(past.trans)
    if offset is None:
        offset = pelvis_offset(past)
    return CanonicalFrame(
        R.reshape(*angle.shape, 3, 3), shift, torch.broadcast_to(offset, shift.shape)
    )


def horizontal(v: Tensor) -> Tensor:
    """Vectors (..., 3) with z = 0."""
    return torch.cat([v[..., :2], torch.zeros_like(v[..., 2:])], -1)


def _turn(R: Tensor, v: Tensor) -> Tensor:
    return (R @ v.unsqueeze(-1)).squeeze(-1)
