"""``smpl-refiner batch ROOT...``: many results folders, resumable."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from refine_engine.refine_command import add_settings_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from refine_engine.batch.plan import Plan
    from refine_engine.batch.record import BatchSettings
    from refine_engine.batch.summary import Outcome

CONFIG_FILE = "batch_config.yaml"
FAILED, STOPPED = 1, 130


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser of ``smpl-refiner``."""
    parser = subparsers.add_parser(
        "batch",
        help="refine many results folders, resumable",
        description=(
            "Refine every results folder at or below some folders, each in a process of its own. "
            "Folders that an earlier batch finished with the same settings and unchanged input "
            "are skipped, interrupted ones go on from their checkpoint, and a failure stops "
            "nothing but its own folder. Type it again to go on, or to see how far it is."
        ),
    )
    parser.add_argument("roots", type=Path, nargs="+", metavar="ROOT", help="folders to look in")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="write nothing below the ROOTs: results of ROOT/a/b go to DIR/a/b (default: "
        "5_refinement in each folder)",
    )
    parser.add_argument(
        "--scheduler",
        type=scheduler,
        default="local",
        metavar="local|slurm",
        help="this machine, or an array job of Slurm (default local)",
    )
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="most folders at once (default: one per core)"
    )
    parser.add_argument(
        "--memory-mb",
        type=positive,
        metavar="MB",
        help="local: of all processes together (default: what is free); slurm: of one task "
        "(default 4000)",
    )
    add_settings_options(parser)
    parser.add_argument("--fps", type=float, metavar="F", help="frames a second of the videos")
    parser.add_argument("--body", metavar="FILE", help="SMPL model file (default: the embedded)")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="only say what would be done with which folder, and where its results would go",
    )
    parser.add_argument("--force", action="store_true", help="also what is finished")
    parser.add_argument(
        "--summary",
        type=Path,
        metavar="FILE",
        help="default: batch_summary.json in DIR or the first ROOT, and the same as .csv beside it",
    )
    parser.add_argument(
        "--sbatch",
        action="append",
        default=[],
        metavar="OPTION",
        help="slurm: a further option, as --sbatch=--partition=long (may be repeated)",
    )
    parser.add_argument("--cpus", type=positive, default=2, help="slurm: of one task (default 2)")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Refine everything and print the table; returns the exit code."""
    # Slow to import, and not needed for --help.
    from refine_engine.batch.folders import find_folders
    from refine_engine.batch.plan import make_plan
    from refine_engine.batch.record import BatchSettings
    from refine_engine.batch.summary import (
        SUMMARY_FILE,
        summary_csv,
        summary_dict,
        summary_table,
    )
    from refine_engine.body import load_body_model
    from refine_engine.exporters.results_json import json_bytes
    from refine_engine.importers import check_fps
    from refine_engine.refine_command import settings_of

    # What is wrong for every folder is said once, before any of them is begun.
    check_fps(args.fps)
    body = None if args.body is None else _absolute(args.body)
    if body is not None:
        load_body_model(search=(body,))
    settings = BatchSettings(settings_of(args), args.fps, body)
    plan = make_plan(find_folders(args.roots), settings, args.output, again=args.force)
    home: Path = args.output or args.roots[0]
    summary = args.summary or home / SUMMARY_FILE
    if summary.suffix == ".csv":
        # Both are written, whichever is named.
        summary = summary.with_suffix(".json")
    if args.dry_run:
        return _tell_plan(args, plan, summary)
    config_file = summary.parent / CONFIG_FILE
    if plan.tasks:
        _write({config_file: settings.config.to_yaml().encode()}, args.output)
        if args.scheduler == "slurm":
            return _run_slurm(args, settings, config_file, plan)
    outcomes = dict(plan.settled)
    interrupted = _run_local(args, settings, config_file, plan, outcomes)
    ordered = [outcomes[folder] for folder in plan.order]
    content = summary_dict(ordered)
    table = summary_csv(ordered).encode()
    _write({summary.with_suffix(".csv"): table, summary: json_bytes(content)}, args.output)
    if args.json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        sys.stdout.write(f"{summary_table(ordered)}\nsummary in {summary}\n")
    if interrupted:
        return STOPPED
    return FAILED if any(o.status == "failed" for o in ordered) else 0


def _write(files: dict[Path, bytes], output: Path | None) -> None:
    """Write the batch's own files; data that may not be written to need another place."""
    from refine_engine.errors import ExportError
    from refine_engine.safe_files import write_files

    try:
        write_files(files)
    except ExportError as error:
        if output is not None:
            raise
        raise ExportError(
            error.where, error.problem, "name a place for all that is written: --output DIR"
        ) from None


