"""``smpl``: Stage 4's file for everybody, with what a script needs beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.rotations import axis_angle_from_matrix
from refine_engine.safe_files import npz_bytes

if TYPE_CHECKING:
    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files


def build(content: ExportContent, options: ExportOptions) -> Files:
    """``person_XXX/smpl_params_world.npz``: one row a frame, in the Y-up world, metres."""
    files: Files = {}
    for i, person in content.people.items():
        rows = person.frames - content.first_frame
        files[f"person_{i:03d}/smpl_params_world.npz"] = npz_bytes(
            {
                "poses": axis_angle_from_matrix(person.body_pose),
                "betas": person.betas,
                "global_orient": axis_angle_from_matrix(person.R_world_root),
                "transl": person.transl_world,
                "frames": person.frames,
                "observed": person.observed,
                "contacts": person.contacts,
                "fps": np.array(content.fps),
                "K": content.intrinsics[rows],
                "w2c": content.w2c[rows],
                "image_size": np.array(content.image_size),
                "ground_plane": content.ground_plane,
                "up": np.array("y"),
                "units": np.array("metres"),
                "gender": np.array(content.body.gender),
                "body_model": np.array(content.body.name),
            }
        )
    return files
