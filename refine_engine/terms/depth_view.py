"""One frame of the depth maps, and where people's skin and the ground can be read from it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import vertex_points
from refine_engine.geometry.cameras import MIN_DEPTH_M
from refine_engine.terms.points import PointSet, point_set
from refine_engine.terms.visible_skin import read_depth, splat, visible_candidates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.body import BodyModel
    from refine_engine.scene import Array, BoolArray, DepthMaps, IntArray, Scene
    from refine_engine.terms.protocol import Common, Posed, Track

CANDIDATES = 150
"""Points of the skin at which depth is compared, far from one another."""
MOST_PER_FRAME = 50
FEWEST_PER_FRAME = 5
"""Samples of a person in a frame; with fewer nothing can be told apart from a stray surface."""
EDGE_PIXELS = 3
"""Depth networks blur edges over about this many pixels."""
EDGE_RATIO = 0.06
"""Relative change of depth over twice that distance that counts as an edge."""
CONFIDENCE_PERCENTILE = 30.0
"""The least trusted share of a map, per cent, is not used."""
ODD_LOG = 0.12
"""A sample this far from the median ratio of its person-frame sees something else."""
FACING = 0.4
"""Least cosine between the skin's normal and the direction to the camera."""
HIDDEN_M = 0.10
"""Skin this far behind other skin of the same image cell is hidden."""
CELLS_PER_PERSON = 45.0
"""Image cells over the height of the smallest person: about 4 cm of it each."""
GROUND_RADIUS_M = 0.45
GROUND_DIRECTIONS = 8
"""The ground is read on a ring around a standing foot, wide enough to clear the body's blur."""
STANDING = 0.7
"""Contact probability from which a foot marks the ground."""
_NO_CONFIDENCE = np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Skin:
    """Points of the skin for one body."""

    candidates: PointSet
    normals: Array
    """(N, 3) of the candidates in the T-pose."""
    cover: PointSet
    """Enough points to hide what is behind them."""


@functools.lru_cache(maxsize=8)
def skin_points(body: BodyModel) -> Skin:
    """Points of a body's skin: farthest-point samples to compare, and a fifth of all to hide."""
    normals = np.zeros_like(body.v_template)
    corners = body.v_template[body.faces]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for k in range(3):
        np.add.at(normals, body.faces[:, k], face)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    # Not on hands and toes: they are thin, and the map's blur swallows them.
    usable = np.flatnonzero(body.weights[:, [10, 11, 20, 21, 22, 23]].sum(1) < 0.3)
    chosen = [int(usable[0])]
    distance = np.full(len(usable), np.inf)
    for _ in range(CANDIDATES - 1):
        gap = ((body.v_template[usable] - body.v_template[chosen[-1]]) ** 2).sum(1)
        distance = np.minimum(distance, gap)
        chosen.append(int(usable[distance.argmax()]))
    return Skin(
        candidates=point_set([vertex_points(body, chosen)]),
        normals=np.ascontiguousarray(normals[chosen]),
        cover=point_set([vertex_points(body, np.arange(0, len(body.v_template), 5))]),
    )


