"""From an input to the first state of the optimisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import body_size, rest_joints
from refine_engine.motion_prior.gap_model import load_gap_model
from refine_engine.refinement.initialisation.contacts import (
    detect_contacts,
    foot_speeds,
    sharpened,
)
from refine_engine.refinement.initialisation.feet import feet_of
from refine_engine.refinement.initialisation.gaps import (
    Gap,
    fill_gaps,
    gap_note,
    learned_frames,
    poll_inside,
)
from refine_engine.refinement.initialisation.gravity import Y_UP
from refine_engine.refinement.initialisation.ground import initial_ground
from refine_engine.refinement.initialisation.scale import InitialScale, initial_scale
from refine_engine.refinement.placement import place_in_world
from refine_engine.solver.threads import people_runner
from refine_engine.state import OptimizationState, PersonState
from refine_engine.terms.floor import FloorTilt, floor_tilt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from refine_engine.body import BodyModel
    from refine_engine.config import RefinementConfig
    from refine_engine.motion_prior.gap_model import GapModel
    from refine_engine.refinement.initialisation.prior_contacts import ContactSource
    from refine_engine.scene import Array, Scene


@dataclass(frozen=True)
class Start:
    """What ``init`` found."""

    state: OptimizationState
    scale: InitialScale
    notes: tuple[str, ...]
    """Sentences for the user: what was estimated and how, how much was filled."""
    floor: FloorTilt | None = None
    """How the floor lies, as the depth maps show it."""


def initialise(
    scene: Scene,
    body: BodyModel,
    config: RefinementConfig,
    source: ContactSource | None = None,
    poll: Callable[[], None] = lambda: None,
) -> Start:
    """Fill gaps, find ``alpha_0``, the ground and the first contacts.

    The world must be Y up (importers see to that). ``source`` sharpens the contacts; ``poll`` is
    called from this thread while people are filled in others, and may raise to leave it.
    """
    scale = initial_scale(scene, body, config, poll)
    model = load_gap_model() if config.gap_filling == "learned" else None
    gaps: list[Gap] = []
    ids = sorted(scene.people)
    inside = poll_inside(config.threads, len(ids), poll)
    dense = people_runner(config.threads, poll)(
        lambda k: _dense(scene, body, ids[k], scale.alpha_0, model, inside), len(ids)
    )
    people = {i: person for i, (person, _) in zip(ids, dense, strict=True)}
    for _, filled in dense:
        gaps += filled
    feet = {i: feet_of(body, p) for i, p in people.items()}
    poll()
    plane, ground_note, floor = _ground(scene, config, people, feet, scale.alpha_0)
    chunks = int(scene.cameras.chunk.max(initial=0)) + 1
    state = OptimizationState(
        people=with_contacts(people, feet, plane, scene.fps, body, source),
        ground_plane=plane,
        alpha_0=scale.alpha_0,
        alpha_0_log_sigma=None if scale.sigma is None else scale.sigma / scale.alpha_0,
        chunk_log_scale=np.zeros(chunks),
    )
    notes = [scale.note, ground_note]
    if gaps:
        notes.append(gap_note(gaps))
    return Start(state, scale, tuple(notes), floor)


def _ground(
    scene: Scene,
    config: RefinementConfig,
    people: Mapping[int, PersonState],
    feet: Mapping[int, Array],
    alpha: float,
) -> tuple[Array, str, FloorTilt | None]:
    """The first plane, how it was found, and what the depth maps say of its tilt."""
    seen = [feet[i][p.observed] for i, p in people.items()]
    speeds = [foot_speeds(feet[i], scene.fps)[p.observed] for i, p in people.items()]

    def found(tilt: Array | None) -> tuple[Array, str]:
        return initial_ground(
            seen,
            speeds,
            Y_UP,
            config.ground_plane_init,
            fixed_offset=config.ground_plane_offset,
            seed=config.seed,
            tilt=tilt,
        )

    plane, note = found(None)
    if config.ground_plane_init == "fixed" or config.lambda_depth == 0 or scene.depth is None:
        return plane, note, None
    shared = config.depth_scale == "shared" and scene.depth.shares_camera_unit
    floor = floor_tilt(scene, plane, alpha, shared_depth=shared)
    if floor is None:
        return plane, note, None
    return *found(floor.normal), floor


def redetect_contacts(
    state: OptimizationState, body: BodyModel, fps: float, source: ContactSource | None = None
) -> OptimizationState:
    """The state with contacts of its present motion: better poses show them better."""
    feet = {i: feet_of(body, p) for i, p in state.people.items()}
    people = with_contacts(dict(state.people), feet, state.ground_plane, fps, body, source)
    return replace(state, people=people)


def with_contacts(
    people: Mapping[int, PersonState],
    feet: Mapping[int, Array],
    plane: Array,
    fps: float,
    body: BodyModel,
    source: ContactSource | None = None,
) -> dict[int, PersonState]:
    """People with ``contacts`` detected from their sole points (n, 4, 3), sharpened by a head."""
    found = {}
    for i, p in people.items():
        contacts = detect_contacts(feet[i], plane, fps, p.observed)
        if source is not None:
            contacts = sharpened(contacts, source(body, p, plane, fps), p.observed)
        found[i] = replace(p, contacts=contacts)
    return found


def _dense(
    scene: Scene,
    body: BodyModel,
    i: int,
    alpha: float,
    model: GapModel | None,
    poll: Callable[[], None],
) -> tuple[PersonState, tuple[Gap, ...]]:
    person = scene.people[i]
    R_world, transl_world = place_in_world(
        person, scene.cameras, alpha, rest_joints(body, person.betas)[0]
    )
    m = fill_gaps(
        person.frames,
        R_world,
        person.body_pose,
        transl_world,
        person.observed,
        model=model,
        size=float(body_size(body, person.betas).value),
        fps=scene.fps,
        chunk=np.asarray(scene.cameras.chunk)[person.frames],
        poll=poll,
    )
    state = PersonState(
        frames=m.frames,
        R_world_root=m.R_world_root,
        body_pose=m.body_pose,
        betas=person.betas.copy(),
        transl_world=m.transl_world,
        observed=m.observed,
        contacts=np.zeros((len(m.frames), 4)),
        learned=learned_frames(m),
    )
    return state, m.gaps
