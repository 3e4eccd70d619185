"""Stage 1 in every era, and its defects: B3, B4, B13, B20, B21, B22, B23, B28."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_engine.errors import InputError
from refine_engine.importers import load_results
from refine_engine.scene import Finding, Scene
from tests.refine_engine.importers import folders


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run")


def found(scene: Scene, code: str) -> Finding:
    (finding,) = (f for f in scene.report.findings if f.code == code)
    return finding


def metadata(truth: folders.Truth, **changes: object) -> None:
    content = {"num_frames": folders.FRAMES, "image_size": list(folders.SIZE)} | changes
    folders.dump(truth.cameras / "metadata.json", content)


def test_b3_the_unit_is_said_to_be_unknown(truth: folders.Truth) -> None:
    scene = load_results(truth.root)
    assert not scene.cameras.metric
    assert found(scene, "B3").count == folders.FRAMES


def test_b4_stretched_pixels_are_reported_with_their_cause(truth: folders.Truth) -> None:
    K = truth.K.copy()
    K[:, 0, 0] *= folders.SIZE[1] / folders.SIZE[0]
    folders.write_cameras(truth, intrinsics=K)
    finding = found(load_results(truth.root), "B4")
    assert "fx/fy = 1.50" in finding.message
    assert "squashed to a square" in finding.message
    assert finding.action == "reported"


def test_b13_confidence_at_its_floor_is_no_geometry(truth: folders.Truth) -> None:
    folders.write_cameras(truth, confidence=np.full(folders.FRAMES, 1.002))
    findings = [f for f in load_results(truth.root).report.findings if f.code == "B13"]
    (low,) = (f for f in findings if f.action == "reported")
    assert low.count == folders.FRAMES
    assert "1.002" in low.message


def test_b20_droid_cameras_are_refused_for_a_static_one(truth: folders.Truth) -> None:
    metadata(truth, method_used="droid")
    scene = load_results(truth.root)
    assert found(scene, "B20").action == "discarded"
    assert not scene.cameras.estimated
    assert np.ptp(scene.cameras.R_cam_world, axis=0).max() == 0
    assert not scene.cameras.t_cam_world.any()
    assert scene.report.codes().isdisjoint({"B3", "B21"})


def test_b21_says_how_far_naive_plots_are_off(truth: folders.Truth) -> None:
    centres = -np.einsum("tji,tj->ti", truth.R_recon, truth.t_recon)
    off = np.linalg.norm(centres - truth.t_recon, axis=-1).max()
    finding = found(load_results(truth.root), "B21")
    assert f"{off:.3g} units" in finding.message


def test_b22_metadata_of_another_length(truth: folders.Truth) -> None:
    metadata(truth, num_frames=folders.FRAMES + 7, method_used="vggt")
    assert found(load_results(truth.root), "B22").count == 7


def test_b22_stages_of_different_length_use_what_is_common(truth: folders.Truth) -> None:
    T = 15
    truth.R_recon, truth.t_recon = truth.R_recon[:T], truth.t_recon[:T]
    truth.K = truth.K[:T]
    folders.write_cameras(truth)
    scene = load_results(truth.root)
    assert scene.num_frames == T
    for i, person in scene.people.items():
        np.testing.assert_array_equal(person.frames, [f for f in truth.frames[i] if f < T])
        np.testing.assert_allclose(
            person.transl_cam, truth.transl_cam[i][: len(person.frames)], atol=1e-6
        )
    by_person = {f.person: f.count for f in scene.report.findings if f.code == "B22" and f.person}
    assert by_person == {1: folders.FRAMES - T, 2: 21 - T}
    whole = [f for f in scene.report.findings if f.code == "B22" and f.person is None]
    assert any("Stage 2 saw 24 frames, Stage 1 15" in f.message for f in whole)
    assert scene.depth is not None
    assert not scene.depth.has(T)


def test_b23_identity_cameras_count_as_not_estimated(truth: folders.Truth) -> None:
    T = folders.FRAMES
    folders.write_cameras(truth, poses=np.tile(np.eye(4), (T, 1, 1)))
    scene = load_results(truth.root)
    assert found(scene, "B23").count == T
    assert not scene.cameras.estimated
    assert "B3" not in scene.report.codes()


def test_b28_body_poses_in_the_place_of_cameras(truth: folders.Truth) -> None:
    folders.write_cameras(truth, poses=np.zeros((5, 23, 3)))
    with pytest.raises(InputError, match=r"cameras\.npz:poses: are body poses"):
        load_results(truth.root)


@pytest.mark.parametrize("shape", [(), (1,), (2,), (24,), (24, 1), (24, 2)])
def test_focal_lengths_of_the_early_layout(truth: folders.Truth, shape: tuple[int, ...]) -> None:
    early = {"R": truth.R_recon, "T": truth.t_recon}
    np.savez(truth.cameras / "cameras.npz", **early, f=np.full(shape, folders.FOCAL))
    cameras = load_results(truth.root).cameras
    np.testing.assert_allclose(cameras.intrinsics, truth.K)
    for wrong in ((7,), (7, 2), (24, 3), (24, 2, 1)):
        np.savez(truth.cameras / "cameras.npz", **early, f=np.full(wrong, folders.FOCAL))
        with pytest.raises(InputError, match=r"cameras\.npz:f: has shape .* for 24 cameras"):
            load_results(truth.root)


def test_the_early_layout_with_r_and_t(truth: folders.Truth) -> None:
    np.savez(
        truth.cameras / "cameras.npz",
        R=truth.R_recon,
        T=truth.t_recon,
        f=np.full((folders.FRAMES, 2), folders.FOCAL),
        scale=1.0,
        world_origin=np.zeros(3),
    )
    cameras = load_results(truth.root, up=truth.up_recon).cameras
    np.testing.assert_allclose(cameras.intrinsics, truth.K)
    up_cam = cameras.R_cam_world @ np.array([0.0, 1.0, 0.0])
    np.testing.assert_allclose(up_cam, truth.R_cam_world @ np.array([0.0, 1.0, 0.0]), atol=1e-9)


def test_other_names_and_three_row_poses(truth: folders.Truth) -> None:
    poses = np.concatenate([truth.R_recon, truth.t_recon[:, :, None]], -1)
    np.savez(truth.cameras / "camera_data.npz", poses=poses, intrinsics=truth.K[0])
    (truth.cameras / "cameras.npz").unlink()
    cameras = load_results(truth.root).cameras
    assert cameras.num_frames == folders.FRAMES
    np.testing.assert_allclose(cameras.intrinsics, truth.K)
    assert cameras.confidence is None


def test_an_image_size_in_the_wrong_order_is_turned(truth: folders.Truth) -> None:
    metadata(truth, image_size=list(folders.SIZE[::-1]), method_used="vggt")
    scene = load_results(truth.root)
    assert scene.cameras.image_size == folders.SIZE
    assert found(scene, "image_size").action == "repaired"


def test_the_first_writer_s_size_and_a_missing_one(truth: folders.Truth) -> None:
    folders.write_cameras(truth, original_size=np.array(folders.SIZE))
    (truth.cameras / "metadata.json").unlink()
    assert load_results(truth.root).cameras.image_size == folders.SIZE
    folders.write_cameras(truth)
    (truth.cameras / "metadata.json").unlink()
    scene = load_results(truth.root)
    assert scene.cameras.image_size == folders.SIZE
    assert "image_size" in scene.report.codes()


def test_without_stage_1_the_camera_is_static(truth: folders.Truth) -> None:
    folders.remove(truth.cameras)
    scene = load_results(truth.root)
    assert not scene.cameras.estimated
    assert scene.num_frames == folders.FRAMES
    assert any("No cameras (Stage 1)" in text for text in scene.report.missing)
    assert scene.cameras.image_size == folders.SIZE
    np.testing.assert_allclose(scene.people[1].transl_cam, truth.transl_cam[1], atol=1e-6)


def test_without_stage_1_the_size_comes_from_the_video_or_is_guessed(
    truth: folders.Truth,
) -> None:
    folders.remove(truth.cameras)
    folders.remove(truth.tracks)
    scene = load_results(truth.root)
    assert scene.cameras.image_size == (1080, 1920)
    assert any("which nothing in the folder says" in text for text in scene.report.missing)
    folders.write_video(truth.root / "film.mov", folders.FRAMES)
    scene = load_results(truth.root)
    assert scene.cameras.image_size == folders.SIZE
    assert scene.video is not None
    scene.video.close()


def test_without_stage_1_the_video_s_size_goes_before_that_of_the_masks(
    truth: folders.Truth,
) -> None:
    """Masks may have been made at the size of the depth maps; the tracker's boxes never were."""
    folders.remove(truth.cameras)
    size = (2 * folders.SIZE[0], 2 * folders.SIZE[1])
    folders.write_video(truth.root / "film.mov", folders.FRAMES, size=size)
    scene = load_results(truth.root)
    assert scene.cameras.image_size == size
    assert scene.video is not None
    scene.video.close()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"poses": np.full((24, 4, 4), np.nan)}, "24 cameras with NaN"),
        ({"poses": np.tile(np.eye(4) * 2, (24, 1, 1))}, "last row other than"),
        ({"poses": np.tile(np.diag([2.0, 1, 1, 1]), (24, 1, 1))}, "rotation is none.*stretches"),
        ({"poses": np.tile(np.diag([-1.0, 1, 1, 1]), (24, 1, 1))}, "rotation is none.*mirrors"),
        (
            {"intrinsics": np.tile(np.diag([1.2, 1.6, 1]), (24, 1, 1))},
            r"focal length of 1\.2 pixels at frame 0 in an image of 96 x 64, as after division",
        ),
        (
            {"intrinsics": np.tile(np.diag([1e30, 1e30, 1]), (24, 1, 1))},
            r"focal length of 1e\+30 pixels at frame 0 in an image of 96 x 64; give",
        ),
        ({"poses": np.eye(4)}, r"shape \(4, 4\) instead of"),
        ({"poses": np.zeros((0, 4, 4)), "intrinsics": np.zeros((0, 3, 3))}, "holds no cameras"),
        ({"intrinsics": np.tile(np.eye(3), (23, 1, 1))}, r"for 24 cameras"),
        ({"intrinsics": np.zeros((24, 3, 3))}, "not positive finite numbers at frame 0"),
        ({"confidence": np.ones(5)}, r"shape \(5,\) for 24 cameras"),
    ],
)
def test_broken_cameras_are_refused_by_name(
    truth: folders.Truth, change: dict[str, np.ndarray], text: str
) -> None:
    folders.write_cameras(truth, **change)
    with pytest.raises(InputError, match=text) as caught:
        load_results(truth.root)
    assert "cameras.npz" in str(caught.value)


