"""Keypoints against the poses that the pose network measured: swapped sides and stray points.

Detectors mistake left for right in bursts of frames, and jump to other people or the background.
The pose network looked at the same person with the whole body in mind; where a keypoint lies far
from where its body has that point, the keypoint is the more likely to be wrong. What is decided
here is only which keypoints an optimisation starts with: inside it, robust weights go on judging.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from refine_engine.body import LAYOUTS, joint_kinematics, layout_points, place_points, rest_joints
from refine_engine.geometry.cameras import project

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.scene import Array, CameraTrack, IntArray, Keypoints, Person, Scene

REFERENCE_PX = 500.0
"""Distances count as if the person were this high in the image."""
NEAR_PX = 50.0
"""Up to here a keypoint is trusted as its confidence says; measured poses are off by about 20."""
FAR_PX = 120.0
"""From here on it is not used."""
SWAP_GAIN = 0.6
"""Sides are exchanged where that shrinks the mean distance of a limb pair to this share or less."""
SWAP_PX = 35.0
"""...and the distance as labelled is at least this large."""
CAP_PX = 200.0
USUAL_PX = 16.0
"""Median distance of confident keypoints from an ordinary network's poses, at 500 px."""
MOST_TRUST = 25.0
"""Largest weight that agreement earns measured rotations."""
SURE, MIN_SURE = 0.5, 50
"""Confidence of keypoints that are counted, and how many it takes."""

_GROUPS = (
    ("shoulder", "elbow", "wrist", "hand"),
    ("hip", "knee", "ankle", "foot", "heel", "big_toe", "small_toe"),
    ("eye", "ear"),
)


class Trusted(NamedTuple):
    """A scene whose keypoints were looked through."""

    scene: Scene
    exchanged: int
    """How many limb pairs had left and right exchanged."""
    dropped: int
    """How many keypoints are not used."""


def with_trusted_keypoints(scene: Scene, body: BodyModel) -> Trusted:
    """Exchange swapped sides, lower the confidence of stray keypoints.

    Keypoints that are projections of the measured poses themselves are left as they are.
    """
    people, exchanged, dropped = {}, 0, 0
    for i, person in scene.people.items():
        keypoints = person.keypoints
        if keypoints is None or keypoints.circular:
            people[i] = person
            continue
        expected, scale = _expected(person, scene.cameras, body)
        repaired, count = _sides(keypoints, expected, scale)
        confidence = _trust(repaired, expected, scale)
        exchanged += count
        dropped += int(((confidence == 0) & (repaired.confidence > 0)).sum())
        people[i] = replace(
            person,
            keypoints=replace(repaired, confidence=confidence),
            pose_trust=_pose_trust(repaired, expected, scale),
        )
    return Trusted(replace(scene, people=people), exchanged, dropped)


def _expected(person: Person, cameras: CameraTrack, body: BodyModel) -> tuple[Array, Array]:
    """Pixels (n, J, 2) of the measured body's keypoints, and 500 px over its height (n,)."""
    assert person.keypoints is not None
    points = layout_points(body, LAYOUTS[person.keypoints.pixels.shape[1]])
    motion = joint_kinematics(
        rest_joints(body, person.betas), person.R_cam_root, person.body_pose, person.transl_cam
    )
    K = cameras.pose_intrinsics(person.frames)
    in_camera = place_points(points, motion, person.betas, person.body_pose)
    pixels, in_front = project(in_camera, K)
    pixels = np.where(in_front[..., None], pixels, np.inf)
    height = K[:, 1, 1] * 1.7 / np.maximum(motion.positions[:, 0, 2], 0.1)
    return pixels, REFERENCE_PX / height


def _distance(pixels: Array, expected: Array, scale: Array) -> Array:
    found = np.linalg.norm(pixels - expected, axis=-1) * scale[:, None]
    return np.where(np.isfinite(found), found, CAP_PX)


def _sides(keypoints: Keypoints, expected: Array, scale: Array) -> tuple[Keypoints, int]:
    names = LAYOUTS[keypoints.pixels.shape[1]].names
    pixels, confidence = keypoints.pixels.copy(), keypoints.confidence.copy()
    count = 0
    for left, right in _pairs(names):
        weight = np.minimum(confidence[:, left], confidence[:, right])
        total = weight.sum(-1)
        own = np.concatenate([left, right])
        other = np.concatenate([right, left])
        as_is = np.minimum(_distance(pixels[:, own], expected[:, own], scale), CAP_PX)
        exchanged = np.minimum(_distance(pixels[:, own], expected[:, other], scale), CAP_PX)
        both = np.concatenate([weight, weight], -1)
        usable = total > 0
        norm = np.where(usable, both.sum(-1), 1.0)
        labelled, swapped = (both * as_is).sum(-1) / norm, (both * exchanged).sum(-1) / norm
        wrong = usable & (labelled > SWAP_PX) & (swapped < SWAP_GAIN * labelled)
        rows = np.flatnonzero(wrong)
        count += len(rows)
        for array in (pixels, confidence):
            array[np.ix_(rows, own)] = array[np.ix_(rows, other)]
    return replace(keypoints, pixels=pixels, confidence=confidence), count


def _pairs(names: tuple[str, ...]) -> list[tuple[IntArray, IntArray]]:
    """Indices of left and right keypoints of each limb group."""
    index = {name: k for k, name in enumerate(names)}
    found = []
    for group in _GROUPS:
        parts = [p for p in group if f"left_{p}" in index and f"right_{p}" in index]
        if parts:
            left = np.array([index[f"left_{p}"] for p in parts])
            right = np.array([index[f"right_{p}"] for p in parts])
            found.append((left, right))
    return found


def _pose_trust(keypoints: Keypoints, expected: Array, scale: Array) -> float:
    """How much better than usual the measured poses agree with the keypoints, as a weight.

    Never below 1: keypoints that are worse than usual say nothing against the poses.
    """
    sure = keypoints.confidence > SURE
    if sure.sum() < MIN_SURE:
        return 1.0
    typical = float(np.median(_distance(keypoints.pixels, expected, scale)[sure]))
    return float(np.clip((USUAL_PX / max(typical, 1e-6)) ** 2, 1.0, MOST_TRUST))


def _trust(keypoints: Keypoints, expected: Array, scale: Array) -> Array:
    distance = _distance(keypoints.pixels, expected, scale)
    factor = np.minimum(1.0, (NEAR_PX / np.maximum(distance, 1e-9)) ** 2)
    return np.where(distance > FAR_PX, 0.0, factor * keypoints.confidence)
