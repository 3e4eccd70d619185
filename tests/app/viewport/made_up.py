"""A small made-up scene, a view that shows it, and what tests ask of the two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication

from app.viewport import SceneView
from app.viewport.interface import DisplayOptions
from refine_engine.body import (
    BodyModel,
    joint_kinematics,
    named_points,
    place_points,
    rest_joints,
)
from refine_engine.refinement.maps_in_memory import DepthArrays
from refine_engine.scene import CameraTrack, Person, Scene
from refine_engine.state import OptimizationState, PersonState

COLOURS = {1: "#009e9a", 4: "#e69f00"}
FRAMES = 6
IMAGE = (240, 320)
K = np.array([[300.0, 0.0, 150.0], [0.0, 280.0, 130.0], [0.0, 0.0, 1.0]])
"""Neither square pixels nor a centred principal point: both must be honoured."""
DEPTH_SIZE = (120, 160)
WALL = 3.0
"""Depth of the wall behind people, in reconstruction units."""
ALPHA = 2.0
GROUND = 1.2
"""Metres below the origin."""


class FakeVideo:
    """Frames of one colour each."""

    path = Path("video.mp4")
    num_frames = FRAMES
    fps = 30.0
    size = IMAGE

    def frame(self, index: int) -> NDArray[np.uint8]:
        picture = np.zeros((*IMAGE, 3), dtype=np.uint8)
        picture[..., 2] = 120
        picture[..., 0] = 10 * index
        return picture

    def close(self) -> None:
        pass


def make_scene(video: bool = True, depth: bool = True) -> Scene:
    """A still camera at the origin that looks along -Z, two people 4 m away, a wall at 6 m."""
    R = np.diag([1.0, -1.0, -1.0])
    cameras = CameraTrack(
        R_cam_world=np.tile(R, (FRAMES, 1, 1)),
        t_cam_world=np.zeros((FRAMES, 3)),
        intrinsics=np.tile(K, (FRAMES, 1, 1)),
        image_size=IMAGE,
        intrinsics_pose=K,
        chunk=np.zeros(FRAMES, dtype=np.int64),
    )
    people = {}
    for i, state in make_state().people.items():
        people[i] = Person(
            id=i,
            frames=state.frames,
            R_cam_root=R @ state.R_world_root,
            body_pose=state.body_pose,
            betas=state.betas,
            transl_cam=state.transl_world @ R.T,
            observed=state.observed,
        )
    maps = np.full((FRAMES, *DEPTH_SIZE), WALL, dtype=np.float32)
    trust = np.tile(np.arange(DEPTH_SIZE[1], dtype=np.float32), (FRAMES, DEPTH_SIZE[0], 1))
    return Scene(
        people=people,
        cameras=cameras,
        fps=30.0,
        fps_source="user",
        depth=DepthArrays(maps, confidence=trust) if depth else None,
        video=FakeVideo() if video else None,
    )


def make_state(shift: float = 0.0) -> OptimizationState:
    """Two people facing the camera; person 4 comes in frame 2. ``shift`` moves all to the right."""
    people = {}
    for i, x, first in ((1, -0.6, 0), (4, 0.7, 2)):
        frames = np.arange(first, FRAMES)
        n = len(frames)
        transl = np.tile([x + shift, 0.0, -4.0], (n, 1))
        transl[:, 0] += 0.02 * frames
        contacts = np.tile([0.9, 0.9, 0.1, 0.1], (n, 1))
        people[i] = PersonState(
            frames=frames,
            R_world_root=np.tile(np.eye(3), (n, 1, 1)),
            body_pose=np.tile(np.eye(3), (n, 23, 1, 1)),
            betas=np.zeros(10),
            transl_world=transl,
            observed=np.ones(n, dtype=bool),
            contacts=contacts,
        )
    return OptimizationState(people, np.array([0.0, 1.0, 0.0, GROUND]), alpha_0=ALPHA)


ONLY_MESH = DisplayOptions(
    trails=False,
    labels=False,
    ground=False,
    depth=False,
    camera=False,
    contacts=False,
    axes=False,
)


class Shown:
    """A view with its scene, and what tests ask of it."""

    def __init__(self, view: SceneView, qapp: QApplication) -> None:
        self.view = view
        self._qapp = qapp

    def pixels(self) -> NDArray[np.int64]:
        """(h, w, 3) of what is on the screen now, the overlay included."""
        self.settle()
        picture = self.view.grab()
        while self.view.film.busy:  # it was drawing that asked for a frame of the video
            self.settle()
            picture = self.view.grab()
        return rgb_of(picture.toImage())

    def settle(self) -> None:
        """Draw what was asked for."""
        for _ in range(3):
            self._qapp.processEvents()
            while self.view.film.busy:
                self._qapp.processEvents()

    def joint(self, person_id: int, joint: int) -> tuple[int, int]:
        """Row and column of a joint in the view."""
        joints = self.view.drawing.joints(person_id)
        assert joints is not None
        x, y = self.view.project(joints[joint][None])[0]
        return round(float(y)), round(float(x))


def rgb_of(image: QImage) -> NDArray[np.int64]:
    """(h, w, 3) of a picture."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    data = image.constBits()
    assert data is not None
    data.setsize(image.sizeInBytes())
    rows = np.frombuffer(bytes(data), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), -1, 3).astype(np.int64)


def looks_like(pixel: NDArray[np.int64], colour: str) -> bool:
    """Whether a lit pixel has a colour's hue: its direction in RGB, within 12 degrees."""
    wanted = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], dtype=np.float64)
    given = pixel.astype(np.float64)
    if np.linalg.norm(given) < 30:
        return False
    cosine = given @ wanted / (np.linalg.norm(given) * np.linalg.norm(wanted))
    return bool(cosine > np.cos(np.radians(12)))


def soles_of(body: BodyModel, person: PersonState, row: int) -> NDArray[np.float64]:
    """Left heel and ball (2, 3) of a person, computed without the view."""
    motion = joint_kinematics(
        rest_joints(body, person.betas),
        person.R_world_root[row],
        person.body_pose[row],
        person.transl_world[row],
    )
    points = named_points(body, ["left_sole_heel", "left_sole_ball"])
    return place_points(points, motion, person.betas, person.body_pose[row])
