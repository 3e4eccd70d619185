"""Errors on evidence that no term saw: what the guard compares before and after a sub-stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.cameras import project, to_camera
from refine_engine.terms.depth import ground_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.scene import Array
    from refine_engine.terms.protocol import Common, Posed, Track

KEYPOINT_CAP_PX = 60.0
"""Errors count up to here, so that outliers of a detector do not decide."""
DEPTH_CAP = 0.3


def held_out_evidence(
    tracks: Sequence[Track], posed: Sequence[Posed], common: Common
) -> dict[str, float]:
    """Mean errors; a key is absent where there is no evidence of its kind.

    Returns
    -------
    dict
        ``keypoints``: pixels at a 500 px person. ``depth``: absolute log ratio. ``slide``: metres
        that feet in contact move in 1/30 s.
    """
    found: dict[str, list[tuple[float, float]]] = {"keypoints": [], "depth": [], "slide": []}
    for track, person in zip(tracks, posed, strict=True):
        found["keypoints"].append(_keypoints(track, person, common))
        found["depth"] += _depth(track, person, common)
        found["slide"].append(_slide(track, person))
    return {
        name: sum(error for error, _ in pairs) / sum(weight for _, weight in pairs)
        for name, pairs in found.items()
        if sum(weight for _, weight in pairs) > 0.0
    }


def _keypoints(track: Track, posed: Posed, common: Common) -> tuple[float, float]:
    weight = track.keypoint_held
    if not weight.any():
        return 0.0, 0.0
    places = posed.points[:, track.layout.keypoint_points]
    K = np.zeros((len(track), 3, 3))
    K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2] = track.intrinsics.T
    K[:, 2, 2] = 1.0
    pixels, in_front = project(to_camera(places, track.R_cam, common.alpha * track.t_cam), K)
    # What the solver explains by the camera's rotation is no error of the person.
    pixels = pixels + (posed.shift * track.intrinsics[:, :2])[:, None]
    error = np.linalg.norm(pixels - track.pixels, axis=-1) * track.pixel_scale[:, None]
    error = np.where(in_front, np.minimum(error, KEYPOINT_CAP_PX), KEYPOINT_CAP_PX)
    return float((weight * error).sum()), float(weight.sum())


def _depth(track: Track, posed: Posed, common: Common) -> list[tuple[float, float]]:
    if track.depth is None:
        return []
    skin, points = track.depth.skin, track.depth.candidates
    pairs = []
    kept = np.flatnonzero(skin.held > 0)
    if len(kept):
        row = np.searchsorted(skin.start, kept, side="right") - 1
        s = skin.point[kept]
        joints = points.joints[s]
        offsets = points.offsets(posed.betas)[s]
        carried = posed.rotations[row[:, None], joints] @ offsets[..., None]
        x = posed.points[row[:, None], joints] + carried[..., 0]
        x = (points.weights[s][..., None] * x).sum(1)
        z = (track.R_cam[row, 2] * x).sum(-1) + common.alpha * track.t_cam[row, 2]
        scale = common.alpha if common.shared_depth else 1.0
        ratio = np.log(np.maximum(z, 1e-3)) - np.log(scale) - skin.log_depth[kept]
        ratio -= common.chunk_log_scale[skin.chunk[kept]]
        pairs.append(_capped(ratio, skin.held[kept], DEPTH_CAP))
    ground = ground_rows(track.depth.ground, track, common)
    if ground is not None and track.depth.ground.held.any():
        pairs.append(_capped(ground[0], track.depth.ground.held, DEPTH_CAP))
    return pairs


def _capped(residual: Array, weight: Array, cap: float) -> tuple[float, float]:
    return float((weight * np.minimum(np.abs(residual), cap)).sum()), float(weight.sum())


def _slide(track: Track, posed: Posed) -> tuple[float, float]:
    places = posed.points[:, track.layout.contacts]
    moved = np.linalg.norm(np.diff(places, axis=0), axis=-1) * (track.fps / 30.0)
    weight = posed.contacts[1:] * posed.contacts[:-1] * track.link1[:-1, None]
    return float((weight * moved).sum()), float(weight.sum())
