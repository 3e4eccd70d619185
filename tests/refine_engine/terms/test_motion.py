"""The motion prior as a term: derivatives, windows, robustness, frame rates."""

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.motion_prior.transition import load_transition_prior
from refine_engine.solver.arrow_problem import Free
from refine_engine.solver.levenberg import Damping, step
from refine_engine.solver.threads import people_runner
from refine_engine.terms.motion import MotionPrior
from refine_engine.terms.problem import Problem

ALONE = {"cvae": 0.1}


def _problem(scene, term=None):
    term = term or MotionPrior(load_transition_prior())
    state = scene.disturbed(turn=0.02, move=0.01)
    problem = Problem(scene.scene, scene.body, state, scene.config, (term,))
    return problem, problem.pack(state)


def _moved(problem, packed, direction, size, h):
    own = np.array([h * size for _ in packed.people])
    return problem.moved(packed, [h * d for d in direction], own, np.zeros(5))


@pytest.mark.parametrize("rate", [25.0, 30.0, 60.0])
def test_gradient_is_the_derivative(exact_scene, rate):
    scene = exact_scene(people=2, frames=8)
    scene.scene = replace(scene.scene, fps=rate)
    problem, packed = _problem(scene)
    rng = np.random.default_rng(3)
    direction = [rng.normal(size=(8, 69)) for _ in packed.people]
    size = rng.normal(size=10)
    model = problem.linearise(packed, ALONE, Free(pose=True, betas=True), people_runner(1, None))
    slope = sum(
        float(part.border[0][:, 0] @ d.reshape(-1) + part.own_gradient @ size)
        for part, d in zip(model.parts, direction, strict=True)
    )
    h = 1e-6
    losses = [
        problem.evaluate(_moved(problem, packed, direction, size, s * h), ALONE)[0]
        for s in (1.0, -1.0)
    ]
    assert slope == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-5)


def test_curvature_is_that_of_the_touching_quadratic(exact_scene):
    """With responsibilities fixed the model is sum w |L z|^2 / 2: its Hessian is J^T M J."""
    from refine_engine.terms.motion import mixture_energies

    scene = exact_scene(people=1, frames=6)
    term = MotionPrior(load_transition_prior())
    problem, packed = _problem(scene, term)
    track, posed = problem.tracks[0], problem.posed(packed)[0]
    form = term.prior.forms(30.0)
    z = term._features(track, posed)
    _, shares = mixture_energies(form, z)
    part = problem.linearise(packed, ALONE, Free(pose=True), people_runner(1, None)).parts[0]
    n, width = 6, 69
    blocks = [np.zeros((n, width, width)) for _ in range(3)]
    part.assemble(0.0, 0.0, *blocks)
    rng = np.random.default_rng(1)
    d = rng.normal(size=(n, width))
    here = np.triu(blocks[0]) + np.swapaxes(np.triu(blocks[0], 1), -1, -2)
    found = np.einsum("ta,tab,tb", d, here, d)
    found += 2 * np.einsum("ta,tab,tb", d[:-1], blocks[1][:-1], d[1:])
    found += 2 * np.einsum("ta,tab,tb", d[:-2], blocks[2][:-2], d[2:])
    h = 1e-5
    ahead, behind = (
        term._features(track, problem.posed(_moved(problem, packed, [d], np.zeros(10), s))[0])
        for s in (h, -h)
    )
    dz = (ahead - behind) / (2 * h)
    want = term.info.weight(0.1) * np.einsum("tk,ti,kij,tj", shares, dz, form.matrices, dz)
    assert found == pytest.approx(want, rel=1e-4)


def test_a_step_lowers_the_loss(exact_scene):
    problem, packed = _problem(exact_scene(people=1, frames=20))
    weights = {"cvae": 1.0, "data": 1.0, "pose": 0.1}
    before, terms = problem.evaluate(packed, weights)
    result = step(problem, packed, weights, Free(pose=True), Damping())
    assert result.accepted
    assert result.total < before
    assert result.terms["cvae"] < 0.8 * terms["cvae"]


