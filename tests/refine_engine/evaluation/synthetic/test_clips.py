from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.body import embedded_body, rest_joints
from refine_engine.errors import InputError
from refine_engine.evaluation.synthetic.clips import load_clips, read_clip
from refine_engine.evaluation.synthetic.legs import foot_shape
from refine_engine.evaluation.synthetic.motion import BodyMotion
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.procedural import make_procedural
from refine_engine.evaluation.synthetic.quality import truth_quality
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.geometry.rotations import axis_angle_from_matrix


def recorded(kind: str, count: int, fps: float, seed: int = 0) -> BodyMotion:
    rng = np.random.default_rng(seed)
    return make_procedural(embedded_body(), np.zeros(10), kind, count, fps, rng)


def write_clip(path: Path, motion: BodyMotion, fps: float, shift: np.ndarray | float = 0.0) -> None:
    np.savez(
        path,
        poses=axis_angle_from_matrix(motion.rotations).reshape(-1, 72).astype(np.float32),
        trans=(motion.transl + shift).astype(np.float32),
        betas=np.zeros(10, dtype=np.float32),
        fps=np.float32(fps),
        up="y",
    )


def write_amass(path: Path, motion: BodyMotion, fps: float) -> None:
    """SMPL-H, Z up: the world is turned about X, the pelvis keeps its offset unturned."""
    up = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    pelvis_rest = rest_joints(embedded_body(), np.zeros(10))[0]
    pelvis = (motion.transl + pelvis_rest) @ up.T
    rotations = motion.rotations.copy()
    rotations[:, 0] = up @ rotations[:, 0]
    poses = np.zeros((len(motion), 156))
    poses[:, :66] = axis_angle_from_matrix(rotations[:, :22]).reshape(-1, 66)
    np.savez(
        path,
        poses=poses,
        trans=pelvis - pelvis_rest,
        betas=np.zeros(16),
        gender=np.array(b"neutral"),
        mocap_framerate=np.float64(fps),
        dmpls=np.zeros((len(motion), 8)),
    )


def test_a_clip_keeps_its_motion(tmp_path: Path) -> None:
    motion = recorded("gesture", 60, 30.0)
    write_clip(tmp_path / "a.npz", motion, 30.0)
    rotations, pelvis = read_clip(tmp_path / "a.npz", embedded_body(), 30.0)
    truth = motion.joints(embedded_body()).positions[:, 0]
    assert np.abs(pelvis - truth).max() < 2e-3
    assert np.abs(rotations - motion.rotations).max() < 0.03


@pytest.mark.parametrize("fps", [30.0, 25.0])
def test_amass_is_turned_upright_and_resampled(tmp_path: Path, fps: float) -> None:
    motion = recorded("walk", 481, 120.0)
    write_amass(tmp_path / "walk_poses.npz", motion, 120.0)
    rotations, pelvis = read_clip(tmp_path / "walk_poses.npz", embedded_body(), fps)
    at = np.arange(len(pelvis)) * 120.0 / fps
    truth = motion.joints(embedded_body()).positions[:, 0]
    expected = np.stack([np.interp(at, np.arange(481), truth[:, k]) for k in range(3)], -1)
    assert len(pelvis) == int(480 / 120 * fps) + 1
    assert np.abs(pelvis - expected)[5:-5].max() < 5e-3
    # SMPL's hand joints (22, 23) are at rest, the others are the recording's.
    np.testing.assert_allclose(rotations[:, 22:], np.broadcast_to(np.eye(3), (len(at), 2, 3, 3)))
    every = np.rint(at).astype(int)
    off = np.abs(rotations[:, :22] - motion.rotations[every, :22])[5:-5]
    # The filter against marker noise rounds off the quickest turns of the feet.
    assert off.mean() < 2e-3
    assert off.max() < 0.2


