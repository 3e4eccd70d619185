"""How large a scene is and from where it is best looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.viewport.posed import PosedBodies
from refine_engine.geometry.planes import heights
from refine_engine.scene import Scene

Array = NDArray[np.float64]

SAMPLED_FRAMES = 60
BODY_REACH = 0.42
"""Metres that a body reaches sidewards from its pelvis."""
BODY_TOP = 0.95
"""Metres from the pelvis to above the head."""
GROUND_MARGIN = 4.0
SMALLEST_RADIUS = 7.0


@dataclass(frozen=True)
class Extent:
    """Where people are over the clip."""

    corners: Array
    """(n, 3) points round everybody."""
    centre: Array
    """(3,) middle of the pelvis' box."""
    radius: float
    """Horizontal, metres, with some ground round people."""
    camera_azimuth: float
    """From where the cameras look, as :class:`~app.viewport.orbit.Viewpoint` counts."""


def extent_of(scene: Scene, bodies: PosedBodies) -> Extent:
    """Measure a scene in the state of ``bodies``."""
    found = []
    for i in bodies.state.people if bodies.state else ():
        path = bodies.pelvis_path(i)
        if path is not None and len(path[1]):
            every = max(1, len(path[1]) // SAMPLED_FRAMES)
            found.append(path[1][::every])
    pelvis = np.concatenate(found) if found else np.array([[0.0, 0.0, -3.0]])
    plane = bodies.state.ground_plane if bodies.state else np.array([0.0, 1.0, 0.0, 1.0])
    feet = pelvis - np.clip(heights(pelvis, plane), 0.0, 1.3)[:, None] * plane[:3]
    head = pelvis + BODY_TOP * np.array([0.0, 1.0, 0.0])
    sides = np.array([[1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1]]) * BODY_REACH
    corners = (np.concatenate([feet, head])[:, None] + sides).reshape(-1, 3)
    low, high = pelvis.min(0), pelvis.max(0)
    centre = (low + high) / 2
    reach = float(np.linalg.norm((high - low)[[0, 2]])) / 2
    # The cameras look along their third row; the eye is on the other side.
    ahead = scene.cameras.R_cam_world[:, 2].mean(0) if scene.num_frames else np.zeros(3)
    azimuth = math.atan2(-float(ahead[0]), -float(ahead[2])) if ahead.any() else 0.0
    return Extent(corners, centre, max(reach + GROUND_MARGIN, SMALLEST_RADIUS), azimuth)
