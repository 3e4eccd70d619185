"""The refinement problem: people, cameras and evidence, packed once; evaluated many times.

Interface (implementation follows; signatures are agreed)::

    problem = Problem(scene, body, state, config, extra_terms=(...))   # once per run
    packed = problem.pack(state)                # OptimizationState -> Packed
    state = problem.unpack(packed)              # Packed -> OptimizationState (cheap, per snapshot)
    problem.prepare(packed, "smpl", weights)    # at the begin of each sub-stage: depth samples,
                                                # robust scales, active terms
    total, terms = problem.evaluate(packed, weights)
    evidence = problem.evidence(packed)         # {"keypoints": px, "depth": log, "slide": m/frame}
                                                # on the held-out tenth; absent where no evidence
    result = step(problem, packed, weights, Free(...), damping, poll)      # solver.levenberg
    cov = covariance(problem, packed, weights, Free(...))                  # solver.covariance
        -> Covariance(alpha_sigma, plane_sigma (3,), betas_sigma {id: (10,)},
                      joint_sigma {id: (n, 24)})

``weights``: term name -> lambda as in RefinementConfig.weights(); a missing name or 0 means that
the term is exactly absent. Which terms are in a sub-stage is therefore the caller's dictionary.
``terms.registry.TERMS``: name -> TermInfo(name, description, unit, default_weight, c_term, reason).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PackedPerson:
    """One person's variables, in solver layout."""

    R: Array
    """(n, 24, 3, 3): root in the world, then joints 1..23 relative to their parents."""
    transl: Array
    """(n, 3) smplx transl, world."""
    betas: Array
    """(10,)."""


@dataclass(frozen=True)
class Packed:
    """All variables; immutable, a new object per step."""

    people: tuple[PackedPerson, ...]
    """In the order of ``Problem.ids`` (sorted track ids)."""
    plane: Array
    """(4,)."""
    alpha: float
    """Metres per reconstruction unit; unpack turns it into scale_delta with alpha_0."""
    chunk_log_scale: Array
    """(C,)."""
