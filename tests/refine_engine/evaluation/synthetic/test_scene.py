from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.body import place_points, vertex_points
from refine_engine.errors import InputError
from refine_engine.evaluation.metrics import evaluate_motion
from refine_engine.evaluation.synthetic.calibration import measure, scenes
from refine_engine.evaluation.synthetic.in_memory import (
    engine_scene,
    true_motion,
    unrefined_motion,
)
from refine_engine.evaluation.synthetic.options import CAMERA_KINDS, SampleOptions
from refine_engine.evaluation.synthetic.quality import truth_quality
from refine_engine.evaluation.synthetic.scene import SyntheticScene, make_scene
from refine_engine.geometry.cameras import camera_centers, project, to_camera

SMALL = SampleOptions(people=2, frames=24, depth_size=(72, 128), seed=5)


@pytest.fixture(scope="module")
def exact() -> SyntheticScene:
    return make_scene(replace(SMALL, clean=True, camera="orbit", alpha=2.5))


@pytest.fixture(scope="module")
def published() -> SyntheticScene:
    return make_scene(SMALL)


def test_the_same_seed_gives_the_same_scene(published: SyntheticScene) -> None:
    again = make_scene(SMALL)
    assert again.truth.alpha == published.truth.alpha
    np.testing.assert_array_equal(again.poses_recon, published.poses_recon)
    for pid, person in published.people.items():
        np.testing.assert_array_equal(again.people[pid].keypoints, person.keypoints)
        np.testing.assert_array_equal(again.people[pid].motion.transl_cam, person.motion.transl_cam)
    for mine, other in zip(again.depth(7), published.depth(7), strict=True):
        np.testing.assert_array_equal(mine, other)
    size = (45, 80)
    np.testing.assert_array_equal(again.views.picture(3, size), published.views.picture(3, size))


def test_another_seed_gives_another_scene(published: SyntheticScene) -> None:
    other = make_scene(replace(SMALL, seed=6))
    assert other.truth.alpha != published.truth.alpha


def test_levels_share_their_truth(published: SyntheticScene) -> None:
    hard = make_scene(replace(SMALL, level="hard"))
    for pid, person in published.truth.people.items():
        np.testing.assert_array_equal(person.motion.transl, hard.truth.people[pid].motion.transl)
    np.testing.assert_array_equal(hard.truth.t_cam_world, published.truth.t_cam_world)


def test_the_world_is_the_engines(published: SyntheticScene) -> None:
    truth = published.truth
    centers = camera_centers(truth.R_cam_world, truth.t_cam_world)
    np.testing.assert_allclose(centers[0], 0.0, atol=1e-12)
    # The first camera looks along -Z, upright.
    assert abs(truth.R_cam_world[0, 2, 0]) < 1e-9
    assert truth.R_cam_world[0, 2, 2] < -0.8
    assert truth.R_cam_world[0, 1, 1] < -0.9
    np.testing.assert_allclose(truth.ground_plane[:3], [0.0, 1.0, 0.0])
    assert 1.0 < truth.ground_plane[3] < 2.2
    for person in truth.people.values():
        ankles = person.motion.joints(truth.model).positions[:, [7, 8], 1] + truth.ground_plane[3]
        assert ankles.min() > 0.03
        assert ankles.min() < 0.12


def test_true_feet_stand_still(published: SyntheticScene) -> None:
    for quality in truth_quality(published.truth).values():
        assert quality.planted > 0.1
        assert quality.worst_slide_mm < 1.0


