"""``smpl-refiner export FOLDER --format NAME``: other programs' formats."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from refine_engine.exporters.formats import FORMATS


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser of ``smpl-refiner``."""
    lines = "\n".join(f"  {f.name:<9}{f.description}" for f in FORMATS.values())
    parser = subparsers.add_parser(
        "export",
        help="write the refined motion in another program's format",
        description=(
            "Write the refined motion of a results folder (or, with --before, the motion as it "
            f"was) for another program. Formats:\n{lines}"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="the results folder, or the folder that its refinement was written to",
    )
    parser.add_argument(
        "--format", required=True, choices=tuple(FORMATS), metavar="NAME", help="see above"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="file or folder to write (default: FOLDER/exports/...)",
    )
    parser.add_argument(
        "--people", type=parse_people, metavar="1,2", help="only these people (default: everybody)"
    )
    parser.add_argument(
        "--frames",
        type=parse_frames,
        default=(None, None),
        metavar="A:B",
        help="only video frames from A to before B; either may be left out",
    )
    parser.add_argument("--before", action="store_true", help="the motion before refinement")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument(
        "--up", choices=("z", "y"), default="z", help="amass: which axis points up (default z)"
    )
    parser.add_argument(
        "--gaps",
        choices=("fill", "split"),
        default="fill",
        help="amass: keep filled frames, or begin a new file after each gap (default fill)",
    )
    parser.add_argument(
        "--rate", type=float, metavar="F", help="amass: resample to F frames a second"
    )
    parser.add_argument(
        "--floor",
        action="store_true",
        help="move everything so that the floor is level at height 0 (default: the origin is the "
        "first camera)",
    )
    parser.add_argument("--body", metavar="FILE", help="SMPL model file (default: the embedded)")
    parser.add_argument(
        "--fps", type=float, metavar="F", help="with --before: frames a second of the video"
    )
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export and print; returns the exit code."""
    # Slow to import, and not needed for --help.
    from refine_engine.exporters.formats import ExportOptions, caveats, export
    from refine_engine.exporters.sources import refined_content, unrefined_content

    if args.before:
        content = unrefined_content(args.folder, body_file=args.body, fps=args.fps)
    else:
        content = refined_content(args.folder, body_file=args.body)
    target = args.output or FORMATS[args.format].default_path(args.folder)
    options = ExportOptions(
        people=args.people,
        frames=args.frames,
        overwrite=args.overwrite,
        up=args.up,
        gaps=args.gaps,
        rate=args.rate,
        floor=args.floor,
    )
    files = export(args.format, content, target, options)
    notes = caveats(args.format, content, options)
    if args.json:
        found = {"format": args.format, "files": [str(f) for f in files], "notes": notes}
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"wrote {path}\n" for path in files)
        sys.stderr.writelines(f"note: {note}\n" for note in notes)
    return 0


def parse_people(text: str) -> tuple[int, ...]:
    """Track ids of ``1,2``."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} names no people; give their numbers, for example 1,2"
        ) from None


def parse_frames(text: str) -> tuple[int | None, int | None]:
    """First and end frame of ``a:b``."""
    match = re.fullmatch(r"(\d*):(\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no range of frames; give first:end, for example 30:90"
        )
    first, end = (int(part) if part else None for part in match.groups())
    return first, end
