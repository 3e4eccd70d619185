"""The scene through its true camera: exact depth, who is seen where, shaded pictures."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from refine_engine.body import shaped_body
from refine_engine.evaluation.synthetic.rasteriser import Raster, rasterise
from refine_engine.evaluation.synthetic.surroundings import BOX, FLOOR, PERSON, WALL
from refine_engine.evaluation.synthetic.truth import SceneTruth
from refine_engine.geometry.cameras import scaled_intrinsics

Array = NDArray[np.float64]

_PEOPLE_COLOURS = np.array(
    [
        [214, 96, 77], [67, 147, 195], [120, 180, 90], [230, 171, 2], [153, 112, 171],
        [27, 158, 119], [231, 138, 195], [166, 118, 29], [102, 194, 165], [141, 160, 203],
    ],
    dtype=np.float64,
)  # fmt: skip


class SceneViews:
    """Draws one frame of the true scene at any image size."""

    def __init__(self, truth: SceneTruth) -> None:
        self.truth = truth
        self.labels = {pid: PERSON + k for k, pid in enumerate(sorted(truth.people))}
        """Label of each person's pixels."""
        self._rows = {
            pid: {int(f): row for row, f in enumerate(person.frames)}
            for pid, person in truth.people.items()
        }

    def vertices(self, person_id: int, frame: int) -> Array | None:
        """(6890, 3) world vertices of a person, None where they are not there."""
        row = self._rows[person_id].get(frame)
        if row is None:
            return None
        motion = self.truth.people[person_id].motion
        body = shaped_body(self.truth.model, motion.betas)
        turns = motion.rotations[row]
        return body.vertices(turns[0], turns[1:], motion.transl[row]).astype(np.float64)

    def intrinsics(self, size: tuple[int, int]) -> Array:
        """(3, 3) for images of this size."""
        return scaled_intrinsics(self.truth.intrinsics, self.truth.image_size, size)

    def raster(self, frame: int, size: tuple[int, int], *, people: bool = True) -> Raster:
        """Depth in metres and labels of one frame; without people, what is behind them."""
        return self._draw(frame, size, people)[0]

    def _draw(
        self, frame: int, size: tuple[int, int], people: bool
    ) -> tuple[Raster, Array, NDArray[np.int32]]:
        truth = self.truth
        around = truth.surroundings
        points: list[Array] = []
        faces: list[NDArray[np.int32]] = []
        labels: list[NDArray[np.int16]] = []
        offset = 0
        for pid, label in self.labels.items() if people else ():
            vertices = self.vertices(pid, frame)
            if vertices is None:
                continue
            points.append(vertices)
            faces.append(truth.model.faces + np.int32(offset))
            labels.append(np.full(len(truth.model.faces), label, dtype=np.int16))
            offset += len(vertices)
        closed = sum(len(f) for f in faces)
        points.append(around.vertices)
        faces.append(around.faces + np.int32(offset))
        labels.append(around.labels)
        world = np.concatenate(points)
        triangles = np.concatenate(faces)
        camera = world @ truth.R_cam_world[frame].T + truth.t_cam_world[frame]
        raster = rasterise(
            camera, triangles, np.concatenate(labels), self.intrinsics(size), size, closed
        )
        return raster, world, triangles

    def picture(self, frame: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """(h, w, 3) RGB, shaded, with a chequered floor."""
        truth = self.truth
        raster, world, triangles = self._draw(frame, size, True)
        corners = world[triangles]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        lengths = np.linalg.norm(normals, axis=-1, keepdims=True)
        normals /= np.maximum(lengths, 1e-12)
        R = truth.R_cam_world[frame]
        image = np.empty((*size, 3), dtype=np.uint8)
        _shade(
            raster.depth,
            raster.label,
            raster.face,
            normals,
            R,
            -R.T @ truth.t_cam_world[frame],
            self.intrinsics(size),
            _PEOPLE_COLOURS,
            image,
        )
        return image


@numba.njit(cache=True, nogil=True)
def _shade(depth, label, face, normals, R, center, intrinsics, colours, image):  # type: ignore[no-untyped-def]
    h, w = depth.shape
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    # Two lights: the sun from above, and a fill light from the camera.
    lx, ly, lz = 0.40, 0.82, 0.41
    for y in range(h):
        for x in range(w):
            kind = label[y, x]
            if kind == 0:
                shade = 0.75 + 0.25 * y / h
                image[y, x, 0] = np.uint8(200 * shade)
                image[y, x, 1] = np.uint8(215 * shade)
                image[y, x, 2] = np.uint8(235 * shade)
                continue
            rx, ry = (x + 0.5 - cx) / fx, (y + 0.5 - cy) / fy
            dx = R[0, 0] * rx + R[1, 0] * ry + R[2, 0]
            dy = R[0, 1] * rx + R[1, 1] * ry + R[2, 1]
            dz = R[0, 2] * rx + R[1, 2] * ry + R[2, 2]
            n = face[y, x]
            nx, ny, nz = normals[n, 0], normals[n, 1], normals[n, 2]
            facing = nx * dx + ny * dy + nz * dz
            if facing > 0:
                nx, ny, nz, facing = -nx, -ny, -nz, -facing
            length = np.sqrt(dx * dx + dy * dy + dz * dz)
            fill = -facing / length
            sun = max(0.0, nx * lx + ny * ly + nz * lz)
            light = 0.35 + 0.45 * sun + 0.25 * fill
            if kind == FLOOR:
                z = depth[y, x]
                px, pz = center[0] + z * dx, center[2] + z * dz
                odd = (int(np.floor(px)) + int(np.floor(pz))) % 2
                base = 150.0 if odd else 175.0
                r, g, b = base, base - 5, base - 15
            elif kind == WALL:
                r, g, b = 205.0, 200.0, 190.0
            elif kind == BOX:
                r, g, b = 150.0, 115.0, 80.0
            else:
                k = (kind - PERSON) % colours.shape[0]
                r, g, b = colours[k, 0], colours[k, 1], colours[k, 2]
            image[y, x, 0] = np.uint8(min(255.0, r * light))
            image[y, x, 1] = np.uint8(min(255.0, g * light))
            image[y, x, 2] = np.uint8(min(255.0, b * light))
