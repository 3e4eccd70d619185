from __future__ import annotations

import math

import numpy as np
import pytest

from refine_engine.evaluation.scene_metrics import (
    alpha_error,
    coverage,
    fitted_ground_offset,
    ground_error,
    pair_distance_error,
    pair_vector_error,
)


def test_alpha_error_is_symmetric() -> None:
    assert alpha_error(2.0, 2.0) == 0.0
    assert alpha_error(2.0 * math.exp(0.03), 2.0) == pytest.approx(3.0)
    assert alpha_error(1.0, 4.0) == pytest.approx(alpha_error(4.0, 1.0))


def test_ground_offset_is_taken_where_the_people_are() -> None:
    truth = np.array([0.0, 1.0, 0.0, 0.0])
    tilt = math.radians(2.0)
    # The plane turns about the z axis through x = 10, where the people stand.
    normal = np.array([math.sin(tilt), math.cos(tilt), 0.0])
    plane = np.append(normal, -normal @ np.array([10.0, 0.0, 0.0]))
    people = np.array([[9.0, 1.0, 0.0], [11.0, 1.0, 0.0]])
    angle, offset = ground_error(plane, truth, people)
    assert angle == pytest.approx(2.0)
    assert offset == pytest.approx(0.0, abs=1e-9)
    angle, offset = ground_error(np.array([0.0, 1.0, 0.0, -0.03]), truth, people)
    assert (angle, offset) == (pytest.approx(0.0), pytest.approx(3.0))


def test_fitted_ground_offset_forgets_scale_and_place() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0.0, 1.0, 0.0, 0.2])
    people = rng.normal(size=(40, 3)) + [3.0, 1.0, 5.0]
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    shift = np.array([1.0, -2.0, 0.5])
    # Another world, 10 % larger: x -> 1.1 turn x + shift.
    normal = turn @ truth[:3]
    plane = np.append(normal, 1.1 * truth[3] - normal @ shift)
    there = 1.1 * people @ turn.T + shift
    assert fitted_ground_offset(plane, truth, there, people) == pytest.approx(0.0, abs=1e-9)
    plane[3] -= 1.1 * 0.03
    assert fitted_ground_offset(plane, truth, there, people) == pytest.approx(3.0)


def test_pair_errors() -> None:
    zero = np.zeros((2, 3))
    gt_b = np.array([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    pred_b = np.array([[3.1, 0.0, 0.0], [4.0, 0.0, 0.0]])
    # The second vector has the right length and the wrong direction.
    np.testing.assert_allclose(
        pair_distance_error(zero, pred_b, zero, gt_b), [100.0, 0.0], atol=1e-9
    )
    np.testing.assert_allclose(
        pair_vector_error(zero, pred_b, zero, gt_b), [100.0, 4000.0 * math.sqrt(2)]
    )


def test_coverage() -> None:
    found = coverage(np.array([1, 2, 9]), np.array([0, 1, 2, 3]))
    assert found.tolist() == [0.0, 100.0, 100.0, 0.0]
