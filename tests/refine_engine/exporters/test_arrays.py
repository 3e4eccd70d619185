"""AMASS, plain SMPL and SLAHMR files, read back with numpy and posed without the engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.errors import ExportError
from refine_engine.exporters import ExportOptions, export
from refine_engine.exporters.content import ExportContent

Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def test_amass_poses_the_same_body_z_up(tmp_path: Path, content: ExportContent, reference_joints):
    written = export("amass", content, tmp_path / "amass")
    assert [p.name for p in written] == ["person_002.npz", "person_011.npz"]
    for path, person in zip(written, content.people.values(), strict=True):
        a = read(path)
        n = len(person.frames)
        assert a["poses"].shape == (n, 156)
        assert a["trans"].shape == (n, 3)
        assert a["betas"].shape == (16,)
        assert str(a["gender"]) == "neutral"
        assert a["mocap_framerate"] == a["mocap_frame_rate"] == a["fps"] == 24.0
        assert not a["poses"][:, 66:].any()
        np.testing.assert_array_equal(a["frames"], person.frames)
        np.testing.assert_array_equal(a["observed"], person.observed)
        ours = content.joints(person)
        for row in (0, n // 2, n - 1):
            pose = np.zeros((24, 3))
            pose[:22] = a["poses"][row, :66].reshape(22, 3)
            found = reference_joints(content.body, a["betas"][:10], pose, a["trans"][row])
            np.testing.assert_allclose(found[:22], ours[row, :22] @ Z_UP.T, atol=1e-9)
            np.testing.assert_allclose(found[0], a["pelvis"][row], atol=1e-9)


def test_amass_stands_upright_along_z(tmp_path: Path, content: ExportContent):
    """A person who stands Y up in our world has the head above the pelvis along z in AMASS."""
    upright = replace(
        content.people[2],
        R_world_root=np.tile(np.eye(3), (24, 1, 1)),
        body_pose=np.tile(np.eye(3), (24, 23, 1, 1)),
    )
    (path,) = export("amass", replace(content, people={2: upright}), tmp_path)
    root = read(path)["poses"][0, :3]
    np.testing.assert_allclose(root, [np.pi / 2, 0, 0], atol=1e-9)


def test_amass_y_up_keeps_our_world(tmp_path: Path, content: ExportContent):
    written = export("amass", content, tmp_path, ExportOptions(up="y"))
    a = read(written[0])
    np.testing.assert_allclose(a["trans"], content.people[2].transl_world)
    assert str(a["up"]) == "y"


def test_amass_splits_at_gaps(tmp_path: Path, content: ExportContent):
    written = export("amass", content, tmp_path, ExportOptions(gaps="split"))
    assert [p.name for p in written] == ["person_002.npz", "person_002_2.npz", "person_011.npz"]
    first, second = (read(p) for p in written[:2])
    np.testing.assert_array_equal(first["frames"], np.arange(9))
    np.testing.assert_array_equal(second["frames"], np.arange(12, 24))
    assert first["observed"].all()
    assert second["observed"].all()


def test_amass_at_another_rate(tmp_path: Path, content: ExportContent, reference_joints):
    """Twice the rate: every second row is an old one."""
    written = export("amass", content, tmp_path, ExportOptions(rate=48.0))
    person = content.people[2]
    a = read(written[0])
    assert a["fps"] == 48.0
    assert len(a["poses"]) == 2 * 24 - 1
    np.testing.assert_allclose(a["frames"][:4], [0, 0.5, 1, 1.5])
    ours = content.joints(person)
    pose = np.zeros((24, 3))
    pose[:22] = a["poses"][10, :66].reshape(22, 3)
    found = reference_joints(content.body, person.betas, pose, a["trans"][10])
    np.testing.assert_allclose(found[:22], ours[5, :22] @ Z_UP.T, atol=1e-9)
    with pytest.raises(ExportError, match="no frame rate"):
        export("amass", content, tmp_path / "x", ExportOptions(rate=0.0))


def test_plain_smpl_has_what_a_script_needs(
    tmp_path: Path, content: ExportContent, reference_joints
):
    written = export("smpl", content, tmp_path)
    assert written[1] == tmp_path / "person_011" / "smpl_params_world.npz"
    person = content.people[11]
    a = read(written[1])
    assert a["poses"].shape == (13, 23, 3)
    assert a["betas"].shape == (10,)
    assert (str(a["up"]), str(a["units"]), float(a["fps"])) == ("y", "metres", 24.0)
    np.testing.assert_array_equal(a["frames"], person.frames)
    ours = content.joints(person)
    pose = np.concatenate([a["global_orient"][7][None], a["poses"][7]])
    np.testing.assert_allclose(
        reference_joints(content.body, a["betas"], pose, a["transl"][7]), ours[7], atol=1e-9
    )
    # The camera of row 7 is that of video frame 12.
    frame = int(a["frames"][7])
    assert frame == 12
    np.testing.assert_allclose(a["w2c"][7, :3, :3], content.R_cam_world[12])
    np.testing.assert_allclose(a["w2c"][7, :3, 3], content.t_cam_world[12])
    np.testing.assert_allclose(a["K"][7], content.intrinsics[12])


def test_slahmr_looks_the_same_through_its_cameras(
    tmp_path: Path, content: ExportContent, reference_joints
):
    (path,) = export("slahmr", content, tmp_path / "x_world_results.npz")
    a = read(path)
    assert a["trans"].shape == (2, 24, 3)
    assert a["pose_body"].shape == (2, 24, 63)
    assert a["betas"].shape == (2, 16)
    assert a["cam_R"].shape == (2, 24, 3, 3)
    assert a["world_scale"].shape == (1, 1)
    np.testing.assert_array_equal(a["track_ids"], [2, 11])
    wanted = np.zeros((2, 24), dtype=bool)
    wanted[0] = True
    wanted[0, 9:12] = False
    wanted[1, 5:18] = True
    np.testing.assert_array_equal(a["track_mask"], wanted)
    fx, fy, cx, cy = a["intrins"]
    for b, person in enumerate(content.people.values()):
        joints = content.joints(person)
        for row in (0, len(joints) - 1):
            t = int(person.frames[row])
            pose = np.zeros((24, 3))
            pose[0] = a["root_orient"][b, t]
            pose[1:22] = a["pose_body"][b, t].reshape(21, 3)
            found = reference_joints(content.body, a["betas"][b, :10], pose, a["trans"][b, t])
            theirs = found[:22] @ a["cam_R"][b, t].T + a["cam_t"][b, t]
            ours = joints[row, :22] @ content.R_cam_world[t].T + content.t_cam_world[t]
            np.testing.assert_allclose(theirs, ours, atol=1e-9)
            # Y down: the head's side of the world has negative y.
            np.testing.assert_allclose(found[:22, 1], -joints[row, :22, 1], atol=1e-9)
    K = content.intrinsics[0]
    assert (fx, fy, cx, cy) == (K[0, 0], K[1, 1], K[0, 2], K[1, 2])


def test_slahmr_floor_is_the_foot_of_the_perpendicular(tmp_path: Path, content: ExportContent):
    (path,) = export("slahmr", content, tmp_path / "x_world_results.npz")
    (foot,) = read(path)["floor_plane"]
    back = foot * [1, -1, -1]
    plane = content.ground_plane
    assert back @ plane[:3] + plane[3] == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(np.cross(back, plane[:3]), 0, atol=1e-12)


def test_only_some_people_and_frames(tmp_path: Path, content: ExportContent):
    options = ExportOptions(people=(2,), frames=(4, 9))
    (path,) = export("smpl", content, tmp_path, options)
    np.testing.assert_array_equal(read(path)["frames"], np.arange(4, 9))
    np.testing.assert_allclose(read(path)["w2c"][0, :3, 3], content.t_cam_world[4])


def test_amass_between_frames_a_steady_turn_stays_steady(
    tmp_path: Path, content: ExportContent
) -> None:
    angle = np.linspace(0, 2, 24)
    person = replace(
        content.people[2],
        R_world_root=Rotation.from_rotvec(angle[:, None] * [0, 1, 0]).as_matrix(),
        body_pose=np.tile(np.eye(3), (24, 23, 1, 1)),
        transl_world=np.stack([angle, angle**2, 0 * angle], 1),
    )
    (path,) = export(
        "amass", replace(content, people={2: person}), tmp_path, ExportOptions(rate=60.0, up="y")
    )
    a = read(path)
    # 24 frames at 24 a second span 23/24 s: 58 steps of 1/60 s.
    t = np.arange(58) / 60 * 24 / 23 * 2
    np.testing.assert_allclose(a["poses"][:, 1], t, atol=1e-6)
    np.testing.assert_allclose(a["trans"], np.stack([t, t**2, 0 * t], 1), atol=1e-6)
    assert len(a["frames"]) == len(a["observed"]) == 58
