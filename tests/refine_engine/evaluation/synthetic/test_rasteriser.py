from __future__ import annotations

import numpy as np

from refine_engine.evaluation.synthetic.rasteriser import rasterise

K = np.array([[100.0, 0.0, 40.0], [0.0, 100.0, 30.0], [0.0, 0.0, 1.0]])
SIZE = (60, 80)


def plane_depth(normal: np.ndarray, offset: float) -> np.ndarray:
    """Depth at pixel centres of the plane normal . x = offset."""
    column, row = np.meshgrid(np.arange(80) + 0.5, np.arange(60) + 0.5)
    rays = np.stack([(column - 40) / 100, (row - 30) / 100, np.ones_like(column)], -1)
    return offset / (rays @ normal)


def test_depth_of_a_slanted_plane_is_exact() -> None:
    normal, offset = np.array([0.3, 0.2, 1.0]), 4.0
    xy = np.array([[-9.0, -9.0], [9.0, -9.0], [9.0, 9.0], [-9.0, 9.0]])
    z = (offset - xy @ normal[:2]) / normal[2]
    corners = np.concatenate([xy, z[:, None]], 1)
    raster = rasterise(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.array([5, 5]), K, SIZE)
    assert (raster.label == 5).all()
    np.testing.assert_allclose(raster.depth, plane_depth(normal, offset), rtol=1e-6)


def test_what_reaches_behind_the_camera_is_cut() -> None:
    # A floor 1 m below the camera, from behind it to far away.
    corners = np.array([[-50.0, 1, -5], [50, 1, -5], [50, 1, 100], [-50, 1, 100]])
    raster = rasterise(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.array([1, 1]), K, SIZE)
    expected = plane_depth(np.array([0.0, 1.0, 0.0]), 1.0)
    below = (expected > 0) & (expected < 100)
    assert (raster.label[below] == 1).all()
    assert (raster.label[:30] == 0).all()
    assert np.isinf(raster.depth[:30]).all()
    np.testing.assert_allclose(raster.depth[below], expected[below], rtol=1e-5)


def test_the_nearer_triangle_wins_in_any_order() -> None:
    far = np.array([[-9.0, -9, 6], [9, -9, 6], [0, 18, 6]])
    near = np.array([[-1.0, -1, 3], [1, -1, 3], [0, 2, 3]])
    for order in ((far, near), (near, far)):
        faces = np.arange(6).reshape(2, 3)
        labels = np.array([2, 3]) if order[0] is far else np.array([3, 2])
        raster = rasterise(np.concatenate(order), faces, labels, K, SIZE)
        assert raster.label[30, 40] == 3
        assert raster.depth[30, 40] == 3.0
        assert raster.label[5, 5] == 2


def test_closed_surfaces_show_their_outside_only() -> None:
    # Counter-clockwise seen from the camera, where x is right and y is down: visible.
    facing = np.array([[0.0, -1, 4], [-1, 1, 4], [1, 1, 4]])
    for corners, seen in ((facing, True), (facing[::-1], False)):
        raster = rasterise(corners, np.array([[0, 1, 2]]), np.array([7]), K, SIZE, one_sided=1)
        assert bool((raster.label == 7).any()) is seen
        both = rasterise(corners, np.array([[0, 1, 2]]), np.array([7]), K, SIZE)
        assert (both.label == 7).any()
