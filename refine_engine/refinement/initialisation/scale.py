"""``alpha_0``, metres per reconstruction unit before anything is optimised, and each cue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import body_size, stature
from refine_engine.refinement.initialisation.depth_cue import (
    LogScale,
    person_depth_ratio,
    standing_feet_ratio,
)
from refine_engine.refinement.initialisation.feet import pose_feet_and_joints
from refine_engine.refinement.initialisation.motion_cue import standing_feet_alpha, static_camera
from refine_engine.solver.threads import people_runner
from refine_engine.state import CueEstimate

if TYPE_CHECKING:
    from collections.abc import Callable

    from refine_engine.body import BodyModel
    from refine_engine.config import RefinementConfig
    from refine_engine.scene import Array, BoolArray, Person, Scene

POPULATION_SIGMA = 0.055
"""Standard deviation of adult body size relative to the mean: 1.70 m +- 9.3 cm both sexes."""
DEPTH_SIGMA = 0.04
"""Scale of a depth map against the cameras of the same reconstruction chunk."""
BODY_SIGMA = 0.04
"""What every cue has wrong of one person alike: size and distance as the pose network sees them."""
CAMERA_SIGMA = 0.02
"""What drift and turns of the camera path do to everybody's standing feet alike."""
STATURE_SIGMA = 0.01
"""Of a height that a user typed in."""


@dataclass(frozen=True)
class InitialScale:
    """The first answer about scale."""

    alpha_0: float
    sigma: float | None
    """Standard deviation of alpha_0; None where nothing was estimated."""
    cues: tuple[CueEstimate, ...]
    static_camera: bool
    note: str
    cues_log_sigma: float | None = None
    """Standard deviation of log alpha by all cues together, also where the unit was given."""


def initial_scale(
    scene: Scene,
    body: BodyModel,
    config: RefinementConfig,
    poll: Callable[[], None] = lambda: None,
) -> InitialScale:
    """Estimate ``alpha_0`` in closed form, or take the input's unit where it is trusted.

    Cues, each a measurement of ``log alpha`` and combined by inverse variance:

    - *depth*: people's distance as the pose network measured it, over the depth map at their
      visible skin (only where depth shares the cameras' unit);
    - *body size*: the same ratio if everybody had the population's size, or the height typed in;
    - *motion*: standing feet against the moving camera;
    - *contact*: distance of standing feet over the depth map's ground beside them.

    ``poll`` is called while people are measured in other threads; it may raise to leave them.
    """
    measured = _cues(scene, body, config, poll)
    trusted = config.alpha_init == "metric" or scene.cameras.metric
    used = {name: cue for name, cue in measured.items() if cue is not None}
    log_alpha, log_sigma = combined(used, len(scene.people)) if used else (0.0, None)
    if trusted:
        alpha, sigma = 1.0, None
        note = "the cameras' unit is taken as metres"
    elif log_sigma is not None:
        alpha, sigma = float(np.exp(log_alpha)), float(np.exp(log_alpha) * log_sigma)
        note = f"alpha_0 from {', '.join(used)}"
    else:
        alpha, sigma = 1.0, None
        note = (
            "nothing measures the cameras' unit (no depth, and the camera does not move past a "
            "standing foot): it is taken as metres"
        )
    cues = tuple(_estimate(name, cue) for name, cue in measured.items())
    static = static_camera(scene.cameras, alpha)
    return InitialScale(alpha, sigma, cues, static, note, log_sigma)


def combined(cues: dict[str, LogScale], people: int) -> tuple[float, float]:
    """Inverse-variance mean of ``log alpha`` and its standard deviation.

    Errors that several cues share do not average out: a body's size and distance are in all of
    them (:data:`BODY_SIGMA`), the maps' own error against the cameras (:data:`DEPTH_SIGMA`) in all
    that go through depth. A cue's own part is weighed; what is shared is added once.
    """
    body = BODY_SIGMA / np.sqrt(max(people, 1))

    def own(cue: LogScale) -> LogScale:
        least = 0.25 * cue.sigma**2
        return LogScale(cue.value, float(np.sqrt(max(cue.sigma**2 - body**2, least))))

    through_depth = [own(cue) for name, cue in cues.items() if name != "motion"]
    parts = []
    if "motion" in cues:
        motion = own(cues["motion"])
        parts.append(LogScale(motion.value, float(np.hypot(motion.sigma, CAMERA_SIGMA))))
    if through_depth:
        mean = _mean(through_depth)
        parts.append(LogScale(mean.value, float(np.hypot(mean.sigma, DEPTH_SIGMA))))
    found = _mean(parts)
    return found.value, float(np.hypot(found.sigma, body))