def test_depth_is_that_of_the_visible_skin(exact: SyntheticScene) -> None:
    truth = exact.truth
    frame, checked = 10, 0
    depth = exact.depth(frame)[0] * truth.alpha
    label = exact.views.raster(frame, SMALL.depth_size).label
    K = exact.views.intrinsics(SMALL.depth_size)
    for pid, person in truth.people.items():
        points = vertex_points(truth.model, np.arange(0, 6890, 3))
        motion = person.motion
        skin = place_points(
            points, motion.joints(truth.model), motion.betas, motion.rotations[:, 1:]
        )
        cam = to_camera(skin, truth.R_cam_world[person.frames], truth.t_cam_world[person.frames])
        pixels, _ = project(cam, K)
        column, row = np.floor(pixels[frame]).astype(int).T
        inside = (column >= 0) & (column < 128) & (row >= 0) & (row < 72)
        column, row, z = column[inside], row[inside], cam[frame][inside, 2]
        mine = label[row, column] == exact.views.labels[pid]
        behind = z[mine] - depth[row[mine], column[mine]]
        # Skin does not lie in front of the map, but a pixel is some centimetres wide: its centre
        # may see past an arm whose edge it holds.
        assert np.percentile(behind, 5) > -0.1
        assert np.median(np.abs(np.sort(behind)[: len(behind) // 4])) < 0.02
        assert behind.max() < 0.8
        checked += int(mine.sum())
    assert checked > 400


def test_without_errors_the_estimate_is_the_truth(exact: SyntheticScene) -> None:
    before = unrefined_motion(exact)
    truth = true_motion(exact)
    for pid, person in truth.people.items():
        off = before.people[pid].joints_world - person.joints_world
        assert np.abs(off).max() < 1e-9
    values = evaluate_motion(before, truth)
    assert values["mpjpe_mm"] < 1e-6
    assert values["alpha_error_percent"] < 1e-9
    for person in exact.people.values():
        found = person.keypoints[..., 2] > 0
        assert found.mean() > 0.6
        assert not person.ghost.any()


def test_alpha_is_metres_per_unit(exact: SyntheticScene) -> None:
    small = make_scene(replace(SMALL, clean=True, camera="orbit", alpha=0.5))
    np.testing.assert_allclose(
        small.poses_recon[:, :3, 3], 5 * exact.poses_recon[:, :3, 3], atol=1e-12
    )
    np.testing.assert_allclose(small.depth(3)[0], 5 * exact.depth(3)[0], rtol=1e-5)
    # The written world is the first camera.
    np.testing.assert_allclose(exact.poses_recon[0], np.eye(4), atol=1e-12)
    moved = exact.poses_recon[-1, :3, 3] * 2.5
    truth = exact.truth
    R = truth.R_cam_world[-1] @ truth.R_cam_world[0].T
    expected = truth.t_cam_world[-1] - R @ truth.t_cam_world[0]
    np.testing.assert_allclose(moved, expected, atol=1e-9)


def test_chunks_restart_at_their_first_camera() -> None:
    scene = make_scene(replace(SMALL, chunk=10, level="hard"))
    for start in (0, 10, 20):
        np.testing.assert_allclose(scene.poses_recon[start], np.eye(4), atol=1e-12)
    assert len(scene.cameras.alpha) == 3
    assert scene.cameras.alpha[0] == scene.truth.alpha
    assert not np.isclose(scene.cameras.alpha[1], scene.cameras.alpha[0])


@pytest.mark.parametrize("camera", CAMERA_KINDS)
def test_cameras_see_people(camera: str) -> None:
    scene = make_scene(replace(SMALL, camera=camera, people=3))  # type: ignore[arg-type]
    boxes = np.concatenate([p.boxes for p in scene.people.values()])
    assert len(scene.people) == 3
    assert 100 < np.median(boxes[:, 3]) < 720
    truth = scene.truth
    centers = camera_centers(truth.R_cam_world, truth.t_cam_world)
    travelled = np.linalg.norm(np.diff(centers, axis=0), axis=-1).sum()
    if camera == "static":
        assert travelled == 0
        assert np.ptp(truth.R_cam_world, axis=0).max() == 0
    elif camera == "pan":
        assert travelled < 1e-9
    else:
        assert travelled > 0.05


def test_blacked_out_people_have_no_depth() -> None:
    dark = make_scene(replace(SMALL, blackout=True, clean=True, alpha=1.0))
    seen = make_scene(replace(SMALL, clean=True, alpha=1.0))
    depth, confidence = dark.depth(5)
    label = seen.views.raster(5, SMALL.depth_size).label
    inside = label >= 10
    assert (depth[inside] > seen.depth(5)[0][inside] + 0.3).mean() > 0.7
    outside = ~dark.dynamic_mask(5)
    np.testing.assert_allclose(depth[outside], seen.depth(5)[0][outside], rtol=1e-6)
    assert confidence[dark.dynamic_mask(5)].max() < 1.02


def test_the_engines_scene_has_what_the_estimate_has(published: SyntheticScene) -> None:
    scene = engine_scene(published)
    assert set(scene.people) == set(published.people)
    assert scene.num_frames == 24
    assert scene.depth is not None
    assert scene.depth.shares_camera_unit
    assert not scene.depth.people_masked_out
    np.testing.assert_array_equal(scene.depth.depth(4), published.depth(4)[0])
    confidence = scene.depth.confidence(4)
    assert confidence is not None
    assert confidence.min() >= 0
    assert scene.masks is not None
    assert scene.masks.dynamic(4) is None
    pid = next(iter(scene.people))
    mask = scene.masks.person(pid, int(scene.people[pid].frames[0]))
    assert mask is not None
    assert 50 < mask.sum() < 0.5 * mask.size
    assert scene.people[pid].keypoints is not None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"people": 0}, "--people"),
        ({"people": 11}, "--people"),
        ({"frames": 1}, "--frames"),
        ({"level": "perfect"}, "--level"),
        ({"camera": "drone"}, "--camera"),
        ({"fps": 0.0}, "--fps"),
        ({"alpha": -1.0}, "--alpha"),
        ({"depth_size": (4, 4)}, "--depth-size"),
        ({"image_size": (721, 1280)}, "--image-size"),
        ({"seed": -1}, "--seed"),
    ],
)
def test_bad_options_are_named(change: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        replace(SMALL, **change)  # type: ignore[arg-type]


def test_an_unknown_motion_is_named() -> None:
    with pytest.raises(InputError, match="'swim'"):
        make_scene(replace(SMALL, kinds=("swim",)))


@pytest.mark.slow
def test_published_level_measures_what_is_published() -> None:
    values = measure(scenes("published", 8, 300, None))
    # Wider than the table's 15 %, because eight scenes scatter, those aligned at two frames most.
    published = {
        "pa_mpjpe_mm": 42.0,
        "mpjpe_mm": 74.0,
        "pve_mm": 87.0,
        "accel_m_s2": 5.0,
        "wa_mpjpe100_mm": 78.0,
        "w_mpjpe100_mm": 220.0,
        "rte_percent": 1.45,
        "foot_sliding_mm": 12.0,
        "jitter_10m_s3": 25.0,
    }
    for key, target in published.items():
        low, high = (0.5, 1.8) if key == "w_mpjpe100_mm" else (0.7, 1.35)
        assert low * target < values[key] < high * target, key


def test_levels_are_ordered() -> None:
    keys = ("pa_mpjpe_mm", "mpjpe_mm", "wa_mpjpe100_mm", "jitter_10m_s3", "foot_sliding_mm")
    rows = [
        measure(scenes(level, 2, 40, None, frames=40)) for level in ("easy", "published", "hard")
    ]
    for key in keys:
        assert rows[0][key] < rows[1][key] < rows[2][key]
