from __future__ import annotations

import numpy as np
import pytest

from refine_engine.body import ShapedBody, shaped_body, skin_mesh, skin_subset
from refine_engine.body.joints import LANDMARK_VERTICES


def test_mesh_equals_smplx_in_float64(body, motion, smplx_reference):
    vertices, _ = smplx_reference(body, motion)
    mesh = skin_mesh(body, *motion, dtype=np.float64)
    np.testing.assert_allclose(mesh, vertices, atol=1e-6, rtol=0)


def test_float32_mesh_is_good_enough_for_drawing(body, motion, smplx_reference):
    vertices, _ = smplx_reference(body, motion)
    mesh = skin_mesh(body, *motion)
    assert mesh.dtype == np.float32
    np.testing.assert_allclose(mesh, vertices, atol=5e-6, rtol=0)


def test_subset_equals_smplx(body, motion, smplx_reference):
    vertices, _ = smplx_reference(body, motion)
    ids = [*LANDMARK_VERTICES.values(), *range(0, 6890, 97)]
    subset = skin_subset(body, ids, *motion)
    np.testing.assert_allclose(subset, vertices[:, ids], atol=1e-6, rtol=0)


def test_subset_takes_betas_per_frame(body, motion, smplx_reference):
    ids = [332, 3387]
    rng = np.random.default_rng(3)
    betas = rng.normal(size=(len(motion.transl), 10))
    subset = skin_subset(body, ids, betas, *motion[1:])
    for t in range(len(betas)):
        one = motion._replace(betas=betas[t])
        vertices, _ = smplx_reference(body, one)
        np.testing.assert_allclose(subset[t], vertices[t, ids], atol=1e-6, rtol=0)


def test_single_frame_and_missing_translation(body, motion):
    mesh = skin_mesh(body, *motion, dtype=np.float64)
    one = skin_mesh(
        body,
        motion.betas,
        motion.global_orient[2],
        motion.body_pose[2],
        motion.transl[2],
        dtype=np.float64,
    )
    assert one.shape == (6890, 3)
    np.testing.assert_allclose(one, mesh[2], atol=1e-9)
    # Skinning weights of the file sum to 1 within 1.2e-7, hence not exactly the translation.
    at_origin = skin_mesh(
        body, motion.betas, motion.global_orient[2], motion.body_pose[2], dtype=np.float64
    )
    np.testing.assert_allclose(one - at_origin, np.tile(motion.transl[2], (6890, 1)), atol=1e-6)


def test_shaped_body_is_kept_for_the_same_betas_only(plain_body, motion):
    first = shaped_body(plain_body, motion.betas)
    assert shaped_body(plain_body, motion.betas.copy()) is first
    other = shaped_body(plain_body, motion.betas + 0.1)
    assert other is not first
    assert np.abs(other.vertices_rest - first.vertices_rest).max() > 1e-3
    assert shaped_body(plain_body, motion.betas, np.float64) is not first


def test_part_of_a_surface_equals_those_rows_of_the_whole(body, motion):
    ids = np.arange(5, 6890, 13)
    whole = shaped_body(body, motion.betas, np.float64)
    part = shaped_body(body, motion.betas, np.float64, ids)
    assert part is not whole
    assert part is shaped_body(body, motion.betas, np.float64, ids.copy())
    pose = (motion.global_orient, motion.body_pose, motion.transl)
    np.testing.assert_allclose(part.vertices(*pose), whole.vertices(*pose)[:, ids], atol=1e-12)


def test_too_many_betas_are_refused(plain_body):
    with pytest.raises(ValueError, match="11 betas"):
        ShapedBody(plain_body, np.zeros(11))
