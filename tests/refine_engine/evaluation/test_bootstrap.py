from __future__ import annotations

import math

import numpy as np
import pytest

from refine_engine.evaluation.bootstrap import ratio_of_medians, relative_change


def test_the_same_change_everywhere_has_no_spread() -> None:
    before = np.array([[100.0, 1], [900.0, 3], [50.0, 2]])
    change = relative_change(before, before * [0.8, 1.0])
    assert change == pytest.approx((-20.0, -20.0, -20.0))


def test_pools_over_samples_not_over_scenes() -> None:
    before = np.array([[100.0, 1], [900.0, 9]])
    after = np.array([[0.0, 1], [900.0, 9]])
    assert relative_change(before, after).value == pytest.approx(-10.0)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(60):
        before = np.stack([rng.uniform(50, 150, 30), np.ones(30)], -1)
        after = before.copy()
        after[:, 0] *= rng.normal(0.8, 0.1, 30)
        change = relative_change(before, after, seed=trial)
        hits += change.low <= -20.0 <= change.high
    assert 51 <= hits <= 60


def test_grouped_draws_are_wider() -> None:
    rng = np.random.default_rng(2)
    factor = np.repeat(rng.normal(0.8, 0.2, 6), 5)
    before = np.ones((30, 2))
    after = np.stack([factor, np.ones(30)], -1)
    alone = relative_change(before, after)
    grouped = relative_change(before, after, np.repeat(np.arange(6), 5))
    assert grouped.value == pytest.approx(alone.value)
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def test_nothing_before_is_nan() -> None:
    assert math.isnan(relative_change(np.zeros((2, 2)), np.ones((2, 2))).value)


def test_ratio_of_medians() -> None:
    a = np.array([[1.0], [2.0], [3.0]])
    b = np.array([[4.0, 4.0, np.nan], [4.0, 4.0, 4.0], [4.0, 4.0, 4.0]])
    ratio = ratio_of_medians(a, b)
    assert ratio.value == pytest.approx(-50.0)
    assert ratio.low < -50.0 < ratio.high


def test_ratio_of_medians_keeps_scenes_together() -> None:
    # In every scene the error is halved, however hard the scene: no spread is due to scenes.
    hard = np.array([[1.0], [10.0], [100.0]])
    assert ratio_of_medians(hard, 2 * hard) == pytest.approx((-50.0, -50.0, -50.0))
