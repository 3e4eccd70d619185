"""The Blender script: what lies beside it, and, where Blender is installed, what it shows."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from refine_engine.body import skin_mesh
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
    p = content.people[2]
    for frame in (0, 13, 23):
        scene.frame_set(frame)
        graph = bpy.context.evaluated_depsgraph_get()
        shown = bpy.data.objects["person_002_body"].evaluated_get(graph)
        mesh = shown.to_mesh()
        found = np.empty(3 * len(mesh.vertices))
        mesh.vertices.foreach_get("co", found)
        matrix = np.array(shown.matrix_world)
        found = found.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
        ours = skin_mesh(
            content.body, p.betas, p.R_world_root[frame], p.body_pose[frame], p.transl_world[frame]
        )
        np.testing.assert_allclose(
            found, ours @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]), atol=1e-4
        )
        x = content.intrinsics[frame] @ (
            content.R_cam_world[frame] @ ours[100] + content.t_cam_world[frame]
        )
        view = world_to_camera_view(scene, scene.camera, Vector(found[100]))
        pixel = [view.x * 640, (1 - view.y) * 360]
        np.testing.assert_allclose(pixel, x[:2] / x[2], atol=0.01)
