"""Sub-stage ``init``: from a scene to a first state and the evidence packed around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from refine_engine.refinement.checked_scene import check_state
from refine_engine.refinement.frozen import read_only
from refine_engine.refinement.initialisation import Start, initialise
from refine_engine.refinement.initialisation.keypoint_trust import with_trusted_keypoints
from refine_engine.refinement.initialisation.prior_contacts import ContactSource, contact_source
from refine_engine.terms.motion import motion_terms
from refine_engine.terms.prior_files import describe_prior
from refine_engine.terms.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from refine_engine.body import BodyModel
    from refine_engine.config import RefinementConfig
    from refine_engine.scene import Scene
    from refine_engine.state import OptimizationState


@dataclass(frozen=True, eq=False)
class Opened:
    """A scene that is ready to be refined."""

    scene: Scene
    """Without the keypoints that contradict the measured poses."""
    body: BodyModel
    start: Start
    """What ``init`` found in this input."""
    state: OptimizationState
    """Where refinement begins: what was given, else ``start.state``."""
    problem: Problem
    contacts: ContactSource | None
    """Where contacts come from beside speed and height of the feet."""
    prior: Mapping[str, Any]
    """Which motion prior is used, see ``RefinementOutput.motion_prior``."""


def open_scene(
    scene: Scene,
    body: BodyModel,
    config: RefinementConfig,
    given: OptimizationState | None,
    poll: Callable[[], None],
) -> Opened:
    """Initialise and pack the evidence.

    Parameters
    ----------
    scene, body, config
        What to refine, with which body and settings.
    given
        An earlier state to go on from; None = what is found here.
    poll
        Called between people; may raise to leave it.

    Raises
    ------
    InputError
        A state that was given is of another input, or the motion prior's file is none.
    """
    trusted = with_trusted_keypoints(scene, body)
    scene = trusted.scene
    # A file that is no prior is refused before anything is computed.
    terms, prior = motion_terms(config), describe_prior(config)
    contacts = contact_source(config)
    start = initialise(scene, body, config, contacts, poll)
    if trusted.exchanged or trusted.dropped:
        note = (
            f"{trusted.exchanged} limb pairs had left and right exchanged and "
            f"{trusted.dropped} keypoints are not used: they contradict the measured poses"
        )
        start = replace(start, notes=(*start.notes, note))
    if given is not None:
        check_state(given, start.state)
        # A state to go on from brings its own alpha_0; the cues are this input's.
        start = replace(start, scale=replace(start.scale, alpha_0=given.alpha_0))
    start = replace(start, state=read_only(start.state))
    state = start.state if given is None else read_only(given)
    # What is measured is the input's, wherever a run goes on from: the same evidence every time.
    evidence = replace(
        start.state, alpha_0=state.alpha_0, alpha_0_log_sigma=state.alpha_0_log_sigma
    )
    problem = Problem(scene, body, evidence, config, terms, floor=start.floor)
    return Opened(scene, body, start, state, problem, contacts, prior)
