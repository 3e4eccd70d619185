"""``glb``: people, ground and camera as one animated glTF 2.0 file, which everything opens.

Each person is a skinned mesh with betas baked into its rest shape, moved by a tree of 24 nodes.
glTF's skinning is SMPL's without pose correctives. Somebody who is not there yet or any more has
scale 0. Cameras look along -z with y up: ``R_world_gltf = R_cam_world^T diag(1, -1, -1)``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.body import JOINT_NAMES, PARENTS, ShapedBody
from refine_engine.colours import GROUND_COLOURS, person_colour
from refine_engine.exporters.gltf import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, GltfFile
from refine_engine.exporters.ground_tiles import tiles
from refine_engine.exporters.skinned import (
    four_weights,
    linear_colour,
    quaternions,
    vertex_normals,
)
from refine_engine.geometry.cameras import camera_centers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files
    from refine_engine.scene import Array
    from refine_engine.state import PersonState

_NEAR_M = 0.05
_GENERATOR = "SMPL Refiner"
CAMERA_NODE = "camera"


def build(content: ExportContent, options: ExportOptions) -> Files:
    """One file; time zero is the first exported video frame."""
    return {"scene.glb": glb_bytes(content)}


def caveats(content: ExportContent) -> list[str]:
    """What of this content glTF cannot hold, in sentences for the user."""
    found = mesh_caveats(content)
    K = content.intrinsics
    height, width = content.image_size
    off = np.abs(K[:, :2, 2] - np.array([width, height]) / 2).max()
    if off > 0.5:
        found.append(f"glTF cameras are centred: the principal point ({off:.0f} px off) is lost")
    if np.ptp(K[:, 1, 1]) > 1e-3 * K[0, 1, 1]:
        found.append("glTF cameras do not zoom: the first frame's focal length is kept")
    return found


def mesh_caveats(content: ExportContent) -> list[str]:
    """What of the bodies alone glTF cannot hold."""
    if content.body.posedirs is None:
        return []
    return ["glTF has no pose correctives: skin near bent joints differs slightly from SMPL's"]


def glb_bytes(content: ExportContent) -> bytes:
    """The file's content."""
    file = GltfFile(_GENERATOR)
    file.extras = {
        "fps": content.fps,
        "first_frame": content.first_frame,
        "num_frames": content.num_frames,
        "people": list(content.people),
    }
    motion = _Motion(file, content)
    for position, (i, person) in enumerate(content.people.items()):
        _add_person(file, motion, content, i, person, person_colour(position))
    _add_ground(file, content)
    _add_camera(file, motion, content)
    file.add("animations", name="motion", channels=motion.channels, samplers=motion.samplers)
    return file.to_bytes()


class _Motion:
    """The one animation, in which everything moves together."""

    def __init__(self, file: GltfFile, content: ExportContent) -> None:
        self.channels: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []
        self._file = file
        self._content = content

    def times(self, frames: NDArray[np.int64]) -> int:
        """Accessor of key times: seconds since the first exported frame."""
        seconds = (frames - self._content.first_frame) / self._content.fps
        return self._file.add_array(seconds.astype(np.float32), "SCALAR", bounds=True)

    def move(self, node: int, path: str, times: int, values: Array, *, step: bool = False) -> None:
        """Animate ``translation``, ``rotation`` (xyzw) or ``scale`` of a node."""
        output = self._file.add_array(
            values.astype(np.float32), "VEC4" if path == "rotation" else "VEC3"
        )
        sampler: dict[str, Any] = {"input": times, "output": output}
        sampler["interpolation"] = "STEP" if step else "LINEAR"
        self.samplers.append(sampler)
        self.channels.append(
            {"sampler": len(self.samplers) - 1, "target": {"node": node, "path": path}}
        )


def _add_person(
    file: GltfFile,
    motion: _Motion,
    content: ExportContent,
    i: int,
    person: PersonState,
    colour: str,
) -> None:
    name = f"person_{i:03d}"
    shaped = ShapedBody(content.body, person.betas, np.float64)
    rest = shaped.joints_rest
    R = np.concatenate([person.R_world_root[:, None], person.body_pose], axis=1)
    turns = quaternions(R)
    pelvis = rest[0] + person.transl_world
    joints = [
        file.add(
            "nodes",
            name=f"{name}_{joint}",
            translation=(pelvis[0] if k == 0 else rest[k] - rest[PARENTS[k]]).tolist(),
            rotation=turns[0, k].tolist(),
        )
        for k, joint in enumerate(JOINT_NAMES)
    ]
    for k, parent in enumerate(PARENTS):
        if parent >= 0:
            file.node(joints[parent]).setdefault("children", []).append(joints[k])
    root = file.add("nodes", name=name, children=[joints[0]], extras={"person": i})
    file.scene_nodes.append(root)

    binding = np.tile(np.eye(4, dtype=np.float32), (len(rest), 1, 1))
    # glTF stores matrices by columns: the translation is the last row here.
    binding[:, 3, :3] = -rest
    skin = file.add(
        "skins",
        name=name,
        joints=joints,
        skeleton=root,
        inverseBindMatrices=file.add_array(binding.reshape(-1, 16), "MAT4"),
    )
    mesh = file.add(
        "meshes",
        name=f"{name}_body",
        primitives=[
            {
                "attributes": _skin_attributes(file, content, shaped),
                "indices": file.add_array(
                    content.body.faces.astype(np.uint16).reshape(-1),
                    "SCALAR",
                    target=ELEMENT_ARRAY_BUFFER,
                ),
                "material": _add_material(file, name, colour),
            }
        ],
    )
    file.scene_nodes.append(file.add("nodes", name=f"{name}_body", mesh=mesh, skin=skin))

    times = motion.times(person.frames)
    motion.move(joints[0], "translation", times, pelvis)
    for k, joint in enumerate(joints):
        motion.move(joint, "rotation", times, turns[:, k])
    _add_visibility(motion, content, person, root)


