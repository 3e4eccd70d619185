"""Stage 1's depth maps, opened one at a time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.errors import InputError
from refine_engine.importers.folder import numbered_files
from refine_engine.importers.image_size import DEPTH_FILE
from refine_engine.importers.maps import CheckedFiles, MapFile, find_maps, read_map, spread
from refine_engine.importers.masks import FolderMasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from refine_engine.importers.findings import FindingList
    from refine_engine.scene import Array

_SIGMA_FILE = re.compile(r"sigma_0*(\d+)\.npy")
NETWORK_SIZE = 518
"""Pixels along each side of VGGT's own depth map; larger maps were upsampled from it."""
EDGE_STEP = 0.03
"""Relative depth step between neighbouring pixels of an upsampled map above which both lie on a
smeared edge: the step of a floor seen at 20 m from eye height is under 0.01."""


class FolderDepth:
    """Depth maps of a results folder (see :class:`refine_engine.scene.DepthMaps`).

    Parameters
    ----------
    maps
        The checked depth files.
    sigma
        The uncertainty files (``1 - confidence``), perhaps none.
    frame_scale
        (T,) factor to the unit of the first reconstruction chunk.
    people_masked_out
        Whether people were blacked out before depth estimation.
    """

    shares_camera_unit = True

    def __init__(
        self,
        maps: CheckedFiles,
        sigma: CheckedFiles,
        frame_scale: Array,
        people_masked_out: bool,
    ) -> None:
        assert maps.shape is not None
        self._maps = maps.files
        self._sigma = sigma.files
        self._frame_scale = frame_scale
        self.size: tuple[int, int] = (maps.shape[0], maps.shape[1])
        self.people_masked_out = people_masked_out
        self._upsampled = min(self.size) > NETWORK_SIZE

    @property
    def has_confidence(self) -> bool:
        """Whether any confidence is stored."""
        return bool(self._sigma)

    def has(self, frame: int) -> bool:
        """Whether there is a map for this video frame."""
        return frame in self._maps

    def depth(self, frame: int) -> NDArray[np.float32]:
        """(h, w) z-depth in the unit of the first chunk; 0 where unknown or on a smeared edge."""
        stored = np.asarray(read_map(self._maps[frame]), dtype=np.float32)
        with np.errstate(invalid="ignore"):
            depth = np.where(np.isfinite(stored) & (stored > 0), stored, np.float32(0.0))
        if self._upsampled:
            depth[smeared_edges(depth)] = 0.0
        return depth * np.float32(self._frame_scale[frame])

    def confidence(self, frame: int) -> NDArray[np.float32] | None:
        """(h, w) VGGT's confidence minus 1, 0 = no trust; None where not stored or damaged."""
        if frame not in self._sigma:
            return None
        try:
            sigma = np.asarray(read_map(self._sigma[frame]), dtype=np.float32)
        except InputError:
            return None
        # The file holds 1 - confidence although it is called sigma: B13.
        return np.maximum(np.nan_to_num(-sigma, nan=0.0, posinf=0.0, neginf=0.0), 0.0)


