"""Depth maps as a feed-forward network estimates them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, laplace

from refine_engine.evaluation.synthetic.levels import ErrorLevel
from refine_engine.evaluation.synthetic.motion import smooth_noise
from refine_engine.evaluation.synthetic.surroundings import PERSON

Array = NDArray[np.float64]
Image = NDArray[np.float32]

FAR_M = 60.0
"""Depth that is written where nothing is seen; its confidence is at the floor."""
EDGE = 0.05
"""Relative bend of inverse depth (its Laplacian times depth) that makes a depth edge."""
_GRID = (5, 8)
_FIELD_TIME_S = 1.0


class DepthErrors:
    """The errors of every frame, drawn once; :meth:`apply` is a pure function of the frame.

    Parameters
    ----------
    chunk
        (T,) chunk of each frame: depth has one scale error for each.
    size
        (height, width) of the maps.
    fps
        Frames a second.
    level, rng
        How large the errors are.
    seed
        Seeds the errors that are independent in every pixel.
    """

    def __init__(
        self,
        chunk: NDArray[np.int64],
        size: tuple[int, int],
        fps: float,
        level: ErrorLevel,
        rng: np.random.Generator,
        seed: int,
    ) -> None:
        count = len(chunk)
        self._level, self._seed = level, seed
        scales = level.depth_scale * rng.standard_normal(int(chunk[-1]) + 1)
        self.log_scale: Array = scales[chunk]
        """(T,) logarithm of depth over the cameras' unit."""
        # Two fields: one stays with the picture, one drifts. Interpolation between the knots
        # lowers the variance; the gain restores it on average over the image.
        self._rows = _interpolation(_GRID[0], size[0])
        self._columns = _interpolation(_GRID[1], size[1])
        gain = 1.0 / np.sqrt((self._rows**2).sum(1).mean() * (self._columns**2).sum(1).mean())
        fixed = rng.standard_normal(_GRID)
        moving = smooth_noise(rng, count, _GRID, _FIELD_TIME_S * fps)
        self._field = level.depth_field * gain * np.sqrt(0.5) * (fixed + moving)
        self._trust = 0.35 * gain * smooth_noise(rng, count, _GRID, _FIELD_TIME_S * fps)
        self._flatten = rng.uniform(*level.depth_flatten, size=64)
        self._blur = level.depth_bleed * size[1] / 518.0 / 2.0

    def apply(self, frame: int, depth: Image, label: NDArray[np.int16]) -> tuple[Image, Image]:
        """Estimated depth (metres) and confidence (>= 1) of one frame.

        Parameters
        ----------
        frame
            Number of the video frame.
        depth, label
            (h, w) exact depth, infinite where nothing is seen, and labels.
        """
        level = self._level
        seen = np.isfinite(depth)
        z = np.where(seen, depth, FAR_M).astype(np.float64)
        for person in np.unique(label[label >= PERSON]):
            inside = label == person
            middle = np.median(z[inside])
            z[inside] = middle + (1 - self._flatten[person - PERSON]) * (z[inside] - middle)
        # Inverse depth is linear on every plane, however steep: only edges and creases bend it.
        edge = z * np.abs(laplace(1.0 / z)) > EDGE
        if self._blur > 0:
            # Depth bleeds across edges and nowhere else.
            near_edge = binary_dilation(edge, iterations=max(1, round(self._blur)))
            z = np.where(near_edge, gaussian_filter(z, self._blur), z)
            edge = near_edge
        field = self._rows @ self._field[frame] @ self._columns.T
        z *= np.exp(self.log_scale[frame] + field)
        if level.depth_white > 0:
            rng = np.random.default_rng([self._seed, frame])
            z *= np.exp(level.depth_white * rng.standard_normal(z.shape))
        trust = self._rows @ self._trust[frame] @ self._columns.T
        above = 6.0 * np.exp(trust - z / 12.0)
        above[edge] *= 0.1
        above[~seen] = 0.0
        return z.astype(np.float32), (1.0 + above).astype(np.float32)


def blacked_out(depth: Image, behind: Image, label: NDArray[np.int16]) -> Image:
    """Exact depth as a network sees it that was shown black silhouettes: no people in it.

    What stands behind a silhouette is guessed smoothly from its surroundings.
    """
    hidden = people_mask(label)
    filled = np.where(np.isfinite(behind), behind, FAR_M)
    return np.where(hidden, gaussian_filter(filled, 4.0), depth).astype(np.float32)


def people_mask(label: NDArray[np.int16]) -> NDArray[np.bool_]:
    """(h, w) everyone, grown by a pixel as the pipeline grows its masks."""
    return np.asarray(binary_dilation(label >= PERSON, iterations=1))


def _interpolation(knots: int, count: int) -> Array:
    """Matrix (count, knots) that interpolates linearly between evenly spaced knots."""
    place = np.linspace(0, knots - 1, count)
    left = np.minimum(place.astype(int), knots - 2)
    matrix = np.zeros((count, knots))
    rows = np.arange(count)
    matrix[rows, left] = 1 - (place - left)
    matrix[rows, left + 1] = place - left
    return matrix
