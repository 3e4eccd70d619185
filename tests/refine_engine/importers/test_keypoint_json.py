"""Detections from JSON: every layout gives the same numbers, and each finds its person."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from refine_engine.errors import InputError
from refine_engine.geometry.cameras import project
from refine_engine.importers import load_results
from refine_engine.importers.keypoint_json import read_keypoint_json
from refine_engine.importers.keypoints import joints_in_layout
from tests.refine_engine.importers import folders


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run", depth=False, masks=False, world=False)


def detections(truth: folders.Truth, layout: str, count: int) -> dict[int, dict[int, np.ndarray]]:
    """person -> frame -> (J, 3), 1 to 2 pixels off the joints."""
    slots, joints = joints_in_layout(layout)  # type: ignore[arg-type]
    result: dict[int, dict[int, np.ndarray]] = {}
    for person, frames in truth.frames.items():
        pixels, _ = project(truth.joints_cam[person], truth.K[0])
        result[person] = {}
        for row, frame in enumerate(frames.tolist()):
            values = np.zeros((count, 3))
            values[slots, :2] = pixels[row, joints] + 1.0 + 0.5 * (slots % 2)[:, None]
            values[slots, 2] = 0.8
            result[person][frame] = values
    return result


def write_coco(path: Path, found: dict[int, dict[int, np.ndarray]]) -> None:
    entries = [
        {"image_id": frame, "category_id": 1, "keypoints": v.ravel().tolist(), "score": 1.0}
        for frames in found.values()
        for frame, v in frames.items()
    ]
    path.write_text(json.dumps(entries))


def write_openpose(folder: Path, found: dict[int, dict[int, np.ndarray]], num_frames: int) -> None:
    folder.mkdir()
    for frame in range(num_frames):
        # Person 2 first: the order says nothing about who is who.
        poses = [found[i][frame] for i in (2, 1) if frame in found[i]]
        people = [{"pose_keypoints_2d": v.ravel().tolist()} for v in poses]
        name = f"clip_{frame:012d}_keypoints.json"
        (folder / name).write_text(json.dumps({"version": 1.3, "people": people}))


def write_mmpose(path: Path, found: dict[int, dict[int, np.ndarray]], num_frames: int) -> None:
    entries = []
    for frame in range(num_frames):
        instances = [
            {"keypoints": v[:, :2].tolist(), "keypoint_scores": v[:, 2].tolist()}
            for v in (found[i].get(frame) for i in (1, 2))
            if v is not None
        ]
        entries.append({"frame_id": frame + 1, "instances": instances})
    path.write_text(json.dumps({"meta_info": {}, "instance_info": entries}))


@pytest.mark.parametrize("kind", ["coco", "openpose", "mmpose"])
def test_every_layout_reaches_the_right_person(
    truth: folders.Truth, tmp_path: Path, kind: str
) -> None:
    layout, count = ("body25", 25) if kind == "openpose" else ("coco17", 17)
    found = detections(truth, layout, count)
    path = tmp_path / "detected"
    if kind == "coco":
        write_coco(path, found)
    elif kind == "openpose":
        write_openpose(path, found, 24)
    else:
        write_mmpose(path, found, 24)
    scene = load_results(truth.root, keypoints=path)
    for i, person in scene.people.items():
        assert person.keypoints is not None
        assert (person.keypoints.layout, person.keypoints.source) == (layout, "detections")
        expected = np.stack([found[i][f] for f in person.frames.tolist()])
        np.testing.assert_allclose(person.keypoints.pixels, expected[..., :2])
        np.testing.assert_allclose(person.keypoints.confidence, expected[..., 2])
    (finding,) = (f for f in scene.report.findings if f.code == "detections")
    assert finding.count == 42
    assert "0 detections belong to nobody" in finding.message


def test_strangers_and_misses(truth: folders.Truth) -> None:
    found = detections(truth, "coco17", 17)
    for frame in (5, 6):
        del found[1][frame]
    stranger = np.full((17, 3), 0.9)
    stranger[:, 0], stranger[:, 1] = np.arange(17), 60 - np.arange(17) / 4
    found[3] = {frame: stranger for frame in range(24)}
    write_coco(truth.root / "keypoints.json", found)
    scene = load_results(truth.root)
    person = scene.people[1].keypoints
    assert person is not None
    np.testing.assert_array_equal(np.flatnonzero(~(person.confidence > 0).any(-1)), [5, 6])
    (finding,) = (f for f in scene.report.findings if f.code == "detections")
    assert finding.count == 40
    assert "24 detections belong to nobody" in finding.message


def test_a_person_s_own_file_wins_over_json_that_was_only_found(truth: folders.Truth) -> None:
    write_coco(truth.root / "keypoints.json", detections(truth, "coco17", 17))
    own = np.full((24, 25, 3), 0.5)
    own[..., :2] = np.arange(25)[:, None] + 20
    np.save(truth.person(1) / "keypoints_2d.npy", own)
    scene = load_results(truth.root)
    assert scene.people[1].keypoints is not None
    assert scene.people[1].keypoints.layout == "body25"
    assert scene.people[2].keypoints is not None
    assert scene.people[2].keypoints.layout == "coco17"
    scene = load_results(truth.root, keypoints=truth.root / "keypoints.json")
    assert scene.people[1].keypoints is not None
    assert scene.people[1].keypoints.layout == "coco17"


def test_openpose_18_is_brought_into_coco_s_order(tmp_path: Path) -> None:
    # nose 0, neck 1, right arm 2-4, left arm 5-7, right leg 8-10, left leg 11-13, eyes and ears.
    values = np.stack([np.arange(18), np.arange(18), np.full(18, 0.5)], -1)
    path = tmp_path / "x_000000000003_keypoints.json"
    path.write_text(json.dumps({"people": [{"pose_keypoints_2d": values.ravel().tolist()}]}))
    found = read_keypoint_json(path, 10)
    expected = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]
    np.testing.assert_array_equal(found.frames[3][0][:, 0], expected)


def test_names_flags_and_whole_bodies(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    flags = [2] * 10 + [1] * 2 + [0] * 121
    values = [number for k, flag in enumerate(flags) for number in (k, k, flag)]
    entry = {"image_id": "frames/clip_000007.jpg", "keypoints": values}
    path.write_text(json.dumps([entry]))
    (poses,) = read_keypoint_json(path, 10).frames.values()
    assert poses.shape == (1, 17, 3)
    np.testing.assert_array_equal(poses[0, :, 2], [1.0] * 10 + [0.5] * 2 + [0.0] * 5)
    assert list(read_keypoint_json(path, 10).frames) == [7]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "is not readable JSON"),
        ("[]", "holds no detected people"),
        ("3", "is no list of detections"),
        ('[{"keypoints": [1, 2, 3]}]', "without a frame number"),
        ('[{"image_id": 1, "keypoints": [1, 2, 3, 4]}]', "a person of 4 numbers"),
        ('[{"image_id": 1, "keypoints": [1, 2, 3]}]', "people of 1 keypoints"),
        ('[{"image_id": 1, "keypoints": ["a"]}]', "not numbers"),
    ],
)
def test_other_files_are_refused_and_found_ones_only_reported(
    truth: folders.Truth, content: str, text: str
) -> None:
    path = truth.root / "keypoints.json"
    path.write_text(content)
    with pytest.raises(InputError, match=text):
        load_results(truth.root, keypoints=path)
    scene = load_results(truth.root)
    (finding,) = (f for f in scene.report.findings if f.code == "unreadable")
    assert text in finding.message


def test_a_missing_file_and_an_empty_folder(truth: folders.Truth, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_results(truth.root, keypoints=tmp_path / "gone.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no JSON files"):
        load_results(truth.root, keypoints=tmp_path / "empty")
