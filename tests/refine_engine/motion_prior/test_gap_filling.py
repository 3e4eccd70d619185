from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.special import erf

from refine_engine.body import embedded_body, joint_kinematics, rest_joints
from refine_engine.errors import InputError
from refine_engine.geometry.rotations import exp_so3, geodesic_angle
from refine_engine.motion_prior import gap_filling
from refine_engine.motion_prior.clips import Clip
from refine_engine.motion_prior.gap_examples import (
    QUANTILES,
    _levers,
    gap_examples,
    moved_joints,
)
from refine_engine.motion_prior.gap_filling import (
    FilledGap,
    fill_gap,
    fill_gaps_of,
    geodesic_gap,
)
from refine_engine.motion_prior.gap_model import LAYERS, GapModel, _gelu, load_gap_model
from refine_engine.motion_prior.gap_scores import gap_scores
from refine_engine.motion_prior.gap_training import gap_space, joined_clips, train_gap_filler
from refine_engine.motion_prior.gap_windows import (
    mirrored,
    one_after_the_other,
    seen_motion,
    windows,
)

Array = NDArray[np.float64]
GAP = (70, 91)
"""Twenty missing frames."""


def walking(frames: int = 160, fps: float = 30.0, period: float = 1.1) -> tuple[Array, Array]:
    """A person who swings legs and arms and walks along an arc, at times frame / fps."""
    t = np.arange(frames) / fps
    phase = 2 * np.pi * t / period
    turns = np.zeros((frames, 24, 3))
    turns[:, 0, 1] = 0.3 * t
    turns[:, 0, 0] = 0.05 * np.sin(2 * phase)
    for joint, swing, lag in ((1, 0.5, 0.0), (2, 0.5, np.pi), (16, 0.4, np.pi), (17, 0.4, 0.0)):
        turns[:, joint, 0] = swing * np.sin(phase + lag)
    for joint, lag in ((4, 0.8), (5, 0.8 + np.pi)):
        turns[:, joint, 0] = 0.5 + 0.45 * np.sin(phase + lag)
    turns[:, 16, 2], turns[:, 17, 2] = -1.1, 1.1
    place = np.stack([np.sin(0.3 * t), 0.02 * np.cos(2 * phase), np.cos(0.3 * t)], -1)
    place[:, [0, 2]] *= 4.0
    return exp_so3(turns), place


def filled(
    model: GapModel,
    R: Array,
    transl: Array,
    gap: tuple[int, int] = GAP,
    *,
    fps: float = 30.0,
    size: float = 1.0,
    joined: NDArray[np.bool_] | None = None,
) -> FilledGap:
    seen = np.ones(len(R), dtype=bool)
    seen[gap[0] + 1 : gap[1]] = False
    if joined is None:
        joined = seen[1:] & seen[:-1]
    hidden, place = R.copy(), transl.copy()
    # What was not seen must not be read.
    hidden[~seen] = exp_so3(np.array([0.0, 2.0, 0.0]))
    place[~seen] = 1e3
    motion = seen_motion(model.space.mean, hidden, place, size, fps, joined)
    return fill_gap(model, motion, hidden, place, size, gap)


def silent(model: GapModel) -> GapModel:
    """The same with networks that see, but always answer with the cubic."""
    nothing = {name: np.zeros_like(model.layers[name]) for name in ("w3", "b3", "s1", "s2")}
    return GapModel(model.space, model.layers | nothing)


def error(R: Array, transl: Array, true_R: Array, true_transl: Array) -> float:
    """Mean angle of joints and distance of the pelvis, one radian as a metre."""
    away = np.linalg.norm(transl - true_transl, axis=-1).mean()
    return float(geodesic_angle(R, true_R).mean() + away)


@pytest.fixture(scope="module")
def model() -> GapModel:
    return load_gap_model()


