"""HuMoR's mixture over first states as a term; feet that stand as a part of the prior."""

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.body import rest_joints
from refine_engine.geometry.rotations import matrix_from_axis_angle, rotation_between
from refine_engine.motion_prior.humor.initial_state import InitialStatePrior, initial_vector
from refine_engine.motion_prior.humor.state import (
    Y_UP_TO_Z_UP,
    canonical_frame,
    pelvis_offset,
    states_of_motion,
)
from refine_engine.solver.arrow_problem import Free
from refine_engine.solver.levenberg import Damping, step
from refine_engine.solver.threads import people_runner
from refine_engine.terms.initial_state import InitialState, first_state
from refine_engine.terms.problem import Problem
from refine_engine.terms.stance import Stance

ALONE = {"cvae": 1.0}


def mixture(around, seed=0, components=3):
    """A random mixture of HuMoR's layout with means near a vector."""
    rng = np.random.default_rng(seed)
    A = rng.normal(0, 0.3, (components, 138, 138))
    return InitialStatePrior(
        rng.uniform(0.5, 1.0, components),
        around + rng.normal(0, 0.2, (components, 138)),
        A @ np.swapaxes(A, -1, -2) / 138 + 0.05 * np.eye(138),
    )


def packed_scene(scene, term, tilt=(0.1, 0.0, 0.2)):
    state = scene.disturbed(turn=0.05, move=0.03)
    normal = matrix_from_axis_angle(np.array(tilt)) @ [0.0, 1.0, 0.0]
    problem = Problem(scene.scene, scene.body, state, scene.config, (term,))
    return problem, replace(problem.pack(state), plane=np.append(normal, 0.3))


def vector_of(problem, packed):
    return first_state(problem.posed(packed)[0], problem.common(packed), problem.tracks[0].fps)


def test_the_vector_is_that_of_the_canonical_state(exact_scene):
    problem, packed = packed_scene(exact_scene(people=1, frames=6), Stance())
    posed, common = problem.posed(packed)[0], problem.common(packed)
    pelvis = rest_joints(common.body, posed.betas)[0]
    level = Y_UP_TO_Z_UP @ rotation_between(common.plane[:3], np.array([0.0, 1.0, 0.0]))
    joints = posed.points[:2, :24] @ level.T + [0.0, 0.0, common.plane[3]]
    states = states_of_motion(
        joints[:, 0] - pelvis, level @ posed.R[:2, 0], posed.R[:2, 1:22], joints, 30.0
    )
    frame = canonical_frame(states[0], pelvis_offset(states[0]))
    expected = initial_vector(frame.apply(states[0])).numpy()
    np.testing.assert_allclose(vector_of(problem, packed)[0], expected, atol=1e-9)


def test_gradient_is_the_derivative(exact_scene):
    scene = exact_scene(people=1, frames=5)
    problem, packed = packed_scene(scene, Stance())
    term = InitialState(mixture(vector_of(problem, packed)[0]))
    problem, packed = packed_scene(scene, term)
    direction = np.random.default_rng(1).normal(size=(5, 69))
    model = problem.linearise(packed, ALONE, Free(pose=True), people_runner(1, None))
    slope = float(model.parts[0].border[0][:, 0] @ direction.reshape(-1))
    h, losses = 1e-6, []
    for s in (h, -h):
        moved = problem.moved(packed, [s * direction], np.zeros((1, 10)), np.zeros(5))
        losses.append(problem.evaluate(moved, ALONE)[0])
    assert slope == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-5)


def test_the_curvature_touches_from_above():
    rng = np.random.default_rng(2)
    prior = mixture(np.zeros(138))
    x = rng.normal(0, 0.3, 138)
    nats, gradient, curvature = prior.quadratic(x)
    for size in (0.01, 0.1, 1.0):
        d = size * rng.normal(size=138)
        above = nats + gradient @ d + 0.5 * d @ curvature @ d
        assert prior.quadratic(x + d)[0] <= above + 1e-9


def test_a_step_makes_the_first_state_likelier(exact_scene):
    scene = exact_scene(people=2, frames=5)
    problem, packed = packed_scene(scene, Stance())
    term = InitialState(mixture(vector_of(problem, packed)[0]))
    problem, packed = packed_scene(scene, term)
    before = problem.evaluate(packed, ALONE)[0]
    result = step(problem, packed, ALONE, Free(pose=True), Damping())
    assert result.accepted
    assert result.total < before - 1.0
    # Only the first two frames have a part in it.
    np.testing.assert_allclose(result.state.people[0].transl[2:], packed.people[0].transl[2:])
    term.held = True
    problem._forget()
    assert problem.evaluate(packed, ALONE)[1]["cvae"] == 0.0


def test_standing_feet_count_once(exact_scene):
    scene = exact_scene(people=1, frames=6)
    problem, packed = packed_scene(scene, Stance())
    problem.set_contacts({1: np.ones((6, 4))})
    alone = problem.evaluate(packed, {"cvae": 0.1})[1]["cvae"]
    skate = problem.evaluate(packed, {"skate": 100.0})[1]["skate"]
    both = problem.evaluate(packed, {"cvae": 0.1, "skate": 100.0})[1]
    assert alone > 0
    assert alone == pytest.approx(skate)
    assert both == {"cvae": 0.0, "skate": pytest.approx(skate)}
