"""Bodies coloured by a number: how far they moved, or how sure the solver is."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonCore import vtkLookupTable

from app.viewport.buffers import Floats
from app.viewport.posed import PosedBodies

STOPS = np.array(
    [
        (0.12, 0.20, 0.36),
        (0.22, 0.38, 0.50),
        (0.45, 0.56, 0.50),
        (0.80, 0.70, 0.38),
        (0.98, 0.86, 0.55),
    ]
)
"""Dark blue to light yellow, growing evenly in lightness: readable without seeing hues."""
NICE_ENDS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Ends of the scale in centimetres."""
SAMPLED_FRAMES = 8
"""Per person; enough for the end of a scale, and cheap enough for every new state."""


@dataclass(frozen=True)
class ValueScale:
    """What the colours mean."""

    title: str
    end: float
    """Centimetres at the brightest colour; 0 at the darkest."""
    note: str = ""
    """Why there is nothing to show, where that is so."""


def colour_at(share: float) -> tuple[float, float, float]:
    """Colour at a share of the scale in [0, 1]."""
    at = np.linspace(0, 1, len(STOPS))
    found = [float(np.interp(share, at, STOPS[:, k])) for k in range(3)]
    return found[0], found[1], found[2]


@functools.lru_cache(maxsize=16)
def lookup_table(end: float) -> vtkLookupTable:
    """VTK's table from 0 to ``end``."""
    table = vtkLookupTable()
    table.SetNumberOfTableValues(256)
    table.SetTableRange(0.0, end)
    for number in range(256):
        table.SetTableValue(number, *colour_at(number / 255), 1.0)
    table.Build()
    return table


def nice_end(value: float) -> float:
    """The next round number at or (within 2 %) above a value in centimetres."""
    return next((end for end in NICE_ENDS if 1.02 * end >= value), float(NICE_ENDS[-1]))


def displacement(now: Floats, before: Floats) -> Floats:
    """Distance (V,) in centimetres between two surfaces."""
    moved = now - before
    return np.sqrt(np.einsum("ij,ij->i", moved, moved)) * np.float32(100.0)


def displacement_end(now: PosedBodies, before: PosedBodies) -> float:
    """Scale of the displacement: steady over the clip, from joints of some of its frames."""
    largest = []
    for i, person in (now.state.people if now.state else {}).items():
        every = max(1, len(person.frames) // SAMPLED_FRAMES)
        for frame in person.frames[::every]:
            a, b = now.joints(i, int(frame)), before.joints(i, int(frame))
            if a is not None and b is not None:
                largest.append(float(np.linalg.norm(a - b, axis=-1).max()))
    return nice_end(100.0 * float(np.percentile(largest, 95)) if largest else 1.0)


def uncertainty(
    bodies: PosedBodies, person_id: int, frame: int, *, coarse: bool = False
) -> NDArray[np.float64] | None:
    """Standard deviation (V,) in centimetres of the surface; None where it is not known.

    A vertex has that of its joints, weighted as it is skinned.
    """
    sigma = bodies.joint_sigma(person_id, frame)
    if sigma is None:
        return None
    ids, weights = bodies.skin(coarse=coarse).vertex_ids, bodies.body.weights
    return (weights if ids is None else weights[ids]) @ (100.0 * sigma)


def uncertainty_end(bodies: PosedBodies) -> float | None:
    """Scale of the uncertainty over the clip; None where nobody has one."""
    people = bodies.state.people.values() if bodies.state else ()
    known = [p.joint_sigma for p in people if p.joint_sigma is not None and p.joint_sigma.size]
    if not known:
        return None
    return nice_end(100.0 * max(float(np.percentile(sigma, 95)) for sigma in known))
