"""What the motion prior gives: ``python -m refine_engine.evaluation.prior_gain --motion CLIPS``.

Refines scenes of held-out clips twice, with the shipped settings and without any motion prior
(``smooth`` then has its full weight), and prints one Markdown table of the end of the refinement
and one of the end of sub-stage ``motion``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import load_body_model
from refine_engine.config import RefinementConfig
from refine_engine.errors import InputError, RefinementError
from refine_engine.evaluation.engine_motion import motion_from_state
from refine_engine.evaluation.metrics import evaluate_motion
from refine_engine.evaluation.sources import TRUTH_FILE, motion_from_ground_truth
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.results_folder import write_results_folder
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.importers import load_results
from refine_engine.motion_prior.clips import is_held_out
from refine_engine.refinement.refiner import Stage5Refiner

if TYPE_CHECKING:
    from refine_engine.evaluation.motion_set import MotionSet
    from refine_engine.evaluation.synthetic.options import CameraKind
    from refine_engine.scene import Scene

SCENES: tuple[tuple[CameraKind, int, int], ...] = (
    ("follow", 2, 1),
    ("follow", 1, 13),
    ("handheld", 2, 0),
    ("handheld", 3, 10),
    ("handheld", 1, 15),
    ("orbit", 2, 11),
    ("orbit", 3, 3),
    ("pan", 2, 12),
    ("static", 3, 14),
    ("static", 2, 2),
)
"""Camera, people, seed."""
WITHOUT = {"lambda_cvae": 0.0, "enable_motion_prior": False}
WA, W, PA = "wa_mpjpe100_mm", "w_mpjpe100_mm", "pa_mpjpe_mm"
JITTER, TRUE_JITTER = "jitter_10m_s3", "gt_jitter_10m_s3"
SLIDING, ALPHA, F1 = "foot_sliding_mm", "alpha_error_percent", "contact_f1"

Metrics = dict[str, float]
"""Metric key to value."""


@dataclass(frozen=True)
class Pair:
    """One scene refined with and without the prior."""

    name: str
    start: Metrics
    """At the end of ``smpl``, where ``motion`` starts."""
    motion: Metrics
    """At the end of ``motion``."""
    status: str
    """Of ``motion``."""
    without: Metrics
    """At the end of the refinement without the prior."""
    full: Metrics
    """At the end of the refinement."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--motion", type=Path, required=True, help="folder of motion clips")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of both runs"
    )
    parser.add_argument("--scenes", type=int, default=len(SCENES), help="only the first so many")
    options = parser.parse_args(arguments)
    try:
        config = RefinementConfig().with_settings(options.set)
        pairs = []
        for pair in compared(options.motion, config, options.frames, options.scenes):
            sys.stderr.write(f"{pair.name}: {pair.without[WA]:.1f} -> {pair.full[WA]:.1f} mm\n")
            pairs.append(pair)
    except RefinementError as error:
        sys.stderr.write(f"prior_gain: {error}\n")
        return 2
    sys.stdout.write("\n".join([*end_lines(pairs), "", *motion_lines(pairs), ""]))
    return 0


def compared(clips: Path, config: RefinementConfig, frames: int, count: int) -> Iterator[Pair]:
    """Make the scenes from held-out clips and refine each twice.

    Raises
    ------
    InputError
        The folder holds no clip that is held out of training.
    """
    with tempfile.TemporaryDirectory(prefix="smpl-refiner-") as scratch:
        held = Path(scratch) / "clips"
        held.mkdir()
        for file in sorted(clips.glob("**/*.npz")):
            if is_held_out(file.stem):
                shutil.copy(file, held)
        if not any(held.iterdir()):
            raise InputError(clips, "holds no clip that is held out", "give the training folder")
        for camera, people, seed in SCENES[:count]:
            folder = Path(scratch) / f"{camera}-{people}-{seed}"
            options = SampleOptions(
                people=people,
                frames=frames,
                level="published",
                camera=camera,
                seed=seed,
                video=False,
                motion=held,
            )
            write_results_folder(make_scene(options), folder)
            scene = load_results(folder, fps=options.fps)
            truth = motion_from_ground_truth(folder / TRUTH_FILE, load_body_model(scene.gender))
            full, status = _by_sub_stage(scene, truth, config)
            without, _ = _by_sub_stage(scene, truth, config.replace(**WITHOUT))
            yield Pair(
                name=f"{camera}, {people}, {seed}",
                start=full["smpl"],
                motion=full["motion"],
                status=status,
                without=without["final"],
                full=full["final"],
            )
            shutil.rmtree(folder)


