"""Feet and ground: the terms ``skate`` (no sliding) and ``contact`` (at the plane, not in it).

Both are divided by the body size: in metres, a smaller scene would always slide less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from refine_engine.terms.model import NOTHING
from refine_engine.terms.protocol import TermInfo

if TYPE_CHECKING:
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

SLIDE_SIGMA_M = 0.004
"""How far a foot in contact really moves in 1/30 s: roll-over of the sole, soft shoes."""
SLIDE_HUBER_M = 0.01
HEIGHT_SIGMA_M = 0.015
"""Height of a contact point over the plane: shoe soles, uneven floor."""
HEIGHT_HUBER_M = 0.05
SINK_SIGMA_M = 0.01
"""How deep a sole point may press into the ground."""
NEAR_FLOOR_M = 0.01
"""Sole points below this height feel a little of the floor's curvature, though no force."""
NEAR_SHARE = 0.1
"""How much of it."""
LEAST_SHARE_OF_SLIDE = 0.3
"""The same for slides, where only the curvature along the slide vanishes, not that across."""
LEAST_SHARE = 0.1
"""Share of the reweighted curvature that is kept where the loss is linear."""

TILT_SIGMA = np.radians(3.0)
"""How far the ground may lean against the engine's up: gravity is known to a few degrees.

Feet on one line fix no tilt about that line, so without this the plane of one person who walks
straight on ends anywhere."""
UP = np.array([0.0, 1.0, 0.0])
FRAMES_A_STANCE = 10
"""Frames that see one and the same stance: what the lean is weighed against is counted so often,
and so is what the depth maps say of it."""

SKATE_INFO = TermInfo(
    name="skate",
    description="Feet in contact with the ground do not slide",
    unit="half square metres moved in 1/30 s",
    default_weight=100.0,
    c_term=1.0 / (100.0 * SLIDE_SIGMA_M**2),
    reason="makes the document's lambda 100 mean a standard deviation of 4 mm in 1/30 s",
)
CONTACT_INFO = TermInfo(
    name="contact",
    description="Feet in contact touch the ground plane, and no foot sinks into it",
    unit="half square metres of height",
    default_weight=10.0,
    c_term=1.0 / (10.0 * HEIGHT_SIGMA_M**2),
    reason="makes the document's lambda 10 mean a standard deviation of 1.5 cm",
)


@njit(nogil=True, cache=True)
def slide_loss(  # type: ignore[no-untyped-def]
    points,
    point_of,
    contacts,
    link,
    rate,
    huber,
    inverse_size,
    weight,
    with_model,
    gradient,
    hessian,
    next1,
    size_cross,
):
    """Huber of the movement of contact points.

    Returns (loss, sum of w r^2, what of it has no curvature).

    ``rate`` = fps / 30 turns a movement per frame into one per 1/30 s; the weight is divided by
    it so that twice the frames do not count twice.
    """
    total = 0.0
    curved = 0.0
    flat = 0.0
    scale = rate * inverse_size
    for t in range(points.shape[0] - 1):
        if link[t] == 0.0:
            continue
        for k in range(point_of.shape[0]):
            w = weight * link[t] * contacts[t, k] * contacts[t + 1, k] / rate
            if w == 0.0:
                continue
            i = point_of[k]
            r2 = 0.0
            for c in range(3):
                r2 += (points[t + 1, i, c] - points[t, i, c]) ** 2
            r2 *= scale * scale
            r = r2**0.5
            share = 1.0
            if r > huber:
                total += w * huber * (r - 0.5 * huber)
                w *= huber / r
                share = LEAST_SHARE_OF_SLIDE
            else:
                total += 0.5 * w * r2
            if not with_model:
                continue
            curved += w * r2
            less = 1.0 - share
            flat += less * w * r2
            ws = w * scale * scale
            for c in range(3):
                d = points[t + 1, i, c] - points[t, i, c]
                gradient[t, i, c] -= ws * d
                gradient[t + 1, i, c] += ws * d
                size_cross[t, i, c] -= less * ws * d
                size_cross[t + 1, i, c] += less * ws * d
                hessian[t, i, c, c] += share * ws
                hessian[t + 1, i, c, c] += share * ws
            next1[t, i] -= share * ws
    return total, curved, flat


