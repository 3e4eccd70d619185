"""Arrays that numpy and VTK share: written in place, never replaced from frame to frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

Floats = NDArray[np.float32]


class PointBuffer:
    """Float32 points (n, 3) that a ``vtkPoints`` reads without a copy."""

    def __init__(self, count: int) -> None:
        self.values: Floats = np.zeros((count, 3), dtype=np.float32)
        self.points = vtkPoints()
        # VTK holds a pointer into `values`: the array must live as long as the points do.
        self.points.SetData(numpy_to_vtk(self.values, deep=0))

    def write(self, values: NDArray[np.floating[Any]]) -> None:
        """New positions; without ``Modified`` VTK would go on showing the old ones."""
        np.copyto(self.values, values, casting="same_kind")
        self.points.Modified()


class ValueBuffer:
    """Float32 or uint8 values beside points, shared with a VTK data array."""

    def __init__(self, shape: tuple[int, ...], dtype: Any = np.float32, name: str = "") -> None:
        self.values: NDArray[Any] = np.zeros(shape, dtype=dtype)
        self.array = numpy_to_vtk(self.values, deep=0)
        self.array.SetName(name)

    def write(self, values: NDArray[Any]) -> None:
        """New values in place."""
        np.copyto(self.values, values, casting="same_kind")
        self.array.Modified()


def cells(rows: NDArray[np.integer[Any]]) -> vtkCellArray:
    """Cells of one size each, (n, k) point numbers."""
    count, width = rows.shape
    ids = np.ascontiguousarray(rows, dtype=np.int64).reshape(-1)
    offsets = np.arange(count + 1, dtype=np.int64) * width
    array = vtkCellArray()
    array.SetData(numpy_to_vtkIdTypeArray(offsets, deep=1), numpy_to_vtkIdTypeArray(ids, deep=1))
    return array


def polyline(start: int, count: int) -> NDArray[np.int64]:
    """Segments (count - 1, 2) through consecutive points."""
    first = np.arange(start, start + max(count - 1, 0), dtype=np.int64)
    return np.stack([first, first + 1], -1)


def fresh_polydata(
    points: NDArray[np.floating[Any]],
    *,
    lines: NDArray[np.integer[Any]] | None = None,
    polys: NDArray[np.integer[Any]] | None = None,
    colours: NDArray[np.uint8] | None = None,
    into: vtkPolyData | None = None,
) -> vtkPolyData:
    """Small geometry whose size changes, copied; ``colours`` (n, 3 or 4) belong to points."""
    data = vtkPolyData() if into is None else into
    held = vtkPoints()
    flat = np.ascontiguousarray(points, dtype=np.float32).reshape(-1, 3)
    held.SetData(numpy_to_vtk(flat, deep=1))
    data.SetPoints(held)
    if lines is not None:
        data.SetLines(cells(lines))
    if polys is not None:
        data.SetPolys(cells(polys))
    if colours is not None:
        data.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(colours), deep=1))
    data.Modified()
    return data
