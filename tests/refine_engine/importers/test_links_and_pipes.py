"""Links that lead nowhere, pipes, and files without rights: said or left out, never waited for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from refine_engine.errors import InputError
from refine_engine.importers import load_results
from refine_engine.importers.folder import read_json
from refine_engine.importers.keypoint_json import read_keypoint_json
from refine_engine.scene import Finding, Scene
from tests.refine_engine.importers import folders


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run", 8)


def lead_nowhere(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(f"/not/mounted/{path.name}")


def unreadable(scene: Scene) -> list[Finding]:
    return [f for f in scene.report.findings if f.code == "unreadable"]


@pytest.mark.parametrize(
    "name",
    ["1_camera_estimation/cameras.npz", "2_tracking/tracks.npz", "people", "3_pose_estimation"],
)
def test_data_on_a_disk_that_is_not_mounted_is_not_taken_for_absent(
    truth: folders.Truth, name: str
) -> None:
    if name == "3_pose_estimation":
        folders.remove(truth.poses)
        lead_nowhere(truth.poses)
    elif name == "people":
        for i in (1, 2):
            lead_nowhere(truth.person(i) / "smpl_params_camera.npz")
    else:
        lead_nowhere(truth.root / name)
    with pytest.raises(InputError, match=r"is a link to /not/mounted/.* not there; mount"):
        load_results(truth.root)


def test_a_person_without_a_pose_file_is_reported(truth: folders.Truth) -> None:
    (truth.person(2) / "smpl_params_camera.npz").unlink()
    (finding,) = unreadable(load_results(truth.root))
    assert finding.person == 2
    assert "smpl_params_camera.npz: does not exist; run Stage 3 again" in finding.message


def test_a_link_to_itself_spoils_nothing_beside_it(truth: folders.Truth) -> None:
    (truth.root / "again").symlink_to("again")
    (truth.cameras / "again").symlink_to("again")
    assert len(load_results(truth.root).people) == 2


@pytest.mark.parametrize("how", ["nowhere", "pipe", "folder", "rights"])
@pytest.mark.parametrize("kind", ["depth_maps/depth_000003.npy", "masks/frame_000003_dynamic.npy"])
def test_an_image_that_cannot_be_read_is_left_out(
    truth: folders.Truth, kind: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = truth.cameras / kind
    assert path.is_file()
    if how == "nowhere":
        lead_nowhere(path)
    elif how == "rights":
        # Root may read everything, and tests may run as root.
        may = os.access
        monkeypatch.setattr(os, "access", lambda p, mode: Path(p) != path and may(p, mode))
    else:
        path.unlink()
        os.mkfifo(path) if how == "pipe" else path.mkdir()
    scene = load_results(truth.root)
    (finding,) = unreadable(scene)
    assert finding.count == 1
    assert path.name in finding.message
    assert scene.depth is not None
    assert scene.depth.has(3) == ("depth" not in kind)


def test_depth_confidence_that_cannot_be_read_is_reported(truth: folders.Truth) -> None:
    path = truth.cameras / "depth_uncertainty" / "sigma_000003.npy"
    path.write_bytes(path.read_bytes()[:-100])
    scene = load_results(truth.root)
    (finding,) = unreadable(scene)
    assert "depth confidence" in finding.message
    assert scene.depth is not None
    assert scene.depth.confidence(3) is None
    assert scene.depth.confidence(4) is not None


def test_keypoints_from_a_pipe_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keypoints.json")
    with pytest.raises(InputError, match="is no ordinary file"):
        read_keypoint_json(tmp_path / "keypoints.json", 10)


def test_numbers_of_thousands_of_digits(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"frames": []}).replace("[]", "[" + "9" * 5000 + "]"))
    with pytest.raises(InputError, match="is not readable JSON"):
        read_json(path)
    with pytest.raises(InputError, match="is not readable JSON"):
        read_keypoint_json(path, 10)


@pytest.mark.parametrize("name", ["person_alice", "person_99999999999999999999", "person_"])
def test_a_person_without_a_number_is_reported(truth: folders.Truth, name: str) -> None:
    truth.person(2).rename(truth.poses / name)
    scene = load_results(truth.root)
    assert set(scene.people) == {1}
    (finding,) = [f for f in scene.report.findings if f.action == "discarded" and name in f.message]
    assert "holds no number in its name; name it person_001" in finding.message
