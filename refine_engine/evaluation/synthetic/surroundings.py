"""The place: a floor, walls, a few boxes, chairs under those who sit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.synthetic.motion import rotation_y

Array = NDArray[np.float64]

FLOOR, WALL, BOX = 1, 2, 3
"""Labels of the surroundings; people have :data:`PERSON` plus their position in the scene."""
PERSON = 10

_CUBE = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (0.0, 1.0) for z in (-0.5, 0.5)])
_CUBE_FACES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Surroundings:
    """Everything that does not move, as triangles in the world."""

    vertices: Array
    """(N, 3) metres."""
    faces: NDArray[np.int32]
    """(F, 3)"""
    labels: NDArray[np.int16]
    """(F,)"""


@dataclass(frozen=True)
class Box:
    """An upright box on the floor."""

    center: Array
    """(2,) x and z."""
    size: Array
    """(3,) width, height, depth."""
    yaw: float


def build_surroundings(
    low: Array, high: Array, boxes: Sequence[Box], wall_height: float = 3.2
) -> Surroundings:
    """Floor and walls around the rectangle from ``low`` to ``high`` (x, z), and boxes in it."""
    vertices: list[Array] = []
    faces: list[Array] = []
    labels: list[int] = []

    def add(points: Array, triangles: Array, label: int) -> None:
        offset = sum(len(v) for v in vertices)
        vertices.append(points)
        faces.append(triangles + offset)
        labels.extend([label] * len(triangles))

    quad = np.array([[0, 1, 2], [0, 2, 3]])
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    ground = np.stack([corners[:, 0], np.zeros(4), corners[:, 1]], -1)
    add(ground, quad, FLOOR)
    for k in range(4):
        a, b = ground[k], ground[(k + 1) % 4]
        rise = np.array([0.0, wall_height, 0.0])
        add(np.stack([a, b, b + rise, a + rise]), quad, WALL)
    for box in boxes:
        points = (_CUBE * box.size) @ rotation_y(np.array(box.yaw)).T
        add(points + np.array([box.center[0], 0.0, box.center[1]]), _CUBE_FACES, BOX)
    return Surroundings(
        np.concatenate(vertices),
        np.concatenate(faces).astype(np.int32),
        np.array(labels, dtype=np.int16),
    )


def scattered_boxes(
    count: int, low: Array, high: Array, keep_free: Array, rng: np.random.Generator
) -> list[Box]:
    """Boxes in a rectangle that stay a metre away from the points ``keep_free`` (M, 2)."""
    boxes: list[Box] = []
    for _ in range(200):
        if len(boxes) == count:
            break
        size = rng.uniform([0.4, 0.3, 0.4], [1.2, 1.1, 1.0])
        center = rng.uniform(low + 0.8, high - 0.8)
        away = 1.0 + 0.5 * float(np.hypot(size[0], size[2]))
        if np.linalg.norm(keep_free - center, axis=-1).min() < away:
            continue
        if any(np.linalg.norm(center - b.center) < 1.5 for b in boxes):
            continue
        boxes.append(Box(center, size, float(rng.uniform(0, np.pi))))
    return boxes
