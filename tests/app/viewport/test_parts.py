"""Numbers behind the pictures."""

from __future__ import annotations

import numpy as np
import pytest
from made_up import make_scene, make_state

from app.viewport.colouring import colour_at, nice_end
from app.viewport.depth_cloud import depth_span, read_cloud, trusted
from app.viewport.overlay import bar_length
from app.viewport.posed import CACHED_MESHES, MeshNormals, PosedBodies
from refine_engine.body import BodyModel, skin_mesh


def test_normals_are_area_weighted_unit_vectors(body: BodyModel) -> None:
    vertices = body.v_template.astype(np.float32)
    found = MeshNormals(body.faces, len(vertices))(vertices)
    a, b, c = (body.v_template[body.faces[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    expected = np.zeros_like(body.v_template)
    for k in range(3):
        np.add.at(expected, body.faces[:, k], face)
    expected /= np.maximum(np.linalg.norm(expected, axis=-1, keepdims=True), 1e-20)
    assert found == pytest.approx(expected, abs=2e-3)


def test_normals_of_a_vertex_without_faces_are_zero() -> None:
    faces = np.array([[0, 1, 2]], dtype=np.int32)
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], dtype=np.float32)
    found = MeshNormals(faces, 4)(vertices)
    assert found[:3] == pytest.approx(np.tile([0, 0, 1], (3, 1)))
    assert not found[3].any()


def test_meshes_are_those_of_the_engine_and_the_cache_stays_small(body: BodyModel) -> None:
    state = make_state()
    bodies = PosedBodies(body, MeshNormals(body.faces, len(body.v_template)))
    bodies.set_state(state)
    person = state.people[4]
    mesh = bodies.mesh(4, 3)
    assert mesh is not None
    expected = skin_mesh(
        body, person.betas, person.R_world_root[1], person.body_pose[1], person.transl_world[1]
    )
    assert mesh[0] == pytest.approx(expected, abs=1e-6)
    assert bodies.mesh(4, 3) is mesh
    assert bodies.mesh(4, 1) is None
    assert bodies.mesh(9, 3) is None
    assert len(bodies._meshes) <= CACHED_MESHES
    bodies.set_state(make_state(0.1))
    assert bodies.mesh(4, 3) is not mesh


def test_least_trusted_points_are_left_out() -> None:
    cloud = read_cloud(make_scene(), 0, 10**6)
    assert cloud is not None
    assert cloud.trust is not None
    for quantile in (0.0, 0.25, 0.9):
        kept = trusted(cloud, quantile)
        assert len(kept) == pytest.approx((1 - quantile) * len(cloud.base), rel=0.02)
        left_out = np.setdiff1d(np.arange(len(cloud.base)), kept)
        if len(left_out):
            assert cloud.trust[left_out].max() <= cloud.trust[kept].min()


def test_thinning_bounds_the_number_of_points() -> None:
    cloud = read_cloud(make_scene(), 0, 2000)
    assert cloud is not None
    assert 500 < len(cloud.base) <= 2400


def test_the_span_of_depth_ignores_what_is_unknown() -> None:
    depth = np.array([0.0, np.nan, 2.0, 4.0], dtype=np.float32)
    near, far = depth_span(depth)
    assert 2.0 <= near < far <= 4.0
    assert depth_span(np.zeros(3, dtype=np.float32)) == (0.0, 1.0)


@pytest.mark.parametrize(("per_pixel", "metres"), [(0.01, 1.0), (0.004, 0.5), (0.1, 10.0)])
def test_the_scale_bar_is_the_longest_round_length_that_fits(
    per_pixel: float, metres: float
) -> None:
    assert bar_length(per_pixel) == metres


def test_the_colour_scale_ends_at_a_round_number_and_grows_lighter() -> None:
    assert [nice_end(value) for value in (0.1, 1.5, 10.0, 10.1, 33.0)] == [0.5, 2, 10, 10, 50]
    lightness = [
        float(np.dot(colour_at(s), [0.2126, 0.7152, 0.0722])) for s in np.linspace(0, 1, 9)
    ]
    assert (np.diff(lightness) > 0).all()
