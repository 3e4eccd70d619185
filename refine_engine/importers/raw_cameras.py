"""Cameras as a folder gives them, and static ones for a folder without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from refine_engine.scene import Array


@dataclass(frozen=True)
class RawCameras:
    """Cameras as the folder gives them: reconstruction world and unit."""

    R: Array
    """(T, 3, 3) world (reconstruction) to camera."""
    t: Array
    """(T, 3) reconstruction units."""
    K: Array
    """(T, 3, 3) pixels."""
    image_size: tuple[int, int]
    """(height, width)."""
    method: str
    """"vggt", "droid", or "" where not said."""
    estimated: bool
    confidence: Array | None = None

    @property
    def num_frames(self) -> int:
        """Number of cameras T."""
        return len(self.R)


def static_cameras(
    num_frames: int, image_size: tuple[int, int], focal: float | None = None
) -> RawCameras:
    """Identity cameras for a folder without Stage 1; the default focal is the image diagonal."""
    height, width = image_size
    f = float(np.hypot(height, width)) if focal is None else focal
    K = np.array([[f, 0.0, width / 2], [0.0, f, height / 2], [0.0, 0.0, 1.0]])
    return RawCameras(
        np.tile(np.eye(3), (num_frames, 1, 1)),
        np.zeros((num_frames, 3)),
        np.tile(K, (num_frames, 1, 1)),
        image_size,
        "",
        estimated=False,
    )
