"""``smpl-refiner refine FOLDER``: all enabled sub-stages, progress on stderr, files written."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import textwrap
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.importers.inspect_command import add_input_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

    from refine_engine.config import RefinementConfig
    from refine_engine.refinement.control import RunControl
    from refine_engine.run import FolderRun

STOPPED = 130
"""Exit code after Ctrl-C; what was reached is on disk."""
_SHOWN = 5
"""Findings that the summary of a run lists one by one."""


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser of ``smpl-refiner``."""
    parser = subparsers.add_parser(
        "refine",
        help="refine a results folder",
        description=(
            "Refine everybody in a results folder through all enabled sub-stages and write "
            "5_refinement/. Ctrl-C keeps what was reached; --resume goes on from there."
        ),
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the results folder")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write (default: FOLDER/5_refinement)"
    )
    add_settings_options(parser)
    add_input_options(parser)
    parser.add_argument(
        "--prior", metavar="FILE", help="HuMoR checkpoint (default: the embedded motion prior)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint of an earlier run"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def add_settings_options(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`settings_of` reads: `refine` and `batch` understand the same."""
    parser.add_argument(
        "--config", metavar="YAML", help="settings: a file, or the name of a preset"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="change one setting (may be repeated)",
    )
    parser.add_argument(
        "--disable",
        action="append",
        default=[],
        metavar="SUBSTAGE",
        help="leave out root, smpl, motion, environmental, scale or final (may be repeated)",
    )
    parser.add_argument("--max-frames", type=int, metavar="N", help="only the first N frames")


def run(args: argparse.Namespace) -> int:
    """Refine and print; returns the exit code."""
    # Slow to import, and not needed for --help.
    from refine_engine.progress import Progress
    from refine_engine.refinement.control import RunControl
    from refine_engine.run import refine_folder

    config = settings_of(args)
    control = RunControl()
    progress = Progress(sys.stderr)
    with _stop_on_interrupt(control):
        done = refine_folder(
            args.folder,
            output=args.output,
            config=config,
            fps=args.fps,
            body_file=args.body,
            video=args.video,
            keypoints=args.keypoints,
            up=args.up,
            resume=args.resume,
            control=control,
            watch=None if args.quiet else progress.show,
        )
    progress.close()
    if args.json:
        summary = {k: v for k, v in done.results.items() if k not in ("people", "loss_curves")}
        sys.stdout.write(json.dumps({**summary, "output": str(done.folder)}, indent=2) + "\n")
    else:
        # In a pipe a sentence stays on its line, where it can be searched for.
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        sys.stdout.write(_summary(done, width))
    return STOPPED if done.output.status == "stopped" else 0


def settings_of(args: argparse.Namespace) -> RefinementConfig:
    """The settings: file or preset, then ``--set``, then ``--disable`` and ``--max-frames``."""
    from refine_engine.config import ENABLE_KEYS, RefinementConfig
    from refine_engine.errors import ConfigError

    config = RefinementConfig()
    if args.config is not None:
        config = RefinementConfig.from_yaml(_config_file(args.config))
    config = config.with_settings(args.settings)
    changes: dict[str, Any] = {}
    for name in args.disable:
        if name not in ENABLE_KEYS:
            raise ConfigError(
                f"--disable {name}", "is not a sub-stage", f"use one of {', '.join(ENABLE_KEYS)}"
            )
        changes[ENABLE_KEYS[name]] = False
    if getattr(args, "prior", None) is not None:
        if not str(args.prior).strip():
            raise ConfigError(
                "--prior", "names no file", "name a HuMoR checkpoint, or leave it out"
            )
        changes["motion_prior"] = str(args.prior)
    if args.max_frames is not None:
        changes["max_frames"] = args.max_frames
    return config.replace(**changes)


def _config_file(given: str) -> Path:
    """A path, or the file of a shipped preset."""
    from refine_engine.errors import ConfigError
    from refine_engine.resources import config_path

    path = Path(given)
    if path.suffix or path.exists():
        return path
    presets = sorted(p.stem for p in config_path("presets").glob("*.yaml"))
    if given not in presets:
        raise ConfigError(
            f"--config {given}",
            "is neither a file nor a preset",
            f"presets are {', '.join(presets)}",
        )
    return config_path("presets") / f"{given}.yaml"


@contextmanager
def _stop_on_interrupt(control: RunControl) -> Iterator[None]:
    """Ctrl-C asks the engine to stop and keep; a second one interrupts for real.

    So does what a cluster or a shutdown sends (SIGTERM), and a terminal that closes (SIGHUP,
    unless `nohup` has it ignored).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    if hasattr(signal, "SIGHUP") and before[signal.SIGHUP] == signal.SIG_IGN:
        del before[signal.SIGHUP]

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        control.stop()
        restore()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()


def _prior_line(prior: Mapping[str, Any]) -> str:
    """Which checkpoint was used, and whether its mixture over first states was found."""
    first = prior["initial_state"]
    beside = "no prior_gmm.npz beside it" if first is None else f"first states from {first['file']}"
    where = "" if prior["device"] == "CPU" else f", on {prior['device']}"
    return f"motion prior: HuMoR, {prior['file']} (SHA-256 {prior['sha256'][:12]}), {beside}{where}"


def _lacked(report: Mapping[str, Any]) -> list[str]:
    """What the folder lacked and what of it was of no use, for whoever did not `inspect` it."""
    lines = [f"missing: {sentence}" for sentence in report["missing"]]
    # B1 is true of every folder that the pipeline itself wrote, and costs nothing.
    useless = [f for f in report["findings"] if f["action"] == "discarded" and f["code"] != "B1"]
    lines += [f"not used: {finding['message']}" for finding in useless[:_SHOWN]]
    if len(useless) > _SHOWN:
        lines.append(f"not used: {len(useless) - _SHOWN} more; see smpl-refiner inspect")
    return lines


def _summary(done: FolderRun, width: int | None = None) -> str:
    """The table of metrics and what there is to say, sentences wrapped to ``width`` columns."""
    from refine_engine.evaluation.metric_list import METRICS
    from refine_engine.evaluation.table import aligned, change, number

    out = done.output
    lines = []
    comparison = done.results["before_after"]
    rows = [["", "unit", "", "before", "after", "change"]]
    for metric in METRICS:
        values = [comparison[when][metric.key] for when in ("before", "after")]
        if all(value is None for value in values):
            continue
        before, after = (float("nan") if v is None else float(v) for v in values)
        rows.append(
            [
                metric.label,
                metric.unit,
                metric.arrow,
                number(before, metric.decimals),
                number(after, metric.decimals),
                change(before, after),
            ]
        )
    lines.append(aligned(rows, left=3))
    if not comparison["ground_truth"]:
        lines.append("No ground truth: only metrics that need none.")
    if problem := comparison.get("ground_truth_problem"):
        lines.append(f"note: the ground truth was not used: {problem}")
    scale = out.scale
    sigma = "" if scale.sigma is None else f" +- {scale.sigma:.4f}"
    lines.append(f"alpha {scale.alpha:.4f}{sigma} ({100 * scale.delta:+.2f} % of alpha_0)")
    if out.motion_prior.get("name") == "HuMoR":
        lines.append(_prior_line(out.motion_prior))
    lines += [f"note: {warning}" for warning in out.warnings]
    lines += _lacked(done.results["report"])
    lines.append(f"{out.status}: results in {done.folder}")
    table, *sentences = lines
    if width is not None:
        sentences = [
            textwrap.fill(
                text,
                max(width, 40),
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            for text in sentences
        ]
    return "\n".join([table, *sentences]) + "\n"
