"""The accuracy table, by one command: ``python -m refine_engine.evaluation.accuracy``.

Makes scenes with ground truth, refines each, and writes what came of it between the markers
``<!-- accuracy -->`` and ``<!-- /accuracy -->`` of a Markdown file.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from refine_engine.config import RefinementConfig
from refine_engine.errors import InputError, RefinementError
from refine_engine.evaluation.accuracy_table import accuracy_markdown
from refine_engine.evaluation.records import ARMS, Arm, Run
from refine_engine.evaluation.sweep import PEOPLE, arrangements, sweep

BEGIN, END = "<!-- accuracy -->", "<!-- /accuracy -->"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the sweep and write the table; returns the exit code (2 for bad input)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(arguments)
    try:
        return _run(args, arguments)
    except RefinementError as error:
        sys.stderr.write(f"accuracy: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m refine_engine.evaluation.accuracy")
    parser.add_argument(
        "--motion", type=Path, metavar="DIR", help="motion clips (default: embedded motions)"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="scenes of each arrangement"
    )
    parser.add_argument(
        "--first-seed",
        type=int,
        default=0,
        metavar="N",
        help="other scenes, for tuning (default: 0)",
    )
    parser.add_argument("--frames", type=int, default=100, metavar="T", help="frames of each scene")
    parser.add_argument(
        "--people", type=int, nargs="+", default=list(PEOPLE), metavar="P", help="numbers of people"
    )
    parser.add_argument("--config", type=Path, metavar="YAML", help="settings of the refinement")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; may repeat"
    )
    parser.add_argument(
        "--only-full", action="store_true", help="leave out the runs with a wrong start of scale"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="scenes at a time")
    parser.add_argument(
        "--records", type=Path, metavar="JSONL", help="keep finished runs here and go on from them"
    )
    parser.add_argument(
        "--output", type=Path, metavar="MD", help="Markdown file (default: print the table)"
    )
    return parser


def _run(args: argparse.Namespace, arguments: Sequence[str]) -> int:
    config = RefinementConfig() if args.config is None else RefinementConfig.from_yaml(args.config)
    config = config.with_settings(args.set)
    arms: tuple[Arm, ...] = ("full",) if args.only_full else ARMS
    if args.jobs > 1:
        config = dataclasses.replace(config, threads=1)
    scenes = arrangements(args.seeds, frames=args.frames, people=args.people, first=args.first_seed)
    if args.seeds < 1 or not args.people:
        raise InputError("--seeds", "leaves no scene", "give at least 1")
    runs: list[Run] = []
    for done, (arrangement, found) in enumerate(
        sweep(scenes, args.motion, config, args.records, args.jobs, arms), start=1
    ):
        runs += found
        seconds = sum(r.seconds for r in found)
        sys.stderr.write(f"{done}/{len(scenes)} {arrangement.name}: {seconds:.1f} s refining\n")
        for run in found:
            if run.problem:
                sys.stderr.write(f"  failed, {run.arm}: {run.problem}\n")
    command = "python -m refine_engine.evaluation.accuracy " + shlex.join(_shown(arguments))
    text = accuracy_markdown(runs, command.strip())
    if args.output is None:
        sys.stdout.write(text + "\n")
    else:
        write_between_markers(args.output, text)
    return 0


def _shown(arguments: Sequence[str]) -> list[str]:
    """Arguments as a reader would type them: without the paths of this machine."""
    shown: list[str] = []
    previous = ""
    for argument in arguments:
        if previous == "--motion":
            shown.append("CLIPS")
        elif argument not in ("--records", "--jobs") and previous not in ("--records", "--jobs"):
            shown.append(argument)
        previous = argument
    return shown


def write_between_markers(path: Path, text: str) -> None:
    """Replace what stands between the markers of a file; without markers, append them."""
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    section = f"{BEGIN}\n{text}\n{END}"
    if BEGIN in old and END in old:
        head, rest = old.split(BEGIN, 1)
        new = head + section + rest.split(END, 1)[1]
    else:
        new = old + ("\n" if old else "") + section + "\n"
    path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
