from __future__ import annotations

import math

import numpy as np
import pytest

from refine_engine.body import SOLE_POINTS
from refine_engine.evaluation.contact_metrics import (
    CONTACT_OF_SOLE,
    HEELS_AND_TOES,
    ContactCounts,
    count_contacts,
    floating,
    foot_sliding,
    heels_and_toes,
    labelled_steps,
    penetration_depth,
    planted_steps,
    stance_heights,
)

GROUND = np.array([0.0, 1.0, 0.0, 0.0])


def test_sole_points_are_where_the_body_says() -> None:
    names = ("left heel", "left toe", "right heel", "right toe")
    for index, contact in enumerate(CONTACT_OF_SOLE[8]):
        side, part = names[contact].split()
        assert SOLE_POINTS[index].startswith(side)
        assert ("heel" in SOLE_POINTS[index]) == (part == "heel")
    assert [SOLE_POINTS[i] for i in HEELS_AND_TOES[8]] == [
        "left_sole_heel",
        "left_sole_big_toe",
        "right_sole_heel",
        "right_sole_big_toe",
    ]


def test_sliding_counts_only_planted_points() -> None:
    gt = np.zeros((11, 4, 3))
    gt[:, 2:, 0] = 0.05 * np.arange(11)[:, None]  # the right foot swings at 5 cm a frame
    pred = np.zeros((11, 4, 3))
    pred[:, :2, 0] = 0.006 * np.arange(11)[:, None]
    pred[:, 2:, 0] = np.arange(11)[:, None]
    frames = np.arange(11)
    planted = planted_steps(gt, frames, 30.0)
    assert planted.sum() == 20
    assert not planted[:, 2:].any()
    np.testing.assert_allclose(foot_sliding(pred, planted, 30.0), 6.0)


def test_sliding_is_given_for_30_frames_a_second() -> None:
    # 6 mm a frame at 60 Hz are 12 mm a frame at 30 Hz, and too fast to count as planted.
    points = np.zeros((5, 4, 3))
    points[:, :, 0] = 0.006 * np.arange(5)[:, None]
    frames = np.arange(5)
    assert planted_steps(points, frames, 30.0).all()
    assert not planted_steps(points, frames, 60.0).any()
    everything = np.ones((4, 4), dtype=bool)
    np.testing.assert_allclose(foot_sliding(points, everything, 60.0), 12.0)


def test_steps_over_gaps_are_not_planted() -> None:
    frames = np.array([0, 1, 5, 6])
    assert planted_steps(np.zeros((4, 4, 3)), frames, 30.0)[:, 0].tolist() == [True, False, True]
    assert labelled_steps(np.ones((4, 4)), frames)[:, 0].tolist() == [True, False, True]


def test_own_labels_count_where_both_ends_are_in_contact() -> None:
    contacts = np.zeros((4, 4))
    contacts[:, 1] = [0.9, 0.6, 0.4, 0.8]
    steps = labelled_steps(contacts, np.arange(4))
    assert steps.sum() == 1
    assert steps[0, 1]


def test_heels_and_toes_of_eight_points() -> None:
    soles = np.arange(8.0)[None, :, None] * np.ones((2, 8, 3))
    assert heels_and_toes(soles)[0, :, 0].tolist() == [0.0, 2.0, 4.0, 6.0]


def test_penetration_is_the_deepest_point_below_a_tilted_plane() -> None:
    normal = np.array([0.6, 0.8, 0.0])
    plane = np.append(normal, -2.0)
    soles = np.zeros((3, 8, 3)) + 2.1 * normal
    soles[1, 3] = 1.95 * normal
    soles[2, 5] = 1.97 * normal
    np.testing.assert_allclose(penetration_depth(soles, plane), [0.0, 50.0, 30.0], atol=1e-9)


def test_stance_heights_take_the_lowest_point_of_a_contact() -> None:
    soles = np.full((2, 8, 3), 0.5)
    soles[:, 0, 1] = 0.01  # left heel
    soles[:, 1:4, 1] = [0.06, 0.04, 0.09]  # left ball, big toe, small toe
    contacts = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.2, 0.0]])
    stance = stance_heights(soles, GROUND, contacts)
    np.testing.assert_allclose(stance, [0.01, 0.04, 0.04])
    assert floating(stance).tolist() == [False, True, True]


def test_contact_counts() -> None:
    pred = np.array([[1.0, 0.7, 0.0, 0.2], [0.9, 0.0, 0.0, 0.6]])
    gt = np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]])
    counts = count_contacts(pred, gt)
    assert counts == ContactCounts(hits=3, false_alarms=1, misses=1)
    assert counts.precision == pytest.approx(0.75)
    assert counts.recall == pytest.approx(0.75)
    assert (counts + counts).f1 == pytest.approx(0.75)
    assert math.isnan(ContactCounts(0, 0, 0).f1)
    assert ContactCounts(0, 2, 3).f1 == 0.0
