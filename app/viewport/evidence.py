"""What the results say beside people: the depth cloud, the cameras, the video or depth picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkRenderer

from app.viewport.camera_path import CameraPath
from app.viewport.colours import mixed, rgb
from app.viewport.content import Content
from app.viewport.depth_cloud import (
    FULL_POINTS,
    THIN_POINTS,
    CloudPoints,
    DepthCloud,
    clip_span,
    depth_colours,
    depth_picture,
    read_cloud,
)
from app.viewport.film import Film
from app.viewport.look_through import NEAR, FrameCamera
from app.viewport.picture import PicturePlane

Bytes = NDArray[np.uint8]

VEIL = 0.24
"""How far the video shines through bodies over it: they should cover the people in it."""
VEIL_DEPTH = 1.2 * NEAR
QUIET = 0.38
"""Share of the background in the depth points' colours."""
NEAREST_BACKDROP = 20.0
"""Metres."""
WIDE_PICTURE = 900
"""Pixels; a wider picture is halved while something moves."""


class Evidence:
    """Props of depth, cameras and pictures.

    Parameters
    ----------
    renderer
        Where they are drawn.
    content
        What is shown.
    """

    def __init__(self, renderer: vtkRenderer, content: Content) -> None:
        self._content = content
        self.cloud = DepthCloud(renderer)
        self.camera = CameraPath(renderer)
        self.backdrop = PicturePlane(renderer)
        # Transparent bodies would show their own other sides. A thin layer of the same picture in
        # front of everything has the wanted effect alone.
        self._veil = PicturePlane(renderer, VEIL)
        self.film = Film()
        self._cloud_of: tuple[object, ...] | None = None
        self._span: tuple[float, float] | None = None

    def forget(self) -> None:
        """Another scene was opened."""
        self._cloud_of = self._span = None
        scene = self._content.scene
        self.film.set_video(None if scene is None else scene.video)
        self.cloud.set_cloud(None, None)
        self.camera.set_scene(self._content.scene)

    def show_camera(self) -> None:
        """Path and frustum."""
        content, camera = self._content, self._content.frame_camera()
        visible = camera is not None and content.options.camera and not content.through
        if camera is not None and content.state is not None and visible:
            colour = mixed(rgb(content.theme.text), content.background(), 0.25)
            self.camera.set_scale(content.state.alpha)
            self.camera.set_colour(colour, content.ratio)
            self.camera.place(camera, self._video())
        self.camera.set_visible(visible)

    def show_cloud(self) -> None:
        """The depth cloud."""
        content, scene, state = self._content, self._content.scene, self._content.state
        wanted = content.options.depth and not content.through
        if scene is None or state is None or scene.depth is None or not wanted:
            self.cloud.set_visible(False)
            return
        frame, options = content.frame, content.options
        by_picture = options.depth_image_colours and self._video() is not None
        coloured = self.film.number if by_picture else None
        key = (frame, content.thin, coloured, content.theme.name)
        if key != self._cloud_of:
            points = read_cloud(scene, frame, THIN_POINTS if content.thin else FULL_POINTS)
            self.cloud.set_cloud(points, None if points is None else self._cloud_colours(points))
            self._cloud_of = key
        self.cloud.set_confidence(options.depth_confidence)
        R, t = scene.cameras.R_cam_world[frame], scene.cameras.t_cam_world[frame]
        self.cloud.place(self._metres_per_unit(), -state.alpha * (R.T @ t))
        self.cloud.set_point_size((2.4 if content.thin else 1.6) * content.ratio)
        self.cloud.set_visible(True)

    def show_backdrop(self) -> None:
        """What stands behind people when looking through a camera."""
        content, camera = self._content, self._content.frame_camera()
        if not content.through or camera is None or content.scene is None:
            self.backdrop.set_visible(False)
            self._veil.set_visible(False)
            return
        picture = self._video()
        if picture is None and content.scene.depth is not None:
            picture = depth_picture(content.scene, content.frame, self._clip_span())
        if picture is not None and content.thin and picture.shape[1] > WIDE_PICTURE:
            picture = picture[::2, ::2]
        self.backdrop.set_picture(picture)
        self.backdrop.place(camera.image_corners(0.98 * self.far(camera)))
        self.backdrop.set_visible(True)
        self._veil.share_picture(self.backdrop)
        self._veil.place(camera.image_corners(VEIL_DEPTH))
        self._veil.set_visible(True)

    def far(self, camera: FrameCamera) -> float:
        """Metres behind which nothing is drawn when looking through a camera."""
        centre = camera.centre
        farthest = NEAREST_BACKDROP
        for i in self._content.person_ids():
            joints = self._content.joints(i)
            if joints is not None:
                farthest = max(farthest, 4.0 * float(np.linalg.norm(joints[0] - centre)))
        return farthest

    @property
    def depth_span(self) -> tuple[float, float] | None:
        """Nearest and farthest of the depth colours in metres; None where none are shown."""
        content, scene = self._content, self._content.scene
        if scene is None or content.state is None or scene.depth is None:
            return None
        options = content.options
        by_picture = (content.through or options.depth_image_colours) and self._video() is not None
        shown = (content.through or options.depth) and scene.depth.has(content.frame)
        if by_picture or not shown:
            return None
        near, far = self._clip_span()
        scale = self._metres_per_unit()
        return near * scale, far * scale

    def _metres_per_unit(self) -> float:
        """Of the present frame's depth map."""
        scene, state = self._content.scene, self._content.state
        if scene is None or state is None or scene.depth is None:
            return 1.0
        scale = state.alpha if scene.depth.shares_camera_unit else 1.0
        chunk = int(scene.cameras.chunk[self._content.frame])
        if chunk < len(state.chunk_log_scale):
            scale *= math.exp(state.chunk_log_scale[chunk])
        return scale

    def _clip_span(self) -> tuple[float, float]:
        """Nearest and farthest depth of the clip, in the maps' unit."""
        if self._span is None and self._content.scene is not None:
            self._span = clip_span(self._content.scene)
        return self._span or (0.0, 1.0)

    def _cloud_colours(self, points: CloudPoints) -> Bytes:
        picture = self._video() if self._content.options.depth_image_colours else None
        if picture is None:
            colours = depth_colours(points.depth, self._clip_span())
        else:
            height, width = points.size
            rows = points.rows * picture.shape[0] // height
            columns = points.columns * picture.shape[1] // width
            colours = picture[rows, columns]
        # Towards the background: the cloud is what people stand in, not what is looked at.
        share = QUIET if picture is not None else 0.5 * QUIET
        quiet = np.array(self._content.background()) * (255.0 * share)
        table = (np.arange(256)[:, None] * (1.0 - share) + quiet).astype(np.uint8)
        return np.stack([table[colours[:, k], k] for k in range(3)], -1)

    def _video(self) -> Bytes | None:
        """The present frame of the video, or one shortly before it until that is decoded."""
        return self.film.picture(self._content.frame)
