"""A large problem makes its model twice and solves the same."""

from __future__ import annotations

import numpy as np
import pytest

from refine_engine.solver import arrow
from refine_engine.solver.arrow_problem import Free
from refine_engine.solver.covariance import covariance
from refine_engine.solver.levenberg import Damping, step
from refine_engine.terms import problem as problem_module
from refine_engine.terms.problem import Problem


def test_made_twice_is_the_same(exact_scene, monkeypatch):
    scene = exact_scene(people=2, frames=8)
    state = scene.disturbed()
    results = []
    for limit in (problem_module.LARGE_BYTES, 0):
        monkeypatch.setattr(problem_module, "LARGE_BYTES", limit)
        problem = Problem(scene.scene, scene.body, scene.true, scene.config)
        free = Free(pose=True, betas=True, plane=True, alpha=True)
        results.append(step(problem, problem.pack(state), scene.config.weights(), free, Damping()))
    assert results[0].total == results[1].total
    for a, b in zip(results[0].state.people, results[1].state.people, strict=True):
        assert np.array_equal(a.R, b.R)


def test_uncertainty_without_kept_factors_is_the_same(exact_scene, monkeypatch):
    scene = exact_scene(people=3, frames=30)
    found = []
    for limit in (arrow.FACTOR_BYTES, 1):
        monkeypatch.setattr(arrow, "FACTOR_BYTES", limit)
        problem = Problem(scene.scene, scene.body, scene.true, scene.config)
        free = Free(pose=True, betas=True, plane=True, alpha=True)
        packed = problem.pack(scene.true)
        found.append(covariance(problem, packed, scene.config.weights(), free))
    kept, made_again = found
    assert kept.alpha_sigma == pytest.approx(made_again.alpha_sigma, rel=1e-6)
    for i in problem.ids:
        assert np.allclose(kept.joint_sigma[i], made_again.joint_sigma[i], rtol=1e-5)
