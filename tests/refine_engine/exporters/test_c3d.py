"""C3D markers, read back with a small reader written from the format's description."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refine_engine.errors import ExportChoiceError
from refine_engine.exporters import ExportOptions, caveats, export
from refine_engine.exporters.content import ExportContent
from refine_engine.exporters.trc import MARKERS, marker_places


def read_parameters(data: bytes) -> dict[str, dict[str, Any]]:
    """Group to parameter to value; every record is found through the offset before it."""
    start = 512 * (data[0] - 1)
    assert data[start + 1] == 0x50
    assert data[start + 3] == 84, "little-endian"
    end = start + 512 * data[start + 2]
    groups: dict[int, str] = {}
    found: dict[int, dict[str, Any]] = {}
    at = start + 4
    while (length := struct.unpack_from("<b", data, at)[0]) != 0:
        assert at < end
        group = struct.unpack_from("<b", data, at + 1)[0]
        name = data[at + 2 : at + 2 + length].decode("ascii")
        here = at + 2 + length
        following = here + struct.unpack_from("<H", data, here)[0]
        if group < 0:
            groups[-group] = name
        else:
            found.setdefault(group, {})[name] = read_value(data, here + 2)
        at = following
    return {groups[number]: values for number, values in found.items()}


def read_value(data: bytes, at: int) -> Any:
    kind, dimensions = struct.unpack_from("<bB", data, at)
    shape = struct.unpack_from(f"<{dimensions}B", data, at + 2)
    at += 2 + dimensions
    count = int(np.prod(shape))
    if kind == -1:
        text = data[at : at + count].decode("ascii")
        if dimensions == 1:
            return text
        return [text[k : k + shape[0]].rstrip() for k in range(0, count, shape[0])]
    values = struct.unpack_from(f"<{count}{'H' if kind == 2 else 'f'}", data, at)
    assert not shape
    return values[0]


def test_points_are_the_markers_in_millimetres_z_up(tmp_path: Path, content: ExportContent) -> None:
    paths = export("c3d", content, tmp_path)
    assert [p.name for p in paths] == ["person_002.c3d", "person_011.c3d"]
    for path, person in zip(paths, content.people.values(), strict=True):
        data = path.read_bytes()
        assert len(data) % 512 == 0
        _, key, points, analog, first, last = struct.unpack_from("<BBHHHH", data)
        assert (key, points, analog) == (0x50, len(MARKERS), 0)
        # Frames count from 1, so video frame 0 is the first.
        assert (first, last) == (person.frames[0] + 1, person.frames[-1] + 1)
        scale, start, _, rate = struct.unpack_from("<fHHf", data, 12)
        assert (scale, rate) == (-1.0, 24.0)
        groups = read_parameters(data)
        assert groups["POINT"] | {"DESCRIPTIONS": None} == {
            "USED": len(MARKERS),
            "SCALE": -1.0,
            "RATE": 24.0,
            "DATA_START": start,
            "FRAMES": len(person.frames),
            "LABELS": list(MARKERS),
            "DESCRIPTIONS": None,
            "UNITS": ["mm"],
            "X_SCREEN": "+X",
            "Y_SCREEN": "+Z",
        }
        assert groups["ANALOG"]["USED"] == groups["FORCE_PLATFORM"]["USED"] == 0
        shape = (len(person.frames), len(MARKERS), 4)
        stored = np.frombuffer(data, "<f4", int(np.prod(shape)), 512 * (start - 1)).reshape(shape)
        x, y, z = np.moveaxis(marker_places(content, person), -1, 0)
        np.testing.assert_allclose(stored[..., :3], 1000 * np.stack([x, -z, y], -1), atol=1e-3)
        assert not stored[..., 3].any()


def test_a_part_of_the_video_keeps_its_frame_numbers(
    tmp_path: Path, content: ExportContent
) -> None:
    options = ExportOptions(people=(11,), frames=(8, 12), floor=True)
    (path,) = export("c3d", content, tmp_path, options)
    assert struct.unpack_from("<HH", path.read_bytes(), 6) == (9, 12)
    assert not [n for n in caveats("c3d", content, options) if "lies at" in n]
    assert [n for n in caveats("c3d", content) if "lies at" in n]
    assert [n for n in caveats("c3d", content) if "3 frames are filled gaps" in n]


def test_more_frames_than_it_can_count(tmp_path: Path, content: ExportContent) -> None:
    person = content.people[11]
    late = replace(content, people={11: replace(person, frames=person.frames + 65518)})
    with pytest.raises(ExportChoiceError, match="beyond the 65535 frames"):
        export("c3d", replace(late, first_frame=65518), tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_programs_reader_agrees(tmp_path: Path, content: ExportContent) -> None:
    """Needs `pip install ezc3d`, which the tests do without otherwise."""
    ezc3d = pytest.importorskip("ezc3d", reason="ezc3d is not installed")
    for path, person in zip(export("c3d", content, tmp_path), content.people.values(), strict=True):
        read = ezc3d.c3d(str(path))
        point = read["parameters"]["POINT"]
        assert tuple(point["LABELS"]["value"]) == MARKERS
        assert (point["UNITS"]["value"], point["RATE"]["value"][0]) == (["mm"], 24.0)
        assert read["header"]["points"]["first_frame"] == person.frames[0]
        x, y, z = np.moveaxis(marker_places(content, person), -1, 0)
        ours = 1000 * np.stack([x, -z, y], -1)
        np.testing.assert_allclose(read["data"]["points"][:3].T, ours, atol=1e-3)
