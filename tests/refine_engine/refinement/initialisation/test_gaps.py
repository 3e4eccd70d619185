from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from refine_engine.config import RefinementConfig
from refine_engine.errors import Cancelled
from refine_engine.geometry.rotations import exp_so3
from refine_engine.motion_prior.gap_filling import geodesic_gap
from refine_engine.motion_prior.gap_model import load_gap_model
from refine_engine.refinement.initialisation import initialise
from refine_engine.refinement.initialisation.gaps import (
    Gap,
    fill_gaps,
    gap_note,
    learned_frames,
    refill_gaps,
)
from refine_engine.terms.problem import Problem
from refine_engine.terms.tracks import FILLED_TRUST, LEARNED_TRUST

Array = NDArray[np.float64]
SceneMaker = Callable[..., Any]


def swinging(frames: int) -> tuple[Array, Array]:
    """Legs that swing with a period of 32 frames while the pelvis moves on."""
    phase = 2 * np.pi * np.arange(frames) / 32
    turns = np.zeros((frames, 24, 3))
    turns[:, 1, 0], turns[:, 2, 0] = 0.5 * np.sin(phase), -0.5 * np.sin(phase)
    return exp_so3(turns), np.outer(np.arange(frames), [0.0, 0.0, 0.04])


def test_short_gaps_are_learned_and_long_ones_straight() -> None:
    R, transl = swinging(300)
    observed = np.ones(300, dtype=bool)
    observed[60:80] = observed[150:240] = False
    found = fill_gaps(
        np.arange(10, 310), R[:, 0], R[:, 1:], transl, observed, model=load_gap_model()
    )
    assert found.gaps == (
        Gap(70, 89, learned=True, reason=""),
        Gap(160, 249, learned=False, reason="longer than 2 s"),
    )
    straight, line = geodesic_gap(R, transl, 149, 240)
    np.testing.assert_allclose(found.body_pose[150:240], straight[:, 1:])
    np.testing.assert_allclose(found.transl_world[150:240], line)
    # The straight way hardly moves the legs in the short gap.
    away = np.abs(found.body_pose[60:80] - R[60:80, 1:]).max()
    bent = np.abs(geodesic_gap(R, transl, 59, 80)[0][:, 1:] - R[60:80, 1:]).max()
    assert away < 0.4 * bent
    np.testing.assert_array_equal(found.body_pose[observed], R[observed, 1:])
    np.testing.assert_array_equal(np.flatnonzero(learned_frames(found)), np.arange(60, 80))


def test_the_border_of_a_chunk_is_no_context() -> None:
    R, transl = swinging(120)
    observed = np.ones(120, dtype=bool)
    observed[60:80] = False
    chunk = (np.arange(120) >= 59).astype(np.int64)
    found = fill_gaps(
        np.arange(120), R[:, 0], R[:, 1:], transl, observed, model=load_gap_model(), chunk=chunk
    )
    assert not found.gaps[0].learned
    assert "how fast" in found.gaps[0].reason


