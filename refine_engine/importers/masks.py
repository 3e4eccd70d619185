"""Image masks of Stages 1 and 2, opened one at a time."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.errors import InputError
from refine_engine.importers.maps import CheckedFiles, MapFile, check_maps, find_maps, read_map

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList
    from refine_engine.scene import BoolArray

_DYNAMIC_FILE = re.compile(r"frame_0*(\d+)_dynamic\.npy")
_PERSON_FILE = re.compile(r"frame_0*(\d+)_person_0*(\d+)\.npy")


class FolderMasks:
    """Masks of a results folder (see :class:`refine_engine.scene.Masks`)."""

    def __init__(
        self, dynamic: Mapping[int, MapFile], people: Mapping[int, Mapping[int, MapFile]]
    ) -> None:
        self._dynamic = dynamic
        self._people = people

    @property
    def num_dynamic(self) -> int:
        """Number of dynamic masks."""
        return len(self._dynamic)

    @property
    def num_person(self) -> int:
        """Number of masks of single people."""
        return sum(len(files) for files in self._people.values())

    def person(self, person_id: int, frame: int) -> BoolArray | None:
        """(H, W) mask of one person, or None where there is none or it is damaged."""
        return _read(self._people.get(person_id, {}).get(frame))

    def dynamic(self, frame: int) -> BoolArray | None:
        """(H, W) union of everything that moves, people's own masks included, or None."""
        mask = _read(self._dynamic.get(frame))
        if mask is None:
            return None
        # The detector behind the dynamic masks misses people that have a mask of their own.
        for files in self._people.values():
            own = _read(files.get(frame))
            if own is not None and own.shape == mask.shape:
                mask |= own
        return mask


def open_masks(
    cameras: Path | None, tracks: Path | None, findings: FindingList
) -> FolderMasks | None:
    """Find the masks of both stages, or return None with the reason in the report."""
    dynamic = CheckedFiles({}, None, None)
    if cameras is not None:
        dynamic = find_maps(cameras / "masks", _DYNAMIC_FILE)
    people, refused = _person_masks(tracks, findings)
    refused += dynamic.refused
    if refused:
        findings.discarded(
            "unreadable",
            len(refused),
            f"{len(refused)} masks cannot be read and were left out: {refused[0]}",
        )
    if dynamic.files:
        findings.reported(
            "B14",
            len(dynamic.files),
            "People were blacked out before depth estimation: depth on people is not theirs, so "
            "the ground around standing feet is compared instead.",
        )
    elif cameras is not None:
        findings.missing(
            "No dynamic masks: people were probably not masked before the reconstruction, so "
            "moving people may have disturbed cameras and depth."
        )
    if not people:
        findings.missing(
            "No masks of people: depth on bodies is chosen by the bodies' own outlines, and "
            "occlusion by others is not known."
        )
    if not people and not dynamic.files:
        return None
    return FolderMasks(dynamic.files, people)


def mask_size(stage: Path | None) -> tuple[int, int] | None:
    """(height, width) of Stage 2's masks of people, or None where there are none."""
    folder = None if stage is None else stage / "masks"
    if folder is None or not folder.is_dir():
        return None
    with os.scandir(folder) as entries:
        named = sorted(entry.name for entry in entries if _PERSON_FILE.fullmatch(entry.name))
    for name in named[:3]:
        mask = _read(folder / name)
        if mask is not None:
            return mask.shape[0], mask.shape[1]
    return None


def _person_masks(
    stage: Path | None, findings: FindingList
) -> tuple[dict[int, dict[int, MapFile]], tuple[InputError, ...]]:
    folder = None if stage is None else stage / "masks"
    if folder is None or not folder.is_dir():
        return {}, ()
    found: dict[int, dict[int, MapFile]] = defaultdict(dict)
    with os.scandir(folder) as entries:
        for entry in entries:
            match = _PERSON_FILE.fullmatch(entry.name)
            if match:
                found[int(match[2])][int(match[1])] = entry.path
    result: dict[int, dict[int, MapFile]] = {}
    refused: tuple[InputError, ...] = ()
    by_position = 0
    for person, files in sorted(found.items()):
        checked = check_maps(files)
        refused += checked.refused
        if checked.dtype is not None and checked.dtype == np.uint8:
            # Only the first writer stored numbers; it named masks by position in a list.
            by_position += len(checked.files)
            continue
        if checked.files:
            result[person] = checked.files
    if by_position:
        findings.discarded(
            "era",
            by_position,
            "The masks of people are named by position in a list, not by person, and cannot be "
            "joined; they are not used.",
        )
    return result, refused


def _read(path: MapFile | None) -> BoolArray | None:
    if path is None:
        return None
    try:
        return np.array(read_map(path), dtype=bool)
    except InputError:
        return None