def test_windows_leave_out_transitions_across_their_borders(exact_scene):
    scene = exact_scene(people=1, frames=12)
    term = MotionPrior(load_transition_prior())
    problem, _ = _problem(scene, term)
    assert term._links(problem.tracks[0]).sum() == 10
    term.horizon = 5
    # Windows 0-4, 5-9, 10-11: three transitions within each of the first two.
    assert term._links(problem.tracks[0]).tolist() == [1, 1, 1, 0, 0, 1, 1, 1, 0, 0]


def test_wild_motion_is_hardly_pulled(exact_scene):
    scene = exact_scene(people=1, frames=12)
    term = MotionPrior(load_transition_prior())
    problem, packed = _problem(scene, term)
    wild = problem.pack(scene.disturbed(turn=0.8, move=0.3))
    track = problem.tracks[0]
    upright = np.concatenate([np.eye(3)[None], term.prior.mean, np.eye(3)[None].repeat(2, 0)])
    still = replace(
        packed.people[0],
        R=np.repeat(upright[None], 12, 0),
        transl=np.repeat(packed.people[0].transl[:1], 12, 0),
    )
    calm = replace(packed, people=(still,))
    assert term.influence(track, problem.posed(calm)[0]).min() > 0.8
    assert term.influence(track, problem.posed(wild)[0]).max() < 0.02


def test_heading_and_place_do_not_matter(exact_scene):
    scene = exact_scene(people=1, frames=10)
    problem, packed = _problem(scene)
    angle = 1.1
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    person = packed.people[0]
    R = person.R.copy()
    R[:, 0] = turn @ R[:, 0]
    # The pelvis, not transl, turns about the origin; J0 stays.
    moved = replace(person, R=R, transl=person.transl @ turn.T + [3.0, 0.5, -2.0])
    other = replace(packed, people=(moved,))
    assert problem.evaluate(other, ALONE)[0] == pytest.approx(problem.evaluate(packed, ALONE)[0])


def test_shrinking_the_scene_gains_nothing(exact_scene):
    """Velocities are divided by the body size."""
    scene = exact_scene(people=1, frames=10)
    term = MotionPrior(load_transition_prior())
    problem, packed = _problem(scene, term)
    posed = problem.posed(packed)[0]
    small = replace(posed, transl=0.5 * posed.transl, size=0.5 * posed.size)
    track, common = problem.tracks[0], problem.common(packed)
    assert term.loss(track, small, common, 1.0, None) == pytest.approx(
        term.loss(track, posed, common, 1.0, None)
    )


def test_motion_counts_once_in_every_plan(exact_scene):
    from refine_engine.refinement.substages import PLANS

    lambdas = exact_scene().config.weights()
    for key in ("motion", "environmental", "scale", "final"):
        assert "cvae" in PLANS[key].weights(lambdas, has_prior=True)
        assert "cvae" not in PLANS[key].weights(lambdas, has_prior=False)
        assert "cvae" not in PLANS[key].weights({**lambdas, "cvae": 0.0}, has_prior=True)
    scene = exact_scene(people=2, frames=8)
    problem, packed = _problem(scene)
    both = {"cvae": 0.1, "multi_scale": 0.5}
    _, terms = problem.evaluate(packed, both)
    assert terms["cvae"] == pytest.approx(problem.evaluate(packed, ALONE)[0])
    # Sizes alone: other motion of the same bodies leaves multi_scale as it is.
    shaken = problem.moved(
        packed,
        [np.random.default_rng(0).normal(0, 0.05, (8, 69))] * 2,
        np.zeros((2, 10)),
        np.zeros(5),
    )
    assert problem.evaluate(shaken, both)[1]["multi_scale"] == pytest.approx(terms["multi_scale"])
    assert problem.evaluate(shaken, both)[1]["cvae"] > terms["cvae"]
