"""``cameras``: every frame's camera as a JSON sidecar for other programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files

_DECIMALS = 9


def build(content: ExportContent, options: ExportOptions) -> Files:
    """One JSON file; see :func:`cameras_dict`."""
    text = json.dumps(cameras_dict(content), indent=1, allow_nan=False) + "\n"
    return {"cameras.json": text.encode()}


def cameras_dict(content: ExportContent) -> dict[str, Any]:
    """Cameras in plain types: ``x_cam = w2c [x_world; 1]``, ``pixel = K x_cam``."""
    height, width = content.image_size
    return {
        "convention": "world to camera, OpenCV axes (x right, y down, z forward), metres",
        "up": "y",
        "units": "metres",
        "fps": content.fps,
        "alpha": content.alpha,
        "image_width": width,
        "image_height": height,
        "first_frame": content.first_frame,
        "frames": list(range(content.first_frame, content.first_frame + content.num_frames)),
        "K": np.round(content.intrinsics, _DECIMALS).tolist(),
        "w2c": np.round(content.w2c[:, :3], _DECIMALS).tolist(),
        "ground_plane": np.round(content.ground_plane, _DECIMALS).tolist(),
    }
