"""Numbers behind the pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up import ONLY_MESH, make_scene, make_state
from vtkmodules.vtkRenderingCore import vtkRenderer

from app.theme import DARK
from app.viewport import posed
from app.viewport.colouring import colour_at, nice_end
from app.viewport.depth_cloud import depth_span, read_cloud, trusted
from app.viewport.drawing import Drawing
from app.viewport.overlay import bar_length
from app.viewport.posed import PosedBodies
from app.viewport.skin import SkinnedNormals, coarse_skin, surface_normals
from refine_engine.body import BodyModel, joint_kinematics, rest_joints, skin_mesh
from refine_engine.geometry.rotations import exp_so3
from refine_engine.refinement.maps_in_memory import DepthArrays, MaskArrays


def test_normals_of_a_surface_are_area_weighted_unit_vectors() -> None:
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 2], [5, 5, 5]], dtype=np.float64)
    found = surface_normals(vertices, faces)
    assert found[1] == pytest.approx([0, 0, 1])
    assert found[3] == pytest.approx([1, 0, 0])
    assert found[0] == pytest.approx(np.array([2, 0, 1]) / np.sqrt(5))
    assert not found[4].any()


def test_skinned_normals_are_close_to_those_of_the_posed_surface(body: BodyModel) -> None:
    pose = exp_so3(np.random.default_rng(0).normal(scale=0.25, size=(23, 3)))
    root = exp_so3(np.array([0.4, 1.2, -0.3]))
    betas = np.array([1.5, -1.0, 0.5, 0, 0, 0, 0, 0, 0, 0])
    motion = joint_kinematics(rest_joints(body, betas), root, pose)
    found = SkinnedNormals(body)(motion)
    found = found / np.linalg.norm(found, axis=-1, keepdims=True)
    expected = surface_normals(
        skin_mesh(body, betas, root, pose, dtype=np.float64).astype(np.float64), body.faces
    )
    angle = np.degrees(np.arccos(np.clip((found * expected).sum(-1), -1, 1)))
    assert np.median(angle) < 5.0
    assert np.percentile(angle, 95) < 25.0


def test_meshes_are_those_of_the_engine_and_the_cache_stays_small(
    body: BodyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = make_state()
    bodies = PosedBodies(body)
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
    monkeypatch.setattr(posed, "CACHED_BYTES", 3 * (mesh[0].nbytes + mesh[1].nbytes))
    frames = [frame for frame in range(10) if bodies.mesh(1, frame) is not None]
    assert len(frames) > 3
    assert len(bodies._meshes) == 3
    bodies.set_state(make_state(0.1))
    assert bodies.mesh(4, 3) is not mesh


def test_coarse_surface_is_part_of_the_body_and_closed(body: BodyModel) -> None:
    skin = coarse_skin(body)
    assert skin.vertex_ids is not None
    assert len(skin.vertex_ids) < 0.27 * len(body.v_template)
    assert skin.faces.max() == len(skin.vertex_ids) - 1
    edges = np.sort(np.concatenate([skin.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]))
    edges = np.sort(edges, axis=1)
    _, sides = np.unique(edges, axis=0, return_counts=True)
    assert (sides == 2).mean() > 0.99
    bodies = PosedBodies(body, skin)
    bodies.set_state(make_state())
    whole, coarse = bodies.mesh(4, 3), bodies.mesh(4, 3, coarse=True)
    assert whole is not None
    assert coarse is not None
    assert coarse[0] == pytest.approx(whole[0][skin.vertex_ids], abs=1e-6)
    assert coarse[1] == pytest.approx(whole[1][skin.vertex_ids], abs=1e-6)


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


def test_depth_of_blacked_out_people_is_not_drawn() -> None:
    scene = make_scene()
    inside = np.zeros((6, 240, 320), dtype=bool)
    inside[:, :, :160] = True
    maps = np.full((6, 120, 160), 3.0, dtype=np.float32)
    masked = replace(
        scene,
        depth=DepthArrays(maps, people_masked_out=True),
        masks=MaskArrays(dynamic=inside),
    )
    cloud = read_cloud(masked, 0, 10**6)
    assert cloud is not None
    assert len(cloud.base) == 120 * 80
    assert cloud.columns.min() == 80


@pytest.mark.parametrize("shares_unit", [True, False])
@pytest.mark.parametrize("chunk_scale", [0.0, 0.2])
def test_the_cloud_stands_where_alpha_and_its_chunk_put_it(
    body: BodyModel, shares_unit: bool, chunk_scale: float
) -> None:
    scene = make_scene()
    maps = np.full((6, 120, 160), 3.0, dtype=np.float32)
    t = np.tile([0.0, 0.0, 1.0], (6, 1))
    chunk = np.array([0, 0, 0, 1, 1, 1])
    scene = replace(
        scene,
        cameras=replace(scene.cameras, t_cam_world=t, chunk=chunk),
        depth=DepthArrays(maps, shares_camera_unit=shares_unit),
    )
    drawing = Drawing(vtkRenderer(), DARK)
    drawing.set_scene(scene, body, None)
    drawing.set_options(replace(ONLY_MESH, depth=True, depth_confidence=0.0))
    state = make_state()
    drawing.set_state(
        replace(state, alpha_0=1.5, scale_delta=0.0, chunk_log_scale=np.array([0.0, chunk_scale]))
    )
    for frame, bias in ((0, 0.0), (4, chunk_scale)):
        drawing.set_frame(frame)
        drawing.refresh()
        near, far = drawing.evidence.cloud.actor.GetBounds()[4:]
        # The camera looks along -Z and stands alpha x 1 m along +Z.
        ahead = 3.0 * (1.5 if shares_unit else 1.0) * np.exp(bias)
        assert near == pytest.approx(1.5 - ahead, abs=1e-4)
        assert far == pytest.approx(near, abs=1e-4)


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
