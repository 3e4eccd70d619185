"""How people appear to the camera: boxes, how much of them is seen, what hides their joints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refine_engine.body import COCO_17, layout_points, place_points
from refine_engine.evaluation.synthetic.truth import SceneTruth, TruePerson
from refine_engine.evaluation.synthetic.views import SceneViews
from refine_engine.geometry.cameras import project, to_camera

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SEEN, BEHIND_SELF, BEHIND_OTHER = 0, 1, 2
"""What stands between the camera and a joint."""

_THICK_M = 0.25
"""A joint this far behind the skin in front of it is hidden by another part of the body."""
_BEHIND_M = 0.05


@dataclass(frozen=True)
class Appearance:
    """One person in every frame in which they exist."""

    pixels: Array
    """(n, 17, 2) exact COCO keypoints."""
    in_image: BoolArray
    """(n, 17) inside the image and in front of the camera."""
    hidden: NDArray[np.int64]
    """(n, 17): :data:`SEEN`, :data:`BEHIND_SELF` or :data:`BEHIND_OTHER`."""
    boxes: Array
    """(n, 4) top-left x, y, width, height in pixels of what lies inside the image."""
    visible: Array
    """(n,) share of the skin's points whose pixel shows the person; those on the far side share
    their pixels with the near side."""


@lru_cache(maxsize=4)
def exact_view(
    views: SceneViews, frame: int, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Exact depth and labels (h, w); consecutive questions about one frame draw it once."""
    raster = views.raster(frame, size)
    raster.depth.flags.writeable = False
    raster.label.flags.writeable = False
    return raster.depth, raster.label


def observe(views: SceneViews, size: tuple[int, int]) -> dict[int, Appearance]:
    """Everybody's appearance, by the z-buffer at ``size`` (height, width)."""
    truth = views.truth
    height, width = truth.image_size
    to_map = np.array([size[1] / width, size[0] / height])
    points = {pid: _keypoints_cam(truth, person) for pid, person in truth.people.items()}
    result = {}
    for pid, person in truth.people.items():
        count = len(person.frames)
        pixels, in_front = project(points[pid], truth.intrinsics)
        inside = in_front & (pixels >= 0).all(-1) & (pixels < [width, height]).all(-1)
        hidden = np.zeros(pixels.shape[:2], dtype=np.int64)
        result[pid] = Appearance(pixels, inside, hidden, np.zeros((count, 4)), np.zeros(count))
    for frame in range(truth.num_frames):
        depth, label = exact_view(views, frame, size)
        for pid, person in truth.people.items():
            vertices = views.vertices(pid, frame)
            if vertices is None:
                continue
            row = int(np.searchsorted(person.frames, frame))
            seen, mine = result[pid], views.labels[pid]
            skin = vertices[::4] @ truth.R_cam_world[frame].T + truth.t_cam_world[frame]
            places, ahead = project(skin[None], truth.intrinsics)
            shown = places[0][ahead[0]]
            if not len(shown):
                continue
            low = np.clip(shown.min(0), 0, [width, height])
            high = np.clip(shown.max(0), 0, [width, height])
            seen.boxes[row] = [*low, *(high - low)]
            place = np.floor(shown * to_map).astype(int)
            inside = (place >= 0).all(-1) & (place < [size[1], size[0]]).all(-1)
            hits = label[place[inside, 1], place[inside, 0]] == mine
            seen.visible[row] = hits.sum() / len(skin)
            here = np.flatnonzero(seen.in_image[row])
            column, line = (seen.pixels[row, here] * to_map).astype(int).T
            deeper = points[pid][row, here, 2] - depth[line, column]
            own = label[line, column] == mine
            seen.hidden[row, here] = np.where(
                own,
                np.where(deeper > _THICK_M, BEHIND_SELF, SEEN),
                np.where(deeper > _BEHIND_M, BEHIND_OTHER, SEEN),
            )
    return result


def _keypoints_cam(truth: SceneTruth, person: TruePerson) -> Array:
    motion = person.motion
    world = place_points(
        layout_points(truth.model, COCO_17),
        motion.joints(truth.model),
        motion.betas,
        motion.rotations[:, 1:],
    )
    return to_camera(world, truth.R_cam_world[person.frames], truth.t_cam_world[person.frames])
