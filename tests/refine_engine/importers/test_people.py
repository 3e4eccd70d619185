"""Stage 3 in its layouts, and its defects: B9, B12, B15, B16, B24, B27, B28."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_engine.errors import InputError
from refine_engine.geometry.rotations import exp_so3
from refine_engine.importers import load_results, multitram
from refine_engine.scene import Finding, Scene
from tests.refine_engine.importers import folders


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run", depth=False, masks=False)


def found(scene: Scene, code: str) -> Finding:
    (finding,) = (f for f in scene.report.findings if f.code == code)
    return finding


def test_b9_ghosts_are_not_observed_and_the_track_s_end_is_trimmed(truth: folders.Truth) -> None:
    folders.ghost_rows(truth, 1, [7, 8, 22, 23])
    scene = load_results(truth.root)
    person = scene.people[1]
    np.testing.assert_array_equal(person.frames, np.arange(22))
    np.testing.assert_array_equal(np.flatnonzero(~person.observed), [7, 8])
    finding = found(scene, "B9")
    assert (finding.person, finding.count, finding.action) == (1, 4, "repaired")
    assert "2 at the end" in finding.message
    assert person.keypoints is not None
    assert not person.keypoints.confidence[[7, 8]].any()
    assert person.keypoints.confidence[6].any()


def test_b9_needs_neighbouring_frames(truth: folders.Truth) -> None:
    frames = truth.frames[1].copy()
    frames[12:] += 1
    truth.frames[1] = frames[:-1]
    for name in ("body_pose", "R_cam_root", "transl_cam", "boxes"):
        getattr(truth, name)[1] = getattr(truth, name)[1][:-1]
    truth.boxes[1][12] = truth.boxes[1][11]
    folders.write_tracks(truth)
    folders.write_poses(truth)
    assert load_results(truth.root).people[1].observed.all()


def test_b9_boxes_of_zeros_are_no_ghosts(truth: folders.Truth) -> None:
    truth.boxes[1][5:] = 0.0
    folders.write_tracks(truth)
    scene = load_results(truth.root)
    assert "B9" not in scene.report.codes()
    assert scene.people[1].observed.all()
    assert len(scene.people[1].frames) == 24


def test_b10_the_tracker_s_limit(truth: folders.Truth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multitram, "_TRACKER_LIMIT", 21)
    truth.frames[1] = truth.frames[1][:21]
    for name in ("body_pose", "R_cam_root", "transl_cam", "boxes"):
        getattr(truth, name)[1] = getattr(truth, name)[1][:21]
    folders.write_tracks(truth)
    folders.write_poses(truth)
    assert found(load_results(truth.root), "B10").count == 3
    monkeypatch.setattr(multitram, "_TRACKER_LIMIT", 20)
    assert "B10" not in load_results(truth.root).report.codes()


def test_b12_unsorted_and_doubled_frames(truth: folders.Truth) -> None:
    frames = truth.frames[1].copy()
    frames[[4, 5]] = frames[[5, 4]]
    frames[20] = 3
    folders.list_frames(truth, 1, frames)
    scene = load_results(truth.root)
    person = scene.people[1]
    np.testing.assert_array_equal(person.frames, [f for f in range(24) if f != 20])
    transl = truth.transl_cam[1]
    np.testing.assert_allclose(person.transl_cam[4], transl[5], atol=1e-6)
    np.testing.assert_allclose(person.transl_cam[5], transl[4], atol=1e-6)
    np.testing.assert_allclose(person.transl_cam[3], transl[3], atol=1e-6)
    assert found(scene, "B12").count == 3  # two steps back, one frame twice


def test_b15_a_person_of_zeros_is_dropped(truth: folders.Truth) -> None:
    zeros = {name: np.zeros_like(a) for name, a in folders.pose_arrays(truth, 1).items()}
    folders.change_person(truth, 1, **zeros)
    scene = load_results(truth.root)
    assert list(scene.people) == [2]
    findings = [f for f in scene.report.findings if f.code == "B15"]
    assert max(f.count for f in findings) == 24
    assert all(f.person == 1 and f.action == "discarded" for f in findings)


def test_b15_some_rows_of_zeros_are_left_out(truth: folders.Truth) -> None:
    arrays = folders.pose_arrays(truth, 2)
    for name in ("poses", "global_orient", "transl"):
        arrays[name][4:6] = 0
    folders.write_person(truth, 2, arrays)
    scene = load_results(truth.root)
    np.testing.assert_array_equal(
        scene.people[2].frames, [f for f in truth.frames[2] if f not in (7, 8)]
    )
    assert found(scene, "B15").count == 2


def test_b15_everybody_of_zeros_is_bad_input(truth: folders.Truth) -> None:
    for i in (1, 2):
        arrays = folders.pose_arrays(truth, i)
        folders.write_person(truth, i, {name: np.zeros(a.shape) for name, a in arrays.items()})
    with pytest.raises(InputError, match="only zeros: pose estimation failed") as caught:
        load_results(truth.root)
    assert "person_001" in str(caught.value)


def test_rows_of_nan_are_left_out(truth: folders.Truth) -> None:
    transl = truth.transl_cam[1].copy()
    transl[[0, 5]] = np.nan
    folders.change_person(truth, 1, transl=transl)
    scene = load_results(truth.root)
    assert 5 not in scene.people[1].frames
    assert len(scene.people[1].frames) == 22
    assert found(scene, "non-finite").count == 2
    assert np.isfinite(scene.people[1].transl_cam).all()


def test_b16_gaps_are_reported_with_the_rows_beside_them(truth: folders.Truth) -> None:
    keep = np.r_[0:9, 12:24]
    for name in ("frames", "body_pose", "R_cam_root", "transl_cam", "boxes", "joints_cam"):
        getattr(truth, name)[1] = getattr(truth, name)[1][keep]
    folders.write_tracks(truth)
    folders.write_poses(truth)
    scene = load_results(truth.root)
    finding = found(scene, "B16")
    assert (finding.person, finding.count, finding.action) == (1, 16, "reported")
    np.testing.assert_array_equal(scene.people[1].frames, keep)


def test_b24_frames_come_from_the_tracker_when_metadata_is_missing(truth: folders.Truth) -> None:
    (truth.person(2) / "metadata.json").unlink()
    (truth.poses / "metadata.json").unlink()
    scene = load_results(truth.root)
    np.testing.assert_array_equal(scene.people[2].frames, truth.frames[2])
    finding = found(scene, "B24")
    assert (finding.person, finding.count, finding.action) == (2, 18, "repaired")


def test_b24_nothing_says_which_frames(truth: folders.Truth) -> None:
    (truth.person(2) / "metadata.json").unlink()
    (truth.poses / "metadata.json").unlink()
    folders.remove(truth.tracks)
    scene = load_results(truth.root)
    np.testing.assert_array_equal(scene.people[2].frames, np.arange(18))
    assert found(scene, "B24").action == "reported"


def test_the_stage_s_common_metadata_stand_in(truth: folders.Truth) -> None:
    (truth.person(2) / "metadata.json").unlink()
    scene = load_results(truth.root)
    np.testing.assert_array_equal(scene.people[2].frames, truth.frames[2])
    assert "B24" not in scene.report.codes()
    # Also where the person's own do not say it.
    folders.dump(truth.person(2) / "metadata.json", {"track_id": 2})
    scene = load_results(truth.root)
    np.testing.assert_array_equal(scene.people[2].frames, truth.frames[2])
    assert "B24" not in scene.report.codes()


def test_mismatched_lengths_drop_the_person_and_alone_they_are_bad_input(
    truth: folders.Truth,
) -> None:
    folders.list_frames(truth, 1, np.arange(20))
    folders.remove(truth.tracks)
    scene = load_results(truth.root)
    assert list(scene.people) == [2]
    assert found(scene, "length").person == 1
    folders.remove(truth.person(2))
    with pytest.raises(InputError, match=r"holds 24 rows but its metadata\.json lists 20 frames"):
        load_results(truth.root)


def test_b27_numbers_are_joined_whatever_their_padding(truth: folders.Truth) -> None:
    truth.person(1).rename(truth.poses / "person_1")
    truth.person(2).rename(truth.poses / "person_00002")
    scene = load_results(truth.root)
    assert list(scene.people) == [1, 2]
    assert found(scene, "B27").count == 2
    assert scene.people[1].bboxes is not None


def test_b27_two_folders_of_one_person(truth: folders.Truth) -> None:
    copy = truth.poses / "person_1"
    copy.mkdir()
    arrays = folders.pose_arrays(truth, 1)
    np.savez(copy / "smpl_params_camera.npz", **(arrays | {"transl": arrays["transl"] + 9}))
    scene = load_results(truth.root)
    np.testing.assert_allclose(scene.people[1].transl_cam, truth.transl_cam[1], atol=1e-6)
    assert found(scene, "B27").action == "discarded"


def test_b28_cameras_in_the_place_of_a_person(truth: folders.Truth) -> None:
    folders.change_person(truth, 1, poses=np.tile(np.eye(4), (24, 1, 1)))
    scene = load_results(truth.root)
    assert list(scene.people) == [2]
    assert (found(scene, "B28").person, found(scene, "B28").action) == (1, "discarded")


@pytest.mark.parametrize("layout", ["n69", "n72", "n24", "matrices", "loose"])
def test_every_layout_of_the_same_motion(truth: folders.Truth, layout: str) -> None:
    arrays = folders.pose_arrays(truth, 1)
    n = len(arrays["poses"])
    whole = np.concatenate([arrays["global_orient"][:, None], arrays["poses"]], 1)
    if layout == "n69":
        arrays["poses"] = arrays["poses"].reshape(n, 69)
    elif layout == "n72":
        arrays["poses"] = whole.reshape(n, 72)
        del arrays["global_orient"]
    elif layout == "n24":
        arrays["poses"] = whole
    elif layout == "matrices":
        arrays["poses"] = exp_so3(arrays["poses"])
        arrays["global_orient"] = exp_so3(arrays["global_orient"])[:, None]
    else:
        arrays["global_orient"] = arrays["global_orient"][:, None]
        arrays["betas"] = np.tile(arrays["betas"], (n, 1))
        arrays["transl"] = arrays["transl"][:, None]
    folders.write_person(truth, 1, arrays)
    person = load_results(truth.root).people[1]
    np.testing.assert_allclose(person.R_cam_root, truth.R_cam_root[1], atol=1e-6)
    np.testing.assert_allclose(person.body_pose, exp_so3(truth.body_pose[1]), atol=1e-6)
    np.testing.assert_allclose(person.transl_cam, truth.transl_cam[1], atol=1e-6)
    np.testing.assert_allclose(person.betas, truth.betas[1], atol=1e-6)


def test_more_or_fewer_than_ten_betas(truth: folders.Truth) -> None:
    folders.change_person(truth, 1, betas=np.arange(16.0))
    folders.change_person(truth, 2, betas=np.array([[0.5, 0.25]]))
    scene = load_results(truth.root)
    np.testing.assert_array_equal(scene.people[1].betas, np.arange(10.0))
    np.testing.assert_array_equal(scene.people[2].betas, [0.5, 0.25, *np.zeros(8)])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"poses": np.zeros((24, 5))}, r"'poses' have shape \(24, 5\)"),
        ({"poses": np.array(3.0)}, "'poses' are one number"),
        ({"transl": np.array(3.0)}, r"'transl' has shape \(\) for 24 poses"),
        ({"betas": np.array(3.0)}, r"'betas' have shape \(\)"),
        ({"transl": np.zeros((23, 3))}, r"'transl' has shape \(23, 3\) for 24 poses"),
        ({"global_orient": np.zeros(3)}, "'global_orient' has shape"),
        ({"betas": np.full(10, np.nan)}, "'betas' hold NaN"),
        ({"betas": np.full(10, 1e6)}, r"'betas' reach 1e\+06, which no body has"),
        ({"poses": np.array(["a"] * 24)}, "not numbers"),
        ({"poses": np.full((24, 23, 3, 3), 2.0)}, "'poses' hold matrices that are no rotations"),
        ({"poses": np.full((24, 23, 3), np.nan)}, "only NaN"),
    ],
)
def test_a_broken_person_is_named_and_the_other_opens(
    truth: folders.Truth, change: dict[str, np.ndarray], text: str
) -> None:
    if text == "only NaN":
        change = change | {"transl": np.full((24, 3), np.nan)}
    folders.change_person(truth, 1, **change)
    scene = load_results(truth.root)
    assert list(scene.people) == [2]
    folders.remove(truth.person(2))
    with pytest.raises(InputError, match=text) as caught:
        load_results(truth.root)
    assert "person_001" in str(caught.value)


def test_a_truncated_person_file(truth: folders.Truth) -> None:
    path = truth.person(1) / "smpl_params_camera.npz"
    path.write_bytes(path.read_bytes()[:300])
    scene = load_results(truth.root)
    assert list(scene.people) == [2]
    assert found(scene, "unreadable").person == 1


def test_rows_absurdly_far_away_are_left_out(truth: folders.Truth) -> None:
    place = truth.person(1) / "smpl_params_camera.npz"
    arrays = dict(np.load(place))
    arrays["transl"][3:7] = [0, 0, 1e20]
    np.savez(place, **arrays)
    scene = load_results(truth.root)
    (finding,) = [f for f in scene.report.findings if f.code == "far"]
    assert (finding.person, finding.count) == (1, 4)
    assert not set(range(3, 7)) & set(scene.people[1].frames.tolist())
    arrays["transl"][:] = 1e20
    np.savez(place, **arrays)
    scene = load_results(truth.root)
    assert set(scene.people) == {2}
    assert "far" in scene.report.codes()
