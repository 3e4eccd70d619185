"""A large problem makes its model twice and solves the same."""

from __future__ import annotations

import numpy as np

from refine_engine.solver.levenberg import Damping, Free, step
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
