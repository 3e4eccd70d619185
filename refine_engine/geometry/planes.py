"""Planes ``[nx, ny, nz, d]`` with unit normal: ``n . x + d`` is the signed height of ``x``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def heights(points: Array, plane: Array) -> Array:
    """Signed heights (...) in metres of points (..., 3) over the plane (4,)."""
    return np.asarray(points @ plane[:3] + plane[3])


def normalized(plane: Array, up: Array | None = None) -> Array:
    """Plane with a unit normal, flipped so that it agrees with the direction ``up`` (3,)."""
    plane = np.asarray(plane, dtype=np.float64)
    plane = plane / np.linalg.norm(plane[:3])
    return -plane if up is not None and float(plane[:3] @ up) < 0 else plane


def tangent_basis(normal: Array) -> Array:
    """Two unit vectors (2, 3) that span the plane perpendicular to ``normal`` (3,)."""
    e = np.eye(3)[np.argmin(np.abs(normal))]
    b1 = np.cross(normal, e)
    b1 /= np.linalg.norm(b1)
    return np.stack([b1, np.cross(normal, b1)])


def updated(plane: Array, delta: Array) -> Array:
    """Retract a step (3,): two tangent components of the normal, then the offset in metres."""
    b1, b2 = tangent_basis(plane[:3])
    normal = plane[:3] + delta[0] * b1 + delta[1] * b2
    return np.append(normal / np.linalg.norm(normal), plane[3] + delta[2])


def angle_between(a: Array, b: Array) -> float:
    """Angle in radians between the normals of two planes."""
    sine = np.linalg.norm(np.cross(a[:3], b[:3]))
    return float(np.arctan2(sine, a[:3] @ b[:3]))


def moved(plane: Array, R: Array, t: Array) -> Array:
    """The plane after its points moved by ``x -> R x + t``."""
    normal = R @ plane[:3]
    return np.append(normal, plane[3] - normal @ t)
