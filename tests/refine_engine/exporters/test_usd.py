"""USD files, read by a small reader of the tests' own, and by Pixar's where it is installed."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.body import JOINT_NAMES, PARENTS, BodyModel, skin_mesh
from refine_engine.exporters import caveats, export
from refine_engine.exporters.content import ExportContent
from refine_engine.geometry.planes import heights


class Prim:
    """One ``def`` block of a text file: attributes and children by name."""

    def __init__(self, lines: list[str]) -> None:
        self.values: dict[str, object] = {}
        self.samples: dict[str, dict[int, object]] = {}
        self.children: dict[str, Prim] = {}
        while lines:
            line = lines.pop(0).strip()
            if line == "}":
                return
            if match := re.match(r'def \w+ "(\w+)"', line):
                while lines.pop(0).strip() != "{":
                    pass
                self.children[match[1]] = Prim(lines)
            elif match := re.match(r"[\w\[\] ]*?([\w:]+)\.timeSamples = \{", line):
                found = self.samples[match[1]] = {}
                while (row := lines.pop(0).strip()) != "}":
                    time, _, value = row.rstrip(",").partition(": ")
                    found[int(time)] = ast.literal_eval(value)
            elif match := re.match(r"[\w\[\] ]*?([\w:]+) = ([^<].*?)( \()?$", line):
                self.values[match[1]] = ast.literal_eval(match[2])

    def array(self, name: str, time: int | None = None) -> np.ndarray:
        value = self.values[name] if time is None else self.samples[name][time]
        return np.array(value, dtype=float)


def read(path: Path) -> tuple[str, Prim]:
    head, _, body = path.read_text().partition('def Xform "scene"\n{\n')
    return head, Prim(body.splitlines())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, content: ExportContent) -> Path:
    (path,) = export("usd", content, tmp_path_factory.mktemp("usd") / "scene.usda")
    return path


@pytest.fixture(scope="module")
def scene(written: Path) -> Prim:
    return read(written)[1]


def posed(prim: Prim, time: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (24, 3) and turns (24, 3, 3) of a skeleton's joints."""
    motion = prim.children["motion"]
    places = motion.array("translations", time)
    w, x, y, z = motion.array("rotations", time).T
    local = Rotation.from_quat(np.stack([x, y, z, w], 1)).as_matrix()
    turns = local.copy()
    for k, parent in enumerate(PARENTS):
        if parent >= 0:
            places[k] = places[parent] + turns[parent] @ places[k]
            turns[k] = turns[parent] @ local[k]
    return places, turns


def test_units_axes_and_times_are_stated(written: Path) -> None:
    head = read(written)[0].splitlines()
    for line in ("metersPerUnit = 1", 'upAxis = "Y"', 'defaultPrim = "scene"'):
        assert f"    {line}" in head
    for line in ("startTimeCode = 0", "endTimeCode = 23", "timeCodesPerSecond = 24"):
        assert f"    {line}" in head


@pytest.mark.parametrize(("person", "frame"), [(2, 0), (2, 23), (11, 5), (11, 17)])
def test_joints_and_skin_are_ours(
    scene: Prim, content: ExportContent, person: int, frame: int
) -> None:
    prim, p = scene.children[f"person_{person:03d}"], content.people[person]
    row = frame - int(p.frames[0])
    places, turns = posed(prim, frame)
    np.testing.assert_allclose(places, content.joints(p)[row], atol=2e-6)
    skeleton, mesh = prim.children["skeleton"], prim.children["body"]
    paths = skeleton.values["joints"]
    assert [path.split("/")[-1] for path in paths] == list(JOINT_NAMES)
    assert all(
        paths[k].rpartition("/")[0] == (paths[parent] if parent >= 0 else "")
        for k, parent in enumerate(PARENTS)
    )
    rest = skeleton.array("bindTransforms")[:, 3, :3]
    points = mesh.array("points")
    joints = mesh.array("primvars:skel:jointIndices").astype(int).reshape(-1, 4)
    weights = mesh.array("primvars:skel:jointWeights").reshape(-1, 4)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    moved = places[joints] + np.einsum(
        "vkij,vkj->vki", turns[joints], points[:, None] - rest[joints]
    )
    found = np.einsum("vk,vki->vi", weights, moved)
    ours = skin_mesh(
        content.body,
        p.betas,
        p.R_world_root[row],
        p.body_pose[row],
        p.transl_world[row],
        dtype=np.float64,
    )
    four = (content.body.weights > 0).sum(axis=1) <= 4
    np.testing.assert_allclose(found[four], ours[four], atol=1e-5)
    faces = mesh.array("faceVertexIndices").reshape(-1, 3)
    np.testing.assert_array_equal(faces, content.body.faces)
    assert len(mesh.values["faceVertexCounts"]) == len(faces)


def test_rest_transforms_lead_to_the_bind_pose(scene: Prim) -> None:
    skeleton = scene.children["person_002"].children["skeleton"]
    local, bind = skeleton.array("restTransforms"), skeleton.array("bindTransforms")
    for k, parent in enumerate(PARENTS):
        # Rows: the child's matrix comes first.
        whole = local[k] @ bind[parent] if parent >= 0 else local[k]
        np.testing.assert_allclose(whole, bind[k], atol=1e-9)


