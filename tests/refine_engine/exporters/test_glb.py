"""GLB files, read by a reader of the tests' own, after the specification."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from refine_engine.body import BodyModel, skin_mesh
from refine_engine.exporters import caveats, export
from refine_engine.exporters.content import ExportContent
from refine_engine.exporters.ground_tiles import tiles
from refine_engine.geometry.planes import heights

DTYPES = {5121: np.uint8, 5123: np.uint16, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A parsed file that can be posed at a time."""

    def __init__(self, data: bytes) -> None:
        magic, version, size = struct.unpack_from("<4sII", data)
        assert (magic, version, size) == (b"glTF", 2, len(data))
        length, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        assert length % 4 == 0
        self.json: dict[str, Any] = json.loads(data[20 : 20 + length])
        start = 20 + length
        size, kind = struct.unpack_from("<I4s", data, start)
        assert kind == b"BIN\0"
        self.blob = data[start + 8 : start + 8 + size]
        assert self.json["buffers"][0]["byteLength"] == len(self.blob)
        self.nodes = self.json["nodes"]
        self.parent = {c: n for n, node in enumerate(self.nodes) for c in node.get("children", ())}

    def array(self, index: int) -> np.ndarray:
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        dtype, width = np.dtype(DTYPES[accessor["componentType"]]), WIDTHS[accessor["type"]]
        assert view["byteOffset"] % dtype.itemsize == 0
        assert view["byteLength"] == accessor["count"] * width * dtype.itemsize
        values = np.frombuffer(
            self.blob, dtype, accessor["count"] * width, offset=view["byteOffset"]
        )
        values = values.reshape(-1, width)
        if "min" in accessor:
            np.testing.assert_array_equal(values.min(0), np.float32(accessor["min"]))
            np.testing.assert_array_equal(values.max(0), np.float32(accessor["max"]))
        return values

    def named(self, name: str) -> int:
        return next(k for k, node in enumerate(self.nodes) if node.get("name") == name)

    def local(self, node: int, time: float) -> np.ndarray:
        values = {
            key: np.array(self.nodes[node].get(key, default), dtype=float)
            for key, default in (
                ("translation", [0, 0, 0]),
                ("rotation", [0, 0, 0, 1]),
                ("scale", [1, 1, 1]),
            )
        }
        (animation,) = self.json["animations"]
        for channel in animation["channels"]:
            if channel["target"]["node"] == node:
                sampler = animation["samplers"][channel["sampler"]]
                times = self.array(sampler["input"])[:, 0].astype(float)
                keys = self.array(sampler["output"]).astype(float)
                values[channel["target"]["path"]] = _sampled(
                    times, keys, time, sampler["interpolation"], channel["target"]["path"]
                )
        matrix = np.eye(4)
        turn = Rotation.from_quat(values["rotation"]).as_matrix()
        matrix[:3, :3] = turn * values["scale"]
        matrix[:3, 3] = values["translation"]
        return matrix

    def world(self, node: int, time: float) -> np.ndarray:
        matrix = self.local(node, time)
        while node in self.parent:
            node = self.parent[node]
            matrix = self.local(node, time) @ matrix
        return matrix

    def skinned(self, name: str, time: float) -> np.ndarray:
        node = self.nodes[self.named(name)]
        (primitive,) = self.json["meshes"][node["mesh"]]["primitives"]
        skin = self.json["skins"][node["skin"]]
        binding = self.array(skin["inverseBindMatrices"]).astype(float)
        binding = binding.reshape(-1, 4, 4).transpose(0, 2, 1)
        matrices = np.array([self.world(j, time) for j in skin["joints"]]) @ binding
        attributes = primitive["attributes"]
        rest = self.array(attributes["POSITION"]).astype(float)
        # A second set would be read by few programs, and keeps VTK from drawing anything.
        assert set(attributes) == {"POSITION", "NORMAL", "JOINTS_0", "WEIGHTS_0"}
        joints = self.array(attributes["JOINTS_0"])
        weights = self.array(attributes["WEIGHTS_0"]).astype(float)
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
        M = np.einsum("vk,vkij->vij", weights, matrices[joints])
        return np.einsum("vij,vj->vi", M[:, :3, :3], rest) + M[:, :3, 3]


