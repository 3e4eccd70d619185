"""The real engine behind :class:`app.engine_worker.EnginePort`; everything is imported late."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app.engine_worker import OpenedScene, RunGenerator, RunRequest, Summary
from app.reading import Reading
from refine_engine.config import RefinementConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from refine_engine.exporters.formats import ExportOptions
    from refine_engine.refinement.refiner import Stage5Refiner
    from refine_engine.state import OptimizationState, RefinementOutput

_UNSOLVED = ("enable_", "_iterations", "lambda_", "guard")
"""Settings that do not change what a refiner prepared from the input."""


class Engine:
    """Opens folders and refines; used on the worker's thread only."""

    def __init__(self) -> None:
        self._refiner: Stage5Refiner | None = None
        self._prepared: tuple[int, RefinementConfig] | None = None

    def open(
        self,
        folder: Path,
        config: RefinementConfig,
        body_folder: str,
        reading: Reading = Reading(),  # noqa: B008  (immutable)
    ) -> OpenedScene:
        """Read a results folder, its body and the state that refinement starts from."""
        from refine_engine.body import load_body_model
        from refine_engine.importers import load_results
        from refine_engine.refinement.initialisation import initialise
        from refine_engine.refinement.input import limited_scene

        scene = limited_scene(load_results(folder, **reading.said), config.max_frames)
        body = load_body_model(scene.gender, search=[body_folder or None])
        state = initialise(scene, body, config).state
        self._refiner = self._prepared = None
        return OpenedScene(folder, scene, body, state, _heights(body, state), reading)

    def prepare(self) -> Mapping[str, float]:
        """Load what the first run needs, which no picture does; unit constants by term."""
        import refine_engine.refinement.refiner  # noqa: F401
        from refine_engine.terms.registry import TERMS

        # As at the start: a full collection over everything imported takes longer than a frame.
        gc.freeze()
        return {name: info.c_term for name, info in TERMS.items()}

    def summarise(self, opened: OpenedScene, output: RefinementOutput) -> Summary:
        """Heights, and the metrics before and after (with ground truth where it lies there)."""
        from refine_engine.evaluation.before_after import compare, compare_people
        from refine_engine.evaluation.sources import TRUTH_FILE

        truth = (opened.scene.root or opened.folder) / TRUTH_FILE
        found = compare(output, opened.scene, opened.body, truth)
        everybody = compare_people(output, opened.scene, opened.body, truth)
        people = {i: _named(both) for i, both in everybody.items()}
        return Summary(_heights(opened.body, output.state), _named(found), people)

    def iterate(self, request: RunRequest) -> RunGenerator:
        """A run; a live one goes on with what the last run prepared from the input."""
        from refine_engine.refinement.refiner import Stage5Refiner

        opened, config = request.opened, request.config
        prepared = (id(opened.scene), _input_settings(config))
        refiner = self._refiner
        live = request.live and request.start is not None and request.first is not None
        if live and refiner is not None and self._prepared == prepared:
            assert request.start is not None
            assert request.first is not None
            yield from refiner.resolving(
                request.start, config.weights(), request.first, request.control
            )
            return refiner.output
        refiner = Stage5Refiner(config, opened.body)
        self._refiner, self._prepared = refiner, prepared
        yield from refiner.iterate(
            opened.scene, request.control, request.start, request.first, request.earlier
        )
        return refiner.output

    def export(
        self,
        folder: Path,
        output: RefinementOutput,
        opened: OpenedScene,
        config: RefinementConfig,
    ) -> None:
        """Write the files that the command line writes, unless somebody else writes there."""
        from refine_engine.evaluation.sources import TRUTH_FILE
        from refine_engine.run import write_run
        from refine_engine.safe_files import only_writer

        truth = (opened.scene.root or opened.folder) / TRUTH_FILE
        with only_writer(folder):
            write_run(folder, output, opened.scene, opened.body, config, truth)

    def export_format(
        self,
        name: str,
        path: Path,
        state: OptimizationState,
        opened: OpenedScene,
        output: RefinementOutput | None,
        config: RefinementConfig,
        options: ExportOptions,
    ) -> list[str]:
        """Write a state in one of the engine's formats; notes of what the format cannot hold."""
        from refine_engine.exporters.content import content_of_state
        from refine_engine.exporters.formats import caveats, export
        from refine_engine.exporters.results_json import results_dict

        scene = opened.scene
        document = None if output is None else results_dict(output, scene, config)
        content = content_of_state(state, scene, opened.body, document)
        export(name, content, path, options)
        return caveats(name, content, options)

    def sample(self, folder: Path, options: Mapping[str, Any]) -> Path:
        """Write a sample scene; returns its folder."""
        from refine_engine.evaluation.synthetic.options import SampleOptions
        from refine_engine.evaluation.synthetic.results_folder import write_results_folder
        from refine_engine.evaluation.synthetic.scene import make_scene

        return write_results_folder(make_scene(SampleOptions(**options)), folder)


def _heights(body: Any, state: OptimizationState) -> Mapping[int, float]:
    from refine_engine.body import stature

    return {i: float(stature(body, p.betas).value) for i, p in state.people.items()}


def _named(found: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Name with unit to (before, after), of the metrics that both have."""
    from refine_engine.evaluation.metric_list import METRICS

    named: dict[str, tuple[float, float]] = {}
    for metric in METRICS:
        before, after = found["before"].get(metric.key), found["after"].get(metric.key)
        if before is not None and after is not None:
            name = f"{metric.label}, {metric.unit}" if metric.unit else metric.label
            named[name] = (before, after)
    return named


def _input_settings(config: RefinementConfig) -> RefinementConfig:
    """The configuration with everything at its default that a prepared refiner does not keep."""
    default = RefinementConfig()
    changes = {
        key: getattr(default, key)
        for key in config.to_dict()
        if any(part in key for part in _UNSOLVED)
    }
    return replace(config, **changes)
