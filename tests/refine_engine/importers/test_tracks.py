"""Boxes (B7): what their four numbers mean, and whether bodies lie in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_engine.importers import load_results
from refine_engine.importers.boxes import as_xywh, overlap, vote_convention
from tests.refine_engine.importers import folders

SIZE = (1080, 1920)


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run", depth=False, masks=False, world=False)


def stored(truth: folders.Truth, convert: str) -> dict[int, np.ndarray]:
    """The true boxes, and write them in another convention."""
    true = {i: boxes.copy() for i, boxes in truth.boxes.items()}
    for i, boxes in true.items():
        if convert == "xyxy":
            truth.boxes[i] = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], -1)
        else:
            truth.boxes[i] = np.concatenate([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]], -1)
    folders.write_tracks(truth)
    return true


def test_corner_boxes_are_converted(truth: folders.Truth) -> None:
    true = stored(truth, "xyxy")
    scene = load_results(truth.root)
    (finding,) = (f for f in scene.report.findings if f.code == "B7")
    assert (finding.action, finding.count) == ("repaired", 42)
    assert "corners" in finding.message
    np.testing.assert_allclose(scene.people[1].bboxes, true[1], atol=1e-4)
    np.testing.assert_allclose(scene.people[2].bboxes, true[2], atol=1e-4)


def test_boxes_off_the_bodies_are_reported_and_kept(truth: folders.Truth) -> None:
    # Poses from crops around the boxes' top-left corners lie there.
    for boxes in truth.boxes.values():
        shifted = boxes[:, :2] + boxes[:, 2:] / 2
        boxes[:, :2] = np.minimum(shifted, np.array([96, 64]) - boxes[:, 2:])
    folders.write_tracks(truth)
    scene = load_results(truth.root)
    reported = {f.person: f for f in scene.report.findings if f.code == "B7"}
    assert reported[2].count == 18
    assert reported[2].action == "reported"
    assert "top-left corners" in reported[2].message
    np.testing.assert_allclose(scene.people[1].bboxes, truth.boxes[1], atol=1e-4)


def test_good_boxes_are_not_blamed(truth: folders.Truth) -> None:
    assert "B7" not in load_results(truth.root).report.codes()


def test_the_vote() -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform((50, 50), (900, 300), (40, 2))
    size = rng.uniform((150, 400), (300, 700), (40, 2))
    xywh = np.concatenate([low, size], -1)
    xyxy = np.concatenate([low, low + size], -1)
    assert vote_convention(xywh, SIZE) == "xywh"
    assert vote_convention(xyxy, SIZE, xywh) == "xyxy"
    assert vote_convention(xywh, SIZE, xywh) == "xywh"
    right = np.concatenate([low + (700, 80), size], -1)
    centred = np.concatenate([right[:, :2] + size / 2, size], -1)
    far = centred[(centred[:, :2] + size > (1960, 1102)).any(-1)]
    assert len(far) > 10
    assert vote_convention(far, SIZE) == "cxcywh"
    assert vote_convention(np.zeros((0, 4)), SIZE) == "xywh"


def test_conversions_and_overlap() -> None:
    box = np.array([[10.0, 20.0, 30.0, 40.0]])
    np.testing.assert_array_equal(as_xywh(np.array([[10.0, 20, 40, 60]]), "xyxy"), box)
    np.testing.assert_array_equal(as_xywh(np.array([[25.0, 40, 30, 40]]), "cxcywh"), box)
    np.testing.assert_array_equal(as_xywh(box, "xywh"), box)
    half = np.array([[10.0, 20.0, 15.0, 40.0]])
    np.testing.assert_allclose(overlap(box, half), 0.5)
    np.testing.assert_allclose(overlap(box, box + [[100, 0, 0, 0]]), 0.0)
    np.testing.assert_allclose(overlap(box * 0, box * 0), 0.0)


def test_missing_damaged_and_odd_tracks_do_not_prevent_opening(truth: folders.Truth) -> None:
    path = truth.tracks / "tracks.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    scene = load_results(truth.root)
    assert "unreadable" in scene.report.codes()
    assert scene.people[1].bboxes is None
    np.savez(path)
    assert load_results(truth.root).people[1].bboxes is None
    np.savez(path, track_1_frames=np.arange(24), track_1_bboxes=np.zeros((20, 4)))
    scene = load_results(truth.root)
    assert scene.people[1].bboxes is None
    assert "length" in scene.report.codes()


@pytest.mark.parametrize("frames", [np.full(24, np.nan), np.full(24, 1e300), np.arange(24) + 0.5])
def test_track_frames_that_are_none(truth: folders.Truth, frames: np.ndarray) -> None:
    arrays = {"track_1_frames": frames, "track_1_bboxes": truth.boxes[1]}
    np.savez(truth.tracks / "tracks.npz", **arrays)
    scene = load_results(truth.root)
    assert scene.people[1].bboxes is None
    assert "unreadable" in scene.report.codes()
    # Whole numbers are frames, whatever their type.
    np.savez(truth.tracks / "tracks.npz", **arrays | {"track_1_frames": np.arange(24.0)})
    assert load_results(truth.root).people[1].bboxes is not None


def test_rows_without_a_box_have_width_zero(truth: folders.Truth) -> None:
    arrays = {"track_1_frames": truth.frames[1][:20], "track_1_bboxes": truth.boxes[1][:20]}
    np.savez(truth.tracks / "tracks.npz", **arrays)
    boxes = load_results(truth.root).people[1].bboxes
    assert boxes is not None
    assert (boxes[:20, 2] > 0).all()
    assert not boxes[20:].any()