def test_locking_removes_slide_and_lifts_feet_to_the_floor(tmp_path: Path) -> None:
    motion = recorded("walk", 120, 30.0)
    # The whole recording slides by 4 mm a frame and lies 7 mm below the floor.
    shift = np.arange(120)[:, None] * np.array([0.004, 0.0, 0.0]) - [0.0, 0.007, 0.0]
    write_clip(tmp_path / "slides.npz", motion, 30.0, shift)
    betas = 0.5 * np.random.default_rng(1).standard_normal(10)
    rng = np.random.default_rng(0)
    locked, name = load_clips(tmp_path, embedded_body(), [betas], 100, 30.0, rng)[0]
    assert name == "slides"
    assert len(locked) == 100
    model = embedded_body()
    shape = foot_shape(model, betas)
    posed = locked.joints(model)
    heights = []
    for side in range(2):
        heel, toe = locked.contacts[:, 2 * side], locked.contacts[:, 2 * side + 1]
        assert toe.mean() > 0.2
        at_heel = posed.positions[:, 7 + side] + posed.rotations[:, 7 + side] @ shape.heel[side]
        at_toe = posed.positions[:, 10 + side] + posed.rotations[:, 10 + side] @ shape.toe[side]
        for point, down in ((at_heel, heel), (at_toe, toe)):
            steps = np.linalg.norm(np.diff(point, axis=0), axis=-1)
            assert steps[down[1:] & down[:-1]].max() < 1e-3
        heights.append((posed.positions[:, 7 + side, 1] - shape.ankle_height)[heel & toe])
    assert np.abs(np.concatenate(heights)).max() < 1e-3


def test_short_clips_are_taken_only_when_no_other_is_left(tmp_path: Path) -> None:
    write_clip(tmp_path / "long.npz", recorded("walk", 90, 30.0), 30.0)
    write_clip(tmp_path / "short.npz", recorded("gesture", 30, 30.0), 30.0)
    model, rng = embedded_body(), np.random.default_rng(0)
    chosen = load_clips(tmp_path, model, [np.zeros(10)] * 2, 60, 30.0, rng)
    assert [name for _, name in chosen] == ["long", "short"]
    assert [len(m) for m, _ in chosen] == [60, 30]


def test_a_scene_of_clips(tmp_path: Path) -> None:
    write_clip(tmp_path / "walk.npz", recorded("walk", 80, 30.0), 30.0)
    write_amass(tmp_path / "amass.npz", recorded("walk", 321, 120.0, seed=1), 120.0)
    # AMASS keeps such files beside its motions.
    np.savez(tmp_path / "shape.npz", betas=np.zeros(16), gender="male")
    options = SampleOptions(people=2, frames=40, motion=tmp_path, depth_size=(45, 80))
    scene = make_scene(options)
    assert {p.source for p in scene.truth.people.values()} == {"walk", "amass"}
    for quality in truth_quality(scene.truth).values():
        assert quality.worst_slide_mm < 1.0


def test_bad_clips_are_named(tmp_path: Path) -> None:
    model, rng = embedded_body(), np.random.default_rng(0)
    with pytest.raises(InputError, match="no motion clips"):
        load_clips(tmp_path, model, [np.zeros(10)], 10, 30.0, rng)
    np.savez(tmp_path / "still.npz", poses=np.zeros((9, 72)), trans=np.zeros((9, 3)))
    with pytest.raises(InputError, match="a frame rate not found"):
        read_clip(tmp_path / "still.npz", model, 30.0)
    np.savez(tmp_path / "odd.npz", poses=np.zeros((9, 50)), trans=np.zeros((9, 3)), fps=30.0)
    with pytest.raises(InputError, match="which is no clip"):
        read_clip(tmp_path / "odd.npz", model, 30.0)
    bad = np.full((9, 72), np.nan)
    np.savez(tmp_path / "nan.npz", poses=bad, trans=np.zeros((9, 3)), fps=30.0)
    with pytest.raises(InputError, match="NaN"):
        read_clip(tmp_path / "nan.npz", model, 30.0)
    with pytest.raises(InputError, match="no usable clip \\(3 files skipped\\)"):
        load_clips(tmp_path, model, [np.zeros(10)], 10, 30.0, rng)
