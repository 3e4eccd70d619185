"""The quadratic model of one person's loss that the terms add to.

Terms speak about *points* (:mod:`.points`): a gradient and a 3x3 Gauss-Newton block for each point
and frame, scalar couplings of a point with itself one and two frames later, and cross terms with
what all people share. The compiled pull-back turns that into blocks over the variables. A term
that is no sum over points (pose prior, motion prior) adds over the variables themselves.

Variables of one frame, ``FULL_WIDTH`` = 69: translation (3), then the turns ``delta`` of joints
0..21 with ``R <- R exp(delta)``; where the data term is active, then the person's image shift (2).
Shared variables: log alpha, the plane's three (two tangents of
the normal, offset; :func:`refine_engine.geometry.planes.updated`), then one log depth scale for
each chunk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from refine_engine.terms.points import FULL_WIDTH, JOINTS, SHIFT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.scene import Array, IntArray

    Singles = NDArray[np.float32]

SHARED = 4
"""log alpha and the plane's three, before the chunks."""


@dataclass(eq=False)
class DenseBlocks:
    """Blocks over a frame's variables, for terms that are no sum over points."""

    gradient: Array
    """(n, 69)."""
    here: Array
    """(n, 69, 69) symmetric, positive semi-definite together with ``next``."""
    next: Array | None = None
    """(n, 69, 69): rows = variables of frame t, columns = of frame t + 1; the last is unused."""
    next2: Array | None = None
    """(n, 69, 69) with frame t + 2; the last two are unused."""


class LateBlocks(Protocol):
    """Blocks over a frame's variables that are made for a few frames at a time.

    That is when the band is filled; kept for a whole clip they would be most of a model's memory.
    """

    def add(self, first: int, here: Singles, next1: Singles, next2: Singles) -> None:
        """Add to the blocks (m, 69, 69) of frames ``first`` .. ``first + m - 1``.

        ``next1`` and ``next2`` as in :class:`DenseBlocks`. Of ``here`` the upper triangle counts.
        """
        ...


@dataclass(eq=False)
class SampleRows:
    """Scalar residuals of skin points: ``w r^2 / 2`` with the Jacobian's outer part."""

    start: IntArray
    """(n + 1,) rows of frame t are ``start[t]:start[t + 1]``."""
    point: IntArray
    """(m,) index into the sample points."""
    direction: Array
    """(m, 3) derivative of the residual by the point's position."""
    shared: Array
    """(m, 4) derivative by log alpha and the plane."""
    chunk: IntArray
    """(m,) chunk whose log scale has derivative -1; negative = none."""
    weight: Array
    """(m,) including the robust weight."""
    residual: Array
    """(m,)."""