def _by_sub_stage(
    scene: Scene, truth: MotionSet, config: RefinementConfig
) -> tuple[dict[str, Metrics], str]:
    body = load_body_model(scene.gender)
    found: dict[str, Metrics] = {}
    status = ""
    for snapshot in Stage5Refiner(config, body).iterate(scene):
        if snapshot.event != "end":
            continue
        motion = motion_from_state(snapshot.state, scene.fps, body, scene.cameras)
        found[snapshot.sub_stage] = dict(evaluate_motion(motion, truth))
        if snapshot.sub_stage == "motion":
            status = snapshot.status
    return found, status


def end_lines(pairs: Sequence[Pair]) -> list[str]:
    """Markdown table of the end of the refinement."""
    lines = [
        "| scene (camera, people, seed) | WA-MPJPE100 without, mm | with, mm | ratio | W ratio "
        "| PA ratio | jitter without / with / truth, 10 m/s^3 |",
        "|---|---|---|---|---|---|---|",
    ]
    for p in pairs:
        a, b = p.without, p.full
        lines.append(
            f"| {p.name} | {a[WA]:.1f} | {b[WA]:.1f} | {b[WA] / a[WA]:.3f} | {b[W] / a[W]:.3f} "
            f"| {b[PA] / a[PA]:.3f} | {a[JITTER]:.1f} / {b[JITTER]:.1f} / {a[TRUE_JITTER]:.1f} |"
        )

    def mean(which: str, key: str) -> float:
        return float(np.nanmean([getattr(p, which)[key] for p in pairs]))

    def ratio(key: str) -> float:
        return float(np.mean([p.full[key] / p.without[key] for p in pairs]))

    lines.append(
        f"| mean | {mean('without', WA):.1f} | {mean('full', WA):.1f} | **{ratio(WA):.3f}** "
        f"| {ratio(W):.3f} | {ratio(PA):.3f} | {mean('without', JITTER):.1f} / "
        f"{mean('full', JITTER):.1f} / {mean('full', TRUE_JITTER):.1f} |"
    )
    lines += [
        "",
        f"Foot sliding {mean('without', SLIDING):.1f} without, {mean('full', SLIDING):.1f} mm a "
        f"frame with; alpha's error {mean('without', ALPHA):.1f} and {mean('full', ALPHA):.1f} %; "
        f"F1 of contacts {mean('without', F1):.2f} and {mean('full', F1):.2f}.",
    ]
    return lines


def motion_lines(pairs: Sequence[Pair]) -> list[str]:
    """Markdown table of the end of sub-stage ``motion``, against the state it starts from."""
    lines = [
        "| scene | WA-MPJPE100 before `motion`, mm | after, mm | ratio "
        "| foot sliding before / after, mm a frame | jitter before / after / truth | ended |",
        "|---|---|---|---|---|---|---|",
    ]
    for p in pairs:
        a, b = p.start, p.motion
        lines.append(
            f"| {p.name} | {a[WA]:.1f} | {b[WA]:.1f} | {b[WA] / a[WA]:.3f} "
            f"| {a[SLIDING]:.1f} / {b[SLIDING]:.1f} "
            f"| {a[JITTER]:.1f} / {b[JITTER]:.1f} / {a[TRUE_JITTER]:.1f} | {p.status} |"
        )
    ratios = [p.motion[WA] / p.start[WA] for p in pairs]
    lines.append(f"| mean | | | **{np.mean(ratios):.3f}** | | | |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
