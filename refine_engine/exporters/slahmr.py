"""``slahmr``: the keys of SLAHMR's world results, dense over the video's frames.

Its world is Y down (that of a first camera), so everything is turned by half a turn about x. Its
``cam_t`` are metres already; ``world_scale`` says by how much they were multiplied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import move_rigidly
from refine_engine.exporters.amass import caveats
from refine_engine.geometry.planes import moved
from refine_engine.geometry.rotations import axis_angle_from_matrix
from refine_engine.safe_files import npz_bytes

if TYPE_CHECKING:
    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files
    from refine_engine.scene import Array

__all__ = ["build", "caveats"]

R_YDOWN_YUP: Array = np.diag([1.0, -1.0, -1.0])
_BODY_JOINTS, _BETAS = 21, 16


def build(content: ExportContent, options: ExportOptions) -> Files:
    """One npz; people in the order of their ids, frames outside a track repeat its end."""
    T, B = content.num_frames, len(content.people)
    trans = np.zeros((B, T, 3))
    root = np.zeros((B, T, 3))
    pose = np.zeros((B, T, 3 * _BODY_JOINTS))
    betas = np.zeros((B, _BETAS))
    mask = np.zeros((B, T), dtype=bool)
    wanted = content.first_frame + np.arange(T)
    for b, person in enumerate(content.people.values()):
        R, transl = move_rigidly(
            content.body,
            person.betas,
            person.R_world_root,
            person.transl_world,
            R_YDOWN_YUP,
            np.zeros(3),
        )
        rows = np.clip(wanted - person.frames[0], 0, len(person.frames) - 1)
        trans[b] = transl[rows]
        root[b] = axis_angle_from_matrix(R)[rows]
        angles = axis_angle_from_matrix(person.body_pose[:, :_BODY_JOINTS])
        pose[b] = angles.reshape(len(angles), -1)[rows]
        betas[b, : len(person.betas)] = person.betas
        mask[b] = (wanted >= person.frames[0]) & (wanted <= person.frames[-1])
        mask[b, mask[b]] = person.observed[rows[mask[b]]]
    K = content.intrinsics[0]
    plane = moved(content.ground_plane, R_YDOWN_YUP, np.zeros(3))
    R_cam = content.R_cam_world @ R_YDOWN_YUP.T
    arrays = {
        "trans": trans,
        "root_orient": root,
        "pose_body": pose,
        "betas": betas,
        "track_mask": mask,
        "cam_R": np.repeat(R_cam[None], B, axis=0),
        "cam_t": np.repeat(content.t_cam_world[None], B, axis=0),
        "intrins": np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2]]),
        "world_scale": np.array([[content.alpha]]),
        # The foot of the perpendicular from the origin: the normal times its distance, n . x = d.
        "floor_plane": (-plane[3] * plane[:3])[None],
        "floor_idcs": np.zeros(B, dtype=np.int64),
        "track_ids": np.array(list(content.people), dtype=np.int64),
        "frames": wanted,
        "fps": np.array(content.fps),
    }
    return {"world_results.npz": npz_bytes(arrays)}
