"""Levenberg-Marquardt on the arrow system; knows no body and no term."""

from __future__ import annotations

from refine_engine.solver.arrow_problem import ArrowProblem, Free, QuadraticModel
from refine_engine.solver.levenberg import Damping, StepResult, step

__all__ = ["ArrowProblem", "Damping", "Free", "QuadraticModel", "StepResult", "step"]
