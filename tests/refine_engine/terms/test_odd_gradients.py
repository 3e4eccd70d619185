"""Gradients where there is hardly anything: one frame, no evidence, other rates, nobody near."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.refinement.maps_in_memory import DepthArrays
from refine_engine.solver.arrow_problem import Free
from refine_engine.terms.motion import motion_terms
from refine_engine.terms.problem import Problem
from tests.refine_engine.terms.test_gradients import slopes

EVERYTHING = dict.fromkeys(
    ("data", "beta", "pose", "skate", "contact", "depth", "multi_scale", "smooth", "cvae"), 1.0
)


def rows_of(entry, rows):
    """The same person with some rows only; ``entry`` is a ``Person`` or a ``PersonState``."""
    n = len(entry.frames)
    changed = {
        name: value[rows]
        for name, value in vars(entry).items()
        if isinstance(value, np.ndarray) and value.shape[:1] == (n,) and name != "betas"
    }
    if getattr(entry, "keypoints", None) is not None:
        k = entry.keypoints
        changed["keypoints"] = replace(k, pixels=k.pixels[rows], confidence=k.confidence[rows])
    return replace(entry, **changed)


def only(made, state, i, rows):
    """Leave some rows of a person, in the scene and in the state."""
    people = made.scene.people
    made.scene = replace(made.scene, people={**people, i: rows_of(people[i], rows)})
    return replace(state, people={**state.people, i: rows_of(state.people[i], rows)})


def with_depth(made, **options):
    frames = made.scene.num_frames
    maps = np.full((frames, 45, 80), 2.4) + 0.02 * made.rng.normal(size=(frames, 45, 80))
    made.scene = replace(made.scene, depth=DepthArrays(maps, **options))


def one_frame(made, state):
    return only(made, state, 2, [3])


def two_frames(made, state):
    return only(made, state, 2, [3, 4])


def never_together(made, state):
    return only(made, only(made, state, 1, [0, 1, 2, 3]), 2, [4, 5, 6, 7])


def no_confidence(made, state):
    people = {
        i: replace(p, keypoints=replace(p.keypoints, confidence=0.0 * p.keypoints.confidence))
        for i, p in made.scene.people.items()
    }
    made.scene = replace(made.scene, people=people)
    return state


def hardly_observed(made, state):
    seen = np.arange(8) == 2
    people = made.scene.people
    made.scene = replace(made.scene, people={**people, 2: replace(people[2], observed=seen)})
    return replace(state, people={**state.people, 2: replace(state.people[2], observed=seen)})


def empty_depth(made, state):
    made.scene = replace(made.scene, depth=DepthArrays(np.zeros((8, 45, 80))))
    return state


def masked_depth(made, state):
    with_depth(made, people_masked_out=True)
    return state


def metric_depth(made, state):
    with_depth(made, shares_camera_unit=False)
    return state


def alpha_at_its_bound(made, state):
    made.config = made.config.replace(optimize_delta_alpha=True, alpha_change_threshold=0.02)
    return replace(state, scale_delta=0.02)


def rate(fps):
    def change(made, state):
        made.scene = replace(made.scene, fps=fps)
        return state

    change.__name__ = f"at_{fps:g}_fps"
    return change


def a_chunk_a_frame(made, state):
    cameras = replace(made.scene.cameras, chunk=np.arange(8))
    made.scene = replace(made.scene, cameras=cameras)
    return replace(state, chunk_log_scale=made.rng.normal(0, 0.02, 8))


def only_the_camera_moves(made, state):
    people = {
        i: replace(
            p,
            R_world_root=np.repeat(p.R_world_root[:1], 8, 0),
            body_pose=np.repeat(p.body_pose[:1], 8, 0),
            transl_world=np.repeat(p.transl_world[:1], 8, 0),
        )
        for i, p in state.people.items()
    }
    return replace(state, people=people)


ODD = (
    one_frame,
    two_frames,
    never_together,
    no_confidence,
    hardly_observed,
    empty_depth,
    masked_depth,
    metric_depth,
    alpha_at_its_bound,
    rate(24.0),
    rate(60.0),
    rate(5.0),
    a_chunk_a_frame,
    only_the_camera_moves,
)


@pytest.mark.parametrize("odd", ODD, ids=lambda f: f.__name__)
def test_gradients_hold_in_odd_situations(exact_scene, odd):
    made = exact_scene(people=2, frames=8)
    with_depth(made)
    state = odd(made, made.disturbed(turn=0.15))
    problem = Problem(
        made.scene, made.body, state, made.config, motion_terms(made.config), hold_out=False
    )
    packed = problem.pack(state)
    problem.prepare(packed, "scale", EVERYTHING)
    for person in packed.people:
        person.shift[:] = made.rng.normal(0, 0.004, person.shift.shape)
    for name in EVERYTHING:
        weights = {name: 1.0}
        value = problem.evaluate(packed, weights)[0]
        assert np.isfinite(value), name
        (analytic, coarse), (_, fine) = (
            slopes(problem, packed, weights, Free(pose=True), np.random.default_rng(7), step)
            for step in (1e-5, 5e-6)
        )
        # Richardson's step: where nothing moves, the loss is steep beside its flat bottom.
        numeric = (4.0 * fine - coarse) / 3.0
        assert analytic == pytest.approx(numeric, rel=1e-5, abs=1e-5 * max(value, 1.0)), name