def _add_visibility(
    motion: _Motion, content: ExportContent, person: PersonState, root: int
) -> None:
    """Scale 0 before somebody's first and after the last frame."""
    first, last = int(person.frames[0]), int(person.frames[-1])
    keys = []
    if first > content.first_frame:
        keys.append((content.first_frame, 0.0))
    keys.append((first, 1.0))
    if last < content.first_frame + content.num_frames - 1:
        keys.append((last + 1, 0.0))
    if len(keys) > 1:
        times = motion.times(np.array([frame for frame, _ in keys]))
        scales = np.array([[scale] * 3 for _, scale in keys])
        motion.move(root, "scale", times, scales, step=True)


def _skin_attributes(file: GltfFile, content: ExportContent, shaped: ShapedBody) -> dict[str, int]:
    vertices = shaped.vertices_rest
    normals = vertex_normals(vertices, content.body.faces)
    attributes = {
        "POSITION": file.add_array(
            vertices.astype(np.float32), "VEC3", target=ARRAY_BUFFER, bounds=True
        ),
        "NORMAL": file.add_array(normals.astype(np.float32), "VEC3", target=ARRAY_BUFFER),
    }
    joints, weights = four_weights(content.body.weights)
    attributes["JOINTS_0"] = file.add_array(joints, "VEC4", target=ARRAY_BUFFER)
    attributes["WEIGHTS_0"] = file.add_array(weights, "VEC4", target=ARRAY_BUFFER)
    return attributes


def _add_ground(file: GltfFile, content: ExportContent) -> None:
    points = np.concatenate([content.joints(p).reshape(-1, 3) for p in content.people.values()])
    primitives = []
    for shade, (vertices, triangles) in enumerate(tiles(content.ground_plane, points)):
        normals = np.tile(content.ground_plane[:3], (len(vertices), 1))
        primitives.append(
            {
                "attributes": {
                    "POSITION": file.add_array(
                        vertices.astype(np.float32), "VEC3", target=ARRAY_BUFFER, bounds=True
                    ),
                    "NORMAL": file.add_array(
                        normals.astype(np.float32), "VEC3", target=ARRAY_BUFFER
                    ),
                },
                "indices": file.add_array(
                    triangles.astype(np.uint16).reshape(-1), "SCALAR", target=ELEMENT_ARRAY_BUFFER
                ),
                "material": _add_material(file, f"ground_{shade}", GROUND_COLOURS[shade]),
            }
        )
    mesh = file.add("meshes", name="ground", primitives=primitives)
    file.scene_nodes.append(file.add("nodes", name="ground", mesh=mesh))


def _add_camera(file: GltfFile, motion: _Motion, content: ExportContent) -> None:
    K = content.intrinsics[0]
    height, width = content.image_size
    camera = file.add(
        "cameras",
        name=CAMERA_NODE,
        type="perspective",
        perspective={
            "yfov": 2 * math.atan(height / (2 * float(K[1, 1]))),
            "aspectRatio": float(width / K[0, 0] * K[1, 1] / height),
            "znear": _NEAR_M,
        },
    )
    R_world_cam = np.swapaxes(content.R_cam_world, -1, -2) @ np.diag([1.0, -1.0, -1.0])
    turns = quaternions(R_world_cam[:, None])[:, 0]
    centers = camera_centers(content.R_cam_world, content.t_cam_world)
    node = file.add(
        "nodes",
        name=CAMERA_NODE,
        camera=camera,
        translation=centers[0].tolist(),
        rotation=turns[0].tolist(),
    )
    file.scene_nodes.append(node)
    times = motion.times(content.first_frame + np.arange(content.num_frames))
    motion.move(node, "translation", times, centers)
    motion.move(node, "rotation", times, turns)


def _add_material(file: GltfFile, name: str, colour: str) -> int:
    return file.add(
        "materials",
        name=name,
        pbrMetallicRoughness={
            "baseColorFactor": [*linear_colour(colour), 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": 0.8,
        },
    )
