"""The true scene: who moves where, what stands around, what the camera does, in one world.

The world is the engine's: metres, Y up, origin at the first camera's centre, the first camera
looking along -Z (turned about the vertical only).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refine_engine.body import BodyModel, embedded_body
from refine_engine.errors import InputError
from refine_engine.evaluation.synthetic.camera_paths import camera_path
from refine_engine.evaluation.synthetic.clips import load_clips
from refine_engine.evaluation.synthetic.legs import foot_shape
from refine_engine.evaluation.synthetic.levels import ErrorLevel
from refine_engine.evaluation.synthetic.motion import BodyMotion, rotation_y
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.procedural import KINDS, make_procedural, seat_height
from refine_engine.evaluation.synthetic.surroundings import (
    Box,
    Surroundings,
    build_surroundings,
    scattered_boxes,
)

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

ROOM_MARGIN_M = 2.6
APART_M = 0.75
"""People's pelvises stay this far apart."""

_DRAWN_KINDS = ("walk", "walk", "walk", "turn", "turn", "run", "gesture", "sit")


@dataclass(frozen=True)
class TruePerson:
    """One person as they really are."""

    id: int
    frames: IntArray
    """(n,) video frames in which the person exists."""
    motion: BodyMotion
    """Rows as ``frames``, in the scene's world."""
    source: str
    """The embedded motion or clip."""


@dataclass(frozen=True)
class SceneTruth:
    """Everything that is exact."""

    people: dict[int, TruePerson]
    R_cam_world: Array
    """(T, 3, 3)"""
    t_cam_world: Array
    """(T, 3) metres."""
    intrinsics: Array
    """(3, 3) pixels at ``image_size``, the same for every frame."""
    image_size: tuple[int, int]
    fps: float
    ground_plane: Array
    """(4,)"""
    alpha: float
    """Metres per reconstruction unit."""
    surroundings: Surroundings
    model: BodyModel = field(repr=False)

    @property
    def num_frames(self) -> int:
        """Number of video frames T."""
        return len(self.R_cam_world)


def make_truth(options: SampleOptions, level: ErrorLevel, rng: np.random.Generator) -> SceneTruth:
    """Draw a scene.

    Raises
    ------
    InputError
        The motion folder has no usable clip.
    """
    model = embedded_body()
    motions = _motions(model, options, rng)
    motions = _placed(model, motions, options.frames, rng)
    height, width = options.image_size
    focal = rng.uniform(0.8, 1.25)
    pelvises = np.full((len(motions), options.frames, 3), np.nan)
    for row, (frames, motion, _) in enumerate(motions):
        pelvises[row, frames] = motion.joints(model).positions[:, 0]
    R_cam, centers = camera_path(options.camera, pelvises, focal, height / width, options.fps, rng)
    surroundings = _furnish(model, motions, pelvises, centers, rng)
    log_low, log_high = np.log(level.alpha_range)
    drawn = float(np.exp(rng.uniform(log_low, log_high)))

    # Into the engine's world: origin at the first camera, its view along -Z.
    forward = R_cam[0, 2]
    turn = rotation_y(np.array(np.pi - np.arctan2(forward[0], forward[2])))
    shift = -turn @ centers[0]
    R_cam = R_cam @ turn.T
    centers = centers @ turn.T + shift
    people = {
        number: TruePerson(number, frames, motion.moved(model, turn, shift), source)
        for number, (frames, motion, source) in enumerate(motions, start=1)
    }
    focal_px = focal * width
    return SceneTruth(
        people=people,
        R_cam_world=R_cam,
        t_cam_world=-np.einsum("tij,tj->ti", R_cam, centers),
        intrinsics=np.array(
            [[focal_px, 0.0, 0.5 * width], [0.0, focal_px, 0.5 * height], [0.0, 0.0, 1.0]]
        ),
        image_size=options.image_size,
        fps=options.fps,
        ground_plane=np.array([0.0, 1.0, 0.0, -shift[1]]),
        alpha=drawn if options.alpha is None else options.alpha,
        surroundings=Surroundings(
            surroundings.vertices @ turn.T + shift, surroundings.faces, surroundings.labels
        ),
        model=model,
    )


