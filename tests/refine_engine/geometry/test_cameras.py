from __future__ import annotations

import numpy as np

from refine_engine.geometry.cameras import (
    camera_centers,
    project,
    scaled_intrinsics,
    to_camera,
    to_world,
    unproject,
)
from refine_engine.geometry.rotations import matrix_from_axis_angle

K = np.array([[800.0, 0, 320], [0, 820, 240], [0, 0, 1]])


def _cameras(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return matrix_from_axis_angle(rng.normal(size=(n, 3))), rng.normal(size=(n, 3))


def test_to_world_undoes_to_camera() -> None:
    R, t = _cameras(4)
    points = np.random.default_rng(1).normal(size=(4, 24, 3))
    np.testing.assert_allclose(to_world(to_camera(points, R, t), R, t), points, atol=1e-12)


def test_the_camera_centre_lies_at_the_camera_frames_origin() -> None:
    R, t = _cameras(4)
    np.testing.assert_allclose(to_camera(camera_centers(R, t), R, t), 0, atol=1e-12)


def test_unprojecting_a_projection_returns_the_point() -> None:
    points = np.array([[0.3, -0.2, 4.0], [1.0, 1.0, 2.5]])
    pixels, in_front = project(points[None], K)
    assert in_front.all()
    np.testing.assert_allclose(unproject(pixels[0], points[:, 2], K), points, atol=1e-12)


def test_points_behind_the_camera_are_flagged_and_never_nan() -> None:
    pixels, in_front = project(np.array([[[0.0, 0, -1], [0, 0, 0], [0, 0, 1]]]), K)
    assert in_front.tolist() == [[False, False, True]]
    assert np.isfinite(pixels).all()


def test_scaled_intrinsics_scale_pixels() -> None:
    point = np.array([[[0.5, 0.25, 2.0]]])
    full, _ = project(point, K)
    half, _ = project(point, scaled_intrinsics(K, (480, 640), (240, 160)))
    np.testing.assert_allclose(half, full * [0.25, 0.5], atol=1e-12)
