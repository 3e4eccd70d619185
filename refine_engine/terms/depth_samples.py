"""Where the depth maps say something about people: samples of visible skin, or of the ground.

A sample of skin faces the camera, is hidden by no other skin, lies inside the person's mask where
there is one, and not at an edge of the map. Where people were blacked out before depth estimation
there is no skin to compare, and the ground around standing feet is used instead.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import vertex_points
from refine_engine.terms.points import MAX_ATTACHMENTS, PointSet, point_set
from refine_engine.terms.visible_skin import read_depth, splat, visible_candidates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.body import BodyModel
    from refine_engine.scene import Array, BoolArray, DepthMaps, IntArray, Scene
    from refine_engine.solver.threads import Poll
    from refine_engine.terms.protocol import Common, Posed, Track

CANDIDATES = 150
MOST_PER_FRAME = 50
FEWEST_PER_FRAME = 5
TRUSTED_COUNT = 15
"""A person-frame with fewer samples than this counts for less."""
EDGE_PIXELS = 3
"""Depth networks blur edges over about this many pixels."""
EDGE_RATIO = 0.06
"""Relative change of depth over twice that distance that counts as an edge."""
CONFIDENCE_PERCENTILE = 30.0
ODD_LOG = 0.12
"""A sample this far from the median ratio of its person-frame sees something else."""
FACING = 0.4
"""Least cosine between the skin's normal and the direction to the camera."""
HIDDEN_M = 0.10
"""Skin this far behind other skin of the same image cell is hidden."""
CELLS_PER_PERSON = 45.0
GROUND_RADIUS_M = 0.45
GROUND_DIRECTIONS = 8
STANDING = 0.7
"""Contact probability from which a foot marks the ground."""
HELD_OUT = 10


@dataclass(frozen=True, eq=False)
class SkinSamples:
    """Depth at skin points of one person; row order by frame."""

    start: IntArray
    """(n + 1,) samples of frame t are ``start[t]:start[t + 1]``."""
    point: IntArray
    """(m,) index into the candidate points."""
    log_depth: Array
    """(m,) natural log of the map's depth, in the map's unit."""
    weight: Array
    """(m,) a person-frame's weights sum to about one; 0 where held out."""
    held: Array
    """(m,) the weights of the held-out tenth."""
    chunk: IntArray
    """(m,) reconstruction chunk."""


@dataclass(frozen=True, eq=False)
class GroundSamples:
    """Depth of the ground around standing feet, where people were masked out."""

    frame: IntArray
    """(m,) row of the track."""
    ray: Array
    """(m, 3) viewing ray in the camera frame with z = 1."""
    log_depth: Array
    """(m,)."""
    weight: Array
    """(m,)."""
    held: Array
    """(m,)."""
    chunk: IntArray
    """(m,)."""


@dataclass(frozen=True, eq=False)
class DepthEvidence:
    """All depth samples of one person."""

    candidates: PointSet
    skin: SkinSamples
    ground: GroundSamples


@dataclass(frozen=True, eq=False)
class _Skin:
    """Points of the skin for one body."""

    candidates: PointSet
    normals: Array
    """(N, 3) of the candidates in the T-pose."""
    cover: PointSet
    """Enough points to hide what is behind them."""


@functools.lru_cache(maxsize=8)
def _skin(body: BodyModel) -> _Skin:
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
    return _Skin(
        candidates=point_set([vertex_points(body, chosen)]),
        normals=np.ascontiguousarray(normals[chosen]),
        cover=point_set([vertex_points(body, np.arange(0, len(body.v_template), 5))]),
    )


