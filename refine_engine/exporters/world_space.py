"""``4_world_space/``: people in one Y-up, metric world, with the right inverse and pelvis term."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.body import joint_positions, rest_joints
from refine_engine.exporters.results_json import write_bytes, write_json
from refine_engine.geometry.rotations import axis_angle_from_matrix
from refine_engine.refinement.checkpoint import write_npz
from refine_engine.refinement.placement import place_in_world

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.scene import Scene

WRITER = "smpl-refiner"


def write_world_space(folder: Path, scene: Scene, body: BodyModel, alpha: float) -> dict[str, Any]:
    """Write Stage 4's files for everybody; returns the metadata.

    Keys and names are those of the original pipeline; ``frames`` is added, and no file holds a
    pickled object. Unlike the original, camera-to-world is the inverse of the camera's pose
    (applied once), and turning a body about its pelvis moves ``transl`` accordingly.

    Parameters
    ----------
    folder
        ``4_world_space``.
    scene
        People in the camera frame; cameras in the Y-up world.
    body
        Gives the pelvis' rest position and the joints.
    alpha
        Metres per unit of the cameras' translation.
    """
    everybody: dict[str, Any] = {}
    for i, person in sorted(scene.people.items()):
        R, transl = place_in_world(person, scene.cameras, alpha, rest_joints(body, person.betas)[0])
        joints = joint_positions(body, person.betas, R, person.body_pose, transl)
        target = folder / f"person_{i:03d}"
        write_npz(
            target / "smpl_params_world.npz",
            {
                "poses": axis_angle_from_matrix(person.body_pose).astype(np.float32),
                "betas": person.betas.astype(np.float32),
                "global_orient": axis_angle_from_matrix(R),
                "transl": transl,
                "frames": person.frames,
            },
        )
        _write_npy(target / "trajectory_world.npy", transl)
        _write_npy(target / "joints_world.npy", joints)
        everybody[f"person_{i}_frames"] = person.frames
        everybody[f"person_{i}_trajectory_world"] = transl
    write_npz(folder / "all_people_world.npz", everybody)
    metadata = {
        "num_people": len(scene.people),
        "people": sorted(scene.people),
        "world_origin": [0.0, 0.0, 0.0],
        "up_axis": 1,
        "up_known": scene.up_known,
        "alpha_0": alpha,
        "R_world_recon": np.round(scene.R_world_recon, 9).tolist(),
        "writer": WRITER,
    }
    write_json(folder / "metadata.json", metadata)
    return metadata


def _write_npy(path: Path, array: np.ndarray[Any, Any]) -> None:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    write_bytes(path, stream.getvalue())
