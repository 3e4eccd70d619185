"""Where the camera is and looks: static, pan, handheld, orbit, follow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from refine_engine.evaluation.synthetic.motion import smooth_noise
from refine_engine.evaluation.synthetic.options import CameraKind
from refine_engine.geometry.rotations import exp_so3

Array = NDArray[np.float64]

_SHAKE_TIMES = (1.0, 0.5, 0.25, 0.12)
"""Octaves of hand shake in seconds; amplitude falls with them, as 1/f noise does."""


def camera_path(
    kind: CameraKind,
    pelvises: Array,
    focal_over_width: float,
    aspect: float,
    fps: float,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Camera of every frame: rotations world to camera (T, 3, 3) and centres (T, 3) in metres.

    Parameters
    ----------
    kind
        How the camera moves.
    pelvises
        (P, T, 3) where the people are; NaN where one is absent. Y up, floor at 0.
    focal_over_width
        Focal length as a share of the image's width.
    aspect
        Image height over width.
    fps
        Frames a second.
    rng
        Every choice is drawn from it.
    """
    count = pelvises.shape[1]
    middle = np.nanmean(pelvises, axis=0)
    moving_target = _smoothed(middle, fps)
    center = middle.mean(axis=0)
    spread = pelvises - (center if kind == "static" else moving_target)
    # Most of the group fits into the image most of the time, with 0.6 m of arms around it;
    # somebody at its border is cut, as in real videos.
    away = np.linalg.norm(spread[..., [0, 2]], axis=-1)
    radius = float(np.nanpercentile(away, 85)) + 0.6
    half_width = np.arctan(0.5 / focal_over_width)
    half_height = np.arctan(0.5 * aspect / focal_over_width)
    distance = max(radius / np.sin(half_width) + 0.3, 1.35 / np.tan(half_height) + 0.5 * radius)
    azimuth, height = rng.uniform(-np.pi, np.pi), rng.uniform(1.2, 1.9)
    side = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
    back = np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])

    target = np.broadcast_to(center, (count, 3)).copy()
    time = np.arange(count) / fps
    place = np.broadcast_to(center + distance * back, (count, 3)).copy()
    shake_place, shake_turn = 0.0, np.deg2rad(0.05)
    if kind == "pan":
        target = moving_target.copy()
        place = np.broadcast_to(target.mean(0) + distance * back, (count, 3)).copy()
    elif kind == "handheld":
        speed = rng.uniform(0.3, 0.9) * rng.choice([-1.0, 1.0])
        travel = speed * (time - time.mean())
        # Long scenes pace to and fro instead of leaving.
        reach = 0.8 * distance
        travel = reach * np.sin(travel / reach)
        place += travel[:, None] * side + (0.15 * travel * np.sin(0.7 * time))[:, None] * back
        target = moving_target.copy()
        shake_place, shake_turn = 0.02, np.deg2rad(0.5)
    elif kind == "orbit":
        rate = rng.uniform(0.4, 0.8) / distance * rng.choice([-1.0, 1.0])
        target = center + 0.7 * (moving_target - center)
        angle = azimuth + rate * (time - time.mean())
        place = center + distance * np.stack([np.sin(angle), 0 * angle, np.cos(angle)], -1)
        shake_place, shake_turn = 0.01, np.deg2rad(0.2)
    elif kind == "follow":
        target = moving_target.copy()
        place = target + distance * back + 0.3 * side * np.sin(0.5 * time)[:, None]
        shake_place, shake_turn = 0.02, np.deg2rad(0.4)
    place[:, 1] = height
    target[:, 1] = 0.95
    place += shake_place * _shake(rng, count, fps)
    if kind == "static":
        return _looking(place[:1], target[:1]).repeat(count, axis=0), place
    R = exp_so3(shake_turn * _shake(rng, count, fps)) @ _looking(place, target)
    return R, place


def _shake(rng: np.random.Generator, count: int, fps: float) -> Array:
    total = np.zeros((count, 3))
    for octave, seconds in enumerate(_SHAKE_TIMES):
        total += 0.5**octave * smooth_noise(rng, count, (3,), seconds * fps)
    return total


def _smoothed(points: Array, fps: float) -> Array:
    return np.asarray(gaussian_filter1d(points, 0.6 * fps, axis=0, mode="nearest"))


def _looking(place: Array, target: Array) -> Array:
    """Rotations world to camera (n, 3, 3): z at the target, y down, no roll."""
    forward = target - place
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    return np.stack([right, np.cross(forward, right), forward], axis=-2)
