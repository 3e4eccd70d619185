from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_engine.evaluation.benchmark import peak_memory_mb, run_benchmark
from refine_engine.evaluation.plain_way import energy_and_gradient, variable_count
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.refinement.initialisation import initialise
from refine_engine.solver.arrow_problem import Free


def test_the_gradient_that_l_bfgs_gets_is_that_of_the_energy(tmp_path: Path) -> None:
    from refine_engine.body import embedded_body
    from refine_engine.config import RefinementConfig
    from refine_engine.evaluation.synthetic.results_folder import write_results_folder
    from refine_engine.importers import load_results
    from refine_engine.terms.problem import Problem

    options = SampleOptions(
        people=1,
        frames=6,
        seed=2,
        video=False,
        kinds=("walk",),
        image_size=(360, 640),
        depth_size=(84, 147),
    )
    write_results_folder(make_scene(options), tmp_path)
    scene, body, config = load_results(tmp_path), embedded_body(), RefinementConfig(threads=1)
    state = initialise(scene, body, config).state
    problem = Problem(scene, body, state, config)
    start = problem.pack(state)
    weights = {k: v for k, v in config.weights().items() if k != "cvae"}
    problem.prepare(start, "final", weights)
    free = Free(pose=True, betas=True, plane=True, alpha=True)
    frames = [len(p.transl) for p in start.people]
    rng = np.random.default_rng(0)
    count = variable_count(problem, start, weights, free)
    x, direction = rng.normal(0, 0.01, count), rng.normal(size=count)

    def energy(at: np.ndarray) -> float:
        return energy_and_gradient(problem, start, weights, free, at, frames)[0]

    gradient = energy_and_gradient(problem, start, weights, free, x, frames)[1]
    h = 1e-6
    numeric = (energy(x + h * direction) - energy(x - h * direction)) / (2 * h)
    assert gradient @ direction == pytest.approx(numeric, rel=1e-4)


@pytest.mark.slow
def test_a_benchmark_has_every_key() -> None:
    found = run_benchmark(1, 12, plain=False, growth=True).values
    for key in (
        "people",
        "frames",
        "seconds_total",
        "seconds_per_substage",
        "iterations",
        "seconds_per_iteration",
        "resolve_seconds",
        "peak_memory_mb",
        "plain_seconds",
        "ratio_to_plain",
        "threads",
        "versions",
    ):
        assert key in found
    assert found["seconds_total"] > 0
    growth = found["growth"]
    assert growth["people_times_3"]["people"] == 3
    assert growth["frames_times_3"]["frames"] == 36
    for name in ("people", "frames"):
        ratio = growth[f"{name}_times_3"]["seconds_total"] / found["seconds_total"]
        assert 3 ** growth[f"{name}_exponent_of_seconds_total"] == pytest.approx(ratio)
    assert found["iterations"]["smpl"] > 0
    assert found["peak_memory_mb"] <= peak_memory_mb()
