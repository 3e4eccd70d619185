"""From sparse, measured rows to a dense range of frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import body_size
from refine_engine.motion_prior.gap_filling import fill_gaps_of, geodesic_gap
from refine_engine.motion_prior.gap_windows import RATE, seen_motion
from refine_engine.solver.threads import people_runner, worker_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from refine_engine.body import BodyModel
    from refine_engine.motion_prior.gap_model import GapModel
    from refine_engine.scene import Array, BoolArray, IntArray
    from refine_engine.state import OptimizationState, PersonState


@dataclass(frozen=True)
class Gap:
    """How one gap was filled."""

    first: int
    """First missing video frame."""
    last: int
    """Last missing video frame."""
    learned: bool
    """False where it was filled by geodesics and a straight line."""
    reason: str
    """Why it was not learned; empty where it was."""


@dataclass(frozen=True)
class DenseMotion:
    """One person over consecutive frames, in the world."""

    frames: IntArray
    """(n,) from the first to the last observed frame, without holes."""
    R_world_root: Array
    """(n, 3, 3)."""
    body_pose: Array
    """(n, 23, 3, 3)."""
    transl_world: Array
    """(n, 3) metres."""
    observed: BoolArray
    """(n,) False where the row was filled in."""
    gaps: tuple[Gap, ...] = ()
    """In the order of time."""


def fill_gaps(
    frames: IntArray,
    R_world_root: Array,
    body_pose: Array,
    transl_world: Array,
    observed: BoolArray,
    *,
    model: GapModel | None = None,
    size: float = 1.0,
    fps: float = RATE,
    chunk: IntArray | None = None,
    poll: Callable[[], None] = lambda: None,
) -> DenseMotion:
    """Fill the frames between measured ones.

    With a model, gaps of up to two seconds follow what it makes of the motion on both sides; the
    others, and all without a model, follow geodesics and straight lines. Rows that are present but
    not observed (a tracker's ghost repeats an old state) count as gaps. Ghost rows before the first
    and after the last observed one are dropped: nothing is extrapolated.

    Parameters
    ----------
    frames
        (n,) increasing video frame numbers.
    R_world_root, body_pose, transl_world
        (n, 3, 3), (n, 23, 3, 3), (n, 3) in the world (a person moves steadily there, not in the
        frame of a moving camera), Y up.
    observed
        (n,) which rows were measured; at least one.
    model
        Networks that fill gaps; None = geodesics everywhere.
    size
        Body size, 1 = mean body.
    fps
        Frames per second of the video.
    chunk
        (n,) reconstruction chunk of each row; motion is not read across their borders.
    poll
        Called between every few gaps; it may raise to leave them.
    """
    seen = np.flatnonzero(observed)
    known = frames[seen]
    rows = known - known[0]
    n = int(rows[-1]) + 1
    R = np.empty((n, 24, 3, 3))
    R[rows] = np.concatenate([R_world_root[:, None], body_pose], 1)[seen]
    transl = np.empty((n, 3))
    transl[rows] = transl_world[seen]
    measured = np.zeros(n, dtype=bool)
    measured[rows] = True
    parts = np.zeros(n, dtype=np.int64)
    if chunk is not None:
        parts[rows] = chunk[seen]
    R, transl, gaps = _filled(R, transl, measured, parts, model, size, fps, poll)
    return DenseMotion(
        frames=np.arange(known[0], known[-1] + 1, dtype=np.int64),
        R_world_root=R[:, 0],
        body_pose=R[:, 1:],
        transl_world=transl,
        observed=measured,
        gaps=tuple(
            replace(g, first=g.first + int(known[0]), last=g.last + int(known[0])) for g in gaps
        ),
    )


def refill_gaps(
    state: OptimizationState,
    body: BodyModel,
    model: GapModel,
    fps: float,
    chunk: IntArray,
    poll: Callable[[], None] = lambda: None,
    threads: int = 1,
) -> OptimizationState:
    """The state with its gaps filled anew from the present motion beside them.

    Better poses on both sides make better ones between them, and people who moved leave no gap
    behind where they stood: gaps that the model cannot fill are bridged again.

    Parameters
    ----------
    chunk
        Reconstruction chunk of each video frame.
    poll
        Called at least every few gaps, from this thread; it may raise to leave them.
    threads
        People at a time; 0 = one a core.
    """
    ids = list(state.people)
    inside = poll_inside(threads, len(ids), poll)

    def filled(k: int) -> PersonState:
        p = state.people[ids[k]]
        if p.observed.all():
            return p
        R = np.concatenate([p.R_world_root[:, None], p.body_pose], 1)
        transl = np.array(p.transl_world)
        size = float(body_size(body, p.betas).value)
        parts = chunk[p.frames]
        R, transl, gaps = _filled(R, transl, p.observed, parts, model, size, fps, inside)
        learned = np.zeros(len(R), dtype=bool)
        for gap in gaps:
            learned[gap.first : gap.last + 1] = gap.learned
        return replace(
            p,
            R_world_root=R[:, 0],
            body_pose=R[:, 1:],
            transl_world=transl,
            learned=learned,
        )

    people = people_runner(threads, poll)(filled, len(ids))
    return replace(state, people=dict(zip(ids, people, strict=True)))


def poll_inside(threads: int, people: int, poll: Callable[[], None]) -> Callable[[], None]:
    """What is asked between a person's gaps: only the caller's thread may ask the caller."""
    return poll if worker_count(threads, people) == 1 else lambda: None


def learned_frames(motion: DenseMotion) -> BoolArray:
    """(n,) frames of gaps that the model filled."""
    learned = np.zeros(len(motion.frames), dtype=bool)
    for gap in motion.gaps:
        learned[gap.first - motion.frames[0] : gap.last + 1 - motion.frames[0]] = gap.learned
    return learned


def gap_note(gaps: Sequence[Gap]) -> str:
    """A sentence for the user; empty without gaps."""
    if not gaps:
        return ""
    count = sum(g.last - g.first + 1 for g in gaps)
    note = f"{count} frames between measured ones were filled in and count as unseen"
    learned = [g for g in gaps if g.learned]
    if learned:
        note += f" ({len(learned)} of {len(gaps)} gaps from the motion on both sides)"
    reasons = sorted({g.reason for g in gaps if g.reason})
    if reasons:
        note += f"; straight interpolation where: {', '.join(reasons)}"
    return note


def _filled(
    R: Array,
    transl: Array,
    observed: BoolArray,
    chunk: IntArray,
    model: GapModel | None,
    size: float,
    fps: float,
    poll: Callable[[], None],
) -> tuple[Array, Array, list[Gap]]:
    """Dense rows with the unobserved ones replaced, and the gaps by row."""
    R, transl = R.copy(), transl.copy()
    rows = np.flatnonzero(observed)
    ends = [(int(rows[k]), int(rows[k + 1])) for k in np.flatnonzero(np.diff(rows) > 1)]
    for left, right in ends:
        R[left + 1 : right], transl[left + 1 : right] = geodesic_gap(R, transl, left, right)
    if model is None:
        return R, transl, [Gap(a + 1, b - 1, learned=False, reason="") for a, b in ends]
    joined = observed[1:] & observed[:-1] & (chunk[1:] == chunk[:-1])
    motion = seen_motion(model.space.mean, R, transl, size, fps, joined)
    gaps = []
    found = fill_gaps_of(model, motion, R, transl, size, ends, poll)
    for (left, right), gap in zip(ends, found, strict=True):
        R[left + 1 : right], transl[left + 1 : right] = gap.R, gap.transl
        gaps.append(Gap(left + 1, right - 1, gap.learned, gap.reason))
    return R, transl, gaps
