"""Which person is under the mouse."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkCellPicker, vtkProp, vtkRenderer

Array = NDArray[np.float64]

NEAR_PIXELS = 12.0
"""How far from a bone a click still means it, where no surface is drawn."""


class PeoplePicker:
    """Picks surfaces from a list of people; nothing else is ever tested."""

    def __init__(self) -> None:
        self._picker = vtkCellPicker()
        self._picker.PickFromListOn()
        self._picker.SetTolerance(0.0)

    def surface_at(
        self, x: float, y: float, surfaces: Mapping[int, vtkProp], renderer: vtkRenderer
    ) -> tuple[int, Array] | None:
        """Person and world point under a device pixel counted from below."""
        self._picker.InitializePickList()
        for prop in surfaces.values():
            self._picker.AddPickList(prop)
        if not surfaces or not self._picker.Pick(x, y, 0.0, renderer):
            return None
        hit = self._picker.GetActor()
        for person_id, prop in surfaces.items():
            if prop is hit:
                return person_id, np.array(self._picker.GetPickPosition())
        return None


def nearest_skeleton(
    at: tuple[float, float],
    skeletons: Mapping[int, tuple[Array, Array]],
    bones: NDArray[np.integer],
) -> int | None:
    """Person whose drawn bone is nearest to a pixel, if near enough.

    Parameters
    ----------
    at
        Pixel.
    skeletons
        Pixels (24, 2) of joints and their distances (24,) from the eye, by person.
    bones
        (23, 2) joints that a bone joins.
    """
    best: tuple[float, int] | None = None
    point = np.asarray(at)
    for person_id, (pixels, _distance) in skeletons.items():
        a, b = pixels[bones[:, 0]], pixels[bones[:, 1]]
        along = b - a
        length = np.maximum((along**2).sum(-1), 1e-9)
        share = np.clip(((point - a) * along).sum(-1) / length, 0.0, 1.0)
        away = float(np.linalg.norm(a + share[:, None] * along - point, axis=-1).min())
        if away <= NEAR_PIXELS and (best is None or away < best[0]):
            best = away, person_id
    return None if best is None else best[1]
