"""The Blender script: what lies beside it, and, where Blender is installed, what it shows."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from refine_engine.body import JOINT_NAMES, skin_mesh
from refine_engine.exporters import export
from refine_engine.exporters.content import ExportContent


def test_the_script_finds_its_files_beside_it(tmp_path: Path, content: ExportContent) -> None:
    written = export("blender", content, tmp_path)
    names = {path.name for path in written}
    assert names == {"scene.glb", "cameras.json", "open_in_blender.py"}
    script = (tmp_path / "open_in_blender.py").read_text()
    compile(script, "open_in_blender.py", "exec")
    for name in names - {"open_in_blender.py"}:
        assert f'"{name}"' in script
    cameras = json.loads((tmp_path / "cameras.json").read_text())
    for key in ("fps", "K", "w2c", "image_width", "image_height", "first_frame"):
        assert f'"{key}"' in script
        assert key in cameras


def test_blender_shows_our_vertices_where_our_camera_does(
    tmp_path: Path, content: ExportContent
) -> None:
    bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    export("blender", content, tmp_path)
    runpy.run_path(str(tmp_path / "open_in_blender.py"))
    scene = bpy.context.scene
    # The file holds the four strongest weights of a vertex.
    four = (content.body.weights > 0).sum(axis=1) <= 4

    def shown(name: str) -> np.ndarray:
        graph = bpy.context.evaluated_depsgraph_get()
        item = bpy.data.objects[name].evaluated_get(graph)
        mesh = item.to_mesh()
        found = np.empty(3 * len(mesh.vertices))
        mesh.vertices.foreach_get("co", found)
        matrix = np.array(item.matrix_world)
        return found.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]

    for person, frame in ((2, 0), (2, 13), (2, 23), (11, 5), (11, 17)):
        scene.frame_set(frame)
        p = content.people[person]
        row = frame - int(p.frames[0])
        ours = skin_mesh(
            content.body, p.betas, p.R_world_root[row], p.body_pose[row], p.transl_world[row]
        )
        found = shown(f"person_{person:03d}_body")
        turned = np.stack([ours[:, 0], -ours[:, 2], ours[:, 1]], 1)
        np.testing.assert_allclose(found[four], turned[four], atol=1e-4)
        x = content.intrinsics[frame] @ (
            content.R_cam_world[frame] @ ours[100] + content.t_cam_world[frame]
        )
        view = world_to_camera_view(scene, scene.camera, Vector(found[100]))
        pixel = [view.x * 640, (1 - view.y) * 360]
        np.testing.assert_allclose(pixel, x[:2] / x[2], atol=0.01)
    for frame in (0, 4, 18, 23):
        scene.frame_set(frame)
        assert np.ptp(shown("person_011_body"), axis=0).max() < 1e-6


# Blender's own importer leaves the file open.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_blender_reads_the_skeleton_alike(tmp_path: Path, content: ExportContent) -> None:
    bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")
    (path,) = export("bvh", content.restricted(people=(2,)), tmp_path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01, axis_forward="-Z", axis_up="Y")
    (rig,) = [o for o in bpy.data.objects if o.type == "ARMATURE"]
    joints = content.joints(content.people[2])
    # Blender puts the first frame at 1.
    for frame in (0, 9, 23):
        bpy.context.scene.frame_set(frame + 1)
        for k, name in enumerate(JOINT_NAMES):
            head = np.array(rig.matrix_world @ rig.pose.bones[name].head)
            x, y, z = joints[frame, k]
            np.testing.assert_allclose(head, [x, -z, y], atol=1e-4, err_msg=name)
