"""2-D keypoints as a detector of the ViTPose class finds them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.synthetic.levels import ErrorLevel
from refine_engine.evaluation.synthetic.motion import smooth_noise

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

REFERENCE_BOX_PX = 500.0
"""Box height at which ``keypoint_sigma`` is given: errors grow with the person's image."""

_JOINT_SHARE = np.array(
    [0.6, 0.5, 0.5, 0.6, 0.6, 0.9, 0.9, 1.0, 1.0, 1.3, 1.3, 1.2, 1.2, 1.0, 1.0, 1.3, 1.3]
)
"""COCO order: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles."""
_PAIRS = np.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12], [13, 14], [15, 16]])
MISCALIBRATED = 0.10
"""Share of keypoints whose confidence says nothing about their error."""


def detect_keypoints(
    pixels: Array,
    in_image: BoolArray,
    hidden: NDArray[np.int64],
    box_heights: Array,
    fps: float,
    level: ErrorLevel,
    rng: np.random.Generator,
) -> Array:
    """Detections (n, 17, 3): pixels and confidence, all zero where a keypoint was not found.

    Parameters
    ----------
    pixels
        (n, 17, 2) exact projections.
    in_image
        (n, 17) inside the image and in front of the camera.
    hidden
        (n, 17): see :class:`.appearance.Appearance`.
    box_heights
        (n,) pixels.
    fps, level, rng
        Frames a second; how large the errors are.
    """
    count = len(pixels)
    scale = (box_heights / REFERENCE_BOX_PX)[:, None]
    sigma = level.keypoint_sigma * scale * _JOINT_SHARE
    sigma = sigma * np.choose(hidden, [1.0, 1.6, 3.0])
    # Half of the variance persists for some frames: detectors err systematically.
    unit = np.sqrt(0.5) * (
        smooth_noise(rng, count, (17, 2), 0.12 * fps) + rng.standard_normal((count, 17, 2))
    )
    found = pixels + sigma[..., None] * unit

    jumps = rng.uniform(size=(count, 17)) < level.keypoint_outliers
    away = rng.uniform(-0.4, 0.4, size=(count, 17, 2)) * box_heights[:, None, None]
    found = np.where(jumps[..., None], pixels + away, found)
    for _ in range(rng.poisson(level.keypoint_swaps * count / 100)):
        start, length = int(rng.integers(0, count)), int(rng.integers(5, 16))
        # Legs alone, arms alone, or everything changes sides.
        pairs = (_PAIRS, _PAIRS[2:5], _PAIRS[5:])[int(rng.integers(0, 3))]
        rows = slice(start, min(count, start + length))
        swapped = found[rows].copy()
        swapped[:, pairs[:, 0]] = found[rows][:, pairs[:, 1]]
        swapped[:, pairs[:, 1]] = found[rows][:, pairs[:, 0]]
        found[rows] = swapped

    # Confidence knows about hidden joints and, noisily, about the error itself; a swap fools it.
    missed = np.linalg.norm(sigma[..., None] * unit, axis=-1)
    relative = missed / (level.keypoint_sigma * scale + 1e-9)
    confidence = 0.98 - 0.09 * relative + 0.05 * rng.standard_normal((count, 17))
    confidence -= np.choose(hidden, [0.0, 0.12, 0.35])
    confidence = np.where(jumps, rng.uniform(0.15, 0.75, size=(count, 17)), confidence)
    careless = rng.uniform(size=(count, 17)) < MISCALIBRATED
    confidence = np.where(careless, rng.uniform(0.25, 0.98, size=(count, 17)), confidence)
    lost = rng.uniform(size=(count, 17)) < np.where(hidden == 2, 0.5, level.keypoint_missing)
    lost |= ~in_image
    result = np.concatenate([found, np.clip(confidence, 0.05, 0.99)[..., None]], -1)
    return np.asarray(np.where(lost[..., None], 0.0, result))
