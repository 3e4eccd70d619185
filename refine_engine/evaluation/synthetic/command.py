"""``smpl-refiner sample``: a results folder with exact ground truth."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from refine_engine.evaluation.synthetic.options import CAMERA_KINDS, LEVELS, SampleOptions

if TYPE_CHECKING:
    from refine_engine.evaluation.synthetic.scene import SyntheticScene


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``sample``."""
    default = SampleOptions()
    parser = subparsers.add_parser(
        "sample",
        help="write a results folder of a synthetic scene with exact ground truth",
        description="Write a MultiTRAM results folder of moving people, with the errors of that "
        "pipeline, and the exact truth beside it in ground_truth.npz.",
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="new or empty folder, or an older sample")
    add("--people", type=int, default=default.people, help="1 to 10 (default %(default)s)")
    add("--frames", type=int, default=default.frames, help="default %(default)s")
    add("--seed", type=int, default=default.seed, help="same seed, same scene (%(default)s)")
    add("--level", choices=LEVELS, default=default.level, help="size of the errors (%(default)s)")
    add("--camera", choices=CAMERA_KINDS, default=default.camera, help="default %(default)s")
    add("--fps", type=float, default=default.fps, help="frames a second (default %(default)s)")
    for name, size in (("image", default.image_size), ("depth", default.depth_size)):
        add(
            f"--{name}-size",
            type=parse_size,
            default=size,
            metavar="HxW",
            help=f"height x width in pixels (default {size[0]}x{size[1]})",
        )
    add("--alpha", type=float, help="metres per reconstruction unit (default: drawn by level)")
    add("--motion", type=Path, metavar="DIR", help="motion clips (SMPL or AMASS .npz)")
    add(
        "--kinds",
        default="",
        metavar="NAME,...",
        help="embedded motions to draw from: walk, turn, run, gesture, sit",
    )
    toggle = argparse.BooleanOptionalAction
    add("--keypoints", action=toggle, default=True, help="write 2-D keypoints")
    add("--masks", action=toggle, default=True, help="write person masks")
    add("--video", action=toggle, default=True, help="write video.mp4")
    add(
        "--blackout",
        action="store_true",
        help="black people out before depth and write dynamic masks",
    )
    add("--clean", action="store_true", help="no errors at all")
    add(
        "--chunk",
        type=int,
        default=default.chunk,
        help="frames per reconstruction chunk, 0 for one (default %(default)s)",
    )
    parser.set_defaults(run=run)


def parse_size(text: str) -> tuple[int, int]:
    """Height and width from ``HxW``."""
    height, _, width = text.lower().partition("x")
    try:
        return int(height), int(width)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size; give height x width, for example 720x1280"
        ) from None


def options_from(args: argparse.Namespace) -> SampleOptions:
    """Options of parsed arguments.

    Raises
    ------
    InputError
        A value is out of range.
    """
    return SampleOptions(
        people=args.people,
        frames=args.frames,
        seed=args.seed,
        level=args.level,
        camera=args.camera,
        fps=args.fps,
        image_size=args.image_size,
        depth_size=args.depth_size,
        alpha=args.alpha,
        motion=args.motion,
        kinds=tuple(k.strip() for k in args.kinds.split(",") if k.strip()),
        clean=args.clean,
        keypoints=args.keypoints,
        masks=args.masks,
        blackout=args.blackout,
        video=args.video,
        chunk=args.chunk,
    )


def run(args: argparse.Namespace) -> int:
    """Make the scene, write it, say what it is."""
    from refine_engine.evaluation.synthetic.results_folder import write_results_folder
    from refine_engine.evaluation.synthetic.scene import make_scene

    began = time.perf_counter()
    options = options_from(args)
    scene = make_scene(options)
    write_results_folder(scene, args.folder)
    size = sum(f.stat().st_size for f in args.folder.glob("**/*") if f.is_file())
    sys.stdout.write(describe(scene))
    if (args.folder / "5_refinement").exists():
        sys.stdout.write("5_refinement there is of an older sample: refine again\n")
    sys.stdout.write(
        f"wrote {args.folder}: {size / 1e6:.1f} MB in {time.perf_counter() - began:.1f} s\n"
    )
    return 0


def describe(scene: SyntheticScene) -> str:
    """A few lines on the scene and on how clean its truth is."""
    from refine_engine.evaluation.synthetic.quality import truth_quality

    truth = scene.truth
    lines = [
        f"{_counted(len(truth.people))}, {truth.num_frames} frames at {truth.fps:g} fps, "
        f"{scene.options.camera} camera, level {scene.options.level}, "
        f"alpha {truth.alpha:.4f} m per unit"
    ]
    for pid, quality in truth_quality(truth).items():
        rows = scene.people[pid].frames if pid in scene.people else ()
        lines.append(
            f"  person {pid}: {truth.people[pid].source}, {len(rows)} of "
            f"{len(truth.people[pid].frames)} frames tracked; truth: path {quality.path_m:.1f} m, "
            f"jitter {quality.jitter:.1f} x 10 m/s3, planted feet move at most "
            f"{quality.worst_slide_mm:.2f} mm a frame"
        )
    return "\n".join(lines) + "\n"


def _counted(people: int) -> str:
    return "1 person" if people == 1 else f"{people} people"
