"""One person's quadratic model over its variables, as the solver takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from refine_engine.solver.arrow import OWN
from refine_engine.solver.blocks import LANES
from refine_engine.terms.model import SHARED, SampleRows
from refine_engine.terms.points import FULL_WIDTH, MAX_ATTACHMENTS, SHIFT
from refine_engine.terms.pulled_blocks import assemble_blocks
from refine_engine.terms.pulled_border import FIRST_CHUNK_LANE, pull_border

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.body import BodyModel
    from refine_engine.scene import Array
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Posed, Track

    Blocks = NDArray[np.floating[Any]]

CHUNK = 32
"""Dense blocks are made for so many frames at a time: they stay in the cache."""


class FramePart:
    """A person's model, pulled back to its variables (:class:`refine_engine.solver.arrow.Part`)."""

    def __init__(
        self,
        body: BodyModel,
        track: Track,
        posed: Posed,
        model: PersonModel,
        width: int,
    ) -> None:
        n = len(track)
        chunks = len(model.shared_gradient) - SHARED
        self.frames, self._turn_width = n, width
        self.shared_gradient, self.shared_hessian = model.shared_gradient, model.shared_hessian
        self._model = model
        self.width = width + SHIFT if model.shifts else width
        self.reach = min(model.reach, n - 1)
        self._pose = (posed.rotations, np.ascontiguousarray(posed.points[:, :24]))
        points = track.layout.points
        self._points = (
            points.joints,
            points.weights,
            points.offsets(posed.betas),
            points.chain,
            points.length,
        )
        if model.samples is None or track.depth is None:
            self._rows = _empty_rows(n)
            self._samples = _EMPTY_POINTS
            sample_dirs = np.zeros((0, MAX_ATTACHMENTS, 3, 10))
        else:
            candidates = track.depth.candidates
            self._rows = model.samples
            self._samples = (
                candidates.joints,
                candidates.weights,
                candidates.offsets(posed.betas),
                candidates.chain,
                candidates.length,
            )
            sample_dirs = candidates.dirs
        groups = -(-(FIRST_CHUNK_LANE + chunks) // LANES)
        self.border: Array = np.zeros((groups, n * self.width, LANES))
        self._shift_pulled = np.zeros((n if model.shifts else 0, width, SHIFT))
        self.own_gradient: Array = model.betas_gradient.copy()
        self.own_hessian: Array = model.betas_hessian.copy()
        self.own_shared: Array = np.zeros((OWN, SHARED + chunks))
        rows = self._rows
        pull_border(
            self._pose,
            self._points,
            np.array(body.joint_shapedirs),
            points.dirs,
            model.gradient + model.gradient_sized,
            # A residual r / s has the derivative -r / s by log s.
            model.size_cross - model.gradient_sized,
            model.hessian,
            model.next1,
            model.next2,
            model.cross,
            model.turn_gradient,
            model.variable_gradient
            if model.dense is None
            else model.variable_gradient + model.dense.gradient,
            self._samples,
            sample_dirs,
            rows.start,
            rows.point,
            rows.direction,
            rows.weight,
            rows.residual,
            rows.shared,
            rows.chunk,
            posed.size_gradient / posed.size,
            model.size_gradient - model.sized_energy,
            model.size_hessian + model.sized_energy,
            model.size_shared - model.shared_gradient_sized,
            model.shift_gradient,
            model.shift_cross,
            model.shift_shared,
            model.shift_size,
            self._shift_pulled,
            width,
            self.border,
            self.own_gradient,
            self.own_hessian,
            self.own_shared,
        )

    def assemble(
        self,
        damping: float,
        floor: float,
        here: Blocks,
        next1: Blocks,
        next2: Blocks,
        *,
        backward: bool = False,
    ) -> None:
        """See :meth:`refine_engine.solver.chains.Band.assemble`."""
        model, rows, n = self._model, self._rows, self.frames
        dense = _DenseChunk(model, self.reach)
        for start in range(0, len(here), CHUNK):
            stop = min(start + CHUNK, len(here))
            first = max(n - stop - self.reach, 0) if backward else start
            last = n - start if backward else stop
            dense0, dense1, dense2 = dense.blocks(first, last)
            assemble_blocks(
                self._pose,
                self._points,
                model.hessian,
                model.next1,
                model.next2,
                model.turn0,
                model.turn1,
                model.turn2,
                model.turns,
                model.place0,
                model.place1,
                dense0,
                dense1,
                dense2,
                first,
                self._samples,
                rows.start,
                rows.point,
                rows.direction,
                rows.weight,
                self._shift_pulled,
                model.shift0,
                model.shift1,
                self._turn_width,
                self.reach,
                damping,
                floor,
                backward,
                start,
                stop,
                here,
                next1,
                next2,
            )


class _DenseChunk:
    """Dense blocks of a few frames: those that a model stores, and those that are made late."""

    def __init__(self, model: PersonModel, reach: int) -> None:
        self._model = model
        self._any = bool(model.late) or model.dense is not None
        self._room = np.empty(
            (3, CHUNK + reach if self._any else 0, FULL_WIDTH, FULL_WIDTH), np.float32
        )

    def blocks(self, first: int, last: int) -> tuple[Blocks, Blocks, Blocks]:
        """Blocks of frames ``first`` .. ``last - 1``; no frames where there are none."""
        model = self._model
        here, next1, next2 = (room[: last - first] for room in self._room)
        self._room[:, : last - first] = 0.0
        for late in model.late:
            late.add(first, here, next1, next2)
        dense = model.dense
        if dense is not None:
            here += dense.here[first:last]
            if dense.next is not None:
                next1 += dense.next[first:last]
            if dense.next2 is not None:
                next2 += dense.next2[first:last]
        return here, next1, next2


def _empty_rows(frames: int) -> SampleRows:
    none = np.zeros(0, dtype=np.int64)
    return SampleRows(
        start=np.zeros(frames + 1, dtype=np.int64),
        point=none,
        direction=np.zeros((0, 3)),
        shared=np.zeros((0, SHARED)),
        chunk=none,
        weight=np.zeros(0),
        residual=np.zeros(0),
    )


_EMPTY_POINTS = (
    np.zeros((0, MAX_ATTACHMENTS), dtype=np.int64),
    np.zeros((0, MAX_ATTACHMENTS)),
    np.zeros((0, MAX_ATTACHMENTS, 3)),
    np.zeros((0, 1), dtype=np.int64),
    np.zeros(0, dtype=np.int64),
)


@njit(nogil=True, cache=True)
def turned(R, step):  # type: ignore[no-untyped-def]
    """Rotations (n, 24, 3, 3) after ``R <- R exp(delta)``; ``step`` (n, 6 or 69).

    Each result is orthonormalised to first order, so that rounding never adds up.
    """
    out = R.copy()
    E = np.empty((3, 3))
    M = np.empty((3, 3))
    for t in range(R.shape[0]):
        for a in range((step.shape[1] - 3) // 3):
            x = step[t, 3 + 3 * a]
            y = step[t, 4 + 3 * a]
            z = step[t, 5 + 3 * a]
            squared = x * x + y * y + z * z
            if squared < 1e-12:
                s = 1.0 - squared / 6.0
                c = 0.5 - squared / 24.0
            else:
                angle = np.sqrt(squared)
                s = np.sin(angle) / angle
                c = (1.0 - np.cos(angle)) / squared
            E[0, 0] = 1.0 - c * (y * y + z * z)
            E[1, 1] = 1.0 - c * (x * x + z * z)
            E[2, 2] = 1.0 - c * (x * x + y * y)
            E[0, 1] = c * x * y - s * z
            E[1, 0] = c * x * y + s * z
            E[0, 2] = c * x * z + s * y
            E[2, 0] = c * x * z - s * y
            E[1, 2] = c * y * z - s * x
            E[2, 1] = c * y * z + s * x
            for i in range(3):
                for j in range(3):
                    M[i, j] = (
                        R[t, a, i, 0] * E[0, j] + R[t, a, i, 1] * E[1, j] + R[t, a, i, 2] * E[2, j]
                    )
            # One Newton step to the nearest rotation: M (3 I - M^T M) / 2.
            for i in range(3):
                for j in range(3):
                    E[i, j] = (3.0 if i == j else 0.0) - (
                        M[0, i] * M[0, j] + M[1, i] * M[1, j] + M[2, i] * M[2, j]
                    )
            for i in range(3):
                for j in range(3):
                    out[t, a, i, j] = 0.5 * (
                        M[i, 0] * E[0, j] + M[i, 1] * E[1, j] + M[i, 2] * E[2, j]
                    )
    return out
