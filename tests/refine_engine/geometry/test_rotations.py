from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.geometry.rotations import (
    axis_angle_from_matrix,
    exp_so3,
    geodesic_angle,
    interpolate_rotations,
    log_so3,
    matrix_from_axis_angle,
    nearest_rotation,
    rotation_between,
    skew,
)


@pytest.fixture
def axis_angles() -> np.ndarray:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 3))
    lengths = np.concatenate([[0.0, 1e-9, 1e-7, 1e-5, np.pi - 1e-6], rng.uniform(0, 3.1, 45)])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * lengths[:, None]


def test_axis_angle_round_trip_keeps_shape_and_values(axis_angles: np.ndarray) -> None:
    stacked = axis_angles.reshape(5, 10, 3)
    back = axis_angle_from_matrix(matrix_from_axis_angle(stacked))
    np.testing.assert_allclose(back, stacked, atol=1e-7)


def test_exp_agrees_with_the_library_conversion(axis_angles: np.ndarray) -> None:
    np.testing.assert_allclose(
        exp_so3(axis_angles), matrix_from_axis_angle(axis_angles), atol=1e-12
    )


@pytest.mark.parametrize("longest", [0.0, 1e-12, 1e-6, 0.5, 3.1, np.pi])
def test_maps_agree_with_scipy(longest: float) -> None:
    rng = np.random.default_rng(3)
    axes = rng.normal(size=(3000, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    vectors = axes * (longest - 0.01 * longest * rng.uniform(size=(3000, 1)))
    turned = Rotation.from_rotvec(vectors).as_matrix()
    np.testing.assert_allclose(exp_so3(vectors), turned, atol=1e-15)
    found = log_so3(turned.reshape(30, 100, 3, 3)).reshape(-1, 3)
    np.testing.assert_allclose(found, Rotation.from_matrix(turned).as_rotvec(), atol=1e-14)
    np.testing.assert_allclose(exp_so3(found), turned, atol=1e-14)


def test_half_turns_and_nothing_have_logarithms() -> None:
    for k in range(3):
        half = -np.eye(3)
        half[k, k] = 1.0
        np.testing.assert_allclose(np.abs(log_so3(half)), np.pi * np.eye(3)[k], atol=1e-15)
    assert log_so3(np.zeros((0, 3, 3))).shape == (0, 3)
    np.testing.assert_array_equal(log_so3(np.eye(3)), np.zeros(3))


def test_files_matrices_are_made_orthogonal_and_mirrors_are_refused(
    axis_angles: np.ndarray,
) -> None:
    rough = exp_so3(axis_angles[5:]) * 1.001
    np.testing.assert_allclose(axis_angle_from_matrix(rough), axis_angles[5:], atol=1e-9)
    with pytest.raises(ValueError, match="determinant"):
        axis_angle_from_matrix(np.stack([np.eye(3), np.diag([1.0, 1.0, -1.0])]))


def test_exp_derivative_at_zero_is_the_cross_product() -> None:
    h = 1e-6
    numeric = (exp_so3(h * np.eye(3)) - exp_so3(-h * np.eye(3))) / (2 * h)
    np.testing.assert_allclose(numeric, skew(np.eye(3)), atol=1e-10)


def test_geodesic_angle_is_exact_near_zero_and_pi() -> None:
    for angle in (0.0, 1e-9, 0.3, np.pi - 1e-9, np.pi):
        turned = matrix_from_axis_angle(np.array([0.0, angle, 0.0]))
        assert geodesic_angle(np.eye(3), turned) == pytest.approx(angle, abs=1e-12)


def test_interpolation_divides_the_angle_evenly() -> None:
    a = matrix_from_axis_angle(np.array([[0.1, 0.2, 0.3], [1.0, 0, 0]]))
    b = matrix_from_axis_angle(np.array([[0.4, -0.2, 0.9], [0, 1.0, 0]]))
    between = interpolate_rotations(a, b, np.linspace(0, 1, 5))
    np.testing.assert_allclose(between[0], a, atol=1e-12)
    np.testing.assert_allclose(between[-1], b, atol=1e-12)
    steps = geodesic_angle(between[:-1], between[1:])
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=1e-9)


def test_nearest_rotation_repairs_noise_and_reflections() -> None:
    truth = matrix_from_axis_angle(np.array([0.3, -0.5, 0.2]))
    noisy = truth + 1e-3 * np.random.default_rng(1).normal(size=(3, 3))
    repaired = nearest_rotation(np.stack([noisy, truth @ np.diag([1, 1, -1.0])]))
    np.testing.assert_allclose(np.linalg.det(repaired), 1.0, atol=1e-12)
    assert geodesic_angle(repaired[0], truth) < 3e-3


@pytest.mark.parametrize("target", [[0, 1.0, 0], [0, -1.0, 0], [1.0, 2, 3]])
def test_rotation_between_takes_one_direction_to_the_other(target: list[float]) -> None:
    R = rotation_between(np.array([0, 1.0, 0]), np.array(target))
    np.testing.assert_allclose(
        R @ [0, 1.0, 0], np.array(target) / np.linalg.norm(target), atol=1e-12
    )
    np.testing.assert_allclose(log_so3(R @ R.T), 0, atol=1e-9)