def test_cameras_without_their_keys(truth: folders.Truth) -> None:
    np.savez(truth.cameras / "cameras.npz", something=np.eye(3))
    with pytest.raises(InputError, match="holds neither 'poses' nor"):
        load_results(truth.root)


def test_damaged_metadata_do_not_prevent_opening(truth: folders.Truth) -> None:
    (truth.cameras / "metadata.json").write_text("{broken")
    scene = load_results(truth.root)
    assert scene.cameras.image_size == folders.SIZE
    assert "unreadable" in scene.report.codes()


def test_cameras_that_may_be_in_opengls_axes_are_pointed_at(truth: folders.Truth) -> None:
    assert "axes" not in load_results(truth.root).report.codes()
    poses = np.tile(np.eye(4), (folders.FRAMES, 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = truth.R_recon, truth.t_recon
    folders.write_cameras(truth, poses=np.diag([1.0, -1.0, -1.0, 1.0]) @ poses)
    (finding,) = [f for f in load_results(truth.root).report.findings if f.code == "axes"]
    assert "diag(1, -1, -1)" in finding.message


def test_somebody_behind_the_camera_is_reported(truth: folders.Truth) -> None:
    place = truth.person(1) / "smpl_params_camera.npz"
    arrays = dict(np.load(place))
    arrays["transl"][:5, 2] *= -1
    np.savez(place, **arrays)
    (finding,) = [f for f in load_results(truth.root).report.findings if f.code == "behind"]
    assert (finding.person, finding.count) == (1, 5)
    assert f"in 5 of {len(truth.frames[1])} rows" in finding.message
