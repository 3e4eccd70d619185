"""Seconds and memory of a refinement on a synthetic scene, and how much slower the plain way is."""

from __future__ import annotations

import contextlib
import math
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.body import load_body_model
from refine_engine.config import RefinementConfig
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.results_folder import write_results_folder
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.exporters.results_json import versions
from refine_engine.importers import load_results
from refine_engine.refinement.input import RefinementInput
from refine_engine.refinement.refiner import Stage5Refiner
from refine_engine.refinement.substages import PLANS
from refine_engine.solver.threads import worker_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from refine_engine.scene import Scene


@dataclass(frozen=True)
class Benchmark:
    """What ``bench --json`` prints."""

    values: dict[str, Any]


def run_benchmark(
    people: int,
    frames: int,
    *,
    seed: int = 0,
    config: RefinementConfig | None = None,
    plain: bool = True,
    growth: bool = False,
    say: Callable[[str], None] = lambda _text: None,
) -> Benchmark:
    """Refine a synthetic scene of that size and time it.

    Parameters
    ----------
    people, frames
        Size of the scene (level published, a hand-held camera).
    seed
        Of the scene.
    config
        Settings; None = the defaults.
    plain
        Whether to measure the plain way too.
    growth
        Whether to measure how time grows: with three times the people, with three times the
        frames.
    say
        Told what is being done.
    """
    config = config or RefinementConfig()
    with _scene(people, frames, seed, say) as scene:
        values = _measure(scene, people, frames, config, plain=plain, say=say)
    if growth:
        values["growth"] = _growth(values, seed, config, say)
    return Benchmark(values)


@contextlib.contextmanager
def _scene(people: int, frames: int, seed: int, say: Callable[[str], None]) -> Iterator[Scene]:
    """A synthetic scene, on disk for as long as it is used."""
    with tempfile.TemporaryDirectory(prefix="smpl-refiner-bench-") as folder:
        say(f"making a scene of {people} people and {frames} frames")
        options = SampleOptions(people=people, frames=frames, seed=seed, video=False)
        write_results_folder(make_scene(options), Path(folder))
        yield load_results(folder)


def _growth(
    values: dict[str, Any], seed: int, config: RefinementConfig, say: Callable[[str], None]
) -> dict[str, Any]:
    """Exponents of people and frames in the time of all sub-stages, and in that of an iteration.

    Sub-stages take more or fewer iterations on other scenes; the second pair leaves that out.
    """
    people, frames = values["people"], values["frames"]
    found: dict[str, Any] = {}
    for name, size in (("people", (3 * people, frames)), ("frames", (people, 3 * frames))):
        with _scene(*size, seed, say) as scene:
            larger = _measure(scene, *size, config, plain=False, say=say)
        for key in ("seconds_total", "seconds_per_iteration"):
            ratio = larger[key] / values[key]
            found[f"{name}_exponent_of_{key}"] = math.log(ratio) / math.log(3.0)
        found[f"{name}_times_3"] = {
            key: larger[key]
            for key in ("people", "frames", "seconds_total", "seconds_per_iteration", "iterations")
        }
    return found


def _measure(
    scene: Scene,
    people: int,
    frames: int,
    config: RefinementConfig,
    *,
    plain: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    body = load_body_model(scene.gender)
    given = RefinementInput.from_scene(scene)
    say("compiling the kernels (not timed)")
    Stage5Refiner(config.replace(max_frames=8), body).refine(given)
    say("refining")
    refiner = Stage5Refiner(config, body)
    began = time.perf_counter()
    output = refiner.refine(given)
    total = time.perf_counter() - began
    iterations = sum(s.iterations for s in output.sub_stages)
    say("solving again after a weight changed")
    began = time.perf_counter()
    refiner.resolve(output.state, {"smooth": 2.0 * config.lambda_smooth})
    resolve = time.perf_counter() - began
    spent = sum(s.seconds for s in output.sub_stages if s.sub_stage != "init")
    values: dict[str, Any] = {
        "people": people,
        "frames": frames,
        "seconds_total": total,
        "seconds_per_substage": {s.sub_stage: s.seconds for s in output.sub_stages},
        "iterations": {s.sub_stage: s.iterations for s in output.sub_stages},
        "statuses": {s.sub_stage: s.status for s in output.sub_stages},
        "seconds_per_iteration": spent / max(iterations, 1),
        "resolve_seconds": resolve,
        "peak_memory_mb": peak_memory_mb(),
        "plain_seconds": None,
        "ratio_to_plain": None,
        "threads": worker_count(config.threads, people),
        "versions": versions(),
    }
    if plain:
        say("measuring the plain way (extrapolated)")
        values.update(_plain(refiner, scene, config, total))
    return values


def _plain(
    refiner: Stage5Refiner, scene: Scene, config: RefinementConfig, total: float
) -> dict[str, Any]:
    # torch is slow to import; the timed run above does without it.
    from refine_engine.evaluation.plain_way import plain_cost

    problem, body = refiner.packed_problem
    output = refiner.output
    has_prior = any(term.info.name == "cvae" for term in problem.terms)
    weights = PLANS["final"].weights(config.weights(), has_prior=has_prior)
    problem.prepare(problem.pack(output.state), "final", weights)
    cost = plain_cost(problem, scene, body, output.initial_state, output.state, weights)
    return {
        "plain_seconds": cost.seconds,
        "plain_seconds_per_evaluation": cost.seconds_per_evaluation,
        "plain_evaluations": cost.evaluations,
        "plain_reached_target": cost.reached,
        "plain_energy_over_ours": cost.off_by,
        "plain_note": (
            "full smplx skinning and autograd measured per evaluation; L-BFGS evaluations to "
            "within 1 % of the same final energy counted; the total is their product"
            + (
                ""
                if cost.reached
                else f"; L-BFGS gave up {100 * cost.off_by:.0f} % above it: a lower bound"
            )
        ),
        "ratio_to_plain": cost.seconds / total,
    }


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024.0**2 if sys.platform == "darwin" else 1024.0)