def _tell_plan(args: argparse.Namespace, plan: Plan, summary: Path) -> int:
    """Say what would be done, and do nothing; 1 where a folder cannot be used."""
    from refine_engine.batch.summary import plan_table, summary_dict

    ordered = plan.rehearsed()
    if args.json:
        sys.stdout.write(json.dumps(summary_dict(ordered), indent=2) + "\n")
    else:
        sys.stdout.write(
            f"{plan_table(ordered)}\n"
            f"nothing was done; MB is what is expected, the summary would go to {summary}\n"
        )
    return FAILED if any(o.status == "failed" for o in ordered) else 0


def _run_local(
    args: argparse.Namespace,
    settings: BatchSettings,
    config_file: Path,
    plan: Plan,
    outcomes: dict[Path, Outcome],
) -> bool:
    """Refine here and fill in ``outcomes``; whether it was interrupted."""
    from refine_engine.batch.local import Job, LocalRunner, refine_command

    done = 0

    def tell(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        text = f"[{done}/{len(plan.tasks)}] {outcome.folder}: {outcome.status}"
        if outcome.seconds is not None:
            text += f", {outcome.seconds:.1f} s"
        if outcome.message:
            text += f" ({outcome.message})"
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    cores = usable_cores()
    at_once = args.jobs or cores
    # Folders side by side share the cores; otherwise each would take them all.
    shared = max(1, cores // max(1, min(at_once, len(plan.tasks))))
    jobs = [
        Job(
            task.folder,
            task.place,
            task.mark,
            refine_command(
                task.folder.resolve(),
                task.place.absolute(),
                config_file.resolve(),
                fps=settings.fps,
                body_file=settings.body_file,
                resume=task.resumes,
                threads=settings.config.threads or shared,
            ),
            task.expected_mb,
        )
        for task in plan.tasks
    ]
    runner = LocalRunner(at_once, args.memory_mb, tell)
    with _terminate_as_interrupt():
        for outcome in runner.run(jobs):
            outcomes[outcome.folder] = outcome
    return runner.interrupted


def _run_slurm(
    args: argparse.Namespace, settings: BatchSettings, config_file: Path, plan: Plan
) -> int:
    """Write the job and submit it where that is possible."""
    from refine_engine.batch.slurm import submit, write_script

    script = write_script(
        config_file.parent,
        plan.tasks,
        config_file,
        elsewhere=args.output is not None,
        again=args.force,
        fps=settings.fps,
        body_file=settings.body_file,
        cpus=args.cpus,
        memory_mb=args.memory_mb or 4000,
        options=args.sbatch,
    )
    answer = submit(script)
    if answer is None:
        sys.stderr.write(
            f"smpl-refiner: this machine has no sbatch, so nothing was submitted; type "
            f"`sbatch {script}` on one that has.\n"
        )
        return FAILED
    count = "1 folder" if len(plan.tasks) == 1 else f"{len(plan.tasks)} folders"
    sys.stdout.write(f"{answer}\n{count} in {script}; type batch again to see\n")
    return 0


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """A polite request to end (a cluster's time limit) keeps what was reached, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def scheduler(text: str) -> str:
    """``local`` or ``slurm``."""
    if text not in ("local", "slurm"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not supported: addresses of schedulers are not, choose local or slurm"
        )
    return text


def positive(text: str) -> int:
    """A whole number above zero."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return value


def _absolute(body: str) -> str:
    """A path that still holds in another folder; a gender's name stays as it is."""
    return str(Path(body).resolve()) if Path(body).exists() else body
