"""``smpl-refiner compare A B``: two refinements of one video side by side."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser of ``smpl-refiner``."""
    parser = subparsers.add_parser(
        "compare",
        help="two refinements of one video side by side",
        description=(
            "What differs between two refinements of one video: settings, scale, likelihoods, "
            "metrics, and how far each person's joints lie apart."
        ),
    )
    for name in ("A", "B"):
        parser.add_argument(
            name.lower(),
            type=Path,
            metavar=name,
            help="a results folder that was refined, or a folder that a refinement was written to",
        )
    parser.add_argument("--body", metavar="FILE", help="SMPL model file (default: the embedded)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare and print; returns the exit code."""
    # Slow to import, and not needed for --help.
    from refine_engine.evaluation.difference import compare_results, difference_table

    found = compare_results(args.a, args.b, body_file=args.body)
    if args.json:
        text = json.dumps(found.as_dict(), indent=2, allow_nan=False)
    else:
        text = difference_table(found)
    sys.stdout.write(text + "\n")
    return 0