def assert_same_skin(found: np.ndarray, ours: np.ndarray, body: BodyModel, atol: float) -> None:
    """All vertices agree; those that lost their fifth weight within what it can matter here.

    These poses twist every joint by half a radian; in walking people it is a millimetre.
    """
    four = (body.weights > 0).sum(axis=1) <= 4
    assert (~four).sum() == 9
    np.testing.assert_allclose(found[four], ours[four], atol=atol)
    np.testing.assert_allclose(found[~four], ours[~four], atol=0.03)


def _sampled(times: np.ndarray, keys: np.ndarray, time: float, kind: str, path: str) -> np.ndarray:
    time = float(np.clip(time, times[0], times[-1]))
    before = int(np.searchsorted(times, time + 1e-6, side="right") - 1)
    if kind == "STEP" or before == len(times) - 1:
        return keys[before]
    if path == "rotation":
        return Slerp(times, Rotation.from_quat(keys))(time).as_quat()
    share = (time - times[before]) / (times[before + 1] - times[before])
    return keys[before] + share * (keys[before + 1] - keys[before])


@pytest.fixture(scope="module")
def glb(tmp_path_factory: pytest.TempPathFactory, content: ExportContent) -> Glb:
    (path,) = export("glb", content, tmp_path_factory.mktemp("glb") / "scene.glb")
    return Glb(path.read_bytes())


@pytest.mark.parametrize(("person", "frame"), [(2, 0), (2, 10), (2, 23), (11, 5), (11, 17)])
def test_skinning_gives_our_vertices(
    glb: Glb, content: ExportContent, person: int, frame: int
) -> None:
    p = content.people[person]
    row = frame - int(p.frames[0])
    ours = skin_mesh(
        content.body,
        p.betas,
        p.R_world_root[row],
        p.body_pose[row],
        p.transl_world[row],
        dtype=np.float64,
    )
    found = glb.skinned(f"person_{person:03d}_body", frame / 24)
    assert_same_skin(found, ours, content.body, 1e-5)


@pytest.mark.parametrize(("frame", "there"), [(0, False), (4, False), (5, True), (17, True)])
def test_somebody_who_is_not_there_has_no_size(glb: Glb, frame: int, there: bool) -> None:
    mesh = glb.skinned("person_011_body", frame / 24)
    assert (np.ptp(mesh, axis=0).max() > 0.5) == there


def test_after_the_last_frame_nothing_is_left_either(glb: Glb) -> None:
    assert np.ptp(glb.skinned("person_011_body", 18 / 24), axis=0).max() < 1e-9
    assert np.ptp(glb.skinned("person_002_body", 23 / 24), axis=0).max() > 0.5


def test_normals_point_outwards_and_faces_are_ours(glb: Glb, content: ExportContent) -> None:
    (primitive,) = glb.json["meshes"][glb.nodes[glb.named("person_002_body")]["mesh"]]["primitives"]
    faces = glb.array(primitive["indices"]).reshape(-1, 3)
    np.testing.assert_array_equal(faces, content.body.faces)
    normals = glb.array(primitive["attributes"]["NORMAL"])
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    rest = glb.array(primitive["attributes"]["POSITION"])
    top = rest[:, 1].argmax()
    assert normals[top, 1] > 0.7


def test_the_camera_sees_what_ours_sees(glb: Glb, content: ExportContent) -> None:
    node = glb.named("camera")
    view = glb.json["cameras"][glb.nodes[node]["camera"]]["perspective"]
    point = content.joints(content.people[2])[7, 15]
    place = np.linalg.inv(glb.world(node, 7 / 24)) @ np.append(point, 1)
    ours = content.R_cam_world[7] @ point + content.t_cam_world[7]
    np.testing.assert_allclose(place[:3], ours * [1, -1, -1], atol=1e-5)
    # A point at the picture's upper edge, through a centred camera, is at half the field of view.
    f_y = 360 / 2 / np.tan(view["yfov"] / 2)
    assert f_y == pytest.approx(790)
    f_x = 640 / 2 / (view["aspectRatio"] * np.tan(view["yfov"] / 2))
    assert f_x == pytest.approx(820)


