"""Random motions and random-weight checkpoints of HuMoR's exact layout."""

from __future__ import annotations

import numpy as np
import torch

from refine_engine.geometry.rotations import exp_so3
from refine_engine.motion_prior.humor.networks import HumorNetworks
from refine_engine.motion_prior.humor.state import MotionState, states_of_motion

PELVIS_REST = np.array([0.01, -0.22, 0.03])


def random_states(n: int = 12, seed: int = 0) -> MotionState:
    """A smooth random motion in the Z-up frame; joint 0 is the rest pelvis plus transl."""
    rng = np.random.default_rng(seed)

    def walk(*shape: int) -> np.ndarray:
        return np.cumsum(0.05 * rng.normal(size=(n, *shape)), axis=0) + rng.normal(size=shape)

    transl = walk(3) + [0, 0, 1]
    joints = transl[:, None] + PELVIS_REST + np.concatenate([np.zeros((n, 1, 3)), walk(21, 3)], 1)
    return states_of_motion(transl, exp_so3(walk(3)), exp_so3(walk(21, 3)), joints)


def random_networks(seed: int = 0) -> HumorNetworks:
    torch.manual_seed(seed)
    return HumorNetworks().eval().requires_grad_(False)


def heading_change(angle: float, shift: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """A rotation about z and a horizontal translation."""
    return exp_so3(np.array([0, 0, angle])), np.array([*shift, 0.0])


def moved(states: MotionState, R: np.ndarray, t: np.ndarray) -> MotionState:
    """The same motion turned and shifted; SMPL translation turns about the pelvis."""
    rotation, shift = torch.as_tensor(R), torch.as_tensor(t)
    rest = states.joints[0, 0] - states.trans[0]
    return MotionState(
        (states.trans + rest) @ rotation.T + shift - rest,
        states.trans_vel @ rotation.T,
        rotation @ states.root_orient,
        states.root_orient_vel @ rotation.T,
        states.pose_body,
        states.joints @ rotation.T + shift,
        states.joints_vel @ rotation.T,
    )
