from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from refine_engine.config import RefinementConfig
from refine_engine.refinement.initialisation import initialise
from refine_engine.refinement.initialisation.contacts import SMOOTHING_S, detect_contacts, smoothed
from refine_engine.refinement.initialisation.depth_cue import LogScale
from refine_engine.refinement.initialisation.gaps import fill_gaps
from refine_engine.refinement.initialisation.gravity import (
    estimate_up,
)
from refine_engine.refinement.initialisation.ground import initial_ground
from refine_engine.refinement.initialisation.scale import BODY_SIGMA, DEPTH_SIGMA, combined
from refine_engine.refinement.maps_in_memory import DepthArrays

SceneMaker = Callable[..., Any]
UP = np.array([0.0, 1.0, 0.0])


def test_motion_cue_finds_the_unit_of_a_moving_camera(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(alpha=2.0)
    start = initialise(scene, body, RefinementConfig())
    assert start.state.alpha_0 == pytest.approx(2.0, rel=0.005)
    cues = {c.name: c.alpha for c in start.scale.cues}
    assert cues["motion"] == pytest.approx(2.0, rel=0.005)
    assert cues["depth"] is None


def test_a_static_camera_gives_no_motion_cue(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(alpha=2.0, travel=0.0)
    still = replace(scene.cameras, t_cam_world=np.tile(scene.cameras.t_cam_world[:1], (60, 1)))
    still = replace(still, R_cam_world=np.tile(still.R_cam_world[:1], (60, 1, 1)))
    start = initialise(replace(scene, cameras=still), body, RefinementConfig())
    assert start.scale.static_camera
    assert {c.name: c.alpha for c in start.scale.cues}["motion"] is None
    assert start.state.alpha_0 == 1.0
    assert "nothing measures" in start.scale.note


def test_metric_input_is_not_rescaled(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(alpha=2.0)
    trusted = replace(scene, cameras=replace(scene.cameras, metric=True))
    start = initialise(trusted, body, RefinementConfig())
    assert start.state.alpha_0 == 1.0
    # What the cues know is known all the same: it bounds how unsure a refined alpha can be.
    assert start.scale.sigma is None
    assert start.scale.cues_log_sigma is not None
    assert 0.0 < start.scale.cues_log_sigma < 0.1
    config = RefinementConfig(alpha_init="metric")
    assert initialise(scene, body, config).state.alpha_0 == 1.0


def test_depth_cue_compares_the_visible_skin(standing_scene: SceneMaker) -> None:
    alpha = 2.5
    scene, body = standing_scene(alpha=alpha, people=1, frames=20)
    maps = _depth_of_body(scene, body) / alpha
    start = initialise(replace(scene, depth=DepthArrays(maps)), body, RefinementConfig())
    depth = {c.name: c.alpha for c in start.scale.cues}["depth"]
    assert depth == pytest.approx(alpha, rel=0.01)


def test_depth_of_another_unit_is_no_cue(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(alpha=2.5, people=1, frames=20)
    maps = _depth_of_body(scene, body)
    metric = replace(scene, depth=DepthArrays(maps, shares_camera_unit=False))
    cues = initialise(metric, body, RefinementConfig()).scale.cues
    assert {c.name: c.alpha for c in cues}["depth"] is None


def test_gaps_are_filled_and_marked(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(people=1)
    p = scene.people[1]
    keep = np.r_[0:20, 30:60]
    sparse = replace(p.taken(keep), keypoints=None)
    start = initialise(replace(scene, people={1: sparse}), body, RefinementConfig())
    state = start.state.people[1]
    np.testing.assert_array_equal(state.frames, np.arange(60))
    np.testing.assert_array_equal(np.flatnonzero(~state.observed), np.arange(20, 30))
    assert (state.contacts[20:30] == 0).all()
    # The person stands still, so the straight line is the truth.
    np.testing.assert_allclose(
        state.transl_world[20:30], np.tile(state.transl_world[19], (10, 1)), atol=0.02
    )


def test_rotations_in_a_gap_follow_the_geodesic() -> None:
    a, b = np.eye(3), Rotation.from_rotvec([0, 1.2, 0]).as_matrix()
    filled = fill_gaps(
        np.array([3, 7]),
        np.stack([a, b]),
        np.tile(np.eye(3), (2, 23, 1, 1)),
        np.array([[0.0, 0, 0], [4.0, 0, 0]]),
        np.array([True, True]),
    )
    np.testing.assert_allclose(
        Rotation.from_matrix(filled.R_world_root).as_rotvec()[:, 1], [0, 0.3, 0.6, 0.9, 1.2]
    )
    np.testing.assert_allclose(filled.transl_world[:, 0], [0, 1, 2, 3, 4])


def test_ghost_rows_are_gaps() -> None:
    R = np.tile(np.eye(3), (4, 1, 1))
    filled = fill_gaps(
        np.arange(4),
        R,
        np.tile(np.eye(3), (4, 23, 1, 1)),
        np.array([[0.0, 0, 0], [9.0, 0, 0], [2.0, 0, 0], [9.0, 0, 0]]),
        np.array([True, False, True, False]),
    )
    np.testing.assert_array_equal(filled.frames, [0, 1, 2])
    assert filled.transl_world[1, 0] == pytest.approx(1.0)


def test_ground_and_contacts_of_people_who_stand(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene()
    state = initialise(scene, body, RefinementConfig()).state
    assert np.degrees(np.arccos(state.ground_plane[1])) < 0.5
    assert abs(state.ground_plane[3]) < 0.01
    assert state.people[1].contacts.min() > 0.8


@pytest.mark.parametrize("tilt", [0.0, 8.0])
def test_ransac_finds_a_tilted_ground_and_ignores_other_feet(tilt: float) -> None:
    rng = np.random.default_rng(0)
    R = Rotation.from_euler("x", tilt, degrees=True).as_matrix()
    flat = np.stack([rng.uniform(-3, 3, 400), 0 * np.ones(400), rng.uniform(-3, 3, 400)], -1)
    points = flat @ R.T + rng.normal(0, 0.01, (400, 3)) + [0, -0.3, 0]
    points[:60, 1] += 0.2
    feet = points.reshape(100, 4, 3)
    plane, note = initial_ground([feet], [np.zeros((100, 4))], UP, "ransac")
    assert np.degrees(np.arccos(np.clip(plane[:3] @ (R @ UP), -1, 1))) < 0.7
    assert abs(plane @ [0, -0.3, 0, 1]) < 0.02
    assert "RANSAC" in note


def test_feet_on_a_line_fix_no_tilt() -> None:
    x = np.linspace(-3, 3, 400)
    feet = np.stack([x, 0.1 * x, 0 * x], -1).reshape(100, 4, 3)
    plane, note = initial_ground([feet], [np.zeros((100, 4))], UP, "ransac")
    np.testing.assert_allclose(plane[:3], UP)
    assert "line" in note


def test_a_fixed_ground_is_taken_as_given(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene()
    config = RefinementConfig(ground_plane_init="fixed", ground_plane_offset=-0.25)
    np.testing.assert_allclose(initialise(scene, body, config).state.ground_plane, [0, 1, 0, -0.25])


def test_contacts_have_hysteresis() -> None:
    n, fps = 120, 30.0
    feet = np.zeros((n, 4, 3))
    feet[60:, :, 0] = np.arange(60)[:, None] * 0.1  # 3 m/s
    feet[:, 1, 1] = 0.085  # inside "stay", never inside "enter"
    plane = np.array([0.0, 1, 0, 0])
    contacts = detect_contacts(feet, plane, fps, np.ones(n, dtype=bool))
    assert (contacts[5:50, 0] > 0.8).all()
    assert (contacts[70:, 0] == 0).all()
    assert (contacts[:, 1] == 0).all()


def test_errors_that_cues_share_do_not_average_out() -> None:
    depth = {name: LogScale(0.1, 0.05) for name in ("depth", "body size", "contact")}
    value, through_depth = combined(depth, people=1)
    assert value == pytest.approx(0.1)
    assert through_depth > np.hypot(BODY_SIGMA, DEPTH_SIGMA)
    many = {name: LogScale(0.1, 1e-3) for name in (*depth, "motion")}
    assert combined(many, people=4)[1] > BODY_SIGMA / 2
    # More people and a second way to measure help nevertheless.
    assert combined(depth, people=4)[1] < through_depth
    assert combined({**depth, "motion": LogScale(0.0, 0.05)}, people=1)[1] < through_depth


def test_contacts_count_from_where_the_person_stands() -> None:
    n, plane = 60, np.array([0.0, 1, 0, 0])
    feet = np.zeros((n, 4, 3))
    feet[:, 2:, 1] = 0.3
    everything = np.ones(n, dtype=bool)
    for off in (-0.15, 0.15):
        contacts = detect_contacts(feet + [0.0, off, 0.0], plane, 30.0, everything)
        assert (contacts[:, :2] > 0.8).all()
        assert (contacts[:, 2:] == 0).all()
    # Feet that rest on a chair, half a metre up, stand on no ground.
    assert (detect_contacts(feet + [0.0, 0.5, 0.0], plane, 30.0, everything) == 0).all()


def test_up_is_found_from_upright_bodies(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(people=2)
    from refine_engine.body import joint_positions

    R = Rotation.from_euler("xz", [25, -14], degrees=True).as_matrix()
    joints = []
    for p in scene.people.values():
        in_cam = joint_positions(body, p.betas, p.R_cam_root, p.body_pose, p.transl_cam)
        world = np.einsum("tji,tkj->tki", scene.cameras.R_cam_world, in_cam)
        joints.append(world @ R.T)
    up, _ = estimate_up(joints)
    assert np.degrees(np.arccos(up @ (R @ UP))) < 6.0


def _depth_of_body(scene, body):  # type: ignore[no-untyped-def]
    """Z-buffer of the mesh by splatting its vertices, metres."""
    from refine_engine.body import skin_mesh
    from refine_engine.geometry.cameras import project

    p = scene.people[1]
    mesh = skin_mesh(body, p.betas, p.R_cam_root, p.body_pose, p.transl_cam).astype(float)
    pixels, _ = project(mesh, scene.cameras.intrinsics_pose)
    h, w = 90, 160
    maps = np.full((len(mesh), h, w), np.inf)
    for t in range(len(mesh)):
        x = np.clip((pixels[t, :, 0] / 8).astype(int), 0, w - 1)
        y = np.clip((pixels[t, :, 1] / 8).astype(int), 0, h - 1)
        np.minimum.at(maps[t], (y, x), mesh[t, :, 2])
    return maps


@pytest.mark.parametrize(("count", "fps"), [(1, 30.0), (4, 60.0), (90, 25.0), (90, 240.0)])
def test_points_are_smoothed_as_scipy_does(count: int, fps: float) -> None:
    points = np.random.default_rng(0).normal(size=(count, 4, 3))
    expected = gaussian_filter1d(points, SMOOTHING_S * fps, axis=0, mode="nearest")
    np.testing.assert_allclose(smoothed(points, fps), expected, atol=1e-14)
