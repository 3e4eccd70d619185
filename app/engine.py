"""The real engine behind :class:`app.engine_worker.EnginePort`; everything is imported late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.engine_worker import OpenedScene, RunGenerator, RunRequest
from refine_engine.config import RefinementConfig
from refine_engine.state import OptimizationState, RefinementOutput

if TYPE_CHECKING:
    from refine_engine.refinement.refiner import Stage5Refiner
    from refine_engine.scene import Scene

_UNSOLVED = ("enable_", "_iterations", "lambda_", "guard")
"""Settings that do not change what a refiner prepared from the input."""


class Engine:
    """Opens folders and refines; used on the worker's thread only."""

    def __init__(self) -> None:
        self._refiner: Stage5Refiner | None = None
        self._prepared: tuple[int, RefinementConfig] | None = None

    def open(self, folder: Path, config: RefinementConfig, body_folder: str) -> OpenedScene:
        """Read a results folder, its body and the state that refinement starts from."""
        from refine_engine.body import load_body_model
        from refine_engine.importers import load_results
        from refine_engine.refinement.initialisation import initialise
        from refine_engine.refinement.input import RefinementInput

        scene = load_results(folder)
        scene = RefinementInput.from_scene(scene).limited(config.max_frames).scene
        body = load_body_model(scene.gender, search=[body_folder or None])
        state = initialise(scene, body, config).state
        self._refiner = self._prepared = None
        return OpenedScene(folder, scene, body, state, self.heights(body, state))

    def heights(self, body: Any, state: OptimizationState) -> Mapping[int, float]:
        """Standing height of each person in metres."""
        from refine_engine.body import stature

        return {i: float(stature(body, p.betas).value) for i, p in state.people.items()}

    def iterate(self, request: RunRequest) -> RunGenerator:
        """A run; a live one goes on with what the last run prepared from the input."""
        from refine_engine.refinement.refiner import Stage5Refiner

        opened, config = request.opened, request.config
        prepared = (id(opened.scene), _input_settings(config))
        refiner = self._refiner
        if request.live and refiner is not None and self._prepared == prepared:
            assert request.start is not None
            yield from refiner.resolving(
                request.start, config.weights(), request.first or "final", request.control
            )
            return refiner.output
        refiner = Stage5Refiner(config, opened.body)
        self._refiner, self._prepared = refiner, prepared
        yield from refiner.iterate(
            opened.scene, request.control, request.start, request.first, request.earlier
        )
        return refiner.output

    def export(
        self, folder: Path, output: RefinementOutput, scene: Scene, config: RefinementConfig
    ) -> None:
        """Write the files that the command line writes."""
        from refine_engine.exporters.results_json import write_results

        write_results(folder, output, scene, config)


def _input_settings(config: RefinementConfig) -> RefinementConfig:
    """The configuration with everything at its default that a prepared refiner does not keep."""
    default = RefinementConfig()
    changes = {
        key: getattr(default, key)
        for key in config.to_dict()
        if any(part in key for part in _UNSOLVED)
    }
    return replace(config, **changes)
