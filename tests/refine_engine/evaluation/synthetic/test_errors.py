from __future__ import annotations

import numpy as np

from refine_engine.evaluation.synthetic.camera_errors import estimate_cameras
from refine_engine.evaluation.synthetic.depth_errors import DepthErrors
from refine_engine.evaluation.synthetic.keypoint_errors import detect_keypoints
from refine_engine.evaluation.synthetic.levels import HARD, PUBLISHED
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.evaluation.synthetic.tracks import make_track
from refine_engine.geometry.cameras import camera_centers
from refine_engine.geometry.rotations import geodesic_angle


def detections(
    height: float, hidden: int = 0, count: int = 400, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Detections and their errors for a person who stands still in the image."""
    pixels = np.full((count, 17, 2), 500.0)
    found = detect_keypoints(
        pixels,
        np.ones((count, 17), dtype=bool),
        np.full((count, 17), hidden),
        np.full(count, height),
        30.0,
        PUBLISHED,
        np.random.default_rng(seed),
    )
    return found, np.linalg.norm(found[..., :2] - pixels, axis=-1)


def test_keypoint_noise_grows_with_the_persons_image() -> None:
    for height in (250.0, 500.0, 1000.0):
        found, error = detections(height)
        seen = found[..., 2] > 0
        # The median of a two-dimensional Gaussian's length is 1.18 sigma; joints differ.
        assert 0.8 < np.median(error[seen]) / (1.18 * 4.5 * height / 500) < 1.2


def test_wrists_are_harder_than_faces() -> None:
    found, error = detections(500.0)
    error[found[..., 2] == 0] = np.nan
    assert np.nanmedian(error[:, 9:11]) > 1.7 * np.nanmedian(error[:, 0:3])


def test_confidence_knows_about_errors_but_not_always() -> None:
    found, error = detections(500.0)
    seen = found[..., 2] > 0
    rank = np.argsort(np.argsort(error[seen])) / seen.sum()
    correlation = np.corrcoef(rank, found[seen][:, 2])[0, 1]
    assert -0.8 < correlation < -0.2
    far = error[seen] > 60
    assert far.any()
    assert (found[seen][far][:, 2] > 0.5).any()


def test_hidden_keypoints_are_lost_or_worse() -> None:
    seen, error = detections(500.0, hidden=0)
    other, worse = detections(500.0, hidden=2)
    assert (seen[..., 2] == 0).mean() < 0.04
    assert 0.4 < (other[..., 2] == 0).mean() < 0.6
    kept = other[..., 2] > 0
    assert np.median(worse[kept]) > 2 * np.median(error)
    assert other[kept][:, 2].mean() < seen[seen[..., 2] > 0][:, 2].mean() - 0.2


def test_missing_keypoints_are_zero_not_nan() -> None:
    found, _ = detections(500.0, hidden=2)
    missing = found[..., 2] == 0
    assert np.isfinite(found).all()
    assert (found[missing] == 0).all()


def test_left_and_right_change_sides_in_bursts() -> None:
    pixels = np.zeros((3000, 17, 2))
    pixels[:, 1::2, 0], pixels[:, 2::2, 0] = 1000.0, 2000.0
    found = detect_keypoints(
        pixels,
        np.ones((3000, 17), dtype=bool),
        np.zeros((3000, 17), dtype=int),
        np.full(3000, 400.0),
        30.0,
        HARD,
        np.random.default_rng(0),
    )
    ankle = found[:, 15, 0][found[:, 15, 2] > 0]
    swapped = ankle > 1500
    assert 0.02 < swapped.mean() < 0.4


def depth_of_a_wall(frames: int = 30) -> tuple[list[np.ndarray], list[np.ndarray]]:
    exact = np.full((84, 148), 8.0, dtype=np.float32)
    exact[20:70, 60:80] = 4.0
    label = np.full((84, 148), 2, dtype=np.int16)
    errors = DepthErrors(
        np.zeros(frames, dtype=np.int64), (84, 148), 30.0, PUBLISHED, np.random.default_rng(1), 1
    )
    drawn = [errors.apply(t, exact, label) for t in range(frames)]
    return [d / exact for d, _ in drawn], [c for _, c in drawn]


def test_depth_errors_have_the_size_and_shape_of_the_level() -> None:
    ratios, confidences = depth_of_a_wall()
    flat = np.log(np.array(ratios))[:, :, :50]
    assert 0.01 < (flat - flat.mean((1, 2), keepdims=True)).std() < 0.08
    # Errors move slowly: neighbouring frames agree better than distant ones.
    coarse = flat[:, :80, :48].reshape(30, 8, 10, 6, 8).mean((2, 4))
    near = np.abs(coarse[1] - coarse[0]).mean()
    far = np.abs(coarse[29] - coarse[0]).mean()
    assert near < 0.5 * far
    confidence = confidences[0]
    assert confidence.min() >= 1.0
    edge, inside = confidence[40, 59:62].mean() - 1, confidence[40, 67:73].mean() - 1
    assert edge < 0.3 * inside


def test_people_lose_relief_in_depth() -> None:
    label = np.full((60, 100), 2, dtype=np.int16)
    label[10:50, 40:60] = 10
    depth = np.full((60, 100), 9.0, dtype=np.float32)
    depth[10:50, 40:60] = np.linspace(4.0, 4.4, 20)
    one_scene = np.zeros(2, dtype=np.int64)
    drawn = DepthErrors(one_scene, (60, 100), 30.0, PUBLISHED, np.random.default_rng(3), 3)
    field = drawn.apply(0, np.full((60, 100), 5.0, dtype=np.float32), np.full_like(label, 2))[0] / 5
    corrected = drawn.apply(0, depth, label)[0] / field
    relief = np.ptp(np.median(corrected[20:40, 43:57], axis=0)) / np.ptp(depth[30, 43:57])
    assert 0.6 < relief < 0.9


def test_cameras_drift_from_an_exact_start() -> None:
    truth = make_scene(SampleOptions(people=1, frames=40, depth_size=(36, 64))).truth
    errors = []
    for seed in range(40):
        estimate = estimate_cameras(truth, HARD, 0, np.random.default_rng(seed))
        np.testing.assert_allclose(estimate.R_cam_world[0], truth.R_cam_world[0], atol=1e-12)
        off = camera_centers(estimate.R_cam_world, estimate.t_cam_world)
        off -= camera_centers(truth.R_cam_world, truth.t_cam_world)
        errors.append(np.linalg.norm(off, axis=-1))
        angle = geodesic_angle(estimate.R_cam_world, truth.R_cam_world)
        assert np.rad2deg(angle).max() < 4.0
        assert 0.84 < estimate.scale_error < 1.19
    grown = np.mean(errors, axis=0)
    assert grown[0] < 1e-9
    assert grown[-1] > 1.3 * grown[8] > 0


def test_ghosts_repeat_the_last_box_exactly() -> None:
    boxes = np.stack([np.arange(60.0), np.arange(60.0), np.full(60, 50), np.full(60, 150)], -1)
    visible = np.ones(60)
    visible[20:45] = 0.0
    seen_ghosts = seen_gaps = 0
    for seed in range(20):
        track = make_track(visible, boxes, PUBLISHED, np.random.default_rng(seed))
        assert (np.diff(track.rows) > 0).all()
        assert (track.source <= track.rows).all()
        for row in np.flatnonzero(track.ghost):
            np.testing.assert_array_equal(track.boxes[row], track.boxes[row - 1])
        assert visible[track.rows[~track.ghost]].all()
        seen_ghosts += int(track.ghost.any())
        seen_gaps += int((np.diff(track.rows) > 1).any())
    assert seen_ghosts > 10
    assert seen_gaps > 3


def test_people_who_are_hardly_seen_have_no_track() -> None:
    visible = np.zeros(60)
    visible[:10] = 1.0
    track = make_track(visible, np.ones((60, 4)), PUBLISHED, np.random.default_rng(0))
    assert len(track.rows) == 0
