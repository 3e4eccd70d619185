"""Where the depth maps say something about people: samples of visible skin, or of the ground.

A sample of skin faces the camera, is hidden by no other skin, lies inside the person's mask where
there is one, and not at an edge of the map. Where people were blacked out before depth estimation
there is no skin to compare, and the ground around standing feet is used instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.terms.depth_evidence import DepthEvidence, GroundSamples, SkinSamples
from refine_engine.terms.depth_view import DepthView, skin_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.scene import Array, IntArray, Scene
    from refine_engine.solver.threads import Poll
    from refine_engine.terms.protocol import Common, Posed, Track

TRUSTED_COUNT = 15
"""A person-frame with fewer samples than this counts for less."""
HELD_OUT = 10
"""Every so-manieth sample of a person-frame is held out as evidence for the guard."""


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
    skin = skin_points(common.body)
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
        view = DepthView(scene, scene.depth, tracks[present[0][0]], present[0][1], frame, common)
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
