"""``smpl-refiner export FOLDER --format NAME``: other programs' formats."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

from refine_engine.errors import InputError
from refine_engine.exporters.formats import FORMATS

_NAME_COLUMNS = max(map(len, FORMATS)) + 2


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser of ``smpl-refiner``."""
    parser = subparsers.add_parser(
        "export",
        help="write the refined motion in another program's format",
        description=_description(),
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
    parser.add_argument("--up", choices=("z", "y"), help="amass: which axis points up (default z)")
    parser.add_argument(
        "--gaps",
        choices=("fill", "split"),
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

    _refuse_idle_options(args)
    if args.before:
        content = unrefined_content(args.folder, body_file=args.body, fps=args.fps)
    else:
        content = refined_content(args.folder, body_file=args.body)
    target = args.output or FORMATS[args.format].default_path(args.folder)
    own: dict[str, Any] = {name: getattr(args, name) for name in _OF_AMASS}
    options = ExportOptions(
        people=args.people,
        frames=args.frames,
        overwrite=args.overwrite,
        floor=args.floor,
        **{name: value for name, value in own.items() if value is not None},
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


_OF_AMASS = ("up", "gaps", "rate")
"""Options of that format alone."""


def _description() -> str:
    """What is written, and every format, within the terminal's width as argparse counts it."""
    width = max(40, shutil.get_terminal_size().columns - 2)
    first = (
        "Write the refined motion of a results folder (or, with --before, the motion as it was) "
        "for another program. Formats:"
    )
    lines = textwrap.wrap(first, width)
    for f in FORMATS.values():
        lines += textwrap.wrap(
            f.description,
            width,
            initial_indent=f"  {f.name:<{_NAME_COLUMNS}}",
            subsequent_indent=" " * (_NAME_COLUMNS + 2),
        )
    return "\n".join(lines)


def _refuse_idle_options(args: argparse.Namespace) -> None:
    """Raise :class:`InputError` for an option that would change nothing: it was meant to."""
    for name in _OF_AMASS:
        if getattr(args, name) is not None and args.format != "amass":
            raise InputError(
                f"--{name}", f"does not apply to the format {args.format}", "it is for amass"
            )
    if args.fps is not None and not args.before:
        raise InputError(
            "--fps", "does not apply to a refinement, which has its rate", "it is for --before"
        )


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
