"""Keypoint layouts: which point of the body each detected keypoint shows.

Detectors learn their keypoints from annotators, SMPL's joints come from a regressor: the same word
does not always mean the same place. Slots whose definition differs say so in ``differs``; a term
that compares them should trust them less.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refine_engine.body.joints import JOINT_NAMES
from refine_engine.body.surface import BodyPoints, mean_points

if TYPE_CHECKING:
    from refine_engine.body.model import BodyModel


@dataclass(frozen=True)
class KeypointSlot:
    """One keypoint of a layout."""

    name: str
    """What the layout calls it."""
    sources: tuple[str, ...]
    """The joint or the named skin point that it shows; of several, the mean."""
    differs: str = ""
    """How its definition differs from ``sources``; empty where it does not."""


@dataclass(frozen=True)
class KeypointLayout:
    """The keypoints of a detector, in its order."""

    name: str
    slots: tuple[KeypointSlot, ...]

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the keypoints."""
        return tuple(slot.name for slot in self.slots)

    @property
    def loose(self) -> tuple[bool, ...]:
        """Whether each keypoint is defined differently from the body's point."""
        return tuple(bool(slot.differs) for slot in self.slots)


_COCO_HIP = (
    "COCO annotators mark the hip on the outside, at the trouser pocket; SMPL's hip joint is the "
    "centre of the thigh's rotation, further in and lower"
)
_OPENPOSE_HIP = "learned from COCO's hips, which lie further out and higher than SMPL's joints"
_SHOULDER = "annotators mark the middle of the visible shoulder; SMPL's joint lies inside it"
_EAR = "annotators mark the ear's opening; the landmark is the ear's outermost point"


def _both(name: str, source: str, differs: str = "") -> tuple[KeypointSlot, KeypointSlot]:
    return (
        KeypointSlot(f"left_{name}", (f"left_{source}",), differs),
        KeypointSlot(f"right_{name}", (f"right_{source}",), differs),
    )


COCO_17 = KeypointLayout(
    "COCO-17",
    (
        KeypointSlot("nose", ("nose",)),
        *_both("eye", "eye"),
        *_both("ear", "ear", _EAR),
        *_both("shoulder", "shoulder", _SHOULDER),
        *_both("elbow", "elbow"),
        *_both("wrist", "wrist"),
        *_both("hip", "hip", _COCO_HIP),
        *_both("knee", "knee"),
        *_both("ankle", "ankle"),
    ),
)
"""COCO's person keypoints (cocodataset.org, keypoint task)."""

SMPL_24 = KeypointLayout("SMPL-24", tuple(KeypointSlot(name, (name,)) for name in JOINT_NAMES))
"""SMPL's own joints."""


def _one(name: str, source: str = "", differs: str = "") -> KeypointSlot:
    return KeypointSlot(name, (source or name,), differs)


BODY_25 = KeypointLayout(
    "BODY-25",
    (
        _one("nose"),
        KeypointSlot(
            "neck",
            ("left_shoulder", "right_shoulder"),
            "OpenPose defines its neck as the middle of its shoulders, not as a joint of the neck",
        ),
        _one("right_shoulder", differs=_SHOULDER),
        _one("right_elbow"),
        _one("right_wrist"),
        _one("left_shoulder", differs=_SHOULDER),
        _one("left_elbow"),
        _one("left_wrist"),
        KeypointSlot("mid_hip", ("left_hip", "right_hip"), _OPENPOSE_HIP),
        _one("right_hip", differs=_OPENPOSE_HIP),
        _one("right_knee"),
        _one("right_ankle"),
        _one("left_hip", differs=_OPENPOSE_HIP),
        _one("left_knee"),
        _one("left_ankle"),
        _one("right_eye"),
        _one("left_eye"),
        _one("right_ear", differs=_EAR),
        _one("left_ear", differs=_EAR),
        _one("left_big_toe"),
        _one("left_small_toe"),
        _one("left_heel"),
        _one("right_big_toe"),
        _one("right_small_toe"),
        _one("right_heel"),
    ),
)
"""OpenPose's BODY_25 (OpenPose documentation, "Output format")."""

LAYOUTS: dict[int, KeypointLayout] = {len(layout): layout for layout in (COCO_17, SMPL_24, BODY_25)}
"""Layout of a keypoint file by its number of keypoints: 17, 24 or 25."""


@functools.lru_cache(maxsize=32)
def layout_points(model: BodyModel, layout: KeypointLayout) -> BodyPoints:
    """Points of the body for every slot of a layout, in the layout's order."""
    return mean_points(model, {slot.name: slot.sources for slot in layout.slots})
