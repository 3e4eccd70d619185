from __future__ import annotations

import numpy as np
import pytest

from refine_engine.evaluation.trajectory_metrics import (
    chunk_bounds,
    egocentric_velocity_error,
    jitter,
    path_length,
    root_trajectory_error,
    w_mpjpe,
    wa_mpjpe,
)
from refine_engine.geometry.rotations import matrix_from_axis_angle


@pytest.fixture
def walk() -> np.ndarray:
    """A body of random shape that moves along a curve: (250, 24, 3)."""
    rng = np.random.default_rng(3)
    t = np.arange(250.0)
    path = np.stack([0.03 * t, 0.02 * np.sin(0.3 * t), 1.5 * np.sin(0.01 * t)], -1)
    return (
        path[:, None] + rng.normal(scale=0.4, size=(24, 3)) + 0.02 * rng.normal(size=(250, 24, 3))
    )


def test_chunks() -> None:
    assert chunk_bounds(250) == [(0, 100), (100, 200), (200, 250)]
    assert chunk_bounds(100) == [(0, 100)]
    assert chunk_bounds(0) == []
    assert chunk_bounds(250, style="tram") == [(0, 100), (100, 249)]
    assert chunk_bounds(100, style="tram") == []


@pytest.mark.parametrize("metric", [w_mpjpe, wa_mpjpe])
def test_a_similarity_is_no_error(metric, walk: np.ndarray) -> None:
    R = matrix_from_axis_angle(np.array([0.3, 2.0, -0.1]))
    pred = 1.7 * walk @ R.T + [5.0, 0.0, -3.0]
    errors = metric(pred, walk)
    assert errors.shape == (250,)
    np.testing.assert_allclose(errors, 0.0, atol=1e-8)
    assert len(metric(pred, walk, style="tram")) == 249


def test_a_pure_scale_error_shows_only_in_se3(walk: np.ndarray) -> None:
    gt = walk[:100]
    pred = 1.1 * gt
    np.testing.assert_allclose(wa_mpjpe(pred, gt), 0.0, atol=1e-8)
    np.testing.assert_allclose(w_mpjpe(pred, gt), 0.0, atol=1e-8)
    # With the size fixed only the centres coincide: the error is a tenth of the distance to them.
    for metric, fitted in ((wa_mpjpe, gt), (w_mpjpe, gt[:2])):
        center = fitted.reshape(-1, 3).mean(0)
        expected = 100.0 * np.linalg.norm(gt - center, axis=-1).mean(1)
        np.testing.assert_allclose(metric(pred, gt, with_scale=False), expected, rtol=1e-6)


def test_w_mpjpe_sees_an_offset_after_the_second_frame(walk: np.ndarray) -> None:
    pred = walk[:100].copy()
    pred[2:] += [0.0, 0.25, 0.0]
    expected = np.where(np.arange(100) < 2, 0.0, 250.0)
    np.testing.assert_allclose(w_mpjpe(pred, walk[:100]), expected, atol=1e-6)
    assert wa_mpjpe(pred, walk[:100]).mean() < 20.0


def test_each_chunk_is_aligned_afresh(walk: np.ndarray) -> None:
    pred = walk[:200].copy()
    pred[100:] += 4.0
    np.testing.assert_allclose(wa_mpjpe(pred, walk[:200]), 0.0, atol=1e-7)


def test_root_trajectory_error_of_a_straight_path() -> None:
    gt = np.stack([np.linspace(0.0, 10.0, 101), np.zeros(101), np.zeros(101)], -1)
    assert path_length(gt) == pytest.approx(10.0)
    R = matrix_from_axis_angle(np.array([0.0, 1.0, 0.3]))
    np.testing.assert_allclose(root_trajectory_error(gt @ R.T + 7.0, gt, 10.0), 0.0, atol=1e-9)
    # 10 % too long: |x - 5| / 10 of ten metres, in per cent of ten metres.
    expected = np.abs(gt[:, 0] - 5.0)
    np.testing.assert_allclose(root_trajectory_error(1.1 * gt, gt, 10.0), expected, atol=1e-9)


def test_a_person_who_stays_has_no_relative_error() -> None:
    gt = np.zeros((50, 3))
    assert len(root_trajectory_error(gt, gt, path_length(gt))) == 0


def test_velocity_error_of_a_constant_velocity_offset(walk: np.ndarray) -> None:
    gt, R = walk[:, 0], np.broadcast_to(np.eye(3), (250, 3, 3))
    pred = gt + np.arange(250.0)[:, None] * [0.0, 0.0, 0.004]
    frames = np.arange(250)
    np.testing.assert_allclose(egocentric_velocity_error(pred, gt, R, R, frames, 30.0), 4.0)
    np.testing.assert_allclose(egocentric_velocity_error(pred, gt, R, R, frames, 60.0), 8.0)


def test_velocity_error_ignores_the_gauge_of_the_world(walk: np.ndarray) -> None:
    gt, R = walk[:, 0], matrix_from_axis_angle(np.random.default_rng(0).normal(size=(250, 3)))
    turn = matrix_from_axis_angle(np.array([0.2, 1.4, 0.0]))
    got = egocentric_velocity_error(gt @ turn.T, gt, turn @ R, R, np.arange(250), 30.0)
    np.testing.assert_allclose(got, 0.0, atol=1e-9)


@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_jitter_of_a_circle(fps: float) -> None:
    radius, omega = 0.5, 2.0
    angle = omega * np.arange(40) / fps
    circle = radius * np.stack([np.cos(angle), np.sin(angle), np.zeros(40)], -1)
    joints = np.broadcast_to(circle[:, None], (40, 24, 3))
    expected = radius * (2 * np.sin(omega / fps / 2)) ** 3 * fps**3 / 10.0
    got = jitter(joints, np.arange(40), fps)
    np.testing.assert_allclose(got, expected, rtol=1e-9)
    # ... which is r w^3 / 10 in the limit of many frames.
    np.testing.assert_allclose(got, radius * omega**3 / 10.0, rtol=1e-3)


def test_jitter_of_uniform_motion_is_zero_and_stops_at_gaps(walk: np.ndarray) -> None:
    steady = np.arange(20.0)[:, None, None] * np.ones((24, 3))
    np.testing.assert_allclose(jitter(steady, np.arange(20), 30.0), 0.0, atol=1e-9)
    frames = np.array([0, 1, 2, 3, 10, 11, 12])
    assert len(jitter(walk[:7], frames, 30.0)) == 1
