"""``c3d``: the markers of ``trc`` in motion analysis' own binary format, one file a person.

Layout as in the C3D User Guide (https://www.c3d.org/docs/C3D_User_Guide.pdf): blocks of 512 bytes,
a header, parameters by groups, then the frames as little-endian float32, four to a point.
Millimetres and Z up, which most programs take for granted. The fourth number of a point, its
residual, is 0: "made by a model".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.errors import ExportChoiceError
from refine_engine.exporters.amass import R_ZUP_YUP
from refine_engine.exporters.trc import MARKERS, marker_places
from refine_engine.exporters.trc import caveats as caveats  # the same holds here

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files
    from refine_engine.state import PersonState

MILLIMETRES = 1000.0
MOST_FRAMES = 65535
"""The header counts frames, from 1, in sixteen bits."""
_BLOCK = 512
_KEY = 0x50
_INTEL = 84
_FLOATS = -1.0
"""A negative scale says that points are floats; its size is that of a residual's unit."""

Value = int | float | str | tuple[str, ...]


def build(content: ExportContent, options: ExportOptions) -> Files:
    """``person_XXX.c3d`` of everybody; frame number 1 is video frame 0.

    Raises
    ------
    ExportChoiceError
        The frames' numbers are more than the format can hold.
    """
    return {
        f"person_{i:03d}.c3d": _bytes(content, i, person) for i, person in content.people.items()
    }


def _bytes(content: ExportContent, i: int, person: PersonState) -> bytes:
    first, last = int(person.frames[0]) + 1, int(person.frames[-1]) + 1
    if last > MOST_FRAMES:
        raise ExportChoiceError(
            f"person {i}, frame {last - 1}",
            f"is beyond the {MOST_FRAMES} frames that C3D can count",
            "choose earlier frames",
        )
    points = MILLIMETRES * marker_places(content, person) @ R_ZUP_YUP.T
    n, count = points.shape[:2]
    data = np.zeros((n, count, 4), dtype="<f4")
    data[..., :3] = points
    # Its own size depends on no value in it, so that it can say where the data begin.
    blocks = len(_parameters(_groups(content.fps, n, count, 0))) // _BLOCK
    start = 2 + blocks
    return b"".join(
        [
            _header(content.fps, count, first, last, start),
            _parameters(_groups(content.fps, n, count, start)),
            _padded(data.tobytes()),
        ]
    )


def _header(fps: float, count: int, first: int, last: int, start: int) -> bytes:
    """The first block; ``start`` is the number, from 1, of the first block of data."""
    fixed = struct.pack("<BBHHHHHfHHf", 2, _KEY, count, 0, first, last, 0, _FLOATS, start, 0, fps)
    return _padded(fixed)


def _groups(fps: float, n: int, count: int, start: int) -> Mapping[str, Mapping[str, Value]]:
    return {
        "POINT": {
            "USED": count,
            "SCALE": _FLOATS,
            "RATE": float(fps),
            "DATA_START": start,
            "FRAMES": n,
            "LABELS": MARKERS,
            "DESCRIPTIONS": MARKERS,
            "UNITS": ("mm",),
            "X_SCREEN": "+X",
            "Y_SCREEN": "+Z",
        },
        # Readers ask for these groups even where there is nothing in them.
        "ANALOG": {"USED": 0, "GEN_SCALE": 1.0, "RATE": 0.0},
        "FORCE_PLATFORM": {"USED": 0},
        "MANUFACTURER": {"COMPANY": "SMPL Refiner", "SOFTWARE": "SMPL Refiner"},
    }


def _parameters(groups: Mapping[str, Mapping[str, Value]]) -> bytes:
    """The section of parameters, whole blocks of it."""
    records = [_record(name, -number, b"") for number, name in enumerate(groups, 1)]
    for number, parameters in enumerate(groups.values(), 1):
        records += [_record(name, number, _value(v)) for name, v in parameters.items()]
    # A record whose name has no letters ends the section.
    body = b"".join(record + struct.pack("<H", 2 + len(rest)) + rest for record, rest in records)
    body += b"\0\0"
    size = -(-(4 + len(body)) // _BLOCK)
    return _padded(struct.pack("<BBBB", 1, _KEY, size, _INTEL) + body)


def _record(name: str, group: int, value: bytes) -> tuple[bytes, bytes]:
    """What stands before a record's offset to the next one, and what behind it."""
    # The final zero is the length of a description.
    return struct.pack("<bb", len(name), group) + name.encode("ascii"), value + b"\0"


def _value(value: Value) -> bytes:
    """Type, dimensions and data of a parameter."""
    if isinstance(value, str):
        return struct.pack("<bBB", -1, 1, len(value)) + value.encode("ascii")
    if isinstance(value, tuple):
        return _texts(value)
    if isinstance(value, float):
        return struct.pack("<bBf", 4, 0, value)
    return struct.pack("<bBH", 2, 0, value)


def _texts(texts: Sequence[str]) -> bytes:
    width = max(map(len, texts))
    joined = "".join(text.ljust(width) for text in texts)
    return struct.pack("<bBBB", -1, 2, width, len(texts)) + joined.encode("ascii")


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _BLOCK)