class DepthView:
    """One frame: camera, depth map, and what skin covers."""

    def __init__(
        self,
        scene: Scene,
        maps: DepthMaps,
        track: Track,
        row: int,
        frame: int,
        common: Common,
    ) -> None:
        self.R = track.R_cam[row]
        self.t = common.alpha * track.t_cam[row]
        self.map = np.ascontiguousarray(maps.depth(frame), dtype=np.float32)
        height, width = self.map.shape
        image_height, image_width = scene.cameras.image_size
        self.to_map = np.array([width / image_width, height / image_height])
        fx, fy, cx, cy = track.intrinsics[row]
        sx, sy = self.to_map
        self.K = np.array([fx * sx, fy * sy, cx * sx, cy * sy])
        confidence = maps.confidence(frame)
        self.confidence, self.least = _NO_CONFIDENCE, np.float32(0.0)
        if confidence is not None:
            self.confidence = np.ascontiguousarray(confidence, dtype=np.float32)
            coarse = self.confidence[::8, ::8]
            self.least = np.float32(np.percentile(coarse, CONFIDENCE_PERCENTILE))
        self.scale = common.alpha if common.shared_depth else 1.0
        self.people_masked_out = maps.people_masked_out
        self.dynamic = None if scene.masks is None else scene.masks.dynamic(frame)

    def cover(
        self,
        skin: Skin,
        shapes: Sequence[tuple[Array, Array]],
        posed: Sequence[Posed],
        present: Sequence[tuple[int, int]],
    ) -> None:
        """Nearest skin in each cell of the image, over all people."""
        heights = []
        for p, row in present:
            z = float(self.R[2] @ posed[p].points[row, 0] + self.t[2])
            heights.append(self.K[1] * 1.7 * posed[p].size / max(z, 0.5))
        self.cell = max(1.5, min(heights) / CELLS_PER_PERSON)
        height, width = self.map.shape
        shape = (int(height / self.cell) + 1, int(width / self.cell) + 1)
        self.nearest = np.full(shape, np.inf)
        for p, row in present:
            splat(
                posed[p].rotations[row],
                posed[p].points[row],
                skin.cover.joints,
                skin.cover.weights,
                shapes[p][1],
                self.R,
                self.t,
                self.K,
                self.cell,
                self.nearest,
            )

    def _looked_up(self, mask: BoolArray, pixels: Array) -> BoolArray:
        """Values of a mask of any size at pixels (m, 2) of the depth map."""
        ratio = np.array(mask.shape[::-1]) / np.array(self.map.shape[::-1])
        at = np.clip((pixels * ratio).astype(np.int64), 0, np.array(mask.shape[::-1]) - 1)
        found: BoolArray = np.asarray(mask[at[:, 1], at[:, 0]], dtype=np.bool_)
        return found

    def skin(
        self, skin: Skin, offsets: Array, posed: Posed, row: int, mask: BoolArray | None
    ) -> tuple[IntArray, Array] | None:
        """Candidates that can be compared, and their log depths."""
        points = skin.candidates
        z = np.zeros(len(points))
        pixel = np.zeros((len(points), 2))
        visible_candidates(
            posed.rotations[row],
            posed.points[row],
            points.joints,
            points.weights,
            offsets,
            skin.normals,
            self.R,
            self.t,
            self.K,
            self.cell,
            self.nearest,
            FACING,
            HIDDEN_M,
            z,
            pixel,
        )
        depth = read_depth(
            self.map, self.confidence, self.least, pixel, z > 0.0, EDGE_PIXELS, EDGE_RATIO
        )
        kept = np.flatnonzero(depth > 0.0)
        inside = mask if mask is not None else self.dynamic
        if inside is not None and len(kept):
            kept = kept[self._looked_up(inside, pixel[kept])]
        if len(kept) < FEWEST_PER_FRAME:
            return None
        ratio = np.log(z[kept] / (self.scale * depth[kept]))
        kept = kept[np.abs(ratio - np.median(ratio)) < ODD_LOG]
        if len(kept) < FEWEST_PER_FRAME:
            return None
        if len(kept) > MOST_PER_FRAME:
            kept = kept[np.linspace(0, len(kept) - 1, MOST_PER_FRAME).astype(np.int64)]
        return kept.astype(np.int64), np.log(depth[kept])

    def ground(self, track: Track, posed: Posed, row: int, common: Common) -> tuple[Array, Array]:
        """Viewing rays (m, 3) and log depths (m,) of ground around feet that stand."""
        standing = posed.contacts[row] > STANDING
        feet = posed.points[row, track.layout.contacts[standing]]
        if not len(feet):
            return np.zeros((0, 3)), np.zeros(0)
        angle = np.linspace(0.0, 2.0 * np.pi, GROUND_DIRECTIONS, endpoint=False)
        ring = np.cos(angle)[:, None] * common.plane_basis[0]
        ring = ring + np.sin(angle)[:, None] * common.plane_basis[1]
        height = feet @ common.plane[:3] + common.plane[3]
        on_plane = feet - height[:, None] * common.plane[:3]
        places = (on_plane[:, None] + GROUND_RADIUS_M * ring).reshape(-1, 3)
        in_camera = places @ self.R.T + self.t
        ahead = in_camera[:, 2] > MIN_DEPTH_M
        z = np.where(ahead, in_camera[:, 2], 1.0)
        pixel = in_camera[:, :2] / z[:, None] * self.K[:2] + self.K[2:]
        depth = read_depth(
            self.map, self.confidence, self.least, pixel, ahead, EDGE_PIXELS, EDGE_RATIO
        )
        kept = np.flatnonzero(depth > 0.0)
        cells = (pixel[kept] / self.cell).astype(np.int64)
        kept = kept[~np.isfinite(self.nearest[cells[:, 1], cells[:, 0]])]
        if self.dynamic is not None and len(kept):
            kept = kept[~self._looked_up(self.dynamic, pixel[kept])]
        ray = np.ones((len(kept), 3))
        ray[:, :2] = (pixel[kept] - self.K[2:]) / self.K[:2]
        return ray, np.log(depth[kept])