_Cast = tuple[IntArray, BodyMotion, str]
"""Frames, motion, source of one person."""


def _motions(model: BodyModel, options: SampleOptions, rng: np.random.Generator) -> list[_Cast]:
    if options.motion is not None:
        betas = [_draw_betas(rng) for _ in range(options.people)]
        clips = load_clips(options.motion, model, betas, options.frames, options.fps, rng)
        return [(np.arange(len(m)), m, source) for m, source in clips]
    cast: list[_Cast] = []
    drawn = options.kinds or _DRAWN_KINDS
    for kind in drawn:
        if kind not in KINDS:
            raise InputError("--kinds", f"names {kind!r}", f"use some of {', '.join(KINDS)}")
    for person in range(options.people):
        # The first person always travels: a scene where nobody does says nothing about scale.
        pool = drawn if person or options.kinds else ("walk", "turn")
        kind = str(rng.choice(pool))
        motion = make_procedural(model, _draw_betas(rng), kind, options.frames, options.fps, rng)
        cast.append((np.arange(options.frames), motion, kind))
    return cast


def _draw_betas(rng: np.random.Generator) -> Array:
    """Adults: stature within about 1.5 to 1.95 m (beta 0 is stature, 9 cm a unit)."""
    betas = 0.7 * rng.standard_normal(10)
    betas[0] = np.clip(betas[0], -1.6, 1.6)
    return betas


def _placed(
    model: BodyModel, cast: list[_Cast], count: int, rng: np.random.Generator
) -> list[_Cast]:
    """Turn and move people on the floor so that nobody walks through anybody else."""
    placed: list[_Cast] = []
    tracks: list[Array] = []
    for frames, motion, source in cast:
        pelvis = motion.joints(model).positions[:, 0]
        middle = 0.5 * (pelvis.min(0) + pelvis.max(0)) * [1, 0, 1]
        extent = 0.6 + 0.45 * len(cast)
        for _ in range(400):
            turn = rotation_y(np.array(rng.uniform(-np.pi, np.pi)))
            place = np.array([rng.uniform(-extent, extent), 0.0, rng.uniform(-extent, extent)])
            track = np.full((count, 2), np.nan)
            track[frames] = ((pelvis - middle) @ turn.T + place)[:, [0, 2]]
            gaps = [np.linalg.norm(track - other, axis=-1) for other in tracks]
            if all(not np.any(g < APART_M) for g in gaps):
                break
            extent *= 1.02
        tracks.append(track)
        placed.append((frames, motion.moved(model, turn, place - turn @ middle), source))
    return placed


def _furnish(
    model: BodyModel,
    cast: list[_Cast],
    pelvises: Array,
    centers: Array,
    rng: np.random.Generator,
) -> Surroundings:
    everywhere = np.concatenate([pelvises[..., [0, 2]].reshape(-1, 2), centers[:, [0, 2]]])
    everywhere = everywhere[np.isfinite(everywhere).all(-1)]
    low, high = everywhere.min(0) - ROOM_MARGIN_M, everywhere.max(0) + ROOM_MARGIN_M
    chairs: list[Box] = []
    for _, motion, source in cast:
        if source != "sit":
            continue
        shape = foot_shape(model, motion.betas)
        joints = motion.joints(model)
        lowest = int(joints.positions[:, 0, 1].argmin())
        forward = joints.rotations[lowest, 0, :, 2] * [1.0, 0.0, 1.0]
        forward /= np.linalg.norm(forward)
        seat = joints.positions[lowest, 0] - 0.04 * forward
        chairs.append(
            Box(
                seat[[0, 2]],
                np.array([0.5, seat_height(shape) - 0.03, 0.36]),
                float(np.arctan2(forward[0], forward[2])),
            )
        )
    # Boxes stand behind or beside people; the lines of sight to them are kept mostly free.
    sight = [
        centers[::10, [0, 2]]
        + s * (np.nanmean(pelvises, 0)[::10][:, [0, 2]] - centers[::10, [0, 2]])
        for s in (0.25, 0.5, 0.75)
    ]
    boxes = scattered_boxes(5, low, high, np.concatenate([everywhere, *sight]), rng)
    return build_surroundings(low, high, [*chairs, *boxes])
