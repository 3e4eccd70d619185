"""Check that a level's motion before refinement measures what methods of that kind publish.

``python -m refine_engine.evaluation.synthetic.calibration [--motion DIR]`` prints the table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.metrics import evaluate_motion
from refine_engine.evaluation.motion_set import MotionSet
from refine_engine.evaluation.synthetic.in_memory import true_motion, unrefined_motion
from refine_engine.evaluation.synthetic.options import LEVELS, SampleOptions
from refine_engine.evaluation.synthetic.scene import make_scene

Array = NDArray[np.float64]

TARGETS: dict[str, tuple[float, float]] = {
    "pa_mpjpe_mm": (38.0, 46.0),
    "mpjpe_mm": (74.0, 74.0),
    "pve_mm": (87.0, 87.0),
    "accel_m_s2": (5.0, 5.0),
    "wa_mpjpe100_mm": (75.0, 80.0),
    "w_mpjpe100_mm": (215.0, 225.0),
    "rte_percent": (1.4, 1.5),
    "foot_sliding_mm": (12.0, 12.0),
    "jitter_10m_s3": (25.0, 25.0),
}
"""Published before-refinement values (ranges where several methods are near each other)."""
TOLERANCE = 0.15

SHORTEST_PATH_M = 3.0
"""Root trajectory error divides by the length of the path: people who stay do not count in it."""

MOVING_KINDS = ("walk", "walk", "walk", "turn")
"""The published sequences are mostly people who walk through the open."""
_CAMERAS = ("handheld", "follow", "orbit", "pan")


def measure(options: Sequence[SampleOptions]) -> dict[str, float]:
    """Metrics of the motion before refinement, averaged over scenes; NaN where none has one.

    Everybody counts except in the root trajectory error, which is of those who travel.
    """
    rows = []
    for option in options:
        scene = make_scene(option)
        exact, before = true_motion(scene, 20), unrefined_motion(scene, vertices_every=20)
        values = evaluate_motion(before, exact)
        travelling = _travelling(exact)
        values["rte_percent"] = (
            evaluate_motion(before, travelling)["rte_percent"] if travelling.people else np.nan
        )
        rows.append([values[key] for key in (*TARGETS, "gt_jitter_10m_s3")])
    result = {}
    for key, column in zip((*TARGETS, "gt_jitter_10m_s3"), np.array(rows).T, strict=True):
        known = column[np.isfinite(column)]
        result[key] = float(known.mean()) if len(known) else float("nan")
    return result


def _travelling(motion: MotionSet) -> MotionSet:
    people = {
        pid: p
        for pid, p in motion.people.items()
        if np.linalg.norm(np.diff(p.pelvis_world, axis=0), axis=-1).sum() >= SHORTEST_PATH_M
    }
    return replace(motion, people=people)


def scenes(
    level: str, count: int, first_seed: int, motion: Path | None, frames: int = 100
) -> list[SampleOptions]:
    """Options of ``count`` scenes of two people, cameras in turn."""
    return [
        SampleOptions(
            people=2,
            frames=frames,
            seed=first_seed + k,
            level=level,  # type: ignore[arg-type]
            camera=_CAMERAS[k % len(_CAMERAS)],  # type: ignore[arg-type]
            depth_size=(84, 148),
            motion=motion,
            kinds=() if motion else MOVING_KINDS,
            video=False,
        )
        for k in range(count)
    ]


def within(key: str, value: float) -> bool:
    """Whether a value lies within 15 % of the published one (of the nearer end of its range)."""
    low, high = TARGETS[key]
    return bool((1 - TOLERANCE) * low <= value <= (1 + TOLERANCE) * high)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 0 where the last column lies within the tolerance, else 1.

    ``(!)`` marks what does not.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", choices=LEVELS, default="published")
    parser.add_argument("--scenes", type=int, default=40, help="in each column")
    parser.add_argument("--seed", type=int, default=1000, help="of the first scene")
    parser.add_argument(
        "--motion", type=Path, help="motion clips, as a second column, and the mean of both"
    )
    args = parser.parse_args(argv)
    columns = {"embedded motion": measure(scenes(args.level, args.scenes, args.seed, None))}
    if args.motion:
        clips = scenes(args.level, args.scenes, args.seed, args.motion)
        columns["motion clips"] = measure(clips)
        columns["mean"] = {
            key: 0.5 * (value + columns["motion clips"][key])
            for key, value in columns["embedded motion"].items()
        }
    write = sys.stdout.write
    write(f"| metric | published | {' | '.join(columns)} |\n|---|---|{'---|' * len(columns)}\n")
    for key, (low, high) in TARGETS.items():
        target = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        cells = (f"{v[key]:.2f}{'' if within(key, v[key]) else ' (!)'}" for v in columns.values())
        write(f"| {key} | {target} | {' | '.join(cells)} |\n")
    truth = " | ".join(f"{values['gt_jitter_10m_s3']:.2f}" for values in columns.values())
    write(f"| gt_jitter_10m_s3 | | {truth} |\n")
    judged = list(columns.values())[-1]
    return 0 if all(within(key, judged[key]) for key in TARGETS) else 1


if __name__ == "__main__":
    raise SystemExit(main())