def smeared_edges(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels of an upsampled map (h, w) between two surfaces, where depth belongs to neither."""
    edge = np.zeros(depth.shape, dtype=bool)
    for axis in (0, 1):
        a = depth[:-1] if axis == 0 else depth[:, :-1]
        b = depth[1:] if axis == 0 else depth[:, 1:]
        step = np.abs(a - b) > EDGE_STEP * np.minimum(a, b)
        if axis == 0:
            edge[:-1] |= step
            edge[1:] |= step
        else:
            edge[:, :-1] |= step
            edge[:, 1:] |= step
    return edge


def open_depth(
    stage: Path | None,
    num_frames: int,
    frame_scale: Array,
    people_masked_out: bool,
    findings: FindingList,
) -> FolderDepth | None:
    """Open the depth maps of Stage 1, or return None with the reason in the report."""
    maps = CheckedFiles({}, None, None)
    if stage is not None:
        maps = find_maps(stage / "depth_maps", DEPTH_FILE)
    if maps.refused:
        findings.discarded(
            "unreadable",
            len(maps.refused),
            f"{len(maps.refused)} of {len(maps.refused) + len(maps.files)} depth maps cannot be "
            f"read and were left out: {maps.refused[0]}",
        )
    outside = [frame for frame in maps.files if frame >= num_frames]
    for frame in outside:
        del maps.files[frame]
    if not maps.files or stage is None:
        findings.missing(
            "No depth maps: the scene's distance and the scale rest on body size, motion and the "
            "ground only, and the depth term is off."
        )
        return None
    if outside:
        findings.discarded("B22", len(outside), f"{len(outside)} depth maps have no camera.")
    absent = num_frames - len(maps.files)
    if absent:
        findings.reported(
            "B22",
            absent,
            f"{absent} of {num_frames} frames have no depth map; they get no depth term.",
        )
    if not any(_has_depth(maps.files[frame]) for frame in spread(maps.files, 3)):
        findings.discarded(
            "depth",
            len(maps.files),
            "The depth maps hold no positive finite depth and are not used.",
        )
        findings.missing("No usable depth maps: the depth term is off.")
        return None
    sigma = find_maps(stage / "depth_uncertainty", _SIGMA_FILE)
    sigma = _judged_sigma(sigma, maps, findings)
    depth = FolderDepth(maps, sigma, frame_scale, people_masked_out)
    if min(depth.size) > NETWORK_SIZE:
        findings.repaired(
            "B25",
            len(maps.files),
            f"Depth was enlarged from {NETWORK_SIZE} pixels, which smears the edges of things; "
            "depth on such edges is left out when a map is read.",
        )
    return depth


def _has_depth(path: MapFile) -> bool:
    sample = np.asarray(read_map(path)[::16, ::16], dtype=np.float64)
    return bool((np.isfinite(sample) & (sample > 0)).any())


def _judged_sigma(sigma: CheckedFiles, maps: CheckedFiles, findings: FindingList) -> CheckedFiles:
    none = CheckedFiles({}, None, None)
    if sigma.refused:
        findings.discarded(
            "unreadable",
            len(sigma.refused),
            f"{len(sigma.refused)} maps of depth confidence cannot be read; every depth pixel of "
            f"their frames counts the same: {sigma.refused[0]}",
        )
    if not sigma.files:
        findings.missing("No depth confidence: every depth pixel counts the same.")
        return none
    if sigma.shape != maps.shape:
        findings.discarded(
            "depth",
            len(sigma.files),
            f"Depth confidence has shape {sigma.shape}, depth {maps.shape}; it is not used.",
        )
        return none
    samples = [np.asarray(read_map(sigma.files[f])[::16, ::16]) for f in spread(sigma.files, 3)]
    highest = max((float(np.nanmax(s)) for s in samples if np.isfinite(s).any()), default=1.0)
    if highest > 1e-4:
        findings.discarded(
            "B13",
            len(sigma.files),
            f"The depth uncertainties reach {highest:.3g}, so they are not '1 - confidence' as the "
            "known writers store them; they are not used.",
        )
        return none
    findings.repaired(
        "B13",
        len(sigma.files),
        "The stored depth uncertainty is 1 - confidence and never positive; it is read as "
        "confidence with 1 as its floor.",
    )
    return sigma


def static_depth_ratio(
    stage: Path | None, masks: FolderMasks | None
) -> Callable[[int], float | None] | None:
    """How the static scene's depth changes into a frame, to find and join chunks.

    Returns
    -------
    Callable or None
        Frame b -> median ratio of the depth of frame b-1 to that of b outside the dynamic masks,
        None where that is not known; None as a whole without depth maps.
    """
    if stage is None:
        return None
    files = numbered_files(stage / "depth_maps", DEPTH_FILE)
    if not files:
        return None

    def sample(frame: int) -> Array | None:
        try:
            depth = read_map(files[frame])
        except (InputError, KeyError):
            return None
        stride = max(1, min(depth.shape) // 64)
        values = np.asarray(depth[::stride, ::stride], dtype=np.float64)
        moving = None if masks is None else masks.dynamic(frame)
        if moving is not None and moving.shape == depth.shape:
            values = np.where(moving[::stride, ::stride], np.nan, values)
        return np.where(values > 0, values, np.nan)

    def ratio(frame: int) -> float | None:
        before, behind = sample(frame - 1), sample(frame)
        if before is None or behind is None or before.shape != behind.shape:
            return None
        both = np.isfinite(before) & np.isfinite(behind)
        if both.mean() < 0.05:
            return None
        return float(np.median(before[both] / behind[both]))

    return ratio
