from __future__ import annotations

import numpy as np
import pytest

from refine_engine.geometry import planes
from refine_engine.geometry.rotations import matrix_from_axis_angle


def test_heights_are_signed_distances() -> None:
    plane = planes.normalized(np.array([0, 2.0, 0, -1.0]))
    np.testing.assert_allclose(
        planes.heights(np.array([[5, 2.0, 1], [0, 0.0, 0]]), plane), [1.5, -0.5]
    )


def test_normalized_agrees_with_up() -> None:
    plane = planes.normalized(np.array([0, -1.0, 0, 0.5]), up=np.array([0, 1.0, 0]))
    np.testing.assert_allclose(plane, [0, 1, 0, -0.5])


def test_retraction_keeps_the_normal_unit_and_moves_the_offset() -> None:
    plane = planes.normalized(np.array([0.1, 1.0, -0.2, 0.3]))
    moved = planes.updated(plane, np.array([0.02, -0.01, 0.05]))
    assert np.linalg.norm(moved[:3]) == pytest.approx(1)
    assert moved[3] == pytest.approx(plane[3] + 0.05)
    assert planes.angle_between(plane, moved) == pytest.approx(np.hypot(0.02, 0.01), rel=1e-3)


def test_moving_points_and_plane_keeps_heights() -> None:
    rng = np.random.default_rng(0)
    plane, points = planes.normalized(rng.normal(size=4)), rng.normal(size=(10, 3))
    R, t = matrix_from_axis_angle(rng.normal(size=3)), rng.normal(size=3)
    np.testing.assert_allclose(
        planes.heights(points @ R.T + t, planes.moved(plane, R, t)),
        planes.heights(points, plane),
        atol=1e-12,
    )
