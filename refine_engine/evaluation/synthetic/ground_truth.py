"""The exact truth of a synthetic scene: ``ground_truth.npz``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from refine_engine.errors import InputError
from refine_engine.geometry.rotations import axis_angle_from_matrix
from refine_engine.safe_files import open_npz

if TYPE_CHECKING:
    from refine_engine.evaluation.synthetic.scene import SyntheticScene

_OF_SAMPLES = "chunk_alpha"
"""Metres per unit of each reconstruction chunk, which only a synthetic truth knows."""


def is_sample(truth: Path) -> bool:
    """Whether a sample wrote this truth: a recording's own truth may lie beside real results."""
    if not truth.is_file():
        return False
    try:
        with open_npz(truth) as arrays:
            return _OF_SAMPLES in arrays
    except InputError:
        return False


def write_truth(scene: SyntheticScene, path: Path) -> None:
    """Write people, cameras, unit and ground; the file appears whole or not at all."""
    truth = scene.truth
    poses = np.tile(np.eye(4), (truth.num_frames, 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = truth.R_cam_world, truth.t_cam_world
    arrays: dict[str, NDArray[np.generic]] = {
        "person_ids": np.array(sorted(truth.people), dtype=np.int64),
        "cameras": poses,
        "intrinsics": np.tile(truth.intrinsics, (truth.num_frames, 1, 1)),
        "alpha": np.array(truth.alpha),
        "ground_plane": truth.ground_plane,
        "fps": np.array(truth.fps),
        _OF_SAMPLES: scene.cameras.alpha,
        "scale_error": np.array(scene.scale_error),
    }
    for pid, person in truth.people.items():
        motion = person.motion
        arrays |= {
            f"person_{pid}_frames": person.frames,
            f"person_{pid}_poses": axis_angle_from_matrix(motion.rotations),
            f"person_{pid}_transl": motion.transl,
            f"person_{pid}_betas": motion.betas,
            f"person_{pid}_joints": motion.joints(truth.model).positions,
            f"person_{pid}_contacts": motion.contacts,
        }
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    os.replace(temporary, path)
