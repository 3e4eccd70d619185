"""A small writer of glTF 2.0 binaries: arrays into one buffer, everything else as JSON.

glTF is right-handed, Y up, in metres, seconds and radians, with quaternions ``xyzw``; see
https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

AccessorType = Literal["SCALAR", "VEC2", "VEC3", "VEC4", "MAT4"]
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
_COMPONENTS = {np.dtype("uint8"): 5121, np.dtype("uint16"): 5123, np.dtype("float32"): 5126}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942


class GltfFile:
    """A file in the making: every ``add_*`` returns the index to refer to what was added."""

    def __init__(self, generator: str) -> None:
        self._lists: dict[str, list[dict[str, Any]]] = {}
        self._bytes = bytearray()
        self._asset = {"version": "2.0", "generator": generator}
        self.scene_nodes: list[int] = []
        """Indices of the nodes at the top of the scene."""
        self.extras: dict[str, Any] = {}
        """Facts about the scene that glTF has no place for."""

    def add(self, kind: str, **content: Any) -> int:
        """Add an entry to one of glTF's lists, for example ``nodes`` or ``materials``."""
        entries = self._lists.setdefault(kind, [])
        entries.append(content)
        return len(entries) - 1

    def node(self, index: int) -> dict[str, Any]:
        """A node that was added, to be completed."""
        return self._lists["nodes"][index]

    def add_array(
        self,
        array: NDArray[Any],
        kind: AccessorType,
        *,
        target: int | None = None,
        bounds: bool = False,
    ) -> int:
        """Add an array; returns its accessor.

        Parameters
        ----------
        array
            (n,) or (n, width) of dtype float32, uint16 or uint8.
        kind
            glTF's element type.
        target
            :data:`ARRAY_BUFFER` for vertices, :data:`ELEMENT_ARRAY_BUFFER` for triangles.
        bounds
            State smallest and largest values, as glTF demands of positions and key times.
        """
        rows = np.ascontiguousarray(array).reshape(len(array), _WIDTHS[kind])
        data = rows.tobytes()
        # Four bytes is the coarsest alignment that any component type needs.
        self._bytes.extend(b"\0" * (-len(self._bytes) % 4))
        view: dict[str, Any] = {
            "buffer": 0,
            "byteOffset": len(self._bytes),
            "byteLength": len(data),
        }
        if target is not None:
            view["target"] = target
        self._bytes.extend(data)
        accessor: dict[str, Any] = {
            "bufferView": self.add("bufferViews", **view),
            "componentType": _COMPONENTS[rows.dtype],
            "count": len(rows),
            "type": kind,
        }
        if bounds:
            accessor["min"] = rows.min(axis=0).tolist()
            accessor["max"] = rows.max(axis=0).tolist()
        return self.add("accessors", **accessor)

    def to_bytes(self) -> bytes:
        """The whole file."""
        scene: dict[str, Any] = {"nodes": self.scene_nodes}
        if self.extras:
            scene["extras"] = self.extras
        blob = bytes(self._bytes) + b"\0" * (-len(self._bytes) % 4)
        document = {
            "asset": self._asset,
            "scene": 0,
            "scenes": [scene],
            **self._lists,
            "buffers": [{"byteLength": len(blob)}],
        }
        text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        size = 12 + 8 + len(text) + 8 + len(blob)
        return b"".join(
            [
                struct.pack("<III", _MAGIC, _VERSION, size),
                struct.pack("<II", len(text), _JSON),
                text,
                struct.pack("<II", len(blob), _BIN),
                blob,
            ]
        )
