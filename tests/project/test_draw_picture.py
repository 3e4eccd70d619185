"""The picture of ``make run``: bones where the cameras put them, before and after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from refine_engine.body import load_body_model, rest_joints
from refine_engine.scene import CameraTrack, Person, Scene
from scripts import draw_picture

HEIGHT, WIDTH, FOCAL, DISTANCE = 240, 320, 200.0, 4.0
K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1.0]])
UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""SMPL's y up turned into OpenCV's y down, facing the camera."""


class GreyVideo:
    path = Path("grey.mp4")
    num_frames = 5
    fps = 30.0
    size = (HEIGHT, WIDTH)

    def frame(self, index: int) -> NDArray[np.uint8]:
        return np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8)

    def close(self) -> None:
        pass


def standing(number: int, frames: list[int], x: float) -> Person:
    n = len(frames)
    return Person(
        id=number,
        frames=np.array(frames),
        R_cam_root=np.tile(UPRIGHT, (n, 1, 1)),
        body_pose=np.tile(np.eye(3), (n, 23, 1, 1)),
        betas=np.zeros(10),
        transl_cam=np.tile([x, 0.0, DISTANCE], (n, 1)),
        observed=np.ones(n, dtype=bool),
    )


@pytest.fixture
def scene() -> Scene:
    cameras = CameraTrack(
        R_cam_world=np.tile(np.eye(3), (5, 1, 1)),
        t_cam_world=np.zeros((5, 3)),
        intrinsics=np.tile(K, (5, 1, 1)),
        image_size=(HEIGHT, WIDTH),
        intrinsics_pose=K,
        chunk=np.zeros(5, dtype=np.int64),
    )
    people = {4: standing(4, [0, 1, 2, 3], -0.5), 9: standing(9, [3, 4], 0.5)}
    return Scene(people=people, cameras=cameras, fps=30.0, fps_source="assumed", video=GreyVideo())


def expected_pelvis(x: float) -> tuple[int, int]:
    pelvis = rest_joints(load_body_model(), np.zeros(10))[0] + [x, 0.0, DISTANCE]
    u, v = FOCAL * pelvis[:2] / pelvis[2] + [WIDTH / 2, HEIGHT / 2]
    return round(float(u)), round(float(v))


def colour_at(picture: Image.Image, place: tuple[int, int]) -> object:
    return picture.getpixel(place)


def test_the_frame_with_everybody_is_drawn(scene: Scene) -> None:
    assert draw_picture.busiest_frame(scene) == 3


def test_bones_meet_at_the_projected_pelvis(scene: Scene, tmp_path: Path) -> None:
    target = tmp_path / "picture.png"
    draw_picture.draw_picture(scene, None, target)
    with Image.open(target) as picture:
        assert picture.size == (WIDTH, HEIGHT)
        assert colour_at(picture, expected_pelvis(-0.5)) == draw_picture.COLOURS[0]
        assert colour_at(picture, expected_pelvis(0.5)) == draw_picture.COLOURS[1]
        assert colour_at(picture, (WIDTH - 3, HEIGHT - 3)) == (90, 90, 90)


def test_results_are_drawn_beside_through_their_own_cameras(scene: Scene, tmp_path: Path) -> None:
    results = tmp_path / "5_refinement"
    for number, x in ((4, -0.1), (9, 0.9)):
        folder = results / f"person_{number:03d}"
        folder.mkdir(parents=True)
        person = scene.people[number]
        n = len(person.frames)
        np.savez(
            folder / "smpl_params_refined.npz",
            poses=np.zeros((n, 23, 3)),
            betas=np.zeros(10),
            global_orient=np.tile([np.pi, 0.0, 0.0], (n, 1)),
            transl=np.tile([x, 0.0, DISTANCE], (n, 1)),
            frames=person.frames,
            fps=30.0,
        )
    # The refined camera stands 0.4 m further right, so people appear 0.4 m further left.
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, 0, 3] = -0.4
    intrinsics = np.tile(K, (5, 1, 1))
    np.savez(results / "cameras_refined.npz", poses=poses, intrinsics=intrinsics, alpha=1.0)
    target = tmp_path / "picture.png"
    draw_picture.draw_picture(scene, results, target)
    with Image.open(target) as picture:
        assert picture.size == (2 * WIDTH, HEIGHT)
        for x, colour in ((-0.5, draw_picture.COLOURS[0]), (0.5, draw_picture.COLOURS[1])):
            u, v = expected_pelvis(x)
            assert colour_at(picture, (u + WIDTH, v)) == colour


def test_people_behind_the_camera_are_left_out(scene: Scene, tmp_path: Path) -> None:
    person = scene.people[4]
    person.transl_cam[:, 2] = -DISTANCE
    skeletons = draw_picture.measured_skeletons(scene, 3)
    assert np.isnan(skeletons[4]).all()
    assert np.isfinite(skeletons[9]).all()
    draw_picture.draw_picture(scene, None, tmp_path / "picture.png")


def test_a_scene_without_a_video_is_refused(scene: Scene, tmp_path: Path) -> None:
    without = Scene(people=scene.people, cameras=scene.cameras, fps=30.0, fps_source="assumed")
    with pytest.raises(ValueError, match="no video"):
        draw_picture.draw_picture(without, None, tmp_path / "picture.png")
