"""TRC markers, joint angles, and everything moved onto the floor."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.body import JOINT_INDEX, JOINT_NAMES, LANDMARK_VERTICES, skin_mesh
from refine_engine.exporters import FORMATS, ExportOptions, caveats, export
from refine_engine.exporters.angles import ANGLES, joint_angles, split
from refine_engine.exporters.content import ExportContent
from refine_engine.geometry.planes import heights
from refine_engine.state import PersonState


def read_trc(text: str) -> tuple[dict[str, str], np.ndarray, dict[str, np.ndarray]]:
    """Header values, times (n,) and marker places (n, 3), as OpenSim's description has them."""
    lines = text.splitlines()
    assert lines[0].split("\t")[:3] == ["PathFileType", "4", "(X/Y/Z)"]
    header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    names = lines[3].split("\t")
    assert names[:2] == ["Frame#", "Time"]
    markers = names[2::3]
    assert lines[4].split("\t")[2:5] == ["X1", "Y1", "Z1"]
    assert lines[5] == ""
    rows = np.array([[float(v) for v in line.split("\t")] for line in lines[6:]])
    assert rows.shape == (int(header["NumFrames"]), 2 + 3 * int(header["NumMarkers"]))
    np.testing.assert_array_equal(rows[:, 0], np.arange(1, len(rows) + 1))
    places = rows[:, 2:].reshape(len(rows), -1, 3)
    return header, rows[:, 1], {name: places[:, k] for k, name in enumerate(markers)}


def test_trc_has_joints_and_points_of_the_skin(tmp_path: Path, content: ExportContent) -> None:
    paths = export("trc", content, tmp_path)
    assert [p.name for p in paths] == ["person_002.trc", "person_011.trc"]
    for path, person in zip(paths, content.people.values(), strict=True):
        header, times, markers = read_trc(path.read_text())
        assert header["Units"] == "m"
        assert header["DataRate"] == header["CameraRate"] == "24"
        np.testing.assert_allclose(times, person.frames / 24, atol=1e-6)
        ours = content.joints(person)
        for k, name in enumerate(JOINT_NAMES):
            np.testing.assert_allclose(markers[name], ours[:, k], atol=1e-6)
        row = 4
        mesh = skin_mesh(
            content.body,
            person.betas,
            person.R_world_root[row],
            person.body_pose[row],
            person.transl_world[row],
            dtype=np.float64,
        )
        for name in ("nose", "left_heel", "right_big_toe"):
            np.testing.assert_allclose(markers[name][row], mesh[LANDMARK_VERTICES[name]], atol=1e-6)


def test_what_trc_loses_is_said(content: ExportContent) -> None:
    assert any("3 frames are filled gaps" in note for note in caveats("trc", content))
    assert not any(
        "filled" in note for note in caveats("trc", content, ExportOptions(people=(11,)))
    )


def posed(content: ExportContent, joint: str, turn: Rotation) -> dict[str, float]:
    """Angles in degrees of somebody at rest but for one joint."""
    n = 3
    R = np.tile(np.eye(3), (n, 24, 1, 1))
    R[:, JOINT_INDEX[joint]] = turn.as_matrix()
    person = PersonState(
        frames=np.arange(n),
        R_world_root=R[:, 0],
        body_pose=R[:, 1:],
        betas=np.zeros(10),
        transl_world=np.zeros((n, 3)),
        observed=np.ones(n, dtype=bool),
        contacts=np.zeros((n, 4)),
    )
    found = np.rad2deg(joint_angles(content, person))
    np.testing.assert_allclose(found, found[:1].repeat(n, 0), atol=1e-9)
    return dict(zip(ANGLES, found[0], strict=True))


# What moves where, in words: x is to the left, y up, z forward.
@pytest.mark.parametrize(
    ("joint", "axis", "degrees", "angle"),
    [
        ("left_hip", "x", -40, "left_hip_flexion"),  # the knee comes forward
        ("right_hip", "x", -40, "right_hip_flexion"),
        ("left_hip", "z", -15, "left_hip_adduction"),  # the knee comes to the right
        ("right_hip", "z", 15, "right_hip_adduction"),
        ("left_hip", "y", -20, "left_hip_internal_rotation"),  # the toes turn to the right
        ("right_hip", "y", 20, "right_hip_internal_rotation"),
        ("left_knee", "x", 60, "left_knee_flexion"),  # the heel goes back
        ("right_knee", "x", 60, "right_knee_flexion"),
        ("left_ankle", "x", -10, "left_ankle_dorsiflexion"),  # the toes rise
        ("spine2", "x", 25, "trunk_flexion"),  # the head goes forward
        ("spine1", "z", 12, "trunk_bending_right"),
        ("spine3", "y", 30, "trunk_rotation_left"),
        ("neck", "x", 14, "neck_flexion"),
        ("pelvis", "x", 8, "pelvis_tilt_forward"),
        ("pelvis", "z", 6, "pelvis_left_side_up"),
        ("pelvis", "y", 50, "pelvis_heading_left"),
    ],
)
def test_one_turned_joint_is_one_angle(
    content: ExportContent, joint: str, axis: str, degrees: float, angle: str
) -> None:
    found = posed(content, joint, Rotation.from_euler(axis, degrees, degrees=True))
    still = posed(content, joint, Rotation.identity())
    assert found[angle] == pytest.approx(abs(degrees), abs=1e-6)
    for name in ANGLES:
        if name != angle:
            assert found[name] == pytest.approx(still[name], abs=1e-6), name


