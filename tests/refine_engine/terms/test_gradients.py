"""Every term's gradient against differences of its loss, with what the body size adds to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.solver.arrow_problem import Free
from refine_engine.terms.depth_evidence import DepthEvidence, GroundSamples, SkinSamples
from refine_engine.terms.depth_view import skin_points
from refine_engine.terms.problem import Problem

TERMS = ("data", "beta", "pose", "skate", "contact", "depth", "multi_scale", "smooth")


def alone(function, count):
    return [function(i) for i in range(count)]


def problem_at(scene, state, *, shared_depth=True):
    """A problem with made-up depth samples of skin and ground."""
    problem = Problem(scene.scene, scene.body, scene.true, scene.config)
    problem.shared_depth = shared_depth
    rng = np.random.default_rng(3)
    for p, track in enumerate(problem.tracks):
        counts = rng.integers(0, 8, len(track))
        m = int(counts.sum())
        skin = SkinSamples(
            start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            point=rng.integers(0, 150, m),
            log_depth=np.log(2.5) + rng.normal(0, 0.1, m),
            weight=rng.uniform(0.1, 1, m),
            held=np.zeros(m),
            chunk=np.repeat(track.chunk, counts),
        )
        rows = rng.integers(0, len(track), 9)
        ground = GroundSamples(
            frame=rows,
            ray=np.column_stack([rng.normal(0, 0.1, 9), rng.uniform(0.2, 0.5, 9), np.ones(9)]),
            log_depth=np.log(2.0) + rng.normal(0, 0.1, 9),
            weight=rng.uniform(0.1, 1, 9),
            held=np.zeros(9),
            chunk=track.chunk[rows],
        )
        evidence = DepthEvidence(skin_points(scene.body).candidates, skin, ground)
        problem.tracks[p] = replace(track, depth=evidence)
    return problem, problem.pack(state)


def slopes(problem, packed, weights, free, rng, step=1e-5):
    """Directional derivative along a random direction: analytic, and by central differences."""
    model = problem.linearise(packed, weights, free, alone)
    frames = [rng.standard_normal((part.frames, part.width)) for part in model.parts]
    own = rng.standard_normal((len(model.parts), 10))
    shared = rng.standard_normal(len(model.shared_gradient))
    analytic = model.shared_gradient @ shared
    for part, f, o in zip(model.parts, frames, own, strict=True):
        analytic += part.border[0][:, 0] @ f.ravel() + part.own_gradient @ o

    def loss(s):
        moved = problem.moved(packed, [s * f for f in frames], s * own, s * shared)
        return problem.evaluate(moved, weights)[0]

    return analytic, (loss(step) - loss(-step)) / (2 * step)


@pytest.mark.parametrize("pose", [True, False])
@pytest.mark.parametrize("name", TERMS)
def test_gradient_is_the_slope_of_the_loss(exact_scene, name, pose):
    scene = exact_scene(people=2, frames=8, chunks=2, layout="body25")
    problem, packed = problem_at(scene, scene.disturbed(turn=0.2))
    for person in packed.people:
        person.shift[:] = scene.rng.normal(0, 0.005, person.shift.shape)
    for _ in range(2):
        analytic, numeric = slopes(problem, packed, {name: 1.0}, Free(pose=pose), scene.rng)
        if name == "pose" and not pose:
            assert analytic == numeric == 0.0
        else:
            assert analytic == pytest.approx(numeric, rel=2e-6, abs=1e-8)


def test_gradient_with_metric_depth(exact_scene):
    scene = exact_scene(people=2, frames=8)
    problem, packed = problem_at(scene, scene.disturbed(), shared_depth=False)
    analytic, numeric = slopes(problem, packed, {"depth": 1.0}, Free(pose=True), scene.rng)
    assert analytic == pytest.approx(numeric, rel=1e-7)


def test_keypoints_behind_the_camera_push_nowhere(exact_scene):
    scene = exact_scene(people=1, frames=4)
    state = scene.disturbed()
    behind = replace(
        state.people[1], transl_world=state.people[1].transl_world + np.array([0, 0, 20.0])
    )
    problem, packed = problem_at(scene, replace(state, people={1: behind}))
    model = problem.linearise(packed, {"data": 1.0}, Free(), alone)
    gradient = model.parts[0].border[0][:, 0].reshape(4, 8)
    assert np.isfinite(problem.evaluate(packed, {"data": 1.0})[0])
    assert not gradient[:, :3].any()
    assert not gradient[:, 6:].any()


@pytest.mark.parametrize("name", TERMS)
def test_a_weight_of_zero_is_an_absent_term(exact_scene, name):
    scene = exact_scene(people=1, frames=5)
    problem, packed = problem_at(scene, scene.disturbed())
    others = {n: 1.0 for n in TERMS if n != name}
    without = problem.evaluate(packed, others)
    assert problem.evaluate(packed, {**others, name: 0.0}) == without
    assert name not in without[1]
    a = problem.linearise(packed, {**others, name: 0.0}, Free(pose=True), alone)
    b = problem.linearise(packed, others, Free(pose=True), alone)
    assert np.array_equal(a.parts[0].border, b.parts[0].border)
    assert np.array_equal(a.shared_hessian, b.shared_hessian)


def test_weights_scale_their_term(exact_scene):
    scene = exact_scene(people=1, frames=5)
    problem, packed = problem_at(scene, scene.disturbed())
    for name in TERMS:
        once = problem.evaluate(packed, {name: 1.0})[0]
        assert problem.evaluate(packed, {name: 3.0})[0] == pytest.approx(3.0 * once, rel=1e-9)
        assert once > 0.0
