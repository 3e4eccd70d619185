from __future__ import annotations

import numpy as np
import pytest

from refine_engine.body import embedded_body, skin_mesh
from refine_engine.evaluation.synthetic.legs import foot_shape
from refine_engine.evaluation.synthetic.motion import BodyMotion, rotation_y, smooth_noise
from refine_engine.evaluation.synthetic.procedural import KINDS, make_procedural, seat_height


def planted_steps(motion: BodyMotion) -> np.ndarray:
    """Movement in metres of heels and toes that are in contact at both ends of a step."""
    model = embedded_body()
    shape = foot_shape(model, motion.betas)
    posed = motion.joints(model)
    points = []
    for side in range(2):
        ankle, toe = 7 + side, 10 + side
        points.append(posed.positions[:, ankle] + posed.rotations[:, ankle] @ shape.heel[side])
        points.append(posed.positions[:, toe] + posed.rotations[:, toe] @ shape.toe[side])
    steps = np.linalg.norm(np.diff(np.stack(points, 1), axis=0), axis=-1)
    return steps[motion.contacts[1:] & motion.contacts[:-1]]


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_planted_feet_stand_still(kind: str, fps: float) -> None:
    rng = np.random.default_rng(3)
    motion = make_procedural(embedded_body(), 0.7 * rng.standard_normal(10), kind, 80, fps, rng)
    steps = planted_steps(motion)
    assert len(steps) > 20
    assert steps.max() < 1e-3


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_bodies_stand_on_the_floor(kind: str) -> None:
    rng = np.random.default_rng(4)
    model = embedded_body()
    motion = make_procedural(model, 0.7 * rng.standard_normal(10), kind, 60, 30.0, rng)
    lowest = []
    for row in range(0, 60, 5):
        turns = motion.rotations[row]
        vertices = skin_mesh(model, motion.betas, turns[0], turns[1:], motion.transl[row])
        lowest.append(vertices[:, 1].min())
    assert min(lowest) > -0.03
    if kind != "run":
        assert max(lowest) < 0.03


def test_walking_goes_where_the_body_faces() -> None:
    rng = np.random.default_rng(5)
    model = embedded_body()
    motion = make_procedural(model, np.zeros(10), "walk", 90, 30.0, rng)
    posed = motion.joints(model)
    way = np.diff(posed.positions[:, 0], axis=0)
    forward = posed.rotations[:-1, 0, :, 2]
    assert 0.8 < np.linalg.norm(way, axis=-1).mean() * 30 < 1.7
    cosine = (way * forward).sum(-1) / np.linalg.norm(way, axis=-1)
    assert cosine.mean() > 0.95
    # Knees bend forwards: the knee lies in front of the line from hip to ankle.
    for hip, knee, ankle in ((1, 4, 7), (2, 5, 8)):
        between = 0.5 * (posed.positions[:, hip] + posed.positions[:, ankle])
        ahead = ((posed.positions[:, knee] - between) * posed.rotations[:, 0, :, 2]).sum(-1)
        assert ahead.min() > -0.02


def test_sitting_reaches_the_chair_and_gets_up() -> None:
    model = embedded_body()
    rng = np.random.default_rng(0)
    motion = make_procedural(model, np.zeros(10), "sit", 200, 30.0, rng)
    height = motion.joints(model).positions[:, 0, 1]
    seat = seat_height(foot_shape(model, np.zeros(10)))
    assert abs(height.min() - (seat + 0.10)) < 0.03
    assert height[0] > height.min() + 0.25
    assert height[-1] > height.min() + 0.25


def test_long_walks_stay_in_the_room() -> None:
    rng = np.random.default_rng(6)
    model = embedded_body()
    motion = make_procedural(model, np.zeros(10), "run", 900, 30.0, rng)
    place = motion.joints(model).positions[:, 0][:, [0, 2]]
    assert np.ptp(place, axis=0).max() < 16.0


def test_moving_a_motion_moves_every_joint_rigidly() -> None:
    rng = np.random.default_rng(7)
    model = embedded_body()
    motion = make_procedural(model, rng.standard_normal(10), "gesture", 5, 30.0, rng)
    R, t = rotation_y(np.array(0.7)), np.array([1.0, -0.5, 2.0])
    moved = motion.moved(model, R, t).joints(model).positions
    np.testing.assert_allclose(moved, motion.joints(model).positions @ R.T + t, atol=1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 5.0, 40.0])
def test_smooth_noise_has_unit_variance(correlation: float) -> None:
    noise = smooth_noise(np.random.default_rng(1), 400, (300,), correlation)
    assert noise.shape == (400, 300)
    assert abs(noise.std() - 1.0) < 0.05


def test_smooth_noise_is_correlated_over_its_time() -> None:
    noise = smooth_noise(np.random.default_rng(2), 500, (400,), 6.0)
    # A Gaussian filter's output has the autocorrelation exp(-lag^2 / 4 s^2).
    for lag in (3, 6, 12):
        measured = float((noise[lag:] * noise[:-lag]).mean())
        assert abs(measured - np.exp(-(lag**2) / (4 * 36))) < 0.05