def choose_samples(
    scene: Scene,
    tracks: Sequence[Track],
    posed: Sequence[Posed],
    common: Common,
    stride: int,
    *,
    hold_out: bool,
    poll: Poll | None = None,
) -> list[DepthEvidence]:
    """Samples of every ``stride``-th frame that has a depth map, for each person.

    Parameters
    ----------
    scene, tracks, posed, common
        The problem at the state for which visibility is decided.
    stride
        Read every so-manieth depth map.
    hold_out
        Give a tenth of the samples the weight 0 and remember them as held out.
    poll
        Called once per frame; may raise.
    """
    assert scene.depth is not None
    skin = _skin(common.body)
    found: list[list[tuple[int, IntArray, Array]]] = [[] for _ in tracks]
    ground: list[list[tuple[int, Array, Array]]] = [[] for _ in tracks]
    shapes = [(skin.candidates.offsets(p.betas), skin.cover.offsets(p.betas)) for p in posed]
    for frame in range(0, scene.num_frames, max(stride, 1)):
        present = [
            (p, frame - int(track.frames[0]))
            for p, track in enumerate(tracks)
            if track.frames[0] <= frame <= track.frames[-1]
        ]
        if not present or not scene.depth.has(frame):
            continue
        if poll is not None:
            poll()
        view = _View(scene, scene.depth, tracks[present[0][0]], present[0][1], frame, common)
        view.cover(skin, shapes, posed, present)
        for p, row in present:
            if view.people_masked_out:
                ground[p].append((row, *view.ground(tracks[p], posed[p], row, common)))
            elif tracks[p].observed[row]:
                mask = None if scene.masks is None else scene.masks.person(tracks[p].id, frame)
                kept = view.skin(skin, shapes[p][0], posed[p], row, mask)
                if kept is not None:
                    found[p].append((row, *kept))
    return [
        DepthEvidence(
            skin.candidates,
            _skin_samples(track, found[p], hold_out),
            _ground_samples(track, ground[p], hold_out),
        )
        for p, track in enumerate(tracks)
    ]


class _View:
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
        skin: _Skin,
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
        self, skin: _Skin, offsets: Array, posed: Posed, row: int, mask: BoolArray | None
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
        ahead = in_camera[:, 2] > 0.1
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


_NO_CONFIDENCE = np.zeros((0, 0), dtype=np.float32)


def _split(count: int, key: int, hold_out: bool) -> tuple[Array, Array]:
    """Weights of a person-frame's samples: those that count, and the held-out tenth."""
    each = min(1.0, count / TRUSTED_COUNT) / max(count, 1)
    held = ((np.arange(count) * 7 + key) % HELD_OUT == 0) & hold_out
    return np.where(held, 0.0, each), np.where(held, each, 0.0)


def _skin_samples(
    track: Track, found: list[tuple[int, IntArray, Array]], hold_out: bool
) -> SkinSamples:
    counts = np.zeros(len(track), dtype=np.int64)
    parts: list[tuple[Array, Array]] = []
    for row, point, _ in found:
        counts[row] = len(point)
        parts.append(_split(len(point), row, hold_out))
    start = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
    return SkinSamples(
        start=start,
        point=_joined([point for _, point, _ in found], np.int64),
        log_depth=_joined([log_depth for _, _, log_depth in found], np.float64),
        weight=_joined([weight for weight, _ in parts], np.float64),
        held=_joined([held for _, held in parts], np.float64),
        chunk=np.repeat(track.chunk, counts),
    )


def _ground_samples(
    track: Track, found: list[tuple[int, Array, Array]], hold_out: bool
) -> GroundSamples:
    parts = [_split(len(ray), row, hold_out) for row, ray, _ in found]
    frame = _joined([np.full(len(ray), row) for row, ray, _ in found], np.int64)
    return GroundSamples(
        frame=frame,
        ray=np.concatenate([np.zeros((0, 3)), *(ray for _, ray, _ in found)]),
        log_depth=_joined([log_depth for _, _, log_depth in found], np.float64),
        weight=_joined([weight for weight, _ in parts], np.float64),
        held=_joined([held for _, held in parts], np.float64),
        chunk=track.chunk[frame],
    )


def _joined(arrays: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype)


assert MAX_ATTACHMENTS >= 1
