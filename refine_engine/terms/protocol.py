"""What a term is, and what it gets to see. A new term needs nothing else.

A term is a weighted negative log-likelihood that is summed over people. It is called once per
person with the posed body and returns its loss; where a model is passed too, it adds gradient and
Gauss-Newton curvature to it (see :mod:`.model` for how). Calls for different people run at the
same time in different threads, so ``loss`` must not change the term.

Another package adds a term by passing an object of this protocol in ``extra_terms`` of
:class:`~refine_engine.terms.problem.Problem`; its ``info.name`` is its key in the weights. A term
without points (the motion prior) adds its gradient to ``model.variable_gradient`` and appends to
``model.late`` what makes its positive semi-definite blocks, within a frame and with the next two,
a few frames at a time; or it fills ``model.dense_blocks(reach=2)``, which keeps all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.scene import Array, BoolArray, IntArray
    from refine_engine.terms.depth_evidence import DepthEvidence
    from refine_engine.terms.floor import FloorTilt
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.points import BodyLayout


@dataclass(frozen=True)
class TermInfo:
    """A term as interfaces list it."""

    name: str
    """Key of its lambda: ``lambda_{name}`` in the configuration."""
    description: str
    """One line for the user."""
    unit: str
    """What one unit of the raw sum is."""
    default_weight: float
    """Lambda of the user's document."""
    c_term: float
    """Constant that turns lambda into the weight of the raw sum."""
    reason: str
    """Why ``c_term`` has that value."""

    def weight(self, lam: float) -> float:
        """Effective weight of the raw sum for a lambda."""
        return lam * self.c_term


@dataclass(frozen=True, eq=False)
class Track:
    """One person's evidence, packed; row t is frame ``frames[t]``."""

    id: int
    frames: IntArray
    """(n,) consecutive video frames."""
    fps: float
    R_cam: Array
    """(n, 3, 3) world to camera."""
    t_cam: Array
    """(n, 3) reconstruction units."""
    intrinsics: Array
    """(n, 4) fx, fy, cx, cy in pixels."""
    chunk: IntArray
    """(n,) reconstruction chunk."""
    shift_sigma: Array
    """(n,) standard deviation of the image shift as seen in each frame, in units of x/z."""
    observed: BoolArray
    """(n,) whether Stage 3 measured this frame."""
    R_measured: Array
    """(n, 24, 3, 3) Stage 3's root in the world and relative joint rotations."""
    rotation_trust: Array
    """(n, 24) their weight: 1 where measured, small where filled in."""
    root_measured: Array
    """(n, 3) pelvis in the camera frame over its depth (x/z, y/z) as Stage 3 measured it, and the
    logarithm of its depth over the measured body size."""
    root_trust: Array
    """(n,) their weight: 1 where measured, small where filled in, 0 behind the camera."""
    betas_measured: Array
    """(10,)."""
    betas_sigma: float
    log_distance: Array
    """(n,) log of the pelvis' distance along the optical axis as measured; 0 where it was not."""
    pelvis_measured: Array
    """(3,) rest pelvis J0 of the measured betas, metres: pelvis = J0 + transl."""
    distance_link: Array
    """(n,) 1 where that was measured in frames t and t + 1; 0 over a cut, and at the end."""
    layout: BodyLayout
    pixels: Array
    """(n, J, 2)."""
    keypoint_weight: Array
    """(n, J) confidence squared times trust; 0 where missing or held out."""
    keypoint_held: Array
    """(n, J) the same for the held-out tenth."""
    pixel_scale: Array
    """(n,) 500 / height of the person's box: pixels at a 500 px person."""
    link1: Array
    """(n,) weight of what couples frames t and t + 1: little in long gaps, 0 at the end."""
    link2: Array
    """(n,) the same for frames t, t + 1, t + 2."""
    camera_link: Array
    """(n,) as ``link1`` for what the cameras say, which jumps where a chunk ends: 0 there too."""
    stature: float | None
    """Entered standing height, metres."""
    size_measured: float
    """Body size (1 = mean body) of Stage 3's betas."""
    liveliness: Array | None = None
    """(n,) expected acceleration around each frame over that of recorded motion, as the measured
    poses tell it (:mod:`.liveliness`); None = unknown."""
    depth: DepthEvidence | None = None
    """Depth samples; chosen anew at the begin of a sub-stage, None before and without maps."""

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, eq=False)
class Posed:
    """One person at the present state."""

    R: Array
    """(n, 24, 3, 3)."""
    transl: Array
    """(n, 3)."""
    betas: Array
    """(10,)."""
    rotations: Array
    """(n, 24, 3, 3) global joint rotations, world."""
    points: Array
    """(n, N, 3) world; the first 24 are the joints."""
    size: float
    """Body size s(betas), 1 = mean body."""
    size_gradient: Array
    """(10,) derivative of the size."""
    contacts: Array
    """(n, 4) probability of ground contact."""
    shift: Array
    """(n, 2) image shift that is added to x/z and y/z."""


@dataclass(frozen=True, eq=False)
class Common:
    """What all people share at the present state."""

    body: BodyModel
    alpha: float
    plane: Array
    """(4,)."""
    plane_basis: Array
    """(2, 3) tangents of the normal, of :func:`refine_engine.geometry.planes.tangent_basis`."""
    chunk_log_scale: Array
    """(C,)."""
    shared_depth: bool
    """Whether depth is in the cameras' unit (alpha multiplies it too)."""
    keypoint_scale: float
    """Geman-McClure scale of keypoints, pixels at a 500 px person."""
    people: int
    """How many people there are."""
    alpha_0: float = 1.0
    """Alpha as ``init`` found it."""
    alpha_0_log_sigma: float | None = None
    """Standard deviation of its logarithm; None = it was given, not estimated."""
    floor: FloorTilt | None = None
    """How the floor lies, as the depth maps show it; None = unknown."""
    active: frozenset[str] = frozenset()
    """Names of the terms that count in this evaluation."""


class Term(Protocol):
    """A loss term."""

    @property
    def info(self) -> TermInfo:
        """Name, unit, weight."""
        ...

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """Loss of one person times ``weight``; adds derivatives to ``model`` where given."""
        ...
