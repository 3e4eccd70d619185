"""How far alpha may move from alpha_0: by the threshold, or as far as alpha_0 is uncertain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.config import RefinementConfig
from refine_engine.terms.alpha_bound import alpha_bound
from refine_engine.terms.problem import Problem


def test_a_unit_that_was_given_keeps_the_threshold():
    bound = alpha_bound(RefinementConfig(), None)
    assert bound.delta == pytest.approx((-0.05, 0.05))
    assert bound.source == "alpha_change_threshold"


def test_a_good_estimate_keeps_the_threshold():
    bound = alpha_bound(RefinementConfig(), 0.01)
    assert bound.delta == pytest.approx((-0.05, 0.05))
    assert bound.source == "alpha_change_threshold"


def test_a_poor_estimate_may_move_by_two_of_its_sigmas():
    bound = alpha_bound(RefinementConfig(), 0.14)
    assert (bound.low, bound.high) == pytest.approx((-0.28, 0.28))
    assert bound.delta == pytest.approx((np.exp(-0.28) - 1, np.exp(0.28) - 1))
    assert bound.source == "alpha_bound_sigmas"


def test_a_bound_never_becomes_narrower_than_the_threshold():
    for sigma in np.linspace(0.0, 0.2, 41):
        bound = alpha_bound(RefinementConfig(), float(sigma))
        assert bound.low <= np.log(0.95) + 1e-12
        assert bound.high >= np.log(1.05) - 1e-12


@pytest.mark.parametrize(
    ("settings", "delta", "source"),
    [
        ({"alpha_bound_sigmas": 0.0}, (-0.05, 0.05), "alpha_change_threshold"),
        ({"alpha_change_threshold": 0.0}, (0.0, 0.0), "alpha_change_threshold"),
        ({"alpha_change_threshold": 0.5}, (-0.5, 0.5), "alpha_change_threshold"),
        ({"alpha_bound_sigmas": 1.0}, (np.exp(-0.14) - 1, np.exp(0.14) - 1), "alpha_bound_sigmas"),
    ],
)
def test_the_settings_decide(settings, delta, source):
    bound = alpha_bound(RefinementConfig().replace(**settings), 0.14)
    assert bound.delta == pytest.approx(delta)
    assert bound.source == source


def test_alpha_can_be_free_and_can_not_vanish():
    free = alpha_bound(RefinementConfig(optimize_delta_alpha=False), 0.14)
    assert (free.low, free.high) == (-np.inf, np.inf)
    assert free.delta is None
    whole = alpha_bound(RefinementConfig(alpha_change_threshold=1.0), None)
    assert np.isfinite(whole.low)


def test_the_solver_steps_within_it(exact_scene):
    scene = exact_scene(people=1, frames=6)
    config = RefinementConfig()
    estimated = replace(scene.true, alpha_0=scene.alpha / 1.15, alpha_0_log_sigma=0.1)
    given = replace(estimated, alpha_0_log_sigma=None)
    for start, low, high in ((estimated, -0.2, 0.2), (given, np.log(0.95), np.log(1.05))):
        problem = Problem(scene.scene, scene.body, start, config)
        packed = problem.pack(start)
        moved = replace(packed, alpha=packed.alpha * np.exp(0.03))
        assert problem.alpha_limits(packed) == pytest.approx((low, high))
        assert problem.alpha_limits(moved) == pytest.approx((low - 0.03, high - 0.03))
        # Beyond the bound, alpha may only come back.
        beyond = replace(packed, alpha=packed.alpha * np.exp(0.5))
        assert problem.alpha_limits(beyond) == pytest.approx((low - 0.5, 0.0))
