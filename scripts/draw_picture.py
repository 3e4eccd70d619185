"""Draw people's skeletons over a video frame, before and (where there are results) after.

``python -m scripts.draw_picture FOLDER PICTURE.png`` for a results folder that has a video.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from refine_engine.body import joint_positions, load_body_model
from refine_engine.body.joints import PARENTS
from refine_engine.geometry.cameras import project, to_camera
from refine_engine.geometry.rotations import matrix_from_axis_angle
from refine_engine.safe_files import open_npz

if TYPE_CHECKING:
    from refine_engine.scene import Scene

Array = NDArray[np.float64]
Skeletons = Mapping[int, Array]
"""Pixels (24, 2) of each person's joints, NaN behind the camera."""

COLOURS = ((255, 180, 0), (0, 190, 255), (255, 90, 160), (140, 230, 60), (190, 140, 255))


def busiest_frame(scene: Scene) -> int:
    """Frame with most people in it, of those the one nearest to the middle of the video."""
    seen = np.zeros(scene.num_frames, dtype=np.int64)
    for person in scene.people.values():
        seen[person.frames] += 1
    best = np.flatnonzero(seen == seen.max())
    return int(best[np.argmin(np.abs(best - scene.num_frames // 2))])


def measured_skeletons(scene: Scene, frame: int) -> Skeletons:
    """Joints as the pose network left them, through its own camera."""
    body = load_body_model(scene.gender)
    found = {}
    for number, person in scene.people.items():
        row = np.flatnonzero(person.frames == frame)
        joints = joint_positions(
            body,
            person.betas,
            person.R_cam_root[row],
            person.body_pose[row],
            person.transl_cam[row],
        )
        if len(row):
            found[number] = _pixels(joints, scene.cameras.intrinsics_pose)
    return found


def refined_skeletons(scene: Scene, results: Path, frame: int) -> Skeletons:
    """Joints of the results in ``5_refinement``, through the refined cameras."""
    body = load_body_model(scene.gender)
    with open_npz(results / "cameras_refined.npz") as file:
        poses, intrinsics = file["poses"], file["intrinsics"]
    found = {}
    for number in scene.people:
        with open_npz(results / f"person_{number:03d}" / "smpl_params_refined.npz") as file:
            row = np.flatnonzero(file["frames"] == frame)
            orient = matrix_from_axis_angle(file["global_orient"][row])
            pose = matrix_from_axis_angle(file["poses"][row])
            joints = joint_positions(body, file["betas"], orient, pose, file["transl"][row])
        if len(row):
            camera = poses[frame : frame + 1]
            joints = to_camera(joints, camera[:, :3, :3], camera[:, :3, 3])
            found[number] = _pixels(joints, intrinsics[frame])
    return found


def draw_skeletons(image: NDArray[np.uint8], skeletons: Skeletons, title: str) -> Image.Image:
    """Draw the bones over an image (H, W, 3), a colour for each person."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    width = max(2, image.shape[0] // 240)
    for order, number in enumerate(sorted(skeletons)):
        pixels = skeletons[number]
        for joint, parent in enumerate(PARENTS):
            if parent >= 0 and np.isfinite(pixels[[joint, parent]]).all():
                ends = [(float(x), float(y)) for x, y in pixels[[parent, joint]]]
                draw.line(ends, fill=COLOURS[order % len(COLOURS)], width=width)
    size = max(10.0, image.shape[0] / 30)
    draw.text(
        (size / 2, size / 3),
        title,
        fill=(255, 255, 255),
        font_size=size,
        stroke_width=2,
        stroke_fill=(0, 0, 0),
    )
    return picture


def draw_picture(scene: Scene, results: Path | None, target: Path) -> None:
    """Write the picture: one panel, or two side by side where there are results.

    Raises
    ------
    ValueError
        The scene has no video to draw on.
    """
    if scene.video is None:
        raise ValueError(f"{scene.root}: has no video to draw on")
    frame = busiest_frame(scene)
    image = scene.video.frame(frame)
    panels = [draw_skeletons(image, measured_skeletons(scene, frame), f"before, frame {frame}")]
    if results is not None:
        after = refined_skeletons(scene, results, frame)
        panels.append(draw_skeletons(image, after, f"refined, frame {frame}"))
    whole = Image.new("RGB", (sum(p.width for p in panels), panels[0].height))
    for order, panel in enumerate(panels):
        whole.paste(panel, (order * panel.width, 0))
    whole.save(target)


def _pixels(joints_cam: Array, intrinsics: Array) -> Array:
    pixels, in_front = project(joints_cam, intrinsics)
    return np.where(in_front[..., None], pixels, np.nan)[0]


def main(arguments: Sequence[str]) -> int:
    """Draw the picture of a folder."""
    from refine_engine import load_results

    folder, target = Path(arguments[0]), Path(arguments[1])
    results = folder / "5_refinement"
    draw_picture(load_results(folder), results if results.is_dir() else None, target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