def test_the_ground_lies_in_the_plane_and_under_everybody(glb: Glb, content: ExportContent) -> None:
    primitives = glb.json["meshes"][glb.nodes[glb.named("ground")]["mesh"]]["primitives"]
    vertices = [glb.array(p["attributes"]["POSITION"]).astype(float) for p in primitives]
    everything = np.concatenate(vertices)
    np.testing.assert_allclose(heights(everything, content.ground_plane), 0, atol=1e-5)
    for primitive, points in zip(primitives, vertices, strict=True):
        corners = points[glb.array(primitive["indices"]).reshape(-1, 3)]
        up = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        np.testing.assert_allclose(up, np.tile(content.ground_plane[:3], (len(up), 1)), atol=1e-4)
    joints = content.joints(content.people[2]).reshape(-1, 3)
    for axis in (0, 2):
        assert everything[:, axis].min() < joints[:, axis].min()
        assert everything[:, axis].max() > joints[:, axis].max()


def test_a_very_large_floor_gets_larger_tiles() -> None:
    far = np.array([[0.0, 0, 0], [1000, 0, 300]])
    found = tiles(np.array([0.0, 1, 0, 0]), far)
    assert sum(len(vertices) for vertices, _ in found) < 65536
    everything = np.concatenate([vertices for vertices, _ in found])
    assert everything[:, 0].max() > 1000


def test_what_is_lost_is_said(content: ExportContent, body) -> None:
    notes = caveats("glb", content)
    assert len(notes) == 1
    assert "principal point (13 px off)" in notes[0]
    zooming = content.intrinsics * np.linspace(1, 1.2, 24)[:, None, None]
    centred = content.intrinsics.copy()
    centred[:, 0, 2], centred[:, 1, 2] = 320, 180
    assert caveats("glb", replace(content, intrinsics=centred)) == []
    assert any("zoom" in note for note in caveats("glb", replace(content, intrinsics=zooming)))
    corrected = replace(body, posedirs=np.zeros((6890, 3, 207)))
    with_correctives = replace(content, intrinsics=centred, body=corrected)
    assert "pose correctives" in caveats("glb", with_correctives)[0]


def test_a_part_starts_at_time_zero(tmp_path: Path, content: ExportContent) -> None:
    part = content.restricted(frames=(10, 20))
    (path,) = export("glb", part, tmp_path / "part.glb")
    found = Glb(path.read_bytes())
    assert found.json["scenes"][0]["extras"]["first_frame"] == 10
    p = content.people[2]
    ours = skin_mesh(content.body, p.betas, p.R_world_root[10], p.body_pose[10], p.transl_world[10])
    assert_same_skin(found.skinned("person_002_body", 0.0), ours, content.body, 1e-5)
    # Person 11 leaves after frame 17: eight frames into the part.
    assert np.ptp(found.skinned("person_011_body", 7 / 24), axis=0).max() > 0.5
    assert np.ptp(found.skinned("person_011_body", 8 / 24), axis=0).max() < 1e-9


def test_another_program_reads_it_alike(tmp_path: Path, content: ExportContent) -> None:
    """VTK's reader finds the same skin."""
    geometry = pytest.importorskip("vtkmodules.vtkIOGeometry")
    from vtkmodules.util.numpy_support import vtk_to_numpy

    (path,) = export("glb", content.restricted(people=(2,)), tmp_path / "scene.glb")
    reader = geometry.vtkGLTFReader()
    complaints: list[str] = []
    reader.AddObserver("ErrorEvent", lambda *_: complaints.append("error"))
    reader.SetFileName(str(path))
    reader.UpdateInformation()
    reader.EnableAnimation(0)
    reader.SetFrameRate(24)
    reader.ApplyDeformationsToGeometryOn()
    reader.UpdateInformation()
    reader.UpdateTimeStep(12 / 24)
    meshes = []
    blocks = reader.GetOutput().NewIterator()
    blocks.InitTraversal()
    while not blocks.IsDoneWithTraversal():
        block = blocks.GetCurrentDataObject()
        # What kept it from drawing: an array that is there and has no values.
        arrays = block.GetPointData()
        assert all(
            arrays.GetArray(k).GetNumberOfTuples() == block.GetNumberOfPoints()
            for k in range(arrays.GetNumberOfArrays())
        )
        meshes.append(vtk_to_numpy(block.GetPoints().GetData()))
        blocks.GoToNextItem()
    assert not complaints
    (found,) = [m for m in meshes if len(m) == 6890]
    p = content.people[2]
    ours = skin_mesh(content.body, p.betas, p.R_world_root[12], p.body_pose[12], p.transl_world[12])
    assert_same_skin(found, ours, content.body, 1e-4)
