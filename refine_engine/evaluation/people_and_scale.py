"""How alpha's error falls with people: ``python -m refine_engine.evaluation.people_and_scale``.

Scenes of five (or ten) people, each refined with the first 1, 2, 3, 5 (10) of them, with depth and
without, before a handheld and a static camera. Alpha starts from the cues (``alpha_init: auto``).
Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import load_body_model
from refine_engine.config import RefinementConfig
from refine_engine.errors import RefinementError
from refine_engine.evaluation.sources import TRUTH_FILE, motion_from_ground_truth
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.results_folder import write_results_folder
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.importers import load_results
from refine_engine.refinement.refiner import Stage5Refiner

if TYPE_CHECKING:
    from refine_engine.evaluation.synthetic.options import CameraKind

FIRST_SEED = 20
FEW = (1, 2, 3, 5)


@dataclass(frozen=True)
class ScaleRun:
    """One refinement with some of a scene's people."""

    camera: str
    seed: int
    people: int
    depth: bool
    start_percent: float
    """100 |log(alpha_0 / true alpha)|."""
    error_percent: float
    """100 |log(alpha / true alpha)|."""
    sigma_percent: float
    """As reported; NaN where there is none."""
    observable: bool
    curve_percent: float
    """Where the curve of everybody's motion has its minimum; NaN where it says nothing."""
    at_bound: bool = False
    """Whether alpha stopped at its bound about alpha_0."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--motion", type=Path, help="motion clips (default: embedded motions)")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=6, help="scenes of five people, handheld")
    parser.add_argument("--static-seeds", type=int, default=2)
    parser.add_argument("--ten-seeds", type=int, default=1, help="scenes of ten people, handheld")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    wanted: list[tuple[CameraKind, int, tuple[int, ...]]] = [
        *(("handheld", FIRST_SEED + k, FEW) for k in range(options.seeds)),
        *(("static", FIRST_SEED + k, FEW) for k in range(options.static_seeds)),
        *(("handheld", FIRST_SEED + 10 + k, (1, 10)) for k in range(options.ten_seeds)),
    ]
    runs: list[ScaleRun] = []
    try:
        config = RefinementConfig().with_settings(options.set)
        for camera, seed, counts in wanted:
            for run in scale_runs(camera, seed, counts, options.motion, options.frames, config):
                sys.stderr.write(f"{run}\n")
                runs.append(run)
    except RefinementError as error:
        sys.stderr.write(f"people_and_scale: {error}\n")
        return 2
    sys.stdout.write("\n".join([*table_lines(runs), ""]))
    return 0


def scale_runs(
    camera: CameraKind,
    seed: int,
    counts: Sequence[int],
    clips: Path | None,
    frames: int,
    config: RefinementConfig,
) -> Iterator[ScaleRun]:
    """Refine one scene with the first of its people, with depth and without."""
    with tempfile.TemporaryDirectory(prefix="smpl-refiner-") as scratch:
        folder = Path(scratch)
        options = SampleOptions(
            people=max(counts),
            frames=frames,
            level="published",
            camera=camera,
            seed=seed,
            video=False,
            motion=clips,
        )
        write_results_folder(make_scene(options), folder)
        scene = load_results(folder, fps=options.fps)
        body = load_body_model(scene.gender)
        true = motion_from_ground_truth(folder / TRUTH_FILE, body).alpha
        assert true is not None
        for count in counts:
            chosen = {i: scene.people[i] for i in sorted(scene.people)[:count]}
            for depth in (scene.depth, None):
                part = dataclasses.replace(scene, people=chosen, depth=depth)
                output = Stage5Refiner(config, body).refine(part)
                report, alpha = output.scale, output.state.alpha
                curve = [c.alpha for c in report.cues if c.name == "motion prior"]
                least = curve[0] if curve and curve[0] is not None else float("nan")
                sigma = float("nan") if report.sigma is None else 100.0 * report.sigma / alpha
                yield ScaleRun(
                    camera,
                    seed,
                    count,
                    depth is not None,
                    100.0 * abs(float(np.log(report.alpha_0 / true))),
                    100.0 * abs(float(np.log(alpha / true))),
                    sigma,
                    report.observable,
                    100.0 * float(np.log(least / true)),
                    report.at_bound,
                )


def table_lines(runs: Sequence[ScaleRun]) -> list[str]:
    """Markdown table: error of alpha_0 and alpha, sigma and its honesty, the curve's own error.

    The last number in brackets is the root mean square of error over sigma: 1 where sigma is
    honest, less where alpha is surer than it says.
    """
    said = "alpha_0 -> alpha, error in % (sigma; error / sigma)"
    lines = [
        f"| camera, seeds | people | with depth: {said} | without: {said} "
        "| curve's own error without depth, % |",
        "|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, int, bool], list[ScaleRun]] = {}
    for run in runs:
        ten = any(r.people == 10 and (r.camera, r.seed) == (run.camera, run.seed) for r in runs)
        groups.setdefault((run.camera, run.people, ten), []).append(run)
    for (camera, people, _), found in sorted(groups.items(), key=lambda g: (g[0][0], g[0][2])):
        seeds = sorted({r.seed for r in found})
        span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        cells = [_cell([r for r in found if r.depth]), _cell([r for r in found if not r.depth])]
        own = [abs(r.curve_percent) for r in found if not r.depth and np.isfinite(r.curve_percent)]
        silent = sum(not r.depth for r in found) - len(own)
        curve = f"{np.mean(own):.1f}" if own else "none"
        lines.append(
            f"| {camera}, {span} | {people} | {cells[0]} | {cells[1]} "
            f"| {curve}{f' ({silent} say nothing)' if silent and own else ''} |"
        )
    return lines


def _cell(runs: Sequence[ScaleRun]) -> str:
    if not runs:
        return ""
    start = np.mean([r.start_percent for r in runs])
    error = np.mean([r.error_percent for r in runs])
    known = [r for r in runs if np.isfinite(r.sigma_percent)]
    sigma = ""
    if known:
        ratios = [r.error_percent / r.sigma_percent for r in known]
        mean = np.mean([r.sigma_percent for r in known])
        sigma = f" ({mean:.1f}; {np.sqrt(np.mean(np.square(ratios))):.1f})"
    counts = {
        "at the bound": sum(r.at_bound for r in runs),
        "not observable": sum(not r.observable for r in runs),
    }
    notes = "".join(f", {n} {what}" for what, n in counts.items() if n)
    return f"{start:.1f} -> {error:.1f}{sigma}{notes}"


if __name__ == "__main__":
    sys.exit(main())
