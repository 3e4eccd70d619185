"""SMPL Refiner's engine: numerics, files and the command line; no Qt, no VTK."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refine_engine.config import RefinementConfig
    from refine_engine.importers import load_results
    from refine_engine.refinement.control import RunControl
    from refine_engine.refinement.input import RefinementInput
    from refine_engine.refinement.refiner import Stage5Refiner
    from refine_engine.run import run_refinement
    from refine_engine.state import OptimizationState, RefinementOutput

__all__ = [
    "OptimizationState",
    "RefinementConfig",
    "RefinementInput",
    "RefinementOutput",
    "RunControl",
    "Stage5Refiner",
    "load_results",
    "run_refinement",
]

_WHERE = {
    "OptimizationState": "refine_engine.state",
    "RefinementConfig": "refine_engine.config",
    "RefinementInput": "refine_engine.refinement.input",
    "RefinementOutput": "refine_engine.state",
    "RunControl": "refine_engine.refinement.control",
    "Stage5Refiner": "refine_engine.refinement.refiner",
    "load_results": "refine_engine.importers",
    "run_refinement": "refine_engine.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: ``--help`` and readers of one module stay quick."""
    if name not in _WHERE:
        raise AttributeError(f"module 'refine_engine' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