def _mean(cues: list[LogScale]) -> LogScale:
    weight = np.array([1.0 / cue.sigma**2 for cue in cues])
    value = np.array([cue.value for cue in cues])
    return LogScale(float((weight * value).sum() / weight.sum()), float(weight.sum() ** -0.5))


def _estimate(name: str, cue: LogScale | None) -> CueEstimate:
    """One cue's own answer, with every error that it has on its own."""
    if cue is None:
        return CueEstimate(name, None, None)
    sigma = cue.sigma if name == "motion" else float(np.hypot(cue.sigma, DEPTH_SIGMA))
    return CueEstimate(name, float(np.exp(cue.value)), float(np.exp(cue.value) * sigma))


def _cues(
    scene: Scene, body: BodyModel, config: RefinementConfig, poll: Callable[[], None]
) -> dict[str, LogScale | None]:
    people = list(scene.people.values())
    feet = [
        pose_feet_and_joints(body, p.betas, p.R_cam_root, p.body_pose, p.transl_cam)[0]
        for p in people
    ]
    motion = (
        standing_feet_alpha(people, feet, scene.cameras, scene.fps)
        if scene.cameras.estimated
        else None
    )
    shared = (
        scene.depth is not None
        and scene.depth.shares_camera_unit
        and config.depth_scale == "shared"
    )
    run = people_runner(config.threads, poll)
    ratios: dict[int, LogScale | None] = {p.id: None for p in people}
    if shared:
        found = run(lambda k: person_depth_ratio(scene, body, people[k]), len(people))
        ratios = {p.id: ratio for p, ratio in zip(people, found, strict=True)}
    depth = _over_people([r for r in ratios.values() if r is not None])
    size = _over_people(
        [_size_cue(body, p, ratios[p.id], config.stature.get(p.id)) for p in people]
    )
    contact = None
    if shared:
        standing = [_standing(scene, p, f) for p, f in zip(people, feet, strict=True)]
        contact = _over_people(
            run(lambda k: standing_feet_ratio(scene, people[k], feet[k], standing[k]), len(people))
        )
        if depth is not None:
            # The foot of the same person at the same wrong distance: no second opinion.
            contact = None if contact is None else LogScale(contact.value, 2.0 * contact.sigma)
    return {"depth": depth, "motion": motion, "body size": size, "contact": contact}


def _size_cue(
    body: BodyModel, person: Person, ratio: LogScale | None, known: float | None
) -> LogScale | None:
    """The depth ratio if the person had the prior's size instead of the measured one."""
    if ratio is None:
        return None
    if known is not None:
        wanted = np.log(known / float(stature(body, person.betas).value))
        return LogScale(ratio.value + float(wanted), float(np.hypot(STATURE_SIGMA, 0.01)))
    wanted = -np.log(float(body_size(body, person.betas).value))
    return LogScale(ratio.value + float(wanted), float(np.hypot(POPULATION_SIGMA, ratio.sigma)))


def _over_people(ratios: list[LogScale | None]) -> LogScale | None:
    """Robust mean over people: Cauchy weights, so that one child does not set the scale."""
    known = [r for r in ratios if r is not None]
    if not known:
        return None
    value = np.array([r.value for r in known])
    sigma = np.array([r.sigma for r in known])
    middle = float(np.median(value))
    weight = 1.0 / sigma**2
    for _ in range(10):
        weight = 1.0 / (sigma**2 * (1.0 + ((value - middle) / (2.0 * sigma)) ** 2))
        middle = float((weight * value).sum() / weight.sum())
    return LogScale(middle, float(weight.sum() ** -0.5))


def _standing(scene: Scene, person: Person, feet_cam: Array) -> BoolArray:
    """The lower foot while both feet are about level with it: no unit needed, only "up"."""
    R = scene.cameras.R_cam_world[person.frames]
    height = np.einsum("tji,tkj->tki", R, feet_cam)[..., 1]
    low = height - height.min(-1, keepdims=True) < 0.03
    return np.asarray(low & person.observed[:, None])
