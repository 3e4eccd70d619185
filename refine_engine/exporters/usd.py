"""``usd``: people, ground and camera as one USD text file (UsdSkel), with exact cameras.

Each person is a ``SkelRoot`` with a skeleton, its animation and a skinned mesh with betas baked in.
USD's matrices act on rows, so translations stand in their last row. Time codes are video frames.
Cameras look along -z with y up, as glTF's; apertures and offsets carry the principal point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import JOINT_NAMES, PARENTS, ShapedBody
from refine_engine.colours import GROUND_COLOURS, person_colour
from refine_engine.exporters.glb import mesh_caveats
from refine_engine.exporters.ground_tiles import tiles
from refine_engine.exporters.skinned import (
    four_weights,
    linear_colour,
    quaternions,
    vertex_normals,
)
from refine_engine.geometry.cameras import camera_centers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files
    from refine_engine.scene import Array
    from refine_engine.state import PersonState

_FOCAL = 50.0
"""Focal length of the camera in tenths of a scene unit, as USD counts: only its ratio to the
apertures means anything."""
_INDENT = "    "


def build(content: ExportContent, options: ExportOptions) -> Files:
    """One file; time code f is video frame f."""
    return {"scene.usda": _text(content).encode()}


def caveats(content: ExportContent) -> list[str]:
    """What of this content the format cannot hold."""
    return [note.replace("glTF", "USD's skinning") for note in mesh_caveats(content)]


def _text(content: ExportContent) -> str:
    first, last = content.first_frame, content.first_frame + content.num_frames - 1
    lines = [
        "#usda 1.0",
        "(",
        '    defaultPrim = "scene"',
        '    doc = "SMPL Refiner"',
        "    metersPerUnit = 1",
        '    upAxis = "Y"',
        f"    startTimeCode = {first}",
        f"    endTimeCode = {last}",
        f"    timeCodesPerSecond = {content.fps:.12g}",
        f"    framesPerSecond = {content.fps:.12g}",
        ")",
        "",
        'def Xform "scene"',
        "{",
    ]
    for position, (i, person) in enumerate(content.people.items()):
        lines += _indented(_person(content, i, person, person_colour(position)))
    lines += _indented(_ground(content))
    lines += _indented(_camera(content))
    lines.append("}")
    return "\n".join(lines) + "\n"


def _person(content: ExportContent, i: int, person: PersonState, colour: str) -> list[str]:
    name = f"person_{i:03d}"
    root = f"/scene/{name}"
    shaped = ShapedBody(content.body, person.betas, np.float64)
    lines = [f'def SkelRoot "{name}" (', '    prepend apiSchemas = ["SkelBindingAPI"]', ")", "{"]
    lines.append(f"    custom int person = {i}")
    lines += _indented(_visibility(content, person))
    lines += _indented(_skeleton(shaped, root))
    lines += _indented(_animation(person, shaped))
    lines += _indented(_mesh(content, shaped, root, colour))
    lines.append("}")
    return lines


def _visibility(content: ExportContent, person: PersonState) -> list[str]:
    """Absent before somebody's first and after the last frame."""
    first, last = int(person.frames[0]), int(person.frames[-1])
    keys = []
    if first > content.first_frame:
        keys.append(f'{content.first_frame}: "invisible"')
    keys.append(f'{first}: "inherited"')
    if last < content.first_frame + content.num_frames - 1:
        keys.append(f'{last + 1}: "invisible"')
    if len(keys) == 1:
        return []
    return ["token visibility.timeSamples = {", *(f"    {key}," for key in keys), "}"]


def _joint_paths() -> str:
    paths: list[str] = []
    for name, parent in zip(JOINT_NAMES, PARENTS, strict=True):
        paths.append(name if parent < 0 else f"{paths[parent]}/{name}")
    return "[" + ", ".join(f'"{path}"' for path in paths) + "]"


def _skeleton(shaped: ShapedBody, root: str) -> list[str]:
    rest = shaped.joints_rest
    local = np.array([rest[k] - (rest[p] if p >= 0 else 0) for k, p in enumerate(PARENTS)])
    return [
        'def Skeleton "skeleton" (',
        '    prepend apiSchemas = ["SkelBindingAPI"]',
        ")",
        "{",
        f"    uniform token[] joints = {_joint_paths()}",
        f"    uniform matrix4d[] bindTransforms = {_shifts(rest)}",
        f"    uniform matrix4d[] restTransforms = {_shifts(local)}",
        f"    rel skel:animationSource = <{root}/motion>",
        "}",
    ]


def _animation(person: PersonState, shaped: ShapedBody) -> list[str]:
    rest = shaped.joints_rest
    R = np.concatenate([person.R_world_root[:, None], person.body_pose], axis=1)
    # xyzw to USD's wxyz.
    turns = quaternions(R)[..., [3, 0, 1, 2]]
    places = np.tile([rest[k] - rest[max(p, 0)] for k, p in enumerate(PARENTS)], (len(R), 1, 1))
    places[:, 0] = rest[0] + person.transl_world
    frames = person.frames.tolist()
    return [
        'def SkelAnimation "motion"',
        "{",
        f"    uniform token[] joints = {_joint_paths()}",
        f"    half3[] scales = [{', '.join(['(1, 1, 1)'] * len(PARENTS))}]",
        *_indented(_samples("float3[] translations", frames, map(_tuples, places))),
        *_indented(_samples("quatf[] rotations", frames, map(_tuples, turns))),
        "}",
    ]


