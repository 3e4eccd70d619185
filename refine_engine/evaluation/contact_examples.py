"""Feet of refinements with their true contacts: what the motion prior's contact head learns from.

Every clip becomes a scene of one person (feet locked, so that contacts are known), with the errors
of a pose network and of drifting cameras at the levels "easy" and "published". Its refinement is
watched: the feet after ``init``, ``smpl``, ``motion`` and ``environmental`` are examples, and the
true ones. So the head sees what it will be asked about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import body_size, embedded_body
from refine_engine.config import RefinementConfig
from refine_engine.errors import RefinementError
from refine_engine.evaluation.synthetic.in_memory import engine_scene
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.motion_prior.clips import read_clip
from refine_engine.motion_prior.contact_head import foot_features
from refine_engine.motion_prior.transition import PRIOR_RATE
from refine_engine.refinement.initialisation.contacts import standing_plane
from refine_engine.refinement.initialisation.feet import pose_feet_and_joints
from refine_engine.refinement.refiner import Stage5Refiner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from refine_engine.evaluation.synthetic.options import CameraKind, Level
    from refine_engine.evaluation.synthetic.scene import SyntheticScene
    from refine_engine.scene import Array, BoolArray, IntArray

FRAMES = 100
CAMERAS: tuple[CameraKind, ...] = ("handheld", "orbit", "follow", "static", "pan")
STAGES = ("init", "smpl", "motion", "environmental")
SETTINGS = RefinementConfig(
    threads=1,
    enable_scale_optimization=False,
    enable_final_refinement=False,
    # A few iterations show most of what a sub-stage does to feet.
    smpl_fitting_iterations=8,
    motion_prior_chunk_size=FRAMES,
    motion_prior_iterations=4,
    environmental_iterations=6,
    # A sub-stage that made things worse shows feet that later sub-stages must cope with.
    guard=False,
    # Contacts of kinematics alone: the head must not learn from itself.
    contact_head=False,
)


@dataclass(frozen=True, eq=False)
class ContactExample:
    """One person's feet at one stage of a refinement, 30 frames a second."""

    clip: str
    stage: str
    """``true``, or the sub-stage that ended."""
    feet: Array
    """(n, 4, 3) sole points, metres."""
    joints: Array
    """(n, 24, 3)."""
    plane: Array
    """(4,) as estimated."""
    size: float
    observed: BoolArray
    """(n,) frames that were measured."""
    contacts: Array
    """(n, 4) the truth, 0 or 1."""

    @property
    def standing_plane(self) -> Array:
        """The plane at the height at which this person usually stands."""
        return standing_plane(self.feet, self.plane, PRIOR_RATE, self.observed)

    def features(self) -> tuple[Array, Array]:
        """Inputs (2 n, 264) and answers (2 n, 2) of the head: left foot, then right foot."""
        plane = self.standing_plane
        both = [foot_features(self.feet, self.joints, plane, self.size, side) for side in (0, 1)]
        return np.concatenate(both), np.concatenate([self.contacts[:, :2], self.contacts[:, 2:]])


def contact_examples(clips: Sequence[Path], first: int = 0) -> Iterator[ContactExample]:
    """Examples of all clips; one that gives no scene (nobody in view) is left out.

    ``first`` numbers the first clip: cameras, errors and people are drawn by the number.
    """
    for number, clip in enumerate(clips, start=first):
        scene = _scene(clip, number)
        if scene is not None:
            yield from _watched(scene, clip.stem)


def _scene(clip: Path, number: int) -> SyntheticScene | None:
    level: Level = "easy" if number % 4 == 0 else "published"
    try:
        frames = min(FRAMES, len(read_clip(clip).R))
    except RefinementError:
        # AMASS keeps shape files beside its motions.
        return None
    cameras: tuple[CameraKind, ...] = (CAMERAS[number % len(CAMERAS)], "follow")
    for camera in cameras:
        try:
            return make_scene(
                SampleOptions(
                    people=1,
                    frames=frames,
                    level=level,
                    camera=camera,
                    fps=PRIOR_RATE,
                    seed=number,
                    video=False,
                    masks=False,
                    motion=clip,
                )
            )
        except RefinementError:
            # A fast person leaves a camera that does not follow.
            continue
    return None


def _watched(scene: SyntheticScene, name: str) -> Iterator[ContactExample]:
    body = embedded_body()
    person = scene.truth.people[1]
    motion = person.motion

    def example(
        stage: str,
        frames: IntArray,
        betas: Array,
        R: Array,
        transl: Array,
        plane: Array,
        observed: BoolArray,
    ) -> ContactExample:
        feet, joints = pose_feet_and_joints(body, betas, R[:, 0], R[:, 1:], transl)
        rows = np.searchsorted(person.frames, frames)
        size = float(body_size(body, betas).value)
        contacts = motion.contacts[rows].astype(np.float64)
        return ContactExample(name, stage, feet, joints, plane, size, observed, contacts)

    everywhere = np.ones(len(person.frames), dtype=np.bool_)
    yield example(
        "true",
        person.frames,
        motion.betas,
        motion.rotations,
        motion.transl,
        scene.truth.ground_plane,
        everywhere,
    )
    opened = replace(engine_scene(scene), depth=None, masks=None)
    try:
        for snapshot in Stage5Refiner(SETTINGS, body).iterate(opened):
            if snapshot.event != "end" or snapshot.sub_stage not in STAGES:
                continue
            state = snapshot.state
            found = next(iter(state.people.values()))
            yield example(
                snapshot.sub_stage,
                found.frames,
                found.betas,
                np.concatenate([found.R_world_root[:, None], found.body_pose], 1),
                found.transl_world,
                state.ground_plane,
                found.observed,
            )
    except RefinementError:
        # Somebody is in view for too short a time; what there was until then counts.
        return
