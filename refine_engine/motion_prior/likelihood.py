"""How likely a person's motion is, as nats and as one calibrated number in (0, 1].

Two things are scored, at 30 frames a second: transitions, by the prior, and standing feet. The
prior sees accelerations, and a body that glides steadily has none; so the speed of whichever foot
joint is slowest counts as well - in nearly every frame of recorded motion one of them rests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.motion_prior.resampling import resampled
from refine_engine.motion_prior.transition import PRIOR_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.motion_prior.transition import TransitionPrior

    Array = NDArray[np.float64]

FOOT_JOINTS = [7, 8, 10, 11]
"""Ankles and balls of the feet."""
SLIDE_SPEED = 0.2
"""Speed of the slowest foot joint, m/s at body size 1, that counts as half a slide."""
SLIDE_NATS = 150.0
"""What a full slide costs a frame: as much as jitter of about half a degree."""
CLEAN_LIKELIHOOD = 0.9
"""Likelihood of motion with the median score of recorded motion."""
STEEPNESS = 1.3
"""How fast the likelihood falls with the score."""


@dataclass(frozen=True)
class MotionScore:
    """One person's motion under the prior."""

    likelihood: float
    """(0, 1]; recorded motion has a median of 0.9."""
    nats: float
    """-log density of a transition, mean over frames; raw, so it may be negative."""
    score: float
    """Mean energy over the least there can be, plus the slides' part, nats a frame; >= 0."""
    influence: float
    """How firmly the prior holds the motion: 1 = as ordinary motion, 0 = lets it go."""


def score_motion(
    prior: TransitionPrior,
    R: NDArray[np.floating],
    transl: NDArray[np.floating],
    feet: NDArray[np.floating],
    size: float,
    rate: float,
    observed: NDArray[np.bool_] | None = None,
) -> MotionScore | None:
    """Score a motion; None where no three consecutive frames were observed.

    Parameters
    ----------
    prior
        The prior.
    R
        (n, 24, 3, 3) root in a world that is Y up, then joints relative to their parents.
    transl
        (n, 3) metres.
    feet
        (n, 4, 3) joints :data:`FOOT_JOINTS` in the same world.
    size
        Body size, 1 = mean body.
    rate
        Frames per second of the rows.
    observed
        (n,) rows that were measured; None = all.
    """
    n = len(R)
    seen = np.ones(n, dtype=bool) if observed is None else np.asarray(observed, dtype=bool)
    turns, places = np.asarray(R, dtype=np.float64), np.asarray(transl, dtype=np.float64)
    feet = np.asarray(feet, dtype=np.float64)
    if abs(rate - PRIOR_RATE) > 1e-3:
        times = np.arange(0.0, (n - 1) / rate + 1e-9, 1.0 / PRIOR_RATE) * rate
        below = np.minimum(times.astype(np.int64), max(n - 2, 0))
        part = (times - below)[:, None, None]
        above = np.minimum(below + 1, n - 1)
        feet = (1 - part) * feet[below] + part * feet[above]
        seen = seen[below] & seen[above]
        turns, places = resampled(turns, places, rate, PRIOR_RATE)
    whole = seen[2:] & seen[1:-1] & seen[:-2]
    if not whole.any():
        return None
    energies, influence = prior.energies(turns, places, size, PRIOR_RATE)
    speeds = np.linalg.norm(feet[2:] - feet[:-2], axis=-1) * (0.5 * PRIOR_RATE / size)
    slowest = speeds.min(1) ** 2
    slides = slowest / (slowest + SLIDE_SPEED**2)
    energy = float(energies[whole].mean())
    score = energy + SLIDE_NATS * float(slides[whole].mean())
    return MotionScore(
        likelihood=likelihood_of_score(score, prior.clean_nats),
        nats=energy + prior.least_energy,
        score=score,
        influence=float(influence[whole].mean()),
    )


def likelihood_of_score(score: float, clean: float) -> float:
    """Calibrated likelihood: 0.9 at the median score ``clean`` of recorded motion."""
    exponent = np.log(CLEAN_LIKELIHOOD) * (max(score, 0.0) / clean) ** STEEPNESS
    return float(np.clip(np.exp(exponent), 1e-6, 1.0))
