"""``smpl-refiner evaluate FOLDER``: metrics of a results folder before and after refinement."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser of ``smpl-refiner``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="metrics before and after refinement",
        description=(
            "Metrics of a results folder before and, where 5_refinement exists, after refinement. "
            "Without ground truth: those that need none."
        ),
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the results folder")
    parser.add_argument(
        "--ground-truth",
        type=Path,
        metavar="NPZ",
        help="the truth, as `sample` writes it (default: FOLDER/ground_truth.npz where it exists)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="where the refinement was written (default: FOLDER/5_refinement where it exists)",
    )
    parser.add_argument("--body", metavar="FILE", help="SMPL model file (default: the embedded)")
    parser.add_argument("--fps", type=float, metavar="F", help="frames a second of the video")
    parser.add_argument(
        "--chunking",
        choices=("gvhmr", "tram"),
        default="gvhmr",
        help="how W- and WA-MPJPE100 cut the frames (default: gvhmr, which drops none)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print; returns the exit code."""
    # Slow to import, and not needed for --help.
    from refine_engine.evaluation.comparison import evaluate_folder
    from refine_engine.evaluation.table import comparison_table

    comparison = evaluate_folder(
        args.folder,
        ground_truth=args.ground_truth,
        results=args.results,
        body_file=args.body,
        fps=args.fps,
        chunking=args.chunking,
    )
    if args.json:
        text = json.dumps(comparison.as_dict(), indent=2, allow_nan=False)
    else:
        text = comparison_table(comparison)
    sys.stdout.write(text + "\n")
    return 0
