"""The surface of a body as it is drawn: all of it, or a coarser one while something moves."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkPolyData, vtkStaticPointLocator
from vtkmodules.vtkFiltersCore import vtkQuadricDecimation

from app.viewport.buffers import Floats, PointBuffer, cells
from refine_engine.body import BodyModel, JointMotion

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

LEFT_OUT = 0.75
"""Share of the triangles that the coarse surface does without: at 900 pixels the whole body still
looks the same, of the face only the nose remains."""


class SkinnedNormals:
    """Normals of a posed surface: those of the mean body, turned as the skin is.

    They differ from the posed surface's own by a few degrees where the skin folds, which no
    shading shows, and take a tenth of the time: one product instead of a pass over all faces.

    Parameters
    ----------
    body
        The body model.
    vertex_ids
        (V,) vertices that are wanted; None = all.
    """

    def __init__(self, body: BodyModel, vertex_ids: Ids | None = None) -> None:
        rows = slice(None) if vertex_ids is None else vertex_ids
        rest = surface_normals(body.v_template, body.faces)[rows]
        carried = body.weights[rows][..., None] * rest[:, None, :]
        self._carried = carried.reshape(len(rest), -1).astype(np.float32)

    def __call__(self, motion: JointMotion) -> Floats:
        """Normals (V, 3) under joint rotations; only nearly of unit length (weights are mixed)."""
        # (24, 3, 3): the columns of each joint's rotation.
        turned = motion.rotations.transpose(0, 2, 1).reshape(-1, 3).astype(np.float32)
        normals: Floats = self._carried @ turned
        return normals


@dataclass(frozen=True, eq=False)
class Skin:
    """A surface over a body's vertices."""

    faces: NDArray[np.integer]
    """(F, 3) numbers of this surface's own vertices."""
    normals: SkinnedNormals
    vertex_ids: Ids | None = None
    """(V,) which of the body's vertices these are; None = all of them."""


@functools.lru_cache(maxsize=2)
def whole_skin(body: BodyModel) -> Skin:
    """Every vertex and triangle of the body."""
    return Skin(body.faces, SkinnedNormals(body))


@functools.lru_cache(maxsize=2)
def coarse_skin(body: BodyModel) -> Skin:
    """A quarter of the triangles, over a quarter of the body's own vertices.

    Skinning, shading and drawing all take a quarter of their time with it. Where the decimation
    puts a vertex between those of the body, the nearest one of them stands in: only the body's own
    move with its joints.
    """
    points = PointBuffer(len(body.v_template))
    points.write(body.v_template)
    whole = vtkPolyData()
    whole.SetPoints(points.points)
    whole.SetPolys(cells(body.faces))
    decimation = vtkQuadricDecimation()
    decimation.SetInputData(whole)
    decimation.SetTargetReduction(LEFT_OUT)
    decimation.Update()
    coarse = decimation.GetOutput()
    nearest = vtkStaticPointLocator()
    nearest.SetDataSet(whole)
    nearest.BuildLocator()
    places = vtk_to_numpy(coarse.GetPoints().GetData()).tolist()
    found = np.array([nearest.FindClosestPoint(*place) for place in places], dtype=np.int64)
    triangles = vtk_to_numpy(coarse.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    used, faces = np.unique(found[triangles], return_inverse=True)
    faces = faces.reshape(-1, 3)
    flat = (faces == np.roll(faces, 1, axis=1)).any(axis=1)
    return Skin(faces[~flat], SkinnedNormals(body, used), used)


def surface_normals(vertices: Array, faces: NDArray[np.int32]) -> Array:
    """Unit normals (V, 3) of a surface, weighted by area; zero where no face is."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, faces[:, k], face)
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-20)