@pytest.mark.parametrize(("side", "outward"), [("left", 1), ("right", -1)])
def test_arms(content: ExportContent, side: str, outward: int) -> None:
    rest = posed(content, f"{side}_shoulder", Rotation.identity())
    # The embedded body's arms hang a little from the horizontal and bend a little at rest.
    assert rest[f"{side}_shoulder_elevation"] == pytest.approx(90, abs=15)
    assert abs(rest[f"{side}_shoulder_plane"]) < 15
    assert rest[f"{side}_elbow_flexion"] < 15
    ahead = Rotation.from_euler("y", -90 * outward, degrees=True)
    found = posed(content, f"{side}_shoulder", ahead)
    turned = found[f"{side}_shoulder_plane"] - rest[f"{side}_shoulder_plane"]
    assert turned == pytest.approx(90)
    down = Rotation.from_euler("z", -45 * outward, degrees=True)
    lower = posed(content, f"{side}_shoulder", down)[f"{side}_shoulder_elevation"]
    assert lower == pytest.approx(rest[f"{side}_shoulder_elevation"] - 45, abs=1.5)
    bent = Rotation.from_euler("y", -70 * outward, degrees=True)
    flexed = posed(content, f"{side}_elbow", bent)[f"{side}_elbow_flexion"]
    assert flexed == pytest.approx(70, abs=15)


@pytest.mark.parametrize("axes", ["xzy", "yxz", "zyx"])
def test_angles_give_their_rotation_back(axes: str) -> None:
    R = Rotation.random(200, random_state=3).as_matrix()
    back = Rotation.from_euler(axes.upper(), np.stack(split(R, axes), 1)).as_matrix()
    np.testing.assert_allclose(back, R, atol=1e-9)


def test_table_of_angles(tmp_path: Path, content: ExportContent) -> None:
    (path,) = export("angles", content, tmp_path / "angles.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert len(rows) == 24 + 13
    person = content.people[11]
    mine = [row for row in rows if row["person"] == "11"]
    assert [int(row["frame"]) for row in mine] == person.frames.tolist()
    ours = np.rad2deg(joint_angles(content, person))
    found = np.array([[float(row[f"{name}_deg"]) for name in ANGLES] for row in mine])
    np.testing.assert_allclose(found, ours, atol=1e-3)


def test_somebody_who_spins_keeps_counting(content: ExportContent) -> None:
    spin = Rotation.from_euler("y", np.linspace(0, 720, 24)[:, None], degrees=True).as_matrix()
    person = replace(content.people[2], R_world_root=spin)
    heading = np.rad2deg(joint_angles(content, person)[:, ANGLES.index("pelvis_heading_left")])
    np.testing.assert_allclose(heading, np.linspace(0, 720, 24), atol=1e-6)


def test_an_arm_that_hangs_keeps_its_plane(content: ExportContent) -> None:
    """Straight down, the direction in which it is raised is noise."""
    person = content.people[2]
    R = np.tile(np.eye(3), (24, 23, 1, 1))
    k = JOINT_INDEX["left_shoulder"] - 1
    rng = np.random.default_rng(0)
    upper = np.diff(
        content.joints(replace(person, body_pose=R, R_world_root=np.tile(np.eye(3), (24, 1, 1))))[
            0, [JOINT_INDEX["left_shoulder"], JOINT_INDEX["left_elbow"]]
        ],
        axis=0,
    )[0]
    down, _ = Rotation.align_vectors([[0, -1.0, 0]], [upper])
    R[:10, k] = Rotation.from_euler("y", -60, degrees=True).as_matrix()
    R[10:, k] = (Rotation.from_rotvec(0.01 * rng.normal(size=(14, 3))) * down).as_matrix()
    plane = np.rad2deg(joint_angles(content, replace(person, body_pose=R)))
    plane = plane[:, ANGLES.index("left_shoulder_plane")]
    np.testing.assert_allclose(plane, plane[0], atol=1e-9)


def test_the_floor_is_level_at_zero_and_nothing_else_changes(content: ExportContent) -> None:
    moved = content.on_floor()
    np.testing.assert_allclose(moved.ground_plane, [0, 1, 0, 0], atol=1e-12)
    for i, person in content.people.items():
        before, after = content.joints(person), moved.joints(moved.people[i])
        np.testing.assert_allclose(after[..., 1], heights(before, content.ground_plane), atol=1e-9)
        for frame, row in zip(person.frames, range(len(before)), strict=True):
            seen = before[row] @ content.R_cam_world[frame].T + content.t_cam_world[frame]
            again = after[row] @ moved.R_cam_world[frame].T + moved.t_cam_world[frame]
            np.testing.assert_allclose(again, seen, atol=1e-9)
    level = replace(content, ground_plane=np.array([0.0, 1.0, 0.0, 1.4])).on_floor()
    lifted = level.people[2].transl_world - content.people[2].transl_world
    np.testing.assert_allclose(lifted, np.tile([0, 1.4, 0], (24, 1)), atol=1e-12)


def test_formats_without_a_floor_say_where_it_is(tmp_path: Path, content: ExportContent) -> None:
    for name in FORMATS:
        said = [note for note in caveats(name, content) if "--floor" in note]
        assert bool(said) == (name in ("amass", "bvh", "csv", "trc", "c3d"))
        assert not any("lies at" in n for n in caveats(name, content, ExportOptions(floor=True)))
    assert "-0.90 m" in caveats("bvh", content)[-1]
    (path,) = export("csv", content, tmp_path / "x.csv", ExportOptions(floor=True))
    row = next(csv.DictReader(io.StringIO(path.read_text())))
    person = content.people[2]
    ours = heights(content.joints(person)[0, 0], content.ground_plane)
    assert float(row["pelvis_y_m"]) == pytest.approx(float(ours), abs=1e-6)
