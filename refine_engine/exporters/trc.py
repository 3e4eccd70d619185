"""``trc``: markers of every person for OpenSim and other biomechanics programs, one file each.

The tab-separated layout that OpenSim's documentation calls ``.trc``: five header lines, then frame
number, time and three coordinates a marker. Joint centres come first, then points of the skin.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import (
    JOINT_NAMES,
    joint_kinematics,
    named_points,
    place_points,
    rest_joints,
)

if TYPE_CHECKING:
    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files
    from refine_engine.scene import Array
    from refine_engine.state import PersonState

SKIN_MARKERS: tuple[str, ...] = (
    "head_top",
    "nose",
    "left_ear",
    "right_ear",
    "left_heel",
    "left_big_toe",
    "left_small_toe",
    "right_heel",
    "right_big_toe",
    "right_small_toe",
)
MARKERS: tuple[str, ...] = (*JOINT_NAMES, *SKIN_MARKERS)
"""Names of the markers in the order of the columns."""


def build(content: ExportContent, options: ExportOptions) -> Files:
    """``person_XXX.trc`` of everybody; metres, Y up, time zero at video frame 0."""
    return {
        f"person_{i:03d}.trc": _text(content, person, f"person_{i:03d}.trc").encode()
        for i, person in content.people.items()
    }


def caveats(content: ExportContent) -> list[str]:
    """What of this content the format cannot hold."""
    filled = sum(int((~person.observed).sum()) for person in content.people.values())
    if not filled:
        return []
    return [f"{filled} frames are filled gaps, which TRC cannot mark (the format csv does)"]


def marker_places(content: ExportContent, person: PersonState) -> Array:
    """(n, M, 3) markers of a person in the world, metres."""
    rest = rest_joints(content.body, person.betas)
    motion = joint_kinematics(rest, person.R_world_root, person.body_pose, person.transl_world)
    points = named_points(content.body, MARKERS)
    return place_points(points, motion, person.betas, person.body_pose)


def _text(content: ExportContent, person: PersonState, name: str) -> str:
    n, fps = len(person.frames), f"{content.fps:g}"
    head = [
        ["PathFileType", "4", "(X/Y/Z)", name],
        [
            *("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"),
            *("OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"),
        ],
        [fps, fps, str(n), str(len(MARKERS)), "m", fps, "1", str(n)],
        ["Frame#", "Time", *(word for marker in MARKERS for word in (marker, "", ""))],
        ["", "", *(f"{axis}{k + 1}" for k in range(len(MARKERS)) for axis in "XYZ")],
        [],
    ]
    rows = np.column_stack(
        [
            np.arange(1, n + 1),
            person.frames / content.fps,
            marker_places(content, person).reshape(n, -1),
        ]
    )
    stream = io.StringIO()
    stream.write("".join("\t".join(line) + "\n" for line in head))
    np.savetxt(stream, rows, fmt=["%d", *["%.6f"] * (rows.shape[1] - 1)], delimiter="\t")
    return stream.getvalue()
