"""How lively people are, and what it does to the weight of smoothness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.body import embedded_body, rest_joints
from refine_engine.config import RefinementConfig
from refine_engine.geometry.rotations import matrix_from_axis_angle
from refine_engine.terms.liveliness import LIMITS, POWER, liveliness
from refine_engine.terms.motion import motion_terms
from refine_engine.terms.problem import Problem
from refine_engine.terms.smooth import SHARE_LIMITS, SHARE_POWER, SHARE_WITH_PRIOR, share_with_prior

REST = rest_joints(embedded_body(), np.zeros(10))


def swaying(amplitude, fps=30.0, seconds=4.0, heading=0.0):
    """Rotations (n, 24, 3, 3) of somebody whose joints swing by ``amplitude`` (n or scalar)."""
    t = np.arange(round(seconds * fps)) / fps
    rng = np.random.default_rng(1)
    phase, rate = rng.uniform(0, 6, (24, 3)), rng.uniform(4, 9, (24, 3))
    turns = np.sin(rate * t[:, None, None] + phase)
    turns *= np.broadcast_to(amplitude, t.shape)[:, None, None]
    R = matrix_from_axis_angle(turns)
    R[:, 0] = matrix_from_axis_angle(np.array([0.0, heading, 0.0]))
    return R


def measure(R, fps=30.0, observed=None):
    return liveliness(REST, R, np.ones(len(R), bool) if observed is None else observed, fps)


def test_follows_accelerations_with_its_power():
    once, twice = measure(swaying(0.05)), measure(swaying(0.1))
    np.testing.assert_allclose(twice / once, 2.0**POWER, rtol=0.03)


def test_does_not_depend_on_heading_and_hardly_on_frame_rate():
    usual = measure(swaying(0.1))
    np.testing.assert_allclose(measure(swaying(0.1, heading=2.0)), usual, rtol=1e-9)
    double = measure(swaying(0.1, fps=60.0), fps=60.0)
    np.testing.assert_allclose(double[::2], usual, rtol=0.05)


def test_tells_stretches_of_one_person_apart():
    t = np.arange(240)
    found = measure(swaying(np.where(t < 120, 0.02, 0.2), seconds=8.0))
    assert found[200:].min() > 6.0 * found[:40].max()


def test_filled_frames_do_not_count():
    R = swaying(0.1)
    observed = np.ones(len(R), bool)
    observed[50:60] = False
    shaken = R.copy()
    shaken[50:60, 1:] = matrix_from_axis_angle(np.random.default_rng(2).normal(0, 1.0, (10, 23, 3)))
    expected = measure(R, observed=observed)
    np.testing.assert_allclose(measure(shaken, observed=observed), expected, rtol=1e-12)
    assert measure(shaken)[55] > 2.0 * expected[55]


def test_too_little_seen_counts_as_the_average_and_limits_hold():
    R = swaying(0.1)
    assert (measure(R, observed=np.zeros(len(R), bool)) == 1.0).all()
    assert (measure(R[:5]) == 1.0).all()
    assert (measure(swaying(0.0)) == LIMITS[0]).all()
    assert (measure(swaying(3.0)) <= LIMITS[1]).all()


@pytest.fixture
def scene(exact_scene):
    return exact_scene()


@pytest.fixture
def problem(scene):
    config = RefinementConfig(threads=1)
    return Problem(scene.scene, scene.body, scene.true, config, motion_terms(config))


def test_lively_people_are_smoothed_less_and_quiet_ones_more(problem):
    track = problem.tracks[0]
    n = len(track)
    for level in (0.3, 1.0, 1.3):
        share = share_with_prior(replace(track, liveliness=np.full(n, level)))
        np.testing.assert_allclose(share[:-2], SHARE_WITH_PRIOR * level**-SHARE_POWER)
    assert (
        share_with_prior(replace(track, liveliness=np.full(n, 9.0)))[:-2] == SHARE_LIMITS[0]
    ).all()
    unknown = share_with_prior(replace(track, liveliness=None))
    assert (unknown == SHARE_WITH_PRIOR).all()


def test_only_beside_the_prior(problem, scene):
    """Without ``cvae`` the loss does not depend on liveliness; with it, by the share."""
    packed = problem.pack(scene.true)
    n = len(problem.tracks[0])

    def smoothness(level, weights):
        problem.tracks = [replace(t, liveliness=np.full(n, level)) for t in problem.tracks]
        problem.set_contacts({})  # forgets what was evaluated before
        return problem.evaluate(packed, weights)[1]["smooth"]

    alone = {"smooth": 0.001}
    assert smoothness(1.0, alone) == smoothness(0.3, alone)
    both = {"smooth": 0.001, "cvae": 0.1}
    ratio = smoothness(0.5, both) / smoothness(1.0, alone)
    assert ratio == pytest.approx(SHARE_WITH_PRIOR * 0.5**-SHARE_POWER, rel=1e-6)