def _mesh(content: ExportContent, shaped: ShapedBody, root: str, colour: str) -> list[str]:
    vertices = shaped.vertices_rest
    faces = content.body.faces
    joints, weights = four_weights(content.body.weights)
    # The mesh moves: a box that holds it wherever the skeleton goes is the skeleton's to tell.
    return [
        'def Mesh "body" (',
        '    prepend apiSchemas = ["SkelBindingAPI"]',
        ")",
        "{",
        '    uniform token subdivisionScheme = "none"',
        f"    float3[] extent = {_tuples(np.stack([vertices.min(0), vertices.max(0)]))}",
        f"    int[] faceVertexCounts = [{', '.join(['3'] * len(faces))}]",
        f"    int[] faceVertexIndices = {_numbers(faces)}",
        f"    point3f[] points = {_tuples(vertices)}",
        f"    normal3f[] normals = {_tuples(vertex_normals(vertices, faces))} (",
        '        interpolation = "vertex"',
        "    )",
        f"    color3f[] primvars:displayColor = [{_tuple(linear_colour(colour))}]",
        f"    int[] primvars:skel:jointIndices = {_numbers(joints)} (",
        "        elementSize = 4",
        '        interpolation = "vertex"',
        "    )",
        f"    float[] primvars:skel:jointWeights = {_numbers(weights)} (",
        "        elementSize = 4",
        '        interpolation = "vertex"',
        "    )",
        f"    matrix4d primvars:skel:geomBindTransform = {_shifts(np.zeros((1, 3)))[1:-1]}",
        f"    rel skel:skeleton = <{root}/skeleton>",
        "}",
    ]


def _ground(content: ExportContent) -> list[str]:
    points = np.concatenate([content.joints(p).reshape(-1, 3) for p in content.people.values()])
    lines = ['def Xform "ground"', "{"]
    for shade, (vertices, triangles) in enumerate(tiles(content.ground_plane, points)):
        lines += [
            f'    def Mesh "tiles_{shade}"',
            "    {",
            '        uniform token subdivisionScheme = "none"',
            f"        float3[] extent = {_tuples(np.stack([vertices.min(0), vertices.max(0)]))}",
            f"        int[] faceVertexCounts = [{', '.join(['3'] * len(triangles))}]",
            f"        int[] faceVertexIndices = {_numbers(triangles)}",
            f"        point3f[] points = {_tuples(vertices)}",
            "        color3f[] primvars:displayColor = "
            f"[{_tuple(linear_colour(GROUND_COLOURS[shade]))}]",
            "    }",
        ]
    return [*lines, "}"]


def _camera(content: ExportContent) -> list[str]:
    K = content.intrinsics
    height, width = content.image_size
    f_x, f_y = K[:, 0, 0], K[:, 1, 1]
    frames = (content.first_frame + np.arange(content.num_frames)).tolist()
    poses = np.zeros((content.num_frames, 4, 4))
    # Rows: the axes of a camera that looks along -z, then its place.
    poses[:, :3, :3] = np.diag([1.0, -1.0, -1.0]) @ content.R_cam_world
    poses[:, 3, :3] = camera_centers(content.R_cam_world, content.t_cam_world)
    poses[:, 3, 3] = 1.0
    lens = {
        "horizontalAperture": _FOCAL * width / f_x,
        "verticalAperture": _FOCAL * height / f_y,
        # The picture's middle as seen from the principal point; y points up here.
        "horizontalApertureOffset": _FOCAL * (width / 2 - K[:, 0, 2]) / f_x,
        "verticalApertureOffset": _FOCAL * (K[:, 1, 2] - height / 2) / f_y,
    }
    lines = ['def Camera "camera"', "{", f"    float focalLength = {_FOCAL:g}"]
    lines.append("    float2 clippingRange = (0.05, 1000)")
    for name, values in lens.items():
        if np.ptp(values) < 1e-6:
            lines.append(f"    float {name} = {values[0]:.9g}")
        else:
            zoom = (f"{value:.9g}" for value in values)
            lines += _indented(_samples(f"float {name}", frames, zoom))
    lines += _indented(_samples("matrix4d xformOp:transform", frames, map(_matrix, poses)))
    lines.append('    uniform token[] xformOpOrder = ["xformOp:transform"]')
    return [*lines, "}"]


def _samples(attribute: str, frames: Sequence[int], values: Iterable[str]) -> list[str]:
    rows = (f"    {frame}: {value}," for frame, value in zip(frames, values, strict=True))
    return [f"{attribute}.timeSamples = {{", *rows, "}"]


def _indented(lines: Iterable[str]) -> list[str]:
    return [_INDENT + line for line in lines]


def _number(value: float) -> str:
    return f"{value:.7g}"


def _numbers(values: NDArray[np.generic]) -> str:
    return "[" + ", ".join(_number(value) for value in values.ravel().tolist()) + "]"


def _tuple(values: Iterable[float]) -> str:
    return "(" + ", ".join(map(_number, values)) + ")"


def _tuples(rows: NDArray[np.floating]) -> str:
    return "[" + ", ".join(_tuple(row) for row in np.asarray(rows).tolist()) + "]"


def _matrix(values: Array) -> str:
    rows = ("(" + ", ".join(f"{v:.12g}" for v in row) + ")" for row in values.tolist())
    return "( " + ", ".join(rows) + " )"


def _shifts(places: Array) -> str:
    """Matrices that only move."""
    matrices = np.tile(np.eye(4), (len(places), 1, 1))
    matrices[:, 3, :3] = places
    return "[" + ", ".join(map(_matrix, matrices)) + "]"
