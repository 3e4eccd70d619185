from __future__ import annotations

import numpy as np
import pytest
import torch

from refine_engine.motion_prior.humor.state import (
    STATE_SIZE,
    MotionState,
    canonical_frame,
    pelvis_offset,
    sampled,
    states_of_motion,
)
from tests.refine_engine.motion_prior.humor.random_motion import (
    PELVIS_REST,
    heading_change,
    moved,
    random_states,
)


def _close(a: MotionState, b: MotionState, atol: float = 1e-12) -> None:
    np.testing.assert_allclose(a.pack().numpy(), b.pack().numpy(), atol=atol)


def test_pack_has_humors_size_and_order_and_round_trips() -> None:
    states = random_states()
    vector = states.pack()
    assert vector.shape == (12, STATE_SIZE)
    np.testing.assert_array_equal(vector[:, :3], states.trans)
    np.testing.assert_array_equal(vector[:, 6:15], states.root_orient.reshape(12, 9))
    np.testing.assert_array_equal(vector[:, 207:273], states.joints.reshape(12, 66))
    _close(MotionState.unpack(vector), states, atol=0)


def test_canonical_frame_faces_y_at_the_origin_and_keeps_height() -> None:
    states = random_states()
    canonical = canonical_frame(states).apply(states)
    right = -canonical.root_orient[:, :, 0].numpy()
    np.testing.assert_allclose(right[:, 1], 0, atol=1e-12)
    assert (right[:, 0] > 0).all()
    np.testing.assert_allclose(canonical.trans[:, :2], 0, atol=1e-12)
    np.testing.assert_array_equal(canonical.trans[:, 2], states.trans[:, 2])


def test_canonicalisation_round_trips() -> None:
    states = random_states()
    frame = canonical_frame(states, pelvis_offset(states[0]))
    _close(frame.invert(frame.apply(states)), states)


def test_canonicalisation_is_idempotent() -> None:
    states = random_states()
    offset = pelvis_offset(states[0])
    once = canonical_frame(states, offset).apply(states)
    _close(canonical_frame(once, offset).apply(once), once)


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5, np.pi])
def test_canonical_states_do_not_depend_on_heading_or_place(angle: float) -> None:
    states = random_states()
    elsewhere = moved(states, *heading_change(angle, (3.0, -2.0)))
    offset = pelvis_offset(states[0])
    _close(
        canonical_frame(elsewhere, offset).apply(elsewhere),
        canonical_frame(states, offset).apply(states),
        atol=1e-9,
    )


def test_pelvis_offset_is_minus_the_horizontal_rest_pelvis() -> None:
    offset = pelvis_offset(random_states())
    np.testing.assert_allclose(offset, np.tile([*-PELVIS_REST[:2], 0.0], (12, 1)), atol=1e-12)


def test_velocities_of_a_uniform_motion_are_exact() -> None:
    n, rate = 9, 30.0
    time = np.arange(n) / rate
    velocity, spin = np.array([1.0, -0.5, 0.2]), 1.5
    transl = time[:, None] * velocity
    c, s, zero, one = np.cos(spin * time), np.sin(spin * time), np.zeros(n), np.ones(n)
    root = np.stack([c, -s, zero, s, c, zero, zero, zero, one], -1).reshape(n, 3, 3)
    joints = transl[:, None] + np.zeros((1, 22, 3))
    states = states_of_motion(transl, root, np.tile(np.eye(3), (n, 21, 1, 1)), joints, rate)
    np.testing.assert_allclose(states.trans_vel, np.tile(velocity, (n, 1)), atol=1e-12)
    np.testing.assert_allclose(states.joints_vel, np.tile(velocity, (n, 22, 1)), atol=1e-12)
    # Central differences of a rotation see sin(h w) / h instead of w.
    expected = np.sin(spin / rate) * rate
    np.testing.assert_allclose(states.root_orient_vel[1:-1, 2], expected, atol=1e-12)
    assert torch.all(states.root_orient_vel[:, :2].abs() < 1e-12)


def test_sampling_keeps_rows_halves_steps_and_goes_on() -> None:
    states = random_states()
    _close(sampled(states, np.arange(12.0)), states)
    between = sampled(states, np.array([2.5, 12.0]))
    np.testing.assert_allclose(between.trans[0], 0.5 * (states.trans[2] + states.trans[3]))
    half = states.root_orient[2].T @ between.root_orient[0]
    np.testing.assert_allclose(
        half @ half, states.root_orient[2].T @ states.root_orient[3], atol=1e-9
    )
    np.testing.assert_allclose(between.joints[1], 2 * states.joints[11] - states.joints[10])
    np.testing.assert_allclose(between.joints_vel[1], states.joints_vel[11])
