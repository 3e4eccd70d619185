from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from refine_engine.errors import InputError
from refine_engine.evaluation.metric_list import METRIC_BY_KEY, METRICS
from refine_engine.evaluation.metrics import evaluate_motion, evaluate_people, metric_sums
from refine_engine.evaluation.motion_set import MotionSet, PersonMotion
from refine_engine.geometry.planes import moved
from refine_engine.geometry.rotations import matrix_from_axis_angle

FRAMES = 120
GROUND = np.array([0.0, 1.0, 0.0, 0.9])


def person(seed: int, x: float) -> PersonMotion:
    """Somebody who walks along z, soles on the ground at y = -0.9, one foot at a time."""
    rng = np.random.default_rng(seed)
    t = np.arange(FRAMES)
    body = rng.normal(scale=0.3, size=(24, 3))
    sway = 0.02 * np.sin(0.1 * t[:, None, None] + rng.uniform(0, 6, (24, 3)))
    path = np.stack([np.full(FRAMES, x), np.zeros(FRAMES), 0.03 * t], -1)
    soles = np.zeros((FRAMES, 8, 3))
    soles[..., 1] = -0.9
    left = (t // 15) % 2 == 0
    contacts = np.where(left[:, None], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0])
    soles[~left, :4, 1] += 0.1
    soles[left, 4:, 1] += 0.1
    soles[..., 2] = 0.45 * (t // 15)[:, None] + 0.001 * rng.normal(size=(8,))
    R = matrix_from_axis_angle(np.array([0.0, 0.02, 0.0]) * t[:, None])
    return PersonMotion(t, body + sway + path[:, None], R, soles, contacts)


@pytest.fixture
def truth() -> MotionSet:
    t = np.arange(FRAMES)
    turn = np.array([0.0, 0.0, 0.004]) * t[:, None]
    R = matrix_from_axis_angle(np.array([math.pi, 0.0, 0.0]) + turn)
    shift = np.stack([0.01 * t, np.zeros(FRAMES), 5.0 + 0.005 * t], -1)
    return MotionSet({7: person(0, 0.0), 2: person(1, 1.5)}, 30.0, R, shift, GROUND, 2.5, "truth")


def in_another_world(motion: MotionSet, R: np.ndarray, t: np.ndarray) -> MotionSet:
    """The same scene with points moved by x -> R x + t, cameras and ground along."""

    def move(person: PersonMotion) -> PersonMotion:
        assert person.soles_world is not None
        return dataclasses.replace(
            person,
            joints_world=person.joints_world @ R.T + t,
            soles_world=person.soles_world @ R.T + t,
            R_world_root=R @ person.R_world_root,
        )

    assert motion.ground_plane is not None
    cam_R, cam_t = motion.cameras()
    return dataclasses.replace(
        motion,
        people={i: move(p) for i, p in motion.people.items()},
        R_cam_world=cam_R @ R.T,
        t_cam_world=cam_t - (cam_R @ R.T) @ t,
        ground_plane=moved(motion.ground_plane, R, t),
    )


def changed(motion: MotionSet, person_id: int, **change: object) -> MotionSet:
    people = dict(motion.people)
    people[person_id] = dataclasses.replace(people[person_id], **change)  # type: ignore[arg-type]
    return dataclasses.replace(motion, people=people)


def test_the_truth_in_another_gauge_has_no_error(truth: MotionSet) -> None:
    R = matrix_from_axis_angle(np.array([0.3, -1.1, 0.2]))
    result = evaluate_motion(in_another_world(truth, R, np.array([3.0, -1.0, 8.0])), truth)
    assert list(result) == [m.key for m in METRICS]
    for key, value in result.items():
        metric = METRIC_BY_KEY[key]
        if key == "pve_mm":
            assert math.isnan(value)
        elif key == "coverage_percent":
            assert value == 100.0
        elif key == "contact_f1":
            assert value == 1.0
        elif metric.better == "lower":
            assert value == pytest.approx(0.0, abs=1e-6), key
    assert result["jitter_10m_s3"] == pytest.approx(result["gt_jitter_10m_s3"])
    assert result["jitter_10m_s3"] > 0.0


def test_errors_of_the_scene_go_through_the_first_camera(truth: MotionSet) -> None:
    plane = GROUND - [0.0, 0.0, 0.0, 0.02]
    tilted = dataclasses.replace(truth, ground_plane=plane, alpha=2.5 * math.exp(-0.1))
    R = matrix_from_axis_angle(np.array([0.0, 0.7, 0.5]))
    result = evaluate_motion(in_another_world(tilted, R, np.ones(3)), truth)
    assert result["alpha_error_percent"] == pytest.approx(10.0)
    assert result["ground_offset_cm"] == pytest.approx(2.0)
    assert result["ground_angle_deg"] == pytest.approx(0.0, abs=1e-6)
    # The feet stayed; over its own floor, 2 cm higher, they are 2 cm deep.
    assert result["foot_height_error_mm"] == pytest.approx(0.0, abs=1e-6)
    assert result["penetration_mm"] == pytest.approx(20.0)


def test_absolute_heights_and_floating(truth: MotionSet) -> None:
    soles = truth.people[7].soles_world
    assert soles is not None
    raised = changed(truth, 7, soles_world=soles + [0.0, 0.05, 0.0])
    result = evaluate_motion(raised, truth)
    assert result["foot_height_error_mm"] == pytest.approx(25.0)
    assert result["floating_percent"] == pytest.approx(50.0)
    assert result["penetration_frames_percent"] == 0.0
    # Two people, 0 and 5 cm over the floor.
    assert result["stance_height_std_cm"] == pytest.approx(2.5)
    people = evaluate_people(raised, truth)
    assert people[7]["floating_percent"] == 100.0
    assert people[2]["floating_percent"] == 0.0


def test_pooling_is_over_frames_not_over_people(truth: MotionSet) -> None:
    short = truth.people[7].rows(np.arange(20))
    gt = dataclasses.replace(truth, people={7: short, 2: truth.people[2]})
    joints = short.joints_world.copy()
    joints[:, 20] += [0.24, 0.0, 0.0]
    result = evaluate_motion(changed(gt, 7, joints_world=joints), gt)
    assert result["mpjpe_mm"] == pytest.approx(10.0 * 20 / 140)


def test_sums_divide_to_the_means(truth: MotionSet) -> None:
    joints = truth.people[2].joints_world * 1.1
    pred = dataclasses.replace(changed(truth, 2, joints_world=joints), alpha=2.0)
    means, sums = evaluate_motion(pred, truth), metric_sums(pred, truth)
    assert sums["coverage_percent"] == (24000.0, 240)
    assert sums["alpha_error_percent"][1] == 1
    for key, (total, count) in sums.items():
        assert means[key] == pytest.approx(total / count), key
    assert len(sums) >= 18


def test_people_are_joined_by_id_and_frames_by_number(truth: MotionSet) -> None:
    sparse = np.setdiff1d(np.arange(FRAMES), [3, 4, 50])
    pred = dataclasses.replace(
        truth, people={2: truth.people[2].rows(sparse), 7: truth.people[7], 99: truth.people[2]}
    )
    result = evaluate_motion(pred, truth)
    assert result["coverage_percent"] == pytest.approx(100.0 * 237 / 240)
    assert result["wa_mpjpe100_mm"] == pytest.approx(0.0, abs=1e-6)
    assert result["pair_distance_mm"] == pytest.approx(0.0, abs=1e-9)
    assert sorted(evaluate_people(pred, truth)) == [2, 7]


def test_a_missing_person_counts_as_not_covered(truth: MotionSet) -> None:
    pred = dataclasses.replace(truth, people={7: truth.people[7]})
    assert evaluate_motion(pred, truth)["coverage_percent"] == 50.0
    people = evaluate_people(pred, truth)
    assert people[2]["coverage_percent"] == 0.0
    assert math.isnan(people[2]["mpjpe_mm"])


def test_pair_errors_need_no_alignment(truth: MotionSet) -> None:
    shifted = truth.people[2].joints_world + [0.3, 0.0, 0.0]
    pred = changed(truth, 2, joints_world=shifted)
    result = evaluate_motion(pred, truth)
    a, b = truth.people[7].pelvis_world, truth.people[2].pelvis_world
    d = np.linalg.norm(b + [0.3, 0.0, 0.0] - a, axis=-1) - np.linalg.norm(b - a, axis=-1)
    assert result["pair_distance_mm"] == pytest.approx(1000.0 * np.abs(d).mean())
    assert result["pair_vector_mm"] == pytest.approx(300.0)


def test_without_truth(truth: MotionSet) -> None:
    soles = truth.people[7].soles_world
    assert soles is not None
    slide = 0.002 * np.arange(FRAMES)[:, None, None] * np.array([1.0, 0.0, 0.0])
    result = evaluate_motion(changed(truth, 7, soles_world=soles + slide))
    finite = {key for key, value in result.items() if not math.isnan(value)}
    assert finite == {m.key for m in METRICS if not m.needs_truth}
    assert result["foot_sliding_mm"] == pytest.approx(1.0)
    assert result["penetration_mm"] == pytest.approx(0.0)


def test_without_cameras_or_plane_some_metrics_are_absent(truth: MotionSet) -> None:
    bare = MotionSet(truth.people, 30.0)
    result = evaluate_motion(bare, truth)
    for key in ("mpjpe_mm", "accel_m_s2", "ground_angle_deg", "penetration_mm", "pair_vector_mm"):
        assert math.isnan(result[key]), key
    assert result["pair_distance_mm"] == pytest.approx(0.0, abs=1e-9)
    assert result["wa_mpjpe100_mm"] == pytest.approx(0.0, abs=1e-6)


def test_tram_chunking_drops_short_clips(truth: MotionSet) -> None:
    short = dataclasses.replace(
        truth, people={i: p.rows(np.arange(90)) for i, p in truth.people.items()}
    )
    assert math.isnan(evaluate_motion(short, short, chunking="tram")["w_mpjpe100_mm"])


def test_refuses_what_cannot_be_compared(truth: MotionSet) -> None:
    with pytest.raises(InputError, match="25 frames a second"):
        evaluate_motion(dataclasses.replace(truth, fps=25.0), truth)
    with pytest.raises(InputError, match=r"has people \[1\]"):
        evaluate_motion(dataclasses.replace(truth, people={1: truth.people[7]}), truth)


def test_motion_is_checked_at_the_door(truth: MotionSet) -> None:
    good = truth.people[7]
    with pytest.raises(InputError, match="strictly increasing"):
        dataclasses.replace(good, frames=np.zeros(FRAMES, dtype=np.int64))
    with pytest.raises(InputError, match="NaN"):
        dataclasses.replace(good, joints_world=good.joints_world * np.nan)
    with pytest.raises(InputError, match="expected"):
        dataclasses.replace(good, contacts=np.ones((FRAMES, 2)))
    with pytest.raises(InputError, match=r"alpha -0\.2"):
        dataclasses.replace(truth, alpha=-0.2)
    with pytest.raises(InputError, match="cameras"):
        dataclasses.replace(truth, R_cam_world=np.zeros((5, 3, 3)), t_cam_world=np.zeros((5, 3)))


def test_restriction_to_the_frames_of_another(truth: MotionSet) -> None:
    other = dataclasses.replace(truth, people={7: truth.people[7].rows(np.arange(5, 9))})
    both = truth.restricted_to(other)
    assert list(both.people) == [7]
    assert both.people[7].frames.tolist() == [5, 6, 7, 8]
