"""``bvh``: one skeleton a person: Euler angles in degrees, centimetres, Y up.

BVH knows no unit; centimetres are what most animation programs take it for.  The root's channels
are its absolute place (its own offset is zero), angles are in the order Z, Y, X, which means
``R = Rz Ry Rx``.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import JOINT_NAMES, PARENTS, rest_joints, surface_vertices
from refine_engine.body.kinematics import linear_in_betas

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files
    from refine_engine.scene import Array
    from refine_engine.state import PersonState

CENTIMETRES = 100.0
_ENDS = {
    "left_foot": "left_big_toe",
    "right_foot": "right_big_toe",
    "head": "head_top",
    "left_hand": "left_middle",
    "right_hand": "right_middle",
}
"""Where the bones without a child end: points of the skin at rest."""


def build(content: ExportContent, options: ExportOptions) -> Files:
    """``person_XXX.bvh`` of everybody."""
    return {
        f"person_{i:03d}.bvh": _text(content, person).encode()
        for i, person in content.people.items()
    }


def euler_zyx(R: Array) -> Array:
    """Angles (..., 3) about z, y, x in radians with ``R = Rz Ry Rx``; x is 0 where y is a pole."""
    cosine = np.hypot(R[..., 0, 0], R[..., 1, 0])
    pole = cosine < 1e-9
    z = np.where(
        pole,
        np.arctan2(-R[..., 0, 1], R[..., 1, 1]),
        np.arctan2(R[..., 1, 0], R[..., 0, 0]),
    )
    y = np.arctan2(-R[..., 2, 0], cosine)
    x = np.where(pole, 0.0, np.arctan2(R[..., 2, 1], R[..., 2, 2]))
    return np.stack([z, y, x], axis=-1)


def _text(content: ExportContent, person: PersonState) -> str:
    rest = rest_joints(content.body, person.betas)
    ends = _end_points(content.body, person.betas)
    children: list[list[int]] = [[] for _ in JOINT_NAMES]
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            children[parent].append(joint)
    lines = ["HIERARCHY"]
    order: list[int] = []

    def joint_lines(joint: int, indent: str) -> None:
        order.append(joint)
        root = PARENTS[joint] < 0
        offset = np.zeros(3) if root else rest[joint] - rest[PARENTS[joint]]
        lines.append(f"{indent}{'ROOT' if root else 'JOINT'} {JOINT_NAMES[joint]}")
        lines.append(indent + "{")
        lines.append(f"{indent}  OFFSET {_numbers(CENTIMETRES * offset)}")
        turns = "Zrotation Yrotation Xrotation"
        lines.append(
            f"{indent}  CHANNELS "
            + (f"6 Xposition Yposition Zposition {turns}" if root else f"3 {turns}")
        )
        for child in children[joint]:
            joint_lines(child, indent + "  ")
        if not children[joint]:
            end = ends[JOINT_NAMES[joint]] - rest[joint]
            lines.extend(
                [
                    f"{indent}  End Site",
                    indent + "  {",
                    f"{indent}    OFFSET {_numbers(CENTIMETRES * end)}",
                    indent + "  }",
                ]
            )
        lines.append(indent + "}")

    joint_lines(0, "")
    n = len(person.frames)
    R = np.concatenate([person.R_world_root[:, None], person.body_pose], axis=1)[:, order]
    # Without jumps of a whole turn, which would spin a bone between two frames.
    angles = np.rad2deg(np.unwrap(euler_zyx(R), axis=0)).reshape(n, -1)
    place = CENTIMETRES * (rest[0] + person.transl_world)
    lines += ["MOTION", f"Frames: {n}", f"Frame Time: {1.0 / content.fps:.9f}"]
    stream = io.StringIO()
    np.savetxt(stream, np.concatenate([place, angles], axis=1), fmt="%.6f")
    return "\n".join(lines) + "\n" + stream.getvalue()


def _end_points(body: BodyModel, betas: Array) -> dict[str, Array]:
    vertices = surface_vertices(body)
    ids = [vertices[name] for name in _ENDS.values()]
    points = linear_in_betas(body.v_template[ids], body.shapedirs[ids], betas)
    return dict(zip(_ENDS, points, strict=True))


def _numbers(values: Array) -> str:
    return " ".join(f"{value:.6f}" for value in values)