def test_somebody_who_is_not_there_is_invisible(scene: Prim) -> None:
    late = scene.children["person_011"].samples["visibility"]
    assert late == {0: "invisible", 5: "inherited", 18: "invisible"}
    assert "visibility" not in scene.children["person_002"].samples


def project(camera: Prim, frame: int, point: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixel of a point, as USD defines its camera."""
    pose = camera.array("xformOp:transform", frame)
    x, y, z = (point - pose[3, :3]) @ np.linalg.inv(pose[:3, :3])
    focal = camera.array("focalLength")
    height, width = size

    def lens(name: str) -> float:
        return float(camera.array(name, frame if name in camera.samples else None))

    u = focal * x / -z - lens("horizontalApertureOffset")
    v = focal * y / -z - lens("verticalApertureOffset")
    return np.array(
        [
            width * (u / lens("horizontalAperture") + 0.5),
            height * (0.5 - v / lens("verticalAperture")),
        ]
    )


@pytest.mark.parametrize("zooms", [False, True])
def test_the_camera_is_exact(tmp_path: Path, content: ExportContent, zooms: bool) -> None:
    if zooms:
        scales = np.linspace(1, 1.3, 24)[:, None, None] * [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
        scales[:, 2, 2] = 1
        content = replace(content, intrinsics=content.intrinsics * scales)
    (path,) = export("usd", content, tmp_path / "scene.usda")
    camera = read(path)[1].children["camera"]
    for frame in (0, 7, 23):
        for point in content.joints(content.people[2])[frame, [0, 15, 20]]:
            x = content.R_cam_world[frame] @ point + content.t_cam_world[frame]
            ours = (content.intrinsics[frame] @ x)[:2] / x[2]
            found = project(camera, frame, point, content.image_size)
            np.testing.assert_allclose(found, ours, atol=1e-3)


def test_the_ground_lies_in_the_plane(scene: Prim, content: ExportContent) -> None:
    for tiles in scene.children["ground"].children.values():
        height = heights(tiles.array("points"), content.ground_plane)
        np.testing.assert_allclose(height, 0, atol=1e-5)


def test_a_part_keeps_its_video_frames(tmp_path: Path, content: ExportContent) -> None:
    part = content.restricted(frames=(10, 14))
    (path,) = export("usd", part, tmp_path / "part.usda")
    head, scene = read(path)
    assert "startTimeCode = 10" in head
    assert set(scene.children["person_002"].children["motion"].samples["rotations"]) == {
        *range(10, 14)
    }


def test_pose_correctives_are_said_to_be_lost(content: ExportContent, body: BodyModel) -> None:
    assert caveats("usd", content) == []
    corrected = replace(content, body=replace(body, posedirs=np.zeros((6890, 3, 207))))
    assert "pose correctives" in caveats("usd", corrected)[0]


def test_pixars_reader_agrees(written: Path, content: ExportContent) -> None:
    """Needs `pip install usd-core`, which the tests do without otherwise."""
    pytest.importorskip("pxr", reason="Pixar's USD is not installed")
    from pxr import Gf, Usd, UsdGeom, UsdSkel, Vt  # type: ignore[import-not-found]

    stage = Usd.Stage.Open(str(written))
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 23)
    cache = UsdSkel.Cache()
    four = (content.body.weights > 0).sum(axis=1) <= 4
    for i, p in content.people.items():
        place = f"/scene/person_{i:03d}"
        cache.Populate(UsdSkel.Root.Get(stage, place), Usd.PrimDefaultPredicate)
        query = cache.GetSkelQuery(UsdSkel.Skeleton.Get(stage, f"{place}/skeleton"))
        mesh = stage.GetPrimAtPath(f"{place}/body")
        frame = int(p.frames[3])
        points = Vt.Vec3fArray(UsdGeom.Mesh(mesh).GetPointsAttr().Get())
        turns = query.ComputeSkinningTransforms(frame)
        assert cache.GetSkinningQuery(mesh).ComputeSkinnedPoints(turns, points, frame)
        ours = skin_mesh(
            content.body,
            p.betas,
            p.R_world_root[3],
            p.body_pose[3],
            p.transl_world[3],
            dtype=np.float64,
        )
        np.testing.assert_allclose(np.array(points)[four], ours[four], atol=1e-5)
    height, width = content.image_size
    frustum = UsdGeom.Camera.Get(stage, "/scene/camera").GetCamera(7).frustum
    through = frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()
    point = content.joints(content.people[2])[7, 15]
    x, y, _ = through.Transform(Gf.Vec3d(*map(float, point)))
    seen = content.intrinsics[7] @ (content.R_cam_world[7] @ point + content.t_cam_world[7])
    found = [(x + 1) / 2 * width, (1 - y) / 2 * height]
    np.testing.assert_allclose(found, seen[:2] / seen[2], atol=1e-3)
