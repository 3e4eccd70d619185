"""A frame's depth map as a cloud of points in the world.

The cloud is kept as the network measured it, about the camera and with the world's axes: what the
scale does to it (stretch it, move it to where the camera is) is done by the actor, so a scale that
changes while refining costs nothing.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer

from refine_engine.errors import RefinementError
from refine_engine.geometry.cameras import scaled_intrinsics, unproject
from refine_engine.scene import Scene

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]

THIN_POINTS = 12_000
"""Points drawn while the view moves."""
FULL_POINTS = 160_000
"""Points drawn otherwise: a whole VGGT map of 518 x 294."""
SPAN_FRAMES = 5
"""Maps of a clip that are looked at for its nearest and farthest depth."""
NEAR_COLOUR, MIDDLE_COLOUR, FAR_COLOUR = (63, 111, 176), (124, 104, 178), (178, 94, 140)


@dataclass(frozen=True)
class CloudPoints:
    """What one frame's depth map says, thinned by ``step`` in both directions."""

    base: NDArray[np.float32]
    """(n, 3) points from the camera's centre, in the map's unit, along the world's axes."""
    depth: NDArray[np.float32]
    """(n,) z-depth in the map's unit."""
    trust: NDArray[np.float32] | None
    """(n,) confidence."""
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    """(n,) pixel of the depth map."""
    size: tuple[int, int]
    """(height, width) of the depth map."""


