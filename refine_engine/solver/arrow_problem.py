"""What the solver is asked: a problem with an arrow-shaped quadratic model, and what may move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from refine_engine.solver.arrow import Part
    from refine_engine.solver.threads import Poll, Run

    Array = NDArray[np.float64]

S = TypeVar("S")


@dataclass(frozen=True)
class Free:
    """Which variables a sub-stage may change; translation and global orientation always."""

    pose: bool = False
    """Rotations of joints 1..21."""
    betas: bool = False
    plane: bool = False
    alpha: bool = False
    """Scale, together with the log depth scale of each reconstruction chunk."""


@dataclass(frozen=True, eq=False)
class QuadraticModel:
    """The Gauss-Newton model of the whole problem at one state."""

    parts: Sequence[Part]
    """People. In large problems a part is made when it is asked for, and anew each time."""
    lasting: bool = True
    """Whether parts are kept."""

    @property
    def shared_gradient(self) -> Array:
        """(K,) by log alpha, the plane's three, the chunks' log scales."""
        total: Array = np.sum([part.shared_gradient for part in self.parts], axis=0)
        return total

    @property
    def shared_hessian(self) -> Array:
        """(K, K)."""
        total: Array = np.sum([part.shared_hessian for part in self.parts], axis=0)
        return total


class ArrowProblem(Protocol[S]):
    """What the solver needs of a problem."""

    threads: int
    """Worker threads asked for; 0 = one per core."""

    def evaluate(
        self, state: S, weights: Mapping[str, float], poll: Poll | None = None
    ) -> tuple[float, dict[str, float]]:
        """Total loss and the weighted loss of each active term."""
        ...

    def linearise(
        self, state: S, weights: Mapping[str, float], free: Free, run: Run
    ) -> QuadraticModel:
        """Gauss-Newton model; ``run`` maps a function over people in worker threads."""
        ...

    def moved(self, state: S, frames: Sequence[Array], own: Array, shared: Array) -> S:
        """A new state after a step: frames (n, width) per person, own (P, 10), shared (K,)."""
        ...

    def alpha_limits(self, state: S) -> tuple[float, float]:
        """Smallest and largest step of log alpha that its bounds allow."""
        ...

    def joint_step(self, before: S, after: S, share: float) -> float:
        """Movement in metres that the given share of all joints does not exceed."""
        ...

    def explain(self, state: S, weights: Mapping[str, float]) -> str:
        """Which term, person and frame is not finite; empty where all is well."""
        ...
