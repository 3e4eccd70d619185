"""Scale-free terms do not notice that the world is another size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.body import body_size, embedded_body, rest_joints
from refine_engine.body.model import BodyModel
from refine_engine.terms.packed import pose_person
from refine_engine.terms.problem import Problem

SCALE_FREE = ("skate", "contact", "smooth")


def scaled_body(body, factor):
    """A body of another size; betas mean the same shapes."""
    return BodyModel(
        name="scaled",
        gender=body.gender,
        source=body.source,
        v_template=factor * body.v_template,
        shapedirs=factor * body.shapedirs,
        posedirs=None,
        J_regressor=body.J_regressor,
        weights=body.weights,
        faces=body.faces,
    )


@pytest.mark.parametrize("factor", [0.5, 1.7])
def test_a_world_of_another_size_costs_the_same(exact_scene, factor):
    # Bodies, ways, camera and plane together: only what is said of metres may notice. The size
    # measure is relative to the mean body, so it is the positions that are divided by it here.
    scene = exact_scene(people=2, frames=8)
    state = scene.disturbed()
    problem = Problem(scene.scene, scene.body, scene.true, scene.config)
    packed = problem.pack(state)
    common = problem.common(packed)
    for p, (track, person) in enumerate(zip(problem.tracks, packed.people, strict=True)):
        posed = pose_person(scene.body, track, person, problem._contacts[p])
        larger = replace(posed, points=factor * posed.points, size=factor * posed.size)
        plane = common.plane.copy()
        plane[3] *= factor
        for term in problem.terms:
            if term.info.name in SCALE_FREE:
                before = term.loss(track, posed, common, 1.0, None)
                after = term.loss(track, larger, replace(common, plane=plane), 1.0, None)
                assert before > 0.0
                assert after == pytest.approx(before, rel=1e-9)


@pytest.mark.parametrize("factor", [0.6, 1.4])
def test_images_and_depth_cannot_tell_size(exact_scene, factor):
    """x -> s x, alpha -> s alpha, body -> s body: data and shared depth stay as they are."""
    scene = exact_scene(people=1, frames=6)
    state = scene.disturbed()
    larger_body = scaled_body(scene.body, factor)
    s = state.people[1]
    moved = replace(s, transl_world=factor * s.transl_world)
    # Pelvis = J0 + transl scales as a whole: J0 does so with the body.
    assert np.allclose(
        rest_joints(larger_body, s.betas)[0], factor * rest_joints(scene.body, s.betas)[0]
    )
    larger = replace(
        state, people={1: moved}, alpha_0=factor * state.alpha_0, scale_delta=state.scale_delta
    )
    losses = []
    for body, which in ((scene.body, state), (larger_body, larger)):
        problem = Problem(scene.scene, body, which, scene.config)
        # What Stage 3 measured in metres is not part of this.
        problem.tracks[0].root_trust[:] = 0.0
        problem.tracks[0].distance_link[:] = 0.0
        problem.tracks[0].pixel_scale[:] = 1.0
        losses.append(problem.evaluate(problem.pack(which), {"data": 1.0})[0])
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)


def test_measured_roots_know_no_size(exact_scene):
    """Their depth is compared over the body size: a larger person farther away is the same."""
    scene = exact_scene(people=1, frames=4)
    problem = Problem(scene.scene, scene.body, scene.true, scene.config)
    track = problem.tracks[0]
    track.keypoint_weight[:] = 0.0
    track.rotation_trust[:] = 0.0
    track.distance_link[:] = 0.0
    packed = problem.pack(scene.true)
    assert problem.evaluate(packed, {"data": 1.0})[0] == pytest.approx(0.0, abs=1e-18)
    person = packed.people[0]
    gradient = np.array(body_size(scene.body, person.betas).gradient)
    betas = person.betas + 0.2 * gradient / (gradient @ gradient) * 0.5
    ratio = body_size(scene.body, betas).value / body_size(scene.body, person.betas).value
    centre = -scene.alpha * np.einsum("tji,tj->ti", track.R_cam, track.t_cam)
    pelvis = rest_joints(scene.body, person.betas)[0] + person.transl
    farther = centre + ratio * (pelvis - centre) - rest_joints(scene.body, betas)[0]
    moved = replace(person, betas=betas, transl=farther)
    assert ratio > 1.05
    loss = problem.evaluate(replace(packed, people=(moved,)), {"data": 1.0})[0]
    assert loss == pytest.approx(0.0, abs=1e-18)


def test_the_embedded_body_is_the_one_that_scales():
    body = embedded_body()
    assert body_size(scaled_body(body, 2.0), np.zeros(10)).value == 1.0
