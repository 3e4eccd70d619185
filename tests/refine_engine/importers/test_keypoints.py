"""Keypoint files: layouts, missing entries, garbage (B8), and files that repeat Stage 3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_engine.geometry.cameras import project
from refine_engine.importers import load_results
from refine_engine.scene import Keypoints, Scene
from tests.refine_engine.importers import folders

COCO_SHOULDERS, SMPL_SHOULDERS = (5, 6), (16, 17)
COCO_TO_SMPL = {5: 16, 6: 17, 7: 18, 8: 19, 9: 20, 10: 21, 13: 4, 14: 5}


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run", depth=False, masks=False, world=False)


def write(truth: folders.Truth, person: int, values: np.ndarray) -> None:
    np.save(truth.person(person) / "keypoints_2d.npy", values.astype(np.float32))


def detections(truth: folders.Truth, person: int, count: int) -> np.ndarray:
    """Keypoints a few pixels off the projected joints."""
    pixels, _ = project(truth.joints_cam[person], truth.K[0])
    rng = np.random.default_rng(person)
    values = np.full((len(pixels), count, 3), 0.9)
    values[..., :2] = pixels[:, np.arange(count) % 24] + rng.normal(0, 3, (len(pixels), count, 2))
    return values


def keypoints(scene: Scene, person: int = 1) -> Keypoints:
    found = scene.people[person].keypoints
    assert found is not None
    return found


@pytest.mark.parametrize(("count", "layout"), [(17, "coco17"), (24, "smpl24"), (25, "body25")])
def test_the_layout_follows_from_the_number(truth: folders.Truth, count: int, layout: str) -> None:
    values = detections(truth, 1, count)
    values[2, 3] = np.nan
    values[4, 1, 2] = 0.0
    write(truth, 1, values)
    scene = load_results(truth.root)
    found = keypoints(scene)
    assert (found.layout, found.source, found.circular) == (layout, "detections", False)
    np.testing.assert_allclose(found.pixels[0], values[0, :, :2], rtol=1e-5)
    for row, joint in ((2, 3), (4, 1)):
        assert found.confidence[row, joint] == 0
        assert not found.pixels[row, joint].any()
    assert np.isfinite(found.pixels).all()
    np.testing.assert_allclose(found.confidence[0], 0.9, rtol=1e-6)
    # Nobody else has a file: Stage 3's projections stand in and say so.
    other = keypoints(scene, 2)
    assert (other.layout, other.source, other.circular) == ("smpl24", "Stage-3 projections", True)


def test_projections_stand_in_and_are_missed(truth: folders.Truth) -> None:
    scene = load_results(truth.root)
    found = keypoints(scene)
    pixels, _ = project(truth.joints_cam[1], truth.K[0])
    seen = found.confidence > 0
    assert seen.mean() > 0.8
    np.testing.assert_allclose(found.pixels[seen], pixels[seen], atol=1e-3)
    assert any("No 2-D keypoints" in text for text in scene.report.missing)


def test_rows_follow_the_repairs_of_the_poses(truth: folders.Truth) -> None:
    values = detections(truth, 1, 17)
    write(truth, 1, values)
    transl = truth.transl_cam[1].copy()
    transl[3] = np.nan
    folders.change_person(truth, 1, transl=transl)
    found = keypoints(load_results(truth.root))
    np.testing.assert_allclose(found.pixels, np.delete(values, 3, 0)[..., :2], rtol=1e-5)


def test_b8_the_tracker_s_triplets_are_refused(truth: folders.Truth) -> None:
    # 45 (u, v) pairs in [0, 1], read as 30 triplets and cut to 24.
    rng = np.random.default_rng(0)
    garbage = rng.uniform(0.2, 0.8, (24, 90)).reshape(24, 30, 3)[:, :24]
    write(truth, 1, garbage)
    scene = load_results(truth.root)
    (finding,) = (f for f in scene.report.findings if f.code == "B8")
    assert (finding.person, finding.count, finding.action) == (1, 24, "discarded")
    assert keypoints(scene).source == "Stage-3 projections"


def test_b8_a_third_column_that_is_no_confidence(truth: folders.Truth) -> None:
    values = detections(truth, 1, 24)
    values[..., 2] = values[..., 0]
    write(truth, 1, values)
    scene = load_results(truth.root)
    (finding,) = (f for f in scene.report.findings if f.code == "B8")
    assert "no confidence" in finding.message
    assert keypoints(scene).circular


@pytest.mark.parametrize("count", [17, 24, 25])
def test_a_file_that_repeats_stage_3_is_recognised(truth: folders.Truth, count: int) -> None:
    pixels, _ = project(truth.joints_cam[1], truth.K[0])
    values = np.full((24, count, 3), 1.0)
    if count == 24:
        values[..., :2] = pixels
    else:
        # BODY-25: neck, right and left arm, hips, knees, ankles.
        table = (
            COCO_TO_SMPL
            if count == 17
            else {2: 17, 3: 19, 4: 21, 5: 16, 6: 18, 7: 20, 10: 5, 11: 8, 13: 4, 14: 7}
        )
        values[..., :2] = 1.0
        values[..., 2] = 0.0
        for slot, joint in table.items():
            values[:, slot, :2], values[:, slot, 2] = pixels[:, joint], 1.0
    write(truth, 1, values)
    scene = load_results(truth.root)
    found = keypoints(scene)
    assert found.circular
    assert found.source == "Stage-3 projections"
    (finding,) = (f for f in scene.report.findings if f.code == "circular")
    assert finding.person == 1


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.ones((24, 18, 3)), "has shape"),
        (np.ones((24, 17, 2)), "has shape"),
        (np.ones((20, 17, 3)), "20 rows, the poses 24"),
        (np.zeros((24, 17, 3)), "no keypoint with a confidence"),
        (np.full((24, 17, 3), np.nan), "no keypoint with a confidence"),
        (np.float32(3), "has shape"),
    ],
)
def test_unusable_files_are_reported_not_used(
    truth: folders.Truth, values: np.ndarray, text: str
) -> None:
    np.save(truth.person(1) / "keypoints_2d.npy", values)
    scene = load_results(truth.root)
    (finding,) = (f for f in scene.report.findings if f.code == "keypoints")
    assert text in finding.message
    assert keypoints(scene).circular


def test_a_damaged_file_does_not_prevent_opening(truth: folders.Truth) -> None:
    write(truth, 1, detections(truth, 1, 17))
    path = truth.person(1) / "keypoints_2d.npy"
    path.write_bytes(path.read_bytes()[:400])
    scene = load_results(truth.root)
    assert "unreadable" in scene.report.codes()
    assert keypoints(scene).circular
