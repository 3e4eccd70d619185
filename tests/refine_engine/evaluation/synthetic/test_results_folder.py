from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from refine_engine.body import embedded_body, joint_positions, move_rigidly
from refine_engine.cli import main
from refine_engine.errors import ExportError
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.results_folder import write_results_folder
from refine_engine.evaluation.synthetic.scene import SyntheticScene, make_scene
from refine_engine.geometry.rotations import matrix_from_axis_angle
from refine_engine.safe_files import load_pickle

OPTIONS = SampleOptions(
    people=2, frames=20, seed=9, depth_size=(45, 80), image_size=(90, 160), camera="orbit"
)


@pytest.fixture(scope="module")
def scene() -> SyntheticScene:
    return make_scene(OPTIONS)


@pytest.fixture(scope="module")
def folder(scene: SyntheticScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results_folder(scene, tmp_path_factory.mktemp("sample") / "out")


def test_stage_1_has_the_pipelines_layout(scene: SyntheticScene, folder: Path) -> None:
    stage = folder / "1_camera_estimation"
    cameras = np.load(stage / "cameras.npz", allow_pickle=False)
    assert cameras["poses"].shape == (20, 4, 4)
    assert cameras["intrinsics"].shape == (20, 3, 3)
    assert cameras["confidence"].shape == (20,)
    assert {cameras[k].dtype for k in cameras} == {np.dtype(np.float32)}
    np.testing.assert_allclose(cameras["poses"][0], np.eye(4), atol=1e-6)
    depth = np.load(stage / "depth_maps" / "depth_000019.npy")
    sigma = np.load(stage / "depth_uncertainty" / "sigma_000019.npy")
    assert depth.shape == sigma.shape == (45, 80)
    assert depth.dtype == sigma.dtype == np.float32
    assert sigma.max() <= 0
    np.testing.assert_array_equal(depth, scene.depth(19)[0])
    metadata = json.loads((stage / "metadata.json").read_text())
    assert metadata == {"num_frames": 20, "image_size": [90, 160], "method_used": "vggt"}
    # People were not blacked out, and no mask claims it.
    assert not (stage / "masks").exists()


def test_stage_2_has_tracks_masks_and_detections(scene: SyntheticScene, folder: Path) -> None:
    stage = folder / "2_tracking"
    tracks = np.load(stage / "tracks.npz", allow_pickle=False)
    person = scene.people[1]
    np.testing.assert_array_equal(tracks["track_1_frames"], person.frames)
    assert tracks["track_1_frames"].dtype == np.int32
    np.testing.assert_allclose(tracks["track_1_bboxes"], person.boxes, rtol=1e-6)
    frame = int(person.frames[3])
    mask = np.load(stage / "masks" / f"frame_{frame:06d}_person_001.npy")
    assert mask.dtype == np.bool_
    assert mask.any()
    detections = load_pickle(stage / "detections" / f"frame_{frame:06d}.pkl")
    assert {d["track_id"] for d in detections} >= {1}
    first = next(d for d in detections if d["track_id"] == 1)
    assert np.shape(first["keypoints_2d"]) == (24, 3)
    # Pairs of coordinates cut into triplets: no column is a confidence.
    assert np.ptp(np.array(first["keypoints_2d"]).ravel()[:50]) < 1.5
    assert len(list((stage / "detections").iterdir())) == 20


def test_frames_are_only_in_stage_3s_metadata(scene: SyntheticScene, folder: Path) -> None:
    place = folder / "3_pose_estimation" / "person_002"
    params = np.load(place / "smpl_params_camera.npz", allow_pickle=False)
    person = scene.people[2]
    n = len(person.frames)
    assert {k: params[k].shape for k in params} == {
        "poses": (n, 23, 3),
        "global_orient": (n, 3),
        "betas": (10,),
        "transl": (n, 3),
    }
    metadata = json.loads((place / "metadata.json").read_text())
    assert metadata["frames"] == person.frames.tolist()
    keypoints = np.load(place / "keypoints_2d.npy")
    assert keypoints.shape == (n, 17, 3)


def test_stage_4_inverts_twice_and_forgets_the_pelvis(folder: Path) -> None:
    before = np.load(folder / "3_pose_estimation/person_001/smpl_params_camera.npz")
    after = np.load(folder / "4_world_space/person_001/smpl_params_world.npz")
    frames = json.loads((folder / "3_pose_estimation/person_001/metadata.json").read_text())[
        "frames"
    ]
    G = np.load(folder / "1_camera_estimation/cameras.npz")["poses"][frames].astype(float)
    R, t = G[:, :3, :3], G[:, :3, 3]
    wrong = np.einsum("nij,nj->ni", R, before["transl"].astype(float)) + t
    np.testing.assert_allclose(after["transl"], wrong, atol=1e-5)
    turned = R @ matrix_from_axis_angle(before["global_orient"])
    np.testing.assert_allclose(matrix_from_axis_angle(after["global_orient"]), turned, atol=1e-5)
    right = np.einsum("nji,nj->ni", R, before["transl"] - t)
    assert np.abs(after["transl"] - right).max() > 0.05
    assert after["transl"].dtype == np.float64
    body = embedded_body()
    orient = matrix_from_axis_angle(before["global_orient"])
    whole = move_rigidly(body, before["betas"], orient, before["transl"], R, t)[1]
    assert np.abs(after["transl"] - whole).max() > 1e-4


def test_the_truth_is_consistent_and_needs_no_pickle(scene: SyntheticScene, folder: Path) -> None:
    truth = np.load(folder / "ground_truth.npz", allow_pickle=False)
    arrays = {k: truth[k] for k in truth}
    assert arrays["person_ids"].tolist() == [1, 2]
    assert arrays["cameras"].shape == (20, 4, 4)
    assert arrays["intrinsics"].shape == (20, 3, 3)
    assert arrays["ground_plane"].shape == (4,)
    assert float(arrays["alpha"]) == scene.truth.alpha
    assert float(arrays["fps"]) == 30.0
    for pid in (1, 2):
        poses = matrix_from_axis_angle(arrays[f"person_{pid}_poses"])
        joints = joint_positions(
            embedded_body(),
            arrays[f"person_{pid}_betas"],
            poses[:, 0],
            poses[:, 1:],
            arrays[f"person_{pid}_transl"],
        )
        np.testing.assert_allclose(joints, arrays[f"person_{pid}_joints"], atol=1e-9)
        assert arrays[f"person_{pid}_contacts"].shape == (20, 4)
        assert arrays[f"person_{pid}_frames"].tolist() == list(range(20))


def test_the_video_shows_every_frame(folder: Path) -> None:
    with av.open(str(folder / "video.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (160, 90)
        assert float(stream.average_rate or 0) == 30.0
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(stream)]
    assert len(frames) == 20
    assert frames[0].std() > 10


def test_options_leave_files_out(scene: SyntheticScene, tmp_path: Path) -> None:
    bare = replace(OPTIONS, keypoints=False, masks=False, video=False)
    folder = write_results_folder(make_scene(bare), tmp_path / "bare")
    assert not list(folder.glob("**/keypoints_2d.npy"))
    assert not (folder / "2_tracking" / "masks").exists()
    assert not (folder / "video.mp4").exists()


def test_blacked_out_scenes_have_dynamic_masks(tmp_path: Path) -> None:
    dark = replace(OPTIONS, blackout=True, video=False, frames=4)
    folder = write_results_folder(make_scene(dark), tmp_path / "dark")
    masks = folder / "1_camera_estimation" / "masks"
    assert len(list(masks.glob("frame_*_dynamic.npy"))) == 4
    instances = load_pickle(masks / "frame_000002_instances.pkl")
    assert instances[0]["class_id"] == 0
    assert instances[0]["mask"].shape == (45, 80)


def test_an_older_sample_is_replaced_and_nothing_else(
    scene: SyntheticScene, tmp_path: Path
) -> None:
    folder = tmp_path / "again"
    write_results_folder(make_scene(replace(OPTIONS, frames=24, video=False)), folder)
    (folder / "notes.txt").write_text("mine")
    write_results_folder(make_scene(replace(OPTIONS, frames=4, video=False)), folder)
    assert len(list((folder / "1_camera_estimation" / "depth_maps").iterdir())) == 4
    assert (folder / "notes.txt").read_text() == "mine"
    other = tmp_path / "holiday"
    other.mkdir()
    (other / "photo.jpg").write_bytes(b"x")
    with pytest.raises(ExportError, match="no sample"):
        write_results_folder(scene, other)
    assert (other / "photo.jpg").exists()
    # Real results with a recording's own truth beside them are no sample either.
    with np.load(folder / "ground_truth.npz") as truth:
        arrays = {name: truth[name] for name in ("person_ids", "cameras", "fps")}
    real = tmp_path / "recording"
    (real / "1_camera_estimation").mkdir(parents=True)
    (real / "1_camera_estimation" / "cameras.npz").write_bytes(b"days of work")
    for content in (arrays, {}):
        np.savez(real / "ground_truth.npz", **content)
        with pytest.raises(ExportError, match="no sample"):
            write_results_folder(scene, real)
    (real / "ground_truth.npz").write_bytes(b"damaged")
    with pytest.raises(ExportError, match="no sample"):
        write_results_folder(scene, real)
    assert (real / "1_camera_estimation" / "cameras.npz").read_bytes() == b"days of work"


def test_the_command_writes_and_describes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--people", "1", "--frames", "4", "--depth-size", "45x80"]
    arguments += ["--image-size", "90x160", "--kinds", "walk", "--alpha", "2"]
    assert main(["sample", str(tmp_path / "out"), *arguments]) == 0
    out = capsys.readouterr().out
    assert "1 person, 4 frames" in out
    assert "alpha 2.0000" in out
    assert (tmp_path / "out" / "ground_truth.npz").is_file()


@pytest.mark.parametrize("bad", [["--people", "99"], ["--motion", "nowhere"]])
def test_bad_input_ends_with_2(
    bad: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", str(tmp_path / "out"), *bad]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_bad_size_is_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["sample", str(tmp_path / "out"), "--image-size", "big"])
    assert stopped.value.code == 2
