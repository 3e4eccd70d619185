from __future__ import annotations

import numpy as np
import pytest

from refine_engine.evaluation.pose_metrics import (
    acceleration_error,
    consecutive,
    mpjpe,
    pa_mpjpe,
    pve,
)
from refine_engine.geometry.rotations import matrix_from_axis_angle


@pytest.fixture
def joints() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(6, 24, 3))


def test_mpjpe_moves_only_the_pelvis(joints: np.ndarray) -> None:
    np.testing.assert_allclose(mpjpe(joints + [1.0, -2.0, 0.5], joints), 0.0, atol=1e-9)
    turned = joints @ matrix_from_axis_angle(np.array([0.0, 0.1, 0.0])).T
    assert (mpjpe(turned, joints) > 10.0).all()


def test_mpjpe_of_one_displaced_joint(joints: np.ndarray) -> None:
    moved = joints.copy()
    moved[:, 20, 1] += 0.024
    np.testing.assert_allclose(mpjpe(moved, joints), 1.0)


def test_mpjpe_of_a_displaced_hip_moves_everything(joints: np.ndarray) -> None:
    # The pelvis is the mean of the hips: half the error goes to every other joint.
    moved = joints.copy()
    moved[:, 1, 0] += 0.01
    np.testing.assert_allclose(mpjpe(moved, joints), (5.0 + 23 * 5.0) / 24)


def test_pa_mpjpe_ignores_a_similarity_but_not_a_mirror(joints: np.ndarray) -> None:
    R = matrix_from_axis_angle(np.array([0.4, -1.0, 2.0]))
    np.testing.assert_allclose(pa_mpjpe(0.7 * joints @ R.T + 3.0, joints), 0.0, atol=1e-9)
    assert (pa_mpjpe(joints * [-1.0, 1.0, 1.0], joints) > 100.0).all()


def test_pve(joints: np.ndarray) -> None:
    vertices = np.random.default_rng(2).normal(size=(6, 50, 3))
    moved = vertices.copy()
    moved[:, 0, 2] += 0.05
    np.testing.assert_allclose(pve(moved + 1.0, vertices, joints + 1.0, joints), 1.0)


def test_acceleration_error_of_a_parabola(joints: np.ndarray) -> None:
    t = np.arange(6.0)
    moved = joints.copy()
    moved[:, 3:] += 0.001 * t[:, None, None] ** 2 * np.array([1.0, 0.0, 0.0])
    moved[:, 0] += 0.001 * t[:, None] ** 2 * np.array([1.0, 0.0, 0.0])
    # Second difference 2 mm a frame^2 on 22 of 24 joints.
    expected = 0.002 * 22 / 24 * 30.0**2
    got = acceleration_error(moved, joints, np.arange(6), 30.0)
    np.testing.assert_allclose(got, expected)
    assert got.shape == (4,)


def test_constant_velocity_has_no_acceleration_error(joints: np.ndarray) -> None:
    moved = joints.copy()
    moved[:, 4] += 0.01 * np.arange(6.0)[:, None]
    got = acceleration_error(moved, joints, np.arange(6), 30.0)
    np.testing.assert_allclose(got, 0.0, atol=1e-9)


def test_differences_do_not_cross_gaps(joints: np.ndarray) -> None:
    frames = np.array([0, 1, 2, 7, 8, 9])
    assert consecutive(frames, 2).tolist() == [True, False, False, True]
    assert len(acceleration_error(joints, joints, frames, 30.0)) == 2
    assert len(acceleration_error(joints[:1], joints[:1], frames[:1], 30.0)) == 0