def read_cloud(scene: Scene, frame: int, most: int) -> CloudPoints | None:
    """Back-project a depth map, at most about ``most`` points; None where there is none.

    A damaged file is the same as none: the import report already says so.
    """
    maps = scene.depth
    if maps is None or not maps.has(frame):
        return None
    moving = None
    try:
        depth, trust = maps.depth(frame), maps.confidence(frame)
        if maps.people_masked_out and scene.masks is not None:
            # Where people were blacked out the network saw a black shape: that depth is nobody's.
            moving = scene.masks.dynamic(frame)
    except (RefinementError, OSError):
        return None
    height, width = depth.shape
    step = max(1, int(np.ceil(np.sqrt(depth.size / most))))
    grid = np.ascontiguousarray(depth[::step, ::step], dtype=np.float32)
    known = np.isfinite(grid) & (grid > 0)
    rows, columns = np.nonzero(known)
    z = grid[rows, columns]
    rows, columns = rows * step, columns * step
    if moving is not None:
        inside = moving[rows * moving.shape[0] // height, columns * moving.shape[1] // width]
        rows, columns, z = rows[~inside], columns[~inside], z[~inside]
    K = scaled_intrinsics(
        scene.cameras.intrinsics[frame], scene.cameras.image_size, (height, width)
    )
    # Pixel i covers [i, i + 1): its centre is half a pixel further.
    in_camera = unproject(np.stack([columns, rows], -1) + 0.5, z.astype(np.float64), K)
    base = (in_camera @ scene.cameras.R_cam_world[frame]).astype(np.float32)
    confidence = None if trust is None else trust[rows, columns]
    return CloudPoints(base, z, confidence, rows, columns, (height, width))


def trusted(cloud: CloudPoints, quantile: float) -> NDArray[np.int64]:
    """Numbers of the points that remain when a fraction of the least trusted is left out."""
    count = len(cloud.base)
    if cloud.trust is None or quantile <= 0 or count == 0:
        return np.arange(count, dtype=np.int64)
    nth = min(int(quantile * count), count - 1)
    threshold = np.partition(cloud.trust, nth)[nth]
    kept = np.flatnonzero(cloud.trust >= threshold)
    if len(kept) > (1.0 - quantile) * count + 1 and threshold == cloud.trust.min():
        # Many equally untrusted points: all of them are the least trusted.
        above = np.flatnonzero(cloud.trust > threshold)
        kept = above if len(above) else kept
    return kept.astype(np.int64)


def depth_colours(depth: NDArray[np.float32], span: tuple[float, float] | None = None) -> Bytes:
    """(n, 3) colours from near (blue) to far (red violet); ``span`` = nearest and farthest."""
    if len(depth) == 0:
        return np.zeros((0, 3), dtype=np.uint8)
    near, far = span or depth_span(depth)
    table = _table()
    # By inverse depth, as the eye resolves distance: half of the colours for what is near.
    near = max(near, 1e-6)
    with np.errstate(divide="ignore"):
        share = (1.0 / near - 1.0 / depth) / max(1.0 / near - 1.0 / max(far, near), 1e-9)
    share = np.clip(share, 0.0, 1.0)
    return table[(share * (len(table) - 1)).astype(np.intp)]


def depth_span(depth: NDArray[np.float32]) -> tuple[float, float]:
    """Nearest and farthest depth (2nd and 95th percentile) of some of the points."""
    some = depth.reshape(-1)[:: max(1, depth.size // 4000)]
    some = some[np.isfinite(some) & (some > 0)]
    if len(some) == 0:
        return 0.0, 1.0
    near, far = np.percentile(some, [2, 95])
    return float(near), float(far)


def clip_span(scene: Scene) -> tuple[float, float]:
    """:func:`depth_span` over some maps of the clip: colours keep their meaning while it plays."""
    maps = scene.depth
    if maps is None:
        return 0.0, 1.0
    frames = [f for f in range(scene.num_frames) if maps.has(f)]
    some = []
    for position in np.unique(np.linspace(0, len(frames) - 1, SPAN_FRAMES).astype(int)):
        if not frames:
            break
        with contextlib.suppress(RefinementError, OSError):
            depth = maps.depth(frames[int(position)]).reshape(-1)
            some.append(depth[:: max(1, depth.size // 4000)])
    return depth_span(np.concatenate(some)) if some else (0.0, 1.0)


def colour_of_share(share: float) -> tuple[float, float, float]:
    """Red, green, blue in [0, 1] at a share of the way from near to far, by inverse depth."""
    table = _table()
    red, green, blue = (float(v) / 255.0 for v in table[int(share * (len(table) - 1))])
    return red, green, blue


def depth_picture(
    scene: Scene, frame: int, span: tuple[float, float] | None = None
) -> Bytes | None:
    """The depth map in colours (h, w, 3), black where unknown; None where there is none."""
    maps = scene.depth
    if maps is None or not maps.has(frame):
        return None
    try:
        depth = maps.depth(frame)
    except (RefinementError, OSError):
        return None
    known = np.isfinite(depth) & (depth > 0)
    picture = depth_colours(np.where(known, depth, 0).reshape(-1), span or depth_span(depth))
    picture = (picture * np.float32(0.8)).astype(np.uint8)
    picture[~known.reshape(-1)] = 0
    return picture.reshape(*depth.shape, 3)


def _table() -> Bytes:
    stops = np.array([NEAR_COLOUR, MIDDLE_COLOUR, FAR_COLOUR], dtype=np.float64)
    at = np.linspace(0, 2, 256)
    return np.stack([np.round(np.interp(at, [0, 1, 2], stops[:, k])) for k in range(3)], -1).astype(
        np.uint8
    )


class DepthCloud:
    """The cloud's prop."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._data = vtkPolyData()
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(self._data)
        mapper.SetColorModeToDirectScalars()
        self.actor = vtkActor()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetLighting(False)
        # Picking would test every point; people are picked from a list of their own.
        self.actor.SetPickable(False)
        self.actor.SetVisibility(False)
        renderer.AddActor(self.actor)
        self._held: list[object] = []
        self._cloud: CloudPoints | None = None
        self._quantile = 0.0

    @property
    def drawn_points(self) -> int:
        """Points that are drawn when visible."""
        return int(self._data.GetNumberOfVerts())

    def set_cloud(self, cloud: CloudPoints | None, colours: Bytes | None) -> None:
        """Other points with their colours (n, 3); None draws nothing."""
        self._cloud = cloud
        if cloud is None or colours is None or len(cloud.base) == 0:
            self._cloud = None
            self._data.Initialize()
            self._held = []
            return
        base = np.ascontiguousarray(cloud.base)
        shades = np.ascontiguousarray(colours)
        points = vtkPoints()
        points.SetData(numpy_to_vtk(base, deep=0))
        self._data.SetPoints(points)
        self._data.GetPointData().SetScalars(numpy_to_vtk(shades, deep=0))
        # VTK only points into these arrays.
        self._held = [base, shades]
        self._choose()

    def set_confidence(self, quantile: float) -> None:
        """Leave out a fraction of the least trusted points; only the cells change."""
        if quantile != self._quantile:
            self._quantile = quantile
            self._choose()

    def place(self, scale: float, centre: Array) -> None:
        """Metres per unit of the depth map, and where the camera is (3,), metres."""
        self.actor.SetScale(scale)
        self.actor.SetPosition(*centre)

    def set_point_size(self, pixels: float) -> None:
        """Size of a point in device pixels."""
        self.actor.GetProperty().SetPointSize(pixels)

    def set_visible(self, visible: bool) -> None:
        """Draw it or not."""
        self.actor.SetVisibility(visible and self._cloud is not None)

    def _choose(self) -> None:
        if self._cloud is None:
            return
        ids = trusted(self._cloud, self._quantile)
        verts = vtkCellArray()
        verts.SetData(
            numpy_to_vtkIdTypeArray(np.arange(len(ids) + 1, dtype=np.int64), deep=1),
            numpy_to_vtkIdTypeArray(np.ascontiguousarray(ids), deep=1),
        )
        self._data.SetVerts(verts)
        self._data.Modified()
