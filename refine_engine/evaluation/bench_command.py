"""``smpl-refiner bench``: seconds and memory per sub-stage, against the plain way."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser of ``smpl-refiner``."""
    parser = subparsers.add_parser(
        "bench",
        help="seconds and memory of a refinement",
        description=(
            "Refine a synthetic scene and print seconds and memory per sub-stage, and how many "
            "times slower the plain way would be (its total is extrapolated)."
        ),
    )
    parser.add_argument("--people", type=int, default=3, metavar="P", help="default 3")
    parser.add_argument("--frames", type=int, default=100, metavar="T", help="default 100")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the scene (0)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="change one setting (may be repeated)",
    )
    parser.add_argument(
        "--no-plain", action="store_false", dest="plain", help="leave the plain way out"
    )
    parser.add_argument(
        "--growth",
        action="store_true",
        help="also with three times the people and three times the frames: how time grows",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print; returns the exit code."""
    # Slow to import, and not needed for --help.
    from refine_engine.config import RefinementConfig
    from refine_engine.evaluation.benchmark import run_benchmark

    config = RefinementConfig().with_settings(args.settings)
    found = run_benchmark(
        args.people,
        args.frames,
        seed=args.seed,
        config=config,
        plain=args.plain,
        growth=args.growth,
        say=lambda text: _say(text),
    ).values
    if args.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        sys.stdout.write(_as_text(found))
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _as_text(found: dict[str, Any]) -> str:
    lines = [f"{found['people']} people x {found['frames']} frames, {found['threads']} threads"]
    for name, seconds in found["seconds_per_substage"].items():
        iterations, status = found["iterations"][name], found["statuses"][name]
        lines.append(f"  {name:<14} {seconds:8.3f} s  {iterations:4d} iterations  {status}")
    lines.append(f"  {'all':<14} {found['seconds_total']:8.3f} s")
    lines.append(f"one iteration {1000 * found['seconds_per_iteration']:.1f} ms")
    lines.append(f"again after a weight changed {found['resolve_seconds']:.3f} s")
    lines.append(f"peak memory {found['peak_memory_mb']:.0f} MB")
    growth = found.get("growth")
    if growth is not None:
        lines += [
            f"time grows like people^{growth[f'people_exponent_of_{key}']:.2f} x "
            f"frames^{growth[f'frames_exponent_of_{key}']:.2f} ({what})"
            for key, what in (
                ("seconds_total", "all sub-stages"),
                ("seconds_per_iteration", "one iteration"),
            )
        ]
    if found["ratio_to_plain"] is not None:
        lines.append(
            f"the plain way {found['plain_seconds']:.0f} s (extrapolated: "
            f"{found['plain_evaluations']} evaluations of "
            f"{found['plain_seconds_per_evaluation']:.2f} s, "
            f"ending {100 * found['plain_energy_over_ours']:.1f} % over our energy), "
            f"{'' if found['plain_reached_target'] else 'at least '}{found['ratio_to_plain']:.0f}x"
        )
    return "\n".join(lines) + "\n"