@njit(nogil=True, cache=True)
def height_loss(  # type: ignore[no-untyped-def]
    points,
    contact_points,
    contacts,
    sole_points,
    plane,
    basis,
    huber,
    sink_ratio,
    near,
    inverse_size,
    weight,
    frame_weight,
    with_model,
    gradient,
    hessian,
    cross,
    size_cross,
    size_shared,
    shared_gradient,
    shared_hessian,
):
    """Contact points above the plane are drawn to it (Huber), sole points below are pushed out.

    Returns (loss, sum of w r^2, what of it has no curvature). ``shared_*`` are over log
    alpha and the plane (4).
    """
    total = 0.0
    curved = 0.0
    flat = 0.0
    count = contact_points.shape[0]
    for t in range(points.shape[0]):
        for k in range(count + sole_points.shape[0]):
            i = contact_points[k] if k < count else sole_points[k - count]
            x = points[t, i]
            h = plane[0] * x[0] + plane[1] * x[1] + plane[2] * x[2] + plane[3]
            r = h * inverse_size
            w = weight * frame_weight
            share = 1.0
            if k < count:
                w *= contacts[t, k]
                if r <= 0.0 or w == 0.0:
                    continue
                if r > huber:
                    total += w * huber * (r - 0.5 * huber)
                    w *= huber / r
                    share = LEAST_SHARE
                else:
                    total += 0.5 * w * r * r
            else:
                w *= sink_ratio
                if r >= 0.0:
                    # Nothing pushes yet, but a step must know that the floor is near: a share of
                    # the curvature that it would meet below.
                    if with_model and r < near:
                        ws = w * inverse_size * inverse_size * NEAR_SHARE * (1.0 - r / near)
                        for c in range(3):
                            for d in range(3):
                                hessian[t, i, c, d] += ws * plane[c] * plane[d]
                    continue
                total += 0.5 * w * r * r
            if not with_model:
                continue
            curved += w * r * r
            # The force of a point far above is constant: its true curvature is zero. A small
            # share is kept, also of the couplings that the body size implies.
            less = 1.0 - share
            flat += less * w * r * r
            ws = w * inverse_size * inverse_size
            jp = (
                basis[0, 0] * x[0] + basis[0, 1] * x[1] + basis[0, 2] * x[2],
                basis[1, 0] * x[0] + basis[1, 1] * x[1] + basis[1, 2] * x[2],
                1.0,
            )
            for c in range(3):
                gradient[t, i, c] += ws * h * plane[c]
                shared_gradient[1 + c] += ws * h * jp[c]
                size_cross[t, i, c] += less * ws * h * plane[c]
                size_shared[1 + c] += less * ws * h * jp[c]
                for d in range(3):
                    hessian[t, i, c, d] += share * ws * plane[c] * plane[d]
                    cross[t, i, c, 1 + d] += share * ws * plane[c] * jp[d]
                    shared_hessian[1 + c, 1 + d] += share * ws * jp[c] * jp[d]
    return total, curved, flat


class Skate:
    """Movement of heel and ball while they are in contact (Huber 1 cm, scale-free)."""

    info = SKATE_INFO

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        m = NOTHING if model is None else model
        total, curved, flat = slide_loss(
            posed.points,
            track.layout.contacts,
            posed.contacts,
            track.link1,
            track.fps / 30.0,
            SLIDE_HUBER_M,
            1.0 / posed.size,
            weight,
            model is not None,
            m.gradient_sized,
            m.hessian,
            m.next1,
            m.size_cross,
        )
        if model is not None:
            model.sized_energy += curved
            model.size_hessian -= flat
            model.reach = max(model.reach, 1)
        return float(total)


class Contact:
    """Height of contact points, and non-penetration of all sole points."""

    info = CONTACT_INFO

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        m = NOTHING if model is None else model
        before = m.shared_gradient[:4].copy()
        total, curved, flat = height_loss(
            posed.points,
            track.layout.contacts,
            posed.contacts,
            track.layout.soles,
            common.plane,
            common.plane_basis,
            HEIGHT_HUBER_M,
            (HEIGHT_SIGMA_M / SINK_SIGMA_M) ** 2,
            NEAR_FLOOR_M,
            1.0 / posed.size,
            weight,
            30.0 / track.fps,
            model is not None,
            m.gradient_sized,
            m.hessian,
            m.cross,
            m.size_cross,
            m.size_shared,
            m.shared_gradient,
            m.shared_hessian,
        )
        if model is not None:
            model.sized_energy += curved
            model.size_hessian -= flat
            model.shared_gradient_sized += model.shared_gradient[:4] - before
        return float(total) + lean_loss(track, common, weight, model)


def lean_loss(track: Track, common: Common, weight: float, model: PersonModel | None) -> float:
    """Lean of the plane's normal n against up, a person's share: ``(1 - n . up) / sigma^2``.

    For small angles this is half the squared angle over :data:`TILT_SIGMA`; it stays smooth up to
    half a turn. Where the depth maps show how the floor lies, ``n M n / 2`` is added, with M
    the information about its normal.
    """
    stances = len(track) / FRAMES_A_STANCE / common.people
    strength = weight * HEIGHT_SIGMA_M**2 * stances / TILT_SIGMA**2
    level = float(common.plane[:3] @ UP)
    if model is not None:
        model.shared_gradient[1:3] -= strength * (common.plane_basis @ UP)
        model.shared_hessian[1, 1] += strength * max(level, 0.1)
        model.shared_hessian[2, 2] += strength * max(level, 0.1)
    total = strength * (1.0 - level)
    if common.floor is not None:
        often = weight * HEIGHT_SIGMA_M**2 * FRAMES_A_STANCE / common.people
        pull = often * (common.floor.information @ common.plane[:3])
        total += 0.5 * float(common.plane[:3] @ pull)
        if model is not None:
            basis = common.plane_basis
            model.shared_gradient[1:3] += basis @ pull
            model.shared_hessian[1:3, 1:3] += often * (basis @ common.floor.information @ basis.T)
    return total
