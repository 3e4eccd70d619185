"""``blender``: a script for Blender with the scene and the exact cameras beside it.

glTF's cameras neither zoom nor have a principal point; Blender's do, so the script sets them from
the cameras' own file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from refine_engine.exporters.cameras_json import build as build_cameras
from refine_engine.exporters.glb import build as build_scene
from refine_engine.exporters.glb import mesh_caveats

if TYPE_CHECKING:
    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files

SCRIPT_FILE = "open_in_blender.py"

_SCRIPT = '''\
"""Opens the exported people, ground and camera in Blender.

Run it from a terminal:      blender --python open_in_blender.py
or in Blender's text editor: open this file from its folder, then Run Script.
It starts from an empty scene. For the video behind the people, write its path below.
"""

import json
import os

import bpy
from mathutils import Matrix

VIDEO = ""
SENSOR_WIDTH_MM = 36.0
# Blender stands Z up, the files Y up.
BLENDER_FROM_FILE = Matrix(((1, 0, 0, 0), (0, 0, -1, 0), (0, 1, 0, 0), (0, 0, 0, 1)))
# Blender's cameras look along -z with y up; the file's along z with y down.
FILE_CAMERA_FROM_BLENDER = Matrix.Diagonal((1, -1, -1, 1))


def folder():
    text = getattr(getattr(bpy.context, "space_data", None), "text", None)
    path = bpy.path.abspath(text.filepath) if text else __file__
    return os.path.dirname(os.path.abspath(path))


def clear():
    for objects in (bpy.data.objects, bpy.data.actions, bpy.data.cameras):
        for item in list(objects):
            objects.remove(item)


def set_timing(scene, cameras):
    # Before the import, which turns seconds into frames with it.
    scene.render.fps = max(1, round(cameras["fps"]))
    scene.render.fps_base = scene.render.fps / cameras["fps"]
    scene.frame_start = 0
    scene.frame_end = len(cameras["w2c"]) - 1


def set_picture(scene, cameras):
    K = cameras["K"][0]
    scene.render.resolution_x = cameras["image_width"]
    scene.render.resolution_y = cameras["image_height"]
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x = max(1.0, K[1][1] / K[0][0])
    scene.render.pixel_aspect_y = max(1.0, K[0][0] / K[1][1])


def add_camera(scene, cameras):
    for item in [o for o in bpy.data.objects if o.type == "CAMERA"]:
        bpy.data.objects.remove(item)
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = SENSOR_WIDTH_MM
    data.clip_start = 0.05
    data.clip_end = 1000.0
    camera = bpy.data.objects.new("camera", data)
    camera.rotation_mode = "QUATERNION"
    scene.collection.objects.link(camera)
    scene.camera = camera
    width, height = cameras["image_width"], cameras["image_height"]
    aspect = scene.render.pixel_aspect_y / scene.render.pixel_aspect_x
    before = None
    for frame, (w2c, K) in enumerate(zip(cameras["w2c"], cameras["K"])):
        pose = Matrix([*w2c, (0, 0, 0, 1)]).inverted() @ FILE_CAMERA_FROM_BLENDER
        place, turn, _ = (BLENDER_FROM_FILE @ pose).decompose()
        if before is not None and turn.dot(before) < 0:
            turn.negate()
        before = turn
        camera.location = place
        camera.rotation_quaternion = turn
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_quaternion", frame=frame)
        data.lens = K[0][0] * SENSOR_WIDTH_MM / width
        data.shift_x = (width / 2 - K[0][2]) / width
        data.shift_y = (K[1][2] - height / 2) / width * aspect
        for name in ("lens", "shift_x", "shift_y"):
            data.keyframe_insert(name, frame=frame)
    if VIDEO:
        data.show_background_images = True
        background = data.background_images.new()
        background.source = "MOVIE_CLIP"
        background.clip = bpy.data.movieclips.load(VIDEO)
        background.clip.frame_start = -cameras["first_frame"]
        background.alpha = 1.0


def add_light(scene):
    light = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    light.data.energy = 3.0
    light.rotation_euler = (0.6, 0.3, 0.0)
    scene.collection.objects.link(light)


def main():
    here = folder()
    with open(os.path.join(here, "cameras.json"), encoding="utf-8") as file:
        cameras = json.load(file)
    scene = bpy.context.scene
    clear()
    set_timing(scene, cameras)
    bpy.ops.import_scene.gltf(filepath=os.path.join(here, "scene.glb"))
    set_picture(scene, cameras)
    add_camera(scene, cameras)
    add_light(scene)
    scene.frame_set(0)


main()
'''


def build(content: ExportContent, options: ExportOptions) -> Files:
    """``open_in_blender.py``, ``scene.glb`` and ``cameras.json``."""
    return {
        **build_scene(content, options),
        **build_cameras(content, options),
        SCRIPT_FILE: _SCRIPT.encode(),
    }


def caveats(content: ExportContent) -> list[str]:
    """What of this content Blender does not get."""
    return mesh_caveats(content)