def test_a_steady_motion_is_continued_exactly(
    model: GapModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The cubic alone: in a mirror the turns are not about the axis of the mean.
    monkeypatch.setattr(gap_filling, "UNRELATED", 1e9)
    t = np.arange(120)[:, None]
    turns = np.zeros((120, 24, 3))
    # Joints turn steadily about the axis of their mean's logarithm, where logarithms are linear.
    turns[:, 1:] = 0.002 * t[:, None] * np.array([1.0, -0.5, 0.3])
    R = exp_so3(turns)
    R[:, 1:] = model.space.mean @ R[:, 1:]
    transl = np.array([0.01, 0.0, -0.02]) * t
    found = filled(silent(model), R, transl)
    assert found.learned
    np.testing.assert_allclose(found.transl, transl[71:91], atol=1e-9)
    np.testing.assert_allclose(found.R, R[71:91], atol=1e-9)


def test_a_walk_goes_on(model: GapModel) -> None:
    R, transl = walking()
    found = filled(model, R, transl)
    straight = geodesic_gap(R, transl, *GAP)
    truth = R[71:91], transl[71:91]
    assert error(found.R, found.transl, *truth) < 0.3 * error(*straight, *truth)


def test_the_same_track_corrects_the_networks(
    model: GapModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without networks only the periods beside the gap can tell what happens in it.
    R, transl = walking(frames=300)
    truth = R[71:91], transl[71:91]
    taught = filled(silent(model), R, transl)
    monkeypatch.setattr(gap_filling, "UNRELATED", 1e9)
    alone = filled(silent(model), R, transl)
    assert error(taught.R, taught.transl, *truth) < 0.5 * error(alone.R, alone.transl, *truth)


def test_a_cubic_through_a_long_gap_does_not_overshoot(
    model: GapModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Networks that know nothing, and no likeness: this person's stretches tell to go straighter.
    monkeypatch.setattr(gap_filling, "UNRELATED", 1e9)
    R, transl = walking(frames=300)

    def away(width: int, straighter: float) -> float:
        monkeypatch.setattr(gap_filling, "STRAIGHTER", straighter)
        gaps = [(left, left + width + 1) for left in range(60, 93, 4)]
        pairs = [(filled(silent(model), R, transl, gap), slice(gap[0] + 1, gap[1])) for gap in gaps]
        return sum(error(f.R, f.transl, R[rows], transl[rows]) for f, rows in pairs)

    assert away(40, 0.6) < 0.9 * away(40, 0.0)
    assert away(20, 0.6) == away(20, 0.0)


def test_gaps_of_a_track_are_filled_alike_together_and_alone(
    model: GapModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap_filling, "TOGETHER", 3)
    R, transl = walking(frames=700)
    gaps = [(60, 71), (120, 141), (200, 270), (300, 306), (307, 321), (324, 330), (500, 541)]
    seen = np.ones(len(R), dtype=bool)
    for left, right in gaps:
        seen[left + 1 : right] = False
    motion = seen_motion(model.space.mean, R, transl, 1.0, 30.0, seen[1:] & seen[:-1])
    asked: list[None] = []
    together = fill_gaps_of(model, motion, R, transl, 1.0, gaps, lambda: asked.append(None))
    assert [g.learned for g in together] == [True, True, False, False, False, True, True]
    assert len(asked) == 3
    for gap, found in zip(gaps, together, strict=True):
        alone = fill_gap(model, motion, R, transl, 1.0, gap)
        np.testing.assert_allclose(found.R, alone.R, atol=1e-5)
        np.testing.assert_allclose(found.transl, alone.transl, atol=1e-5)
        assert found.reason == alone.reason


def test_single_precision_suffices_for_the_networks() -> None:
    x = np.linspace(-9.0, 9.0, 20001)
    exact = 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))
    np.testing.assert_allclose(_gelu(x.astype(np.float32)), exact, atol=2e-6)


def test_what_is_filled_meets_what_was_seen(model: GapModel) -> None:
    R, transl = walking()
    found = filled(model, R, transl)
    joined = np.concatenate([transl[:71], found.transl, transl[91:]])
    pace = np.linalg.norm(np.diff(transl, axis=0), axis=1).max()
    jump = np.linalg.norm(np.diff(joined, 2, axis=0), axis=1)[[69, 70, 89, 90]]
    assert jump.max() < 0.3 * pace
    whole = np.concatenate([R[:71], found.R, R[91:]])
    step = geodesic_angle(whole[:-1], whole[1:])
    usual = geodesic_angle(R[:-1], R[1:]).max()
    assert step[[70, 90]].max() < 1.3 * usual
    straight = geodesic_gap(R, transl, *GAP)[0]
    bent = np.concatenate([R[:71], straight, R[91:]])

    def corner(motion: Array) -> float:
        turns = np.swapaxes(motion[:-1], -1, -2) @ motion[1:]
        return float(geodesic_angle(turns[:-1], turns[1:])[[69, 70, 89, 90]].max())

    assert corner(whole) < 0.5 * corner(bent)


def test_heading_and_place_change_nothing(model: GapModel) -> None:
    R, transl = walking()
    found = filled(model, R, transl)
    turn = Rotation.from_euler("y", 130, degrees=True).as_matrix()
    moved = R.copy()
    moved[:, 0] = turn @ R[:, 0]
    shift = np.array([5.0, -1.0, 7.0])
    other = filled(model, moved, transl @ turn.T + shift)
    np.testing.assert_allclose(other.transl, found.transl @ turn.T + shift, atol=1e-6)
    np.testing.assert_allclose(other.R[:, 1:], found.R[:, 1:], atol=1e-6)
    np.testing.assert_allclose(other.R[:, 0], turn @ found.R[:, 0], atol=1e-6)


def test_body_size_scales_places(model: GapModel) -> None:
    R, transl = walking()
    found, small = filled(model, R, transl), filled(model, R, 0.6 * transl, size=0.6)
    np.testing.assert_allclose(small.transl, 0.6 * found.transl, atol=1e-9)
    np.testing.assert_allclose(small.R, found.R, atol=1e-9)


@pytest.mark.parametrize(
    ("fps", "first", "last", "common"),
    [
        (24.0, 2.5, 3.0, (2.5 + 1 / 6, 2.5 + 2 / 6)),
        (25.0, 2.4, 3.2, (2.6, 2.8, 3.0)),
        (60.0, 2.3, 3.0, (2.5, 2.6, 2.9)),
    ],
)
def test_other_frame_rates_fill_the_same_motion(
    model: GapModel, fps: float, first: float, last: float, common: tuple[float, ...]
) -> None:
    def at(rate: float) -> tuple[Array, Array]:
        """Filled poses at the common times, and the straight ones."""
        R, transl = walking(round(5 * rate), rate)
        gap = round(first * rate), round(last * rate)
        rows = np.array([round(t * rate) - gap[0] - 1 for t in common])
        found = filled(model, R, transl, gap, fps=rate)
        assert found.learned
        return found.R[rows], geodesic_gap(R, transl, *gap)[0][rows]

    here, straight = at(fps)
    there, _ = at(30.0)
    assert geodesic_angle(here, there).max() < 0.1 * geodesic_angle(here, straight).max()


def test_too_little_beside_the_gap_is_said_and_filled_straight(model: GapModel) -> None:
    R, transl = walking()
    joined = np.ones(len(R) - 1, dtype=bool)
    joined[GAP[0] : GAP[1]] = False
    # Only frames 69 and 70 lie before it.
    joined[68] = False
    found = filled(model, R, transl, joined=joined)
    assert not found.learned
    assert "how fast" in found.reason
    straight = geodesic_gap(R, transl, *GAP)
    np.testing.assert_array_equal(found.R, straight[0])
    np.testing.assert_array_equal(found.transl, straight[1])


def test_a_long_gap_is_said_and_filled_straight(model: GapModel) -> None:
    R, transl = walking(260)
    found = filled(model, R, transl, gap=(60, 160))
    assert not found.learned
    assert found.reason == "longer than 2 s"
    np.testing.assert_array_equal(found.R, geodesic_gap(R, transl, 60, 160)[0])


def test_an_absurd_prediction_is_not_used(model: GapModel, monkeypatch: pytest.MonkeyPatch) -> None:
    # Otherwise the same track would correct even these networks.
    monkeypatch.setattr(gap_filling, "UNRELATED", 1e9)
    R, transl = walking()
    loud = {k: (50.0 * v if k == "b3" else v) for k, v in model.layers.items()}
    loud["b3"] = np.full_like(loud["b3"], 50.0)
    found = filled(GapModel(model.space, loud), R, transl)
    assert not found.learned
    assert "far from everything" in found.reason
    np.testing.assert_array_equal(found.R, geodesic_gap(R, transl, *GAP)[0])


def test_a_spin_is_not_shortened(model: GapModel) -> None:
    # More than half a turn in the gap: the geodesic would turn back.
    t = np.arange(160) / 30.0
    turns = np.zeros((160, 24, 3))
    turns[:, 0, 1] = 5.5 * t
    R = exp_so3(turns)
    R[:, 1:] = model.space.mean
    transl = np.zeros((160, 3))
    found = filled(model, R, transl)
    assert found.learned
    straight = geodesic_gap(R, transl, *GAP)[0]
    assert geodesic_angle(straight[:, 0], R[71:91, 0]).max() > 2.0
    assert geodesic_angle(found.R[:, 0], R[71:91, 0]).max() < 0.5


def test_joints_move_with_channels_as_the_body_does(model: GapModel) -> None:
    rng = np.random.default_rng(1)
    pose = 0.5 * rng.standard_normal((2, 4, 75))
    change = 1e-4 * rng.standard_normal((2, 4, 75))
    rest = rest_joints(embedded_body(), np.zeros(10))

    def joints(channels: Array) -> Array:
        R = exp_so3(np.roll(channels[..., :72].reshape(2, 4, 24, 3), 1, axis=-2))
        R[..., 1:, :, :] = model.space.mean @ R[..., 1:, :, :]
        root, others = R[..., 0, :, :], R[..., 1:, :, :]
        return joint_kinematics(rest, root, others, channels[..., 72:]).positions

    axes, bones = _levers(model.space, pose)
    moved = moved_joints(*(torch.from_numpy(v) for v in (change, axes, bones))).numpy()
    exact = joints(pose + 0.5 * change) - joints(pose - 0.5 * change)
    np.testing.assert_allclose(moved, exact, atol=1e-4 * np.abs(exact).max())


def test_an_example_holds_the_recorded_motion(model: GapModel) -> None:
    clips = [Clip(f"walk {k}", *walking(90 + k)) for k in range(3)]
    motion = joined_clips(model.space, clips)
    examples = gap_examples(model.space, motion, 40, np.random.default_rng(0))
    assert [len(v) for v in examples] == [40] * 6
    quarter = len(QUANTILES) // 4
    np.testing.assert_array_equal(examples.when.numpy() // quarter, np.tile(np.arange(4), (40, 1)))
    # Bones keep their lengths, whatever the pose.
    rest = rest_joints(embedded_body(), np.zeros(10))
    length = np.linalg.norm(rest[4] - rest[1])
    found = np.linalg.norm(examples.bones.float().numpy()[:, :, 4], axis=-1)
    np.testing.assert_allclose(found, length, rtol=2e-3)


def test_a_motion_is_mirrored_as_its_clip_is(model: GapModel) -> None:
    clip = Clip("walk", *walking(50))
    joined = np.ones(49, dtype=bool)
    joined[20] = False
    mean = model.space.mean
    motion = seen_motion(mean, clip.R, clip.transl, 1.0, 30.0, joined)
    other = clip.mirrored()
    wanted = seen_motion(mean, other.R, other.transl, 1.0, 30.0, joined)
    both = one_after_the_other(motion, mirrored(motion, mean, clip.R))
    for name in ("pose", "R_root", "place", "turn"):
        np.testing.assert_array_equal(getattr(both, name)[:50], getattr(motion, name))
        np.testing.assert_allclose(getattr(both, name)[50:], getattr(wanted, name), atol=1e-12)
    np.testing.assert_array_equal(both.start, np.repeat([0, 21, 50, 71], [21, 29, 21, 29]))
    np.testing.assert_array_equal(both.stop, np.repeat([20, 49, 70, 99], [21, 29, 21, 29]))


def test_windows_that_look_alike_are_told_by_what_networks_see(model: GapModel) -> None:
    R, transl = walking(frames=300)
    motion = seen_motion(model.space.mean, R, transl, 1.0, 30.0, np.ones(299, dtype=bool))
    # A period of the walk later, and half a period.
    left = np.array([100.0, 133.0, 117.0])
    kind = model.look(windows(motion, left, left + 20.0)).kind
    np.testing.assert_allclose(np.linalg.norm(kind, axis=1), 1.0, rtol=1e-4)
    assert 1.0 - kind[0] @ kind[1] < 0.2 * (1.0 - kind[0] @ kind[2])


def test_a_gap_at_rest_stays_at_rest(model: GapModel) -> None:
    R = np.tile(walking(1)[0], (120, 1, 1, 1))
    found = filled(model, R, np.zeros((120, 3)))
    assert geodesic_angle(found.R, R[:20]).max() < 0.02
    assert np.linalg.norm(found.transl, axis=1).max() < 0.01


def test_scores_compare_forms_on_hidden_frames(model: GapModel) -> None:
    clip = Clip("walk", *walking())
    scores = gap_scores(model, [clip], [20])
    assert all(s.learned for s in scores)
    mean = {k: np.mean([s.errors[k] for s in scores]) for k in ("geodesic", "cubic", "learned")}
    assert mean["learned"] < mean["cubic"] < mean["geodesic"]


def test_training_writes_what_loads(tmp_path: Path) -> None:
    clips = [Clip(f"walk {k}", *walking(80 + k, period=1.0 + 0.02 * k)) for k in range(12)]
    path = tmp_path / "gaps.npz"
    said: list[str] = []
    train_gap_filler(clips, path, 3, said.append, networks=2, steps=4)
    first = path.read_bytes()
    loaded = load_gap_model(path)
    assert len(loaded.layers["w1"]) == 2
    assert said
    np.testing.assert_allclose(loaded.space.mean, gap_space(clips).mean, atol=1e-6)
    again = tmp_path / "again.npz"
    train_gap_filler(clips, again, 3, said.append, networks=2, steps=4)
    with np.load(again) as a, np.load(path) as b:
        for name in LAYERS:
            np.testing.assert_array_equal(a[name], b[name])
    assert first


@pytest.mark.parametrize("missing", ["mean", "components", "w2"])
def test_a_file_that_lacks_something_is_refused(tmp_path: Path, missing: str) -> None:
    arrays = embedded_arrays()
    del arrays[missing]
    path = tmp_path / "gaps.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=missing):
        load_gap_model(path)


def test_wrong_shapes_and_numbers_are_refused(tmp_path: Path) -> None:
    arrays = embedded_arrays()
    arrays["w2"] = arrays["w2"][:, :10]
    np.savez(tmp_path / "shape.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'w2' of shape"):
        load_gap_model(tmp_path / "shape.npz")
    arrays = embedded_arrays()
    arrays["b1"][0, 0] = np.nan
    np.savez(tmp_path / "nan.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'b1'"):
        load_gap_model(tmp_path / "nan.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError):
        load_gap_model(tmp_path / "text.npz")


def embedded_arrays() -> dict[str, Array]:
    loaded = load_gap_model()
    return {
        "mean": loaded.space.mean.copy(),
        "sensitivity": loaded.space.sensitivity.copy(),
        "components": loaded.space.components.copy(),
        **{name: value.copy() for name, value in loaded.layers.items()},
    }
