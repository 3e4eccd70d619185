"""BVH, CSV and the cameras' JSON, parsed by readers of the tests' own."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.body import JOINT_NAMES
from refine_engine.exporters import export
from refine_engine.exporters.bvh import euler_zyx
from refine_engine.exporters.content import ExportContent


def bvh_joints(text: str) -> tuple[dict[str, np.ndarray], float]:
    """Positions (n, 3) of every joint of a BVH file, in its unit, and the frame time."""
    words = iter(text.split("MOTION")[0].split())
    joints: list[tuple[str, int, np.ndarray, list[str]]] = []
    stack: list[int] = []
    name, offset = "", np.zeros(3)
    for word in words:
        if word in ("ROOT", "JOINT"):
            name = next(words)
        elif word == "End":
            next(words)
            name = ""
        elif word == "{":
            stack.append(len(joints) if name else -1)
        elif word == "OFFSET":
            offset = np.array([float(next(words)) for _ in range(3)])
        elif word == "CHANNELS":
            channels = [next(words) for _ in range(int(next(words)))]
            parent = stack[-2] if len(stack) > 1 else -1
            joints.append((name, parent, offset, channels))
        elif word == "}":
            stack.pop()
    motion = text.split("MOTION")[1].strip().splitlines()
    count = int(motion[0].removeprefix("Frames:"))
    seconds = float(motion[1].removeprefix("Frame Time:"))
    values = np.array([[float(v) for v in line.split()] for line in motion[2:]])
    assert len(values) == count
    column, turns, places = 0, [], []
    for _, parent, start, channels in joints:
        turn = np.tile(np.eye(3), (count, 1, 1))
        place = np.tile(start, (count, 1))
        for channel in channels:
            value = values[:, column]
            column += 1
            if channel.endswith("position"):
                place[:, "XYZ".index(channel[0])] += value
            else:
                turn = (
                    turn
                    @ Rotation.from_euler(
                        channel[0].lower(), value[:, None], degrees=True
                    ).as_matrix()
                )
        if parent >= 0:
            place = places[parent] + np.einsum("nij,nj->ni", turns[parent], place)
            turn = turns[parent] @ turn
        turns.append(turn)
        places.append(place)
    assert column == values.shape[1]
    return {j[0]: p for j, p in zip(joints, places, strict=True)}, seconds


def test_bvh_gives_our_joints_in_centimetres(tmp_path: Path, content: ExportContent) -> None:
    for path, person in zip(export("bvh", content, tmp_path), content.people.values(), strict=True):
        found, seconds = bvh_joints(path.read_text())
        assert seconds == pytest.approx(1 / 24, abs=1e-8)
        ours = 100 * content.joints(person)
        assert set(found) == set(JOINT_NAMES)
        for k, name in enumerate(JOINT_NAMES):
            np.testing.assert_allclose(found[name], ours[:, k], atol=1e-3)


def test_bvh_angles_do_not_jump_by_whole_turns(tmp_path: Path, content: ExportContent) -> None:
    """Somebody who spins twice keeps counting instead of jumping from 180 to -180 degrees."""
    spin = Rotation.from_euler("z", np.linspace(0, 4 * np.pi, 24)[:, None]).as_matrix()
    person = replace(content.people[2], R_world_root=spin)
    (path,) = export("bvh", replace(content, people={2: person}), tmp_path)
    rows = path.read_text().split("Frame Time:")[1].splitlines()[1:]
    angle = np.array([float(row.split()[3]) for row in rows])
    np.testing.assert_allclose(angle, np.linspace(0, 720, 24), atol=1e-5)


@pytest.mark.parametrize("y", [-90.0, 90.0, 30.0])
def test_euler_angles_give_their_rotation_back_also_at_the_poles(y: float) -> None:
    R = Rotation.from_euler("ZYX", [20, y, -70], degrees=True).as_matrix()
    back = Rotation.from_euler("ZYX", euler_zyx(R)).as_matrix()
    np.testing.assert_allclose(back, R, atol=1e-9)


def test_csv_has_every_joint_of_every_frame(tmp_path: Path, content: ExportContent) -> None:
    (path,) = export("csv", content, tmp_path / "joints.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert len(rows) == 24 + 13
    for i, person in content.people.items():
        mine = [row for row in rows if row["person"] == str(i)]
        ours = content.joints(person)
        for row, frame in enumerate(person.frames.tolist()):
            assert int(mine[row]["frame"]) == frame
            assert float(mine[row]["time_s"]) == pytest.approx(frame / 24, abs=1e-6)
            assert bool(int(mine[row]["observed"])) == person.observed[row]
            for k, name in enumerate(JOINT_NAMES):
                found = [float(mine[row][f"{name}_{axis}_m"]) for axis in "xyz"]
                np.testing.assert_allclose(found, ours[row, k], atol=1e-6)
            assert float(mine[row]["contact_right_heel"]) == pytest.approx(
                person.contacts[row, 2], abs=1e-4
            )


def test_cameras_project_as_ours(tmp_path: Path, content: ExportContent) -> None:
    (path,) = export("cameras", content, tmp_path / "cameras.json")
    found = json.loads(path.read_text())
    assert (found["image_width"], found["image_height"]) == (640, 360)
    assert (found["fps"], found["up"], found["alpha"]) == (24.0, "y", 1.7)
    assert found["frames"] == list(range(24))
    point = content.joints(content.people[2])[3, 15]
    x = np.array(found["w2c"][3]) @ np.append(point, 1)
    ours = content.R_cam_world[3] @ point + content.t_cam_world[3]
    np.testing.assert_allclose(x, ours, atol=1e-7)
    np.testing.assert_allclose(found["K"][3], content.intrinsics[3])
