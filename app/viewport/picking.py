"""Which person is under the mouse."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkCellPicker, vtkProp, vtkRenderer

from app.viewport.annotations import projected
from app.viewport.drawing import Drawing
from app.viewport.people import BONES

Array = NDArray[np.float64]

NEAR_PIXELS = 12.0
"""How far from a bone a click still means it, where no surface is drawn."""


class PeoplePicker:
    """Picks surfaces from a list of people, or bones where no surface is drawn; nothing else.

    Parameters
    ----------
    renderer
        Through whose camera is looked.
    drawing
        Who is drawn, and how.
    """

    def __init__(self, renderer: vtkRenderer, drawing: Drawing) -> None:
        self._renderer, self._drawing = renderer, drawing
        self._picker = vtkCellPicker()
        self._picker.PickFromListOn()
        self._picker.SetTolerance(0.0)

    def person_at(
        self, at: tuple[float, float], view: tuple[int, int], picture: tuple[int, int]
    ) -> tuple[int, Array] | None:
        """Person and world point (3,) there; None where nobody is.

        Parameters
        ----------
        at
            Pixel of the view, from the upper left.
        view, picture
            Width and height of the view in pixels, and in device pixels.
        """
        drawing = self._drawing
        surfaces = drawing.crowd.surfaces()
        if surfaces:
            ratio = picture[0] / view[0]
            return self._surface_at(at[0] * ratio, picture[1] - 1 - at[1] * ratio, surfaces)
        skeletons = {}
        if drawing.options.skeleton or drawing.options.joints:
            camera = self._renderer.GetActiveCamera()
            for i in drawing.person_ids():
                joints = drawing.joints(i)
                if joints is not None:
                    skeletons[i] = projected(camera, joints, view)
        found = nearest_skeleton(at, skeletons, BONES)
        joints = None if found is None else drawing.joints(found)
        return None if found is None or joints is None else (found, joints[0])

    def _surface_at(
        self, x: float, y: float, surfaces: Mapping[int, vtkProp]
    ) -> tuple[int, Array] | None:
        """Under a device pixel counted from below."""
        self._picker.InitializePickList()
        for prop in surfaces.values():
            self._picker.AddPickList(prop)
        if not surfaces or not self._picker.Pick(x, y, 0.0, self._renderer):
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
