"""``glb``: people, ground and camera as one animated glTF 2.0 file, which everything opens.

Each person is a skinned mesh with betas baked into its rest shape, moved by a tree of 24 nodes.
glTF's skinning is SMPL's without pose correctives. Somebody who is not there yet or any more has
scale 0. Cameras look along -z with y up: ``R_world_gltf = R_cam_world^T diag(1, -1, -1)``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.transform import Rotation

from refine_engine.body import JOINT_NAMES, PARENTS, ShapedBody
from refine_engine.exporters.gltf import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, GltfFile
from refine_engine.exporters.ground_tiles import tiles
from refine_engine.geometry.cameras import camera_centers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files
    from refine_engine.scene import Array
    from refine_engine.state import PersonState

COLOURS: tuple[str, ...] = (
    "#009e9a",
    "#e69f00",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#0072b2",
    "#f0e442",
    "#7bbf6a",
    "#9f8fd8",
    "#b0875a",
)
"""Of the people in order; Okabe and Ito's colour-blind-safe ones, then three more."""

_GROUND_COLOURS = ("#8a9097", "#a4aab1")
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
        _add_person(file, motion, content, i, person, COLOURS[position % len(COLOURS)])
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


def four_weights(weights: Array) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Joints (V, 4) and weights (V, 4) of the four strongest, summing to 1.

    SMPL's own vertices have no more than four; nine of the embedded body have a fifth (0.06 at
    most), for which glTF has a second set. VTK draws nothing of a mesh that has one, and many
    programs ignore it.
    """
    order = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    values = np.take_along_axis(weights, order, axis=1)
    values = values / values.sum(axis=1, keepdims=True)
    # A joint without weight must be number 0, or validators complain.
    return np.where(values > 0, order, 0).astype(np.uint8), values.astype(np.float32)


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
                "material": _add_material(file, f"ground_{shade}", _GROUND_COLOURS[shade]),
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


def quaternions(R: Array) -> Array:
    """Quaternions (n, K, 4) ``xyzw`` of rotations (n, K, 3, 3), without sign flips over time."""
    n, K = R.shape[:2]
    q = Rotation.from_matrix(R.reshape(-1, 3, 3)).as_quat().reshape(n, K, 4)
    # q and -q are one rotation, but between them a linear interpolation goes the long way.
    flips = np.where((q[1:] * q[:-1]).sum(-1) < 0, -1.0, 1.0)
    q[1:] *= np.cumprod(flips, axis=0)[..., None]
    return np.asarray(q)


def vertex_normals(vertices: NDArray[Any], faces: NDArray[np.int32]) -> Array:
    """Unit normals (V, 3), means of the triangles around a vertex by their area."""
    corners = np.asarray(vertices, dtype=np.float64)[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(vertices), 3))
    for k in range(3):
        np.add.at(total, faces[:, k], across)
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12))


def linear_colour(colour: str) -> list[float]:
    """Linear red, green, blue of an sRGB ``#rrggbb``, as glTF wants them."""
    srgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return [round(float(value), 5) for value in linear]