@dataclass(eq=False)
class PersonModel:
    """Accumulators of one person; all start at zero, terms add to them."""

    gradient: Array
    """(n, N, 3) of terms whose residuals carry no body size."""
    gradient_sized: Array
    """(n, N, 3) of residuals that are divided by the body size (scale-free terms)."""
    sized_energy: float
    """Sum of ``w r^2`` of the scale-free residuals: their curvature by log size."""
    size_cross: Array
    """(n, N, 3) coupling of points with log size, beyond what ``gradient_sized`` implies."""
    size_shared: Array
    """(4,) coupling of log alpha and the plane with log size, beyond the same."""
    hessian: Array
    """(n, N, 3, 3), of both kinds, with the diagonal of the couplings."""
    next1: Array
    """(n, N) scalar coupling (times identity) of a point with itself in frame t + 1."""
    next2: Array
    """(n, N) in frame t + 2."""
    cross: Array
    """(n, N, 3, 4) with log alpha and the plane."""
    turn_gradient: Array
    """(n, 24, 3) by the turns, directly."""
    turn0: Array
    """(n, 24, 3, 3) turn of a joint with itself."""
    turn1: Array
    """(n, 24, 3, 3) with itself in frame t + 1: rows = frame t."""
    turn2: Array
    """(n, 24, 3, 3) in frame t + 2."""
    shift_gradient: Array
    """(n, 2) by the image shift."""
    shift0: Array
    """(n, 2, 2) of the image shift with itself."""
    shift1: Array
    """(n,) scalar coupling (times identity) with itself in frame t + 1."""
    shift_cross: Array
    """(n, N, 3, 2) of points with the image shift."""
    shift_shared: Array
    """(n, 2) of the image shift with log alpha."""
    shift_size: Array
    """(n, 2) of the image shift with log size."""
    shared_gradient: Array
    """(4 + C,) by log alpha, plane, chunks."""
    shared_gradient_sized: Array
    """(4,) the part of the scale-free terms, again (it couples with the size)."""
    shared_hessian: Array
    """(4 + C, 4 + C)."""
    betas_gradient: Array
    """(10,) of terms on betas themselves."""
    betas_hessian: Array
    """(10, 10)."""
    variable_gradient: Array
    """(n, 69) by the variables themselves."""
    place0: Array
    """(n, 3, 3) of the translation with itself."""
    place1: Array
    """(n, 3, 3) of the translation with that of frame t + 1: rows = frame t."""
    size_gradient: float = 0.0
    """By log size, beyond what ``sized_energy`` implies."""
    size_hessian: float = 0.0
    reach: int = 0
    """How many frames ahead something is coupled: 0, 1 or 2."""
    shifts: bool = False
    """Whether the image shift is a variable here."""
    turns: bool = False
    """Whether ``turn1``, ``turn2`` hold something."""
    samples: SampleRows | None = None
    dense: DenseBlocks | None = None
    late: list[LateBlocks] = field(default_factory=list)

    @classmethod
    def zeros(cls, frames: int, points: int, chunks: int) -> PersonModel:
        """An empty model of n frames, N points and C chunks."""
        n, k = frames, SHARED + chunks
        return cls(
            gradient=np.zeros((n, points, 3)),
            gradient_sized=np.zeros((n, points, 3)),
            sized_energy=0.0,
            size_cross=np.zeros((n, points, 3)),
            size_shared=np.zeros(SHARED),
            hessian=np.zeros((n, points, 3, 3)),
            next1=np.zeros((n, points)),
            next2=np.zeros((n, points)),
            cross=np.zeros((n, points, 3, SHARED)),
            turn_gradient=np.zeros((n, JOINTS, 3)),
            turn0=np.zeros((n, JOINTS, 3, 3)),
            turn1=np.zeros((n, JOINTS, 3, 3)),
            turn2=np.zeros((n, JOINTS, 3, 3)),
            shift_gradient=np.zeros((n, SHIFT)),
            shift0=np.zeros((n, SHIFT, SHIFT)),
            shift1=np.zeros(n),
            shift_cross=np.zeros((n, points, 3, SHIFT)),
            shift_shared=np.zeros((n, SHIFT)),
            shift_size=np.zeros((n, SHIFT)),
            shared_gradient=np.zeros(k),
            shared_gradient_sized=np.zeros(SHARED),
            shared_hessian=np.zeros((k, k)),
            betas_gradient=np.zeros(10),
            betas_hessian=np.zeros((10, 10)),
            variable_gradient=np.zeros((n, FULL_WIDTH)),
            place0=np.zeros((n, 3, 3)),
            place1=np.zeros((n, 3, 3)),
        )

    def dense_blocks(self, *, reach: int = 0) -> DenseBlocks:
        """The dense part, made on first use; ``reach`` 1 asks for ``next``, 2 for ``next2`` too."""
        n = len(self.gradient)
        if self.dense is None:
            self.dense = DenseBlocks(
                np.zeros((n, FULL_WIDTH)), np.zeros((n, FULL_WIDTH, FULL_WIDTH))
            )
        if reach >= 1 and self.dense.next is None:
            self.dense.next = np.zeros((n, FULL_WIDTH, FULL_WIDTH))
        if reach >= 2 and self.dense.next2 is None:
            self.dense.next2 = np.zeros((n, FULL_WIDTH, FULL_WIDTH))
        self.reach = max(self.reach, reach)
        return self.dense


NOTHING = PersonModel.zeros(0, 0, 0)
"""Passed to compiled kernels when only the loss is wanted: right types, no room."""
