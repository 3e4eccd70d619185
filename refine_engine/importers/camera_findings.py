"""What is wrong with Stage 1's cameras although they are well-formed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.geometry.cameras import camera_centers
from refine_engine.geometry.rotations import geodesic_angle

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList
    from refine_engine.importers.raw_cameras import RawCameras

_IDENTITY = 1e-6
_OPENGL = np.diag([1.0, -1.0, -1.0])
_NO_GEOMETRY = 1.05
"""Mean VGGT confidence below which it found no reliable geometry (1 is its floor)."""


def judged_cameras(
    cameras: RawCameras, metadata: Mapping[str, Any], findings: FindingList
) -> RawCameras:
    """The cameras, static ones in place of ones that mean nothing; findings say what was seen.

    Parameters
    ----------
    cameras
        Well-formed cameras of Stage 1.
    metadata
        Its ``metadata.json``, whose ``method_used`` and ``num_frames`` are looked at.
    findings
        Receives B3, B4, B13, B20 to B23 and doubts about the axes.
    """
    T = cameras.num_frames
    stated = metadata.get("num_frames")
    if isinstance(stated, int) and stated != T:
        findings.reported(
            "B22",
            abs(stated - T),
            f"Stage 1's metadata speaks of {stated} frames, there are {T} cameras, which count.",
        )
    if cameras.method == "droid":
        findings.discarded(
            "B20",
            T,
            "The cameras come from the DROID fallback, whose poses are written in the wrong order; "
            "they were replaced by a static camera.",
        )
        return replace(
            cameras, R=np.tile(np.eye(3), (T, 1, 1)), t=np.zeros((T, 3)), estimated=False
        )
    moving = geodesic_angle(np.eye(3), cameras.R) + np.linalg.norm(cameras.t, axis=-1)
    if (moving < _IDENTITY).all():
        if T > 1:
            findings.reported(
                "B23",
                T,
                "Every camera is exactly the identity: it was not estimated and counts as static.",
            )
            return replace(cameras, estimated=False)
        return cameras
    if geodesic_angle(_OPENGL, cameras.R[:1])[0] < 1e-3:
        findings.reported(
            "axes",
            T,
            "The first camera is turned by exactly 180 degrees about x. That is right where the "
            "world is Y up; cameras in OpenGL's axes (y up, looking along -z) look the same and "
            "have to be stored in OpenCV's: diag(1, -1, -1) times each of them.",
        )
    findings.reported(
        "B3",
        T,
        "Bodies are in metres but the cameras and depth are in the reconstruction's own unit; "
        "the scale alpha is kept apart and estimated.",
    )
    centres = camera_centers(cameras.R, cameras.t)
    off = float(np.linalg.norm(centres - cameras.t, axis=-1).max())
    if off > 1e-3:
        findings.reported(
            "B21",
            T,
            "Camera positions are -R^T t; plots that show poses[:, :3, 3] directly are off by up "
            f"to {off:.3g} units.",
        )
    ratio = float(np.median(cameras.K[:, 0, 0] / cameras.K[:, 1, 1]))
    if abs(ratio - 1) > 0.05:
        height, width = cameras.image_size
        cause = (
            " because the image was squashed to a square before the reconstruction"
            if abs(ratio * height / width - 1) < 0.1
            else ""
        )
        findings.reported(
            "B4",
            T,
            f"The focal lengths differ (fx/fy = {ratio:.2f}){cause}; the reconstruction "
            "is stretched, which no scale can undo: run Stage 1 again with the aspect ratio kept.",
        )
    confidence = cameras.confidence
    if confidence is not None and float(confidence.mean()) < _NO_GEOMETRY:
        findings.reported(
            "B13",
            int((confidence < _NO_GEOMETRY).sum()),
            f"The mean depth confidence is {float(confidence.mean()):.3f} and 1 means none: VGGT "
            "found no reliable geometry.",
        )
    return cameras
