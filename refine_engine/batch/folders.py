"""Results folders below some roots."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refine_engine.errors import InputError
from refine_engine.importers.folder import find_results

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_DEPTH = 6
"""Folders below a root are looked at this deep."""

_NEVER_INSIDE = {"5_refinement", "exports", "track_features", "track_feats"}
_STAGES = {"1_camera_estimation", "2_tracking", "3_pose_estimation", "4_world_space"}


@dataclass(frozen=True)
class FoundFolder:
    """A results folder, or what looks like one and cannot be used."""

    folder: Path
    root: Path
    """The root below which it was found, or itself."""
    problem: str = ""
    """Why it cannot be refined; empty where it can."""


def find_folders(roots: Sequence[Path]) -> list[FoundFolder]:
    """All results folders at or below some roots, in the order of their names, each once.

    A folder with stages but without people is listed with its problem, so that it is not passed
    over in silence.

    Raises
    ------
    InputError
        A root is no folder, or there is no results folder at all.
    """
    found: dict[Path, FoundFolder] = {}
    for root in roots:
        if not root.is_dir():
            problem = "is a file" if root.exists() else "does not exist"
            raise InputError(root, problem, "name folders that hold results folders")
        before = len(found)
        _search(root, root, MAX_DEPTH, found, set())
        if len(found) == before and not _known(root, found):
            raise InputError(
                root,
                "holds no MultiTRAM results folder",
                "name a folder above those that contain 1_camera_estimation and 3_pose_estimation",
            )
    return list(found.values())


def _known(root: Path, found: dict[Path, FoundFolder]) -> bool:
    inside = root.resolve()
    return any(place == inside or inside in place.parents for place in found)


def _search(
    folder: Path, root: Path, depth: int, found: dict[Path, FoundFolder], visited: set[Path]
) -> None:
    real = folder.resolve()
    if real in visited:
        # A link back up, or a second link to the same place.
        return
    visited.add(real)
    children = _children(folder)
    problem = ""
    try:
        if find_results(folder).root.resolve() == real:
            found.setdefault(real, FoundFolder(folder, root))
            return
    except InputError as error:
        problem = f"{error.problem}; {error.remedy}"
    if _STAGES & {child.name for child in children}:
        found.setdefault(real, FoundFolder(folder, root, problem or "holds stages but no people"))
        return
    if depth > 0:
        for child in children:
            _search(child, root, depth - 1, found, visited)


def _children(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    except OSError:
        # Somebody else's private folder below a root is none of ours.
        return []
    return [folder / name for name in sorted(names) if name not in _NEVER_INSIDE]
