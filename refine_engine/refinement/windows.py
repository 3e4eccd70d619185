"""The growing windows of the sub-stage ``motion``.

Every transition is one residual among states that are variables, so no window has to be rolled
out. What windows do here is what they are for: short ones first settle each stretch of motion by
itself, before transitions tie the stretches together. The last one is ``humor_horizon_max``, or
the whole clip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from refine_engine.refinement.window_lengths import window_lengths
from refine_engine.terms.motion import MotionPrior

if TYPE_CHECKING:
    from refine_engine.config import RefinementConfig
    from refine_engine.solver.levenberg import StepResult
    from refine_engine.terms.packed import Packed
    from refine_engine.terms.problem import Problem

COARSE = 0.02
"""A window that is not the last is left when an iteration gains less than this share."""


class Windows:
    """Which window the motion prior is in; without effect outside ``motion``.

    Parameters
    ----------
    problem
        Holds the prior's term, which gets the window's length.
    sub_stage
        Name of the sub-stage that runs.
    """

    def __init__(
        self, problem: Problem, sub_stage: str, config: RefinementConfig, frames: int
    ) -> None:
        self._terms = [t for t in problem.terms if isinstance(t, MotionPrior)]
        self.lengths: tuple[int | None, ...] = (None,)
        if sub_stage == "motion":
            self.lengths = window_lengths(
                config.motion_prior_chunk_size,
                config.humor_horizon_max,
                frames,
                rolled_out=config.motion_prior_mode == "rollout",
            )
        self._index = 0
        self._iterations = 0
        self._cap = config.motion_prior_iterations
        self._set(self.lengths[0])

    def grow(self) -> bool:
        """Go on to the next window; False where there is none."""
        if self._index + 1 >= len(self.lengths):
            return False
        self._index += 1
        self._iterations = 0
        self._set(self.lengths[self._index])
        return True

    def settled(self, result: StepResult[Packed]) -> bool:
        """Whether an iteration was this window's last, and another window follows."""
        self._iterations += 1
        follows = self._index + 1 < len(self.lengths)
        return follows and (self._iterations >= self._cap or result.relative_decrease < COARSE)

    def close(self) -> None:
        """Back to no borders."""
        self._set(None)

    @property
    def horizon(self) -> int | None:
        """Length of the present window in frames; None = no borders."""
        return self.lengths[self._index]

    def _set(self, horizon: int | None) -> None:
        for term in self._terms:
            term.horizon = horizon