def test_gaps_are_filled_again_from_better_poses(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene()
    person = scene.people[1]
    keep = (person.frames < 20) | (person.frames >= 35)
    cut = {
        name: getattr(person, name)[keep]
        for name in ("frames", "R_cam_root", "body_pose", "transl_cam", "observed")
    }
    scene = replace(scene, people={1: replace(person, **cut, bboxes=None, keypoints=None)})
    state = initialise(scene, body, RefinementConfig()).state
    p = state.people[1]
    better = p.body_pose.copy()
    better[:, 17] = exp_so3(np.array([0.0, 0.0, 0.9]))
    changed = replace(state, people={1: replace(p, body_pose=better)})
    chunk = np.zeros(scene.num_frames, dtype=np.int64)
    again = refill_gaps(changed, body, load_gap_model(), scene.fps, chunk).people[1]
    assert again.learned is not None
    np.testing.assert_array_equal(again.learned, ~p.observed)
    np.testing.assert_array_equal(again.body_pose[p.observed], better[p.observed])
    np.testing.assert_allclose(again.body_pose[20:35, 17], better[20:35, 17], atol=0.05)


def test_gaps_that_cannot_be_learned_follow_the_people_beside_them(
    standing_scene: SceneMaker,
) -> None:
    scene, body = standing_scene()
    person = scene.people[1]
    seen = person.observed.copy()
    seen[20:35] = False
    scene = replace(scene, people={1: replace(person, observed=seen)})
    state = initialise(scene, body, RefinementConfig()).state
    p = state.people[1]
    there = np.where(p.observed[:, None], p.transl_world + [1.0, 0.0, 0.5], p.transl_world)
    changed = replace(state, people={1: replace(p, transl_world=there)})
    # With every frame a reconstruction of its own nothing says how fast anybody moves.
    chunk = np.arange(scene.num_frames)
    again = refill_gaps(changed, body, load_gap_model(), scene.fps, chunk).people[1]
    assert again.learned is not None
    assert not again.learned.any()
    share = np.linspace(0.0, 1.0, 17)[1:-1, None]
    line = (1 - share) * there[19] + share * there[35]
    np.testing.assert_allclose(again.transl_world[20:35], line, atol=1e-9)
    np.testing.assert_array_equal(again.transl_world[p.observed], there[p.observed])


def test_geodesics_can_be_asked_for(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene()
    person = scene.people[1]
    seen = person.observed.copy()
    seen[20:30] = False
    scene = replace(scene, people={1: replace(person, observed=seen)})
    learned = initialise(scene, body, RefinementConfig())
    straight = initialise(scene, body, RefinementConfig(gap_filling="geodesic"))
    assert "from the motion on both sides" in " ".join(learned.notes)
    assert "from the motion on both sides" not in " ".join(straight.notes)
    assert not straight.state.people[1].learned.any()


def test_the_solver_expects_what_was_filled_again(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene()
    person = scene.people[1]
    seen = person.observed.copy()
    seen[20:30] = False
    scene = replace(scene, people={1: replace(person, observed=seen)})
    state = initialise(scene, body, RefinementConfig()).state
    problem = Problem(scene, body, state, RefinementConfig())
    before = problem.tracks[0]
    assert (before.rotation_trust[20:30] == LEARNED_TRUST).all()
    p = state.people[1]
    moved = p.body_pose.copy()
    moved[:, 17] = exp_so3(np.array([0.0, 0.0, 0.5]))
    straight = np.zeros(len(p.frames), dtype=bool)
    changed = replace(p, body_pose=moved, transl_world=p.transl_world + 0.1, learned=straight)
    problem.expect_filled(replace(state, people={1: changed}))
    after = problem.tracks[0]
    np.testing.assert_allclose(after.R_measured[20:30, 18], moved[20:30, 17])
    assert (after.rotation_trust[20:30] == FILLED_TRUST).all()
    assert (after.root_measured[20:30] != before.root_measured[20:30]).any(0).all()
    for name in ("R_measured", "rotation_trust", "root_measured", "root_trust"):
        old, new = getattr(before, name), getattr(after, name)
        np.testing.assert_array_equal(old[p.observed], new[p.observed])


def test_the_note_says_what_was_straight() -> None:
    assert gap_note([]) == ""
    note = gap_note([Gap(3, 5, True, ""), Gap(10, 99, False, "longer than 2 s")])
    assert note.startswith("93 frames between measured ones were filled in")
    assert "1 of 2 gaps" in note
    assert "straight interpolation where: longer than 2 s" in note


@pytest.mark.parametrize("threads", [1, 2])
def test_filling_again_asks_and_can_be_left(standing_scene: SceneMaker, threads: int) -> None:
    scene, body = standing_scene()
    seen = scene.people[1].observed.copy()
    seen[20:30] = False
    people = {i: replace(scene.people[1], id=i, observed=seen) for i in (1, 2, 3)}
    scene = replace(scene, people=people)
    config = RefinementConfig(threads=threads)
    asked: list[int] = []
    state = initialise(scene, body, config, None, lambda: asked.append(threading.get_ident())).state
    chunk = np.zeros(scene.num_frames, dtype=np.int64)
    again = refill_gaps(
        state,
        body,
        load_gap_model(),
        scene.fps,
        chunk,
        lambda: asked.append(threading.get_ident()),
        threads,
    )
    assert list(again.people) == [1, 2, 3]
    assert all(p.learned is not None and p.learned.sum() == 10 for p in again.people.values())
    # Whoever runs the refinement is asked in that thread: asking may hold it.
    assert set(asked) == {threading.get_ident()}

    def leave() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        refill_gaps(state, body, load_gap_model(), scene.fps, chunk, leave, threads)
