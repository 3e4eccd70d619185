"""``smpl-refiner inspect FOLDER``: what is there, what was repaired, what is missing."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser of ``smpl-refiner``."""
    parser = subparsers.add_parser(
        "inspect",
        help="what a results folder holds, what was repaired, what is missing",
        description=(
            "Open a results folder and say who and what is in it, which known defects were found "
            "and repaired, and what is missing and what that means for refinement. Changes nothing."
        ),
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the results folder")
    add_input_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(run=run)


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Add what a folder itself may not say: `inspect` and `refine` understand the same."""
    parser.add_argument("--fps", type=float, metavar="F", help="frames a second of the video")
    parser.add_argument("--video", type=Path, metavar="FILE", help="the video it was made from")
    parser.add_argument(
        "--keypoints",
        type=Path,
        metavar="PATH",
        help="detected keypoints: OpenPose folder, COCO-result or MMPose JSON",
    )
    parser.add_argument(
        "--up",
        metavar="AXIS",
        help="direction against gravity in the first camera's axes: x, y or z, with a sign "
        "or without, such as -y (default: estimated)",
    )
    parser.add_argument("--body", metavar="FILE", help="SMPL model file (default: the embedded)")


def run(args: argparse.Namespace) -> int:
    """Open, describe and print; returns the exit code."""
    # Slow to import, and not needed for --help.
    from refine_engine.body import load_body_model
    from refine_engine.importers import load_results
    from refine_engine.importers.description import as_text, describe

    body = load_body_model(search=(args.body,))
    scene = load_results(
        args.folder,
        fps=args.fps,
        video=args.video,
        keypoints=args.keypoints,
        body=body,
        up=args.up,
    )
    description = describe(scene, body.name)
    if scene.video is not None:
        scene.video.close()
    if args.json:
        text = json.dumps(description, indent=2, allow_nan=False)
    else:
        columns = shutil.get_terminal_size((100, 24)).columns
        text = as_text(description, width=min(max(columns, 60), 110))
    sys.stdout.write(text + "\n")
    return 0
