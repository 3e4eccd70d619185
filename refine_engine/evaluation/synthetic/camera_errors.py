"""Cameras as a feed-forward reconstruction estimates them: drifting, unit unknown, in chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.synthetic.levels import ErrorLevel
from refine_engine.evaluation.synthetic.motion import smooth_noise
from refine_engine.evaluation.synthetic.truth import SceneTruth
from refine_engine.geometry.cameras import camera_centers
from refine_engine.geometry.rotations import exp_so3

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class EstimatedCameras:
    """Camera poses with their errors."""

    R_cam_world: Array
    """(T, 3, 3) in the true world's axes; frame 0 is exact."""
    t_cam_world: Array
    """(T, 3) metres."""
    chunk: IntArray
    """(T,) number of the chunk of each frame."""
    alpha: Array
    """(C,) metres per unit of each chunk; the first is the scene's."""
    scale_error: float
    """The factor on alpha of the state before refinement, where the input is taken as metric."""

    def as_written(self) -> Array:
        """Poses (T, 4, 4) world to camera as the pipeline writes them.

        Every chunk restarts at its own first camera and has its own unit; nothing joins them.
        """
        poses = np.tile(np.eye(4), (len(self.chunk), 1, 1))
        for number, unit in enumerate(self.alpha):
            rows = np.flatnonzero(self.chunk == number)
            R0, t0 = self.R_cam_world[rows[0]], self.t_cam_world[rows[0]]
            R = self.R_cam_world[rows] @ R0.T
            poses[rows, :3, :3] = R
            poses[rows, :3, 3] = (self.t_cam_world[rows] - R @ t0) / unit
        return poses


def estimate_cameras(
    truth: SceneTruth, level: ErrorLevel, chunk_frames: int, rng: np.random.Generator
) -> EstimatedCameras:
    """Draw the errors; ``chunk_frames`` 0 means one chunk."""
    count = truth.num_frames
    chunk = np.arange(count) // (chunk_frames or count)
    centers = camera_centers(truth.R_cam_world, truth.t_cam_world)
    turn = level.camera_rotation * smooth_noise(rng, count, (3,), 1.0 * truth.fps)
    turn -= turn[0]
    steps = np.linalg.norm(np.diff(centers, axis=0), axis=-1)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    drift = _drift(travelled, level.camera_drift, truth.fps, rng)
    wobble = level.camera_wobble * smooth_noise(rng, count, (3,), 0.33 * truth.fps)
    drift += wobble - wobble[0]
    R = exp_so3(turn) @ truth.R_cam_world
    units = level.chunk_scale * rng.standard_normal(int(chunk[-1]) + 1)
    units[0] = 0.0
    return EstimatedCameras(
        R_cam_world=R,
        t_cam_world=-np.einsum("tij,tj->ti", R, centers + drift),
        chunk=chunk,
        alpha=truth.alpha * np.exp(units),
        scale_error=float(np.exp(level.scale_error * rng.uniform(-1, 1))),
    )


def _drift(travelled: Array, rate: float, fps: float, rng: np.random.Generator) -> Array:
    """Position errors (T, 3) that grow with the square root of the way, smooth in time.

    A static camera does not drift.
    """
    count = len(travelled)
    speed = np.gradient(travelled) if count > 1 else np.zeros(count)
    velocity = smooth_noise(rng, count, (3,), 0.5 * fps)
    # A process of unit variance and this correlation adds up to a random walk with the square of
    # 2 sqrt(pi) s per frame; the factor makes its variance equal rate^2 per metre.
    gain = rate * np.sqrt(np.maximum(speed, 0.0) / (2 * np.sqrt(np.pi) * 0.5 * fps))
    drift = np.cumsum(gain[:, None] * velocity, axis=0)
    return np.asarray(drift - drift[0])
