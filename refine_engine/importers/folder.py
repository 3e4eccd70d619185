"""Finds the stages of a MultiTRAM results folder by what they contain, not by their names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refine_engine.errors import InputError, SeveralResultsError
from refine_engine.safe_files import find_npz

_PERSON = re.compile(r"person_0*(\d{1,9})")
_HEAVY = {"track_features", "track_feats"}
"""Folders that may hold a gigabyte of zeros a frame: never opened, never even listed."""
_REFINED = "refinement_results.json"
_MAX_JSON_BYTES = 64 * 1024**2

# (glob below the folder, name of the tool): recognised only to say so clearly.
_OTHER_TOOLS = (
    ("hps/hps_track_*.npy", "TRAM"),
    ("hps/vimo_track_*.npy", "TRAM"),
    ("*_world_results.npz", "SLAHMR"),
    ("*/*_world_results.npz", "SLAHMR"),
    ("wham_output.pkl", "WHAM"),
    ("hmr4d_results.pt", "GVHMR"),
    ("results/demo_*.pkl", "PHALP"),
    ("world4d.mcs", "PromptHMR"),
    ("predictions.npz", "VGGT"),
)


@dataclass(frozen=True)
class ResultsFolder:
    """Where the stages of one run lie; None where a stage is absent."""

    root: Path
    cameras: Path | None
    """Stage 1: holds ``cameras.npz``."""
    tracks: Path | None
    """Stage 2: holds ``tracks.npz`` or ``detections/``."""
    poses: Path | None
    """Stage 3: holds ``person_*/smpl_params_camera.npz``."""
    world: Path | None
    """Stage 4: holds ``person_*/smpl_params_world.npz``."""


_STAGES = ("1_camera_estimation", "2_tracking", "3_pose_estimation", "4_world_space")


def find_results(folder: str | Path) -> ResultsFolder:
    """Locate the stages below a folder, or around it when it is itself one of the stages.

    Parameters
    ----------
    folder
        The results folder, one of its stage folders, or a folder that holds exactly one results
        folder.

    Raises
    ------
    InputError
        When it is not a folder, holds no results, several results, or another tool's results.
    """
    root = Path(folder)
    refuse_broken_link(root)
    if not root.exists():
        raise InputError(root, "does not exist", "check the path")
    if not root.is_dir():
        raise InputError(root, "is a file", "name the results folder that contains it")
    for name in _STAGES:
        refuse_broken_link(root / name)
    found = _stages_below(root)
    if _is_stage(root) and (found.cameras is None or not _has_people(found)):
        around = _stages_below(root.resolve().parent)
        if _has_people(around) and around.cameras is not None:
            return around
    if not _has_people(found):
        below = (_stages_below(child) for child in _subfolders(root))
        inside = [stages for stages in below if _has_people(stages)]
        if len(inside) == 1:
            return inside[0]
        if len(inside) > 1:
            raise SeveralResultsError(root, tuple(stages.root for stages in inside))
    if _has_people(found):
        return found
    if (root / _REFINED).is_file():
        raise InputError(
            root,
            "holds the results of a refinement, not what one starts from",
            "name the folder that contains 1_camera_estimation and 3_pose_estimation",
        )
    _refuse_other_tools(root)
    if found.cameras or found.tracks:
        have = "Stage 1 (cameras)" if found.cameras else "Stage 2 (tracks)"
        raise InputError(
            root,
            f"holds {have} but no people: there is no person_NUMBER/smpl_params_camera.npz",
            "run Stage 3 (pose estimation), without leading zeros in its `--person_ids`",
        )
    raise InputError(
        root,
        "holds no MultiTRAM results (no cameras.npz and no person_NUMBER/smpl_params_camera.npz)",
        "name the folder that contains 1_camera_estimation and 3_pose_estimation",
    )


def stages_at(
    *,
    cameras: str | Path,
    poses: str | Path,
    tracks: str | Path | None = None,
    world: str | Path | None = None,
) -> ResultsFolder:
    """The stages of one run where the caller says they lie, under whatever names.

    Parameters
    ----------
    cameras, poses
        Folders of Stages 1 and 3.
    tracks, world
        Folders of Stages 2 and 4; ones that do not exist or hold nothing usable count as absent.

    Raises
    ------
    InputError
        Stage 1 or Stage 3 is not there, or holds no cameras or no people.
    """
    one, three = Path(cameras), Path(poses)
    for number, stage, holds, content in (
        (1, one, _holds_cameras, "cameras.npz"),
        (3, three, _holds_poses, "person_NUMBER/smpl_params_camera.npz"),
    ):
        refuse_broken_link(stage)
        if not stage.is_dir():
            raise InputError(stage, "does not exist", f"run Stage {number} first")
        if not holds(stage):
            raise InputError(stage, f"holds no {content}", f"run Stage {number} first")
    two = None if tracks is None or not Path(tracks).is_dir() else Path(tracks)
    four = None if world is None or not Path(world).is_dir() else Path(world)
    if two is not None and not _holds_tracks(two):
        two = None
    if four is not None and not _holds_world(four):
        four = None
    given = [stage.absolute() for stage in (one, two, three, four) if stage is not None]
    parents = {stage.parent for stage in given}
    ours = all(stage.name in _STAGES for stage in given)
    # Only a results folder proper may hold a video that belongs to the run.
    root = parents.pop() if len(parents) == 1 and ours else one.absolute()
    return ResultsFolder(root, one, two, three, four)


def person_folders(stage: Path) -> Iterator[tuple[int, Path]]:
    """Person ids and folders of a stage in the order of the ids, whatever their padding."""
    found = []
    for child in _subfolders(stage):
        match = _PERSON.fullmatch(child.name)
        if match:
            found.append((int(match[1]), child))
    # Padded names first: the current writer's spelling wins over a leftover of the same id.
    return iter(sorted(found, key=lambda item: (item[0], -len(item[1].name))))


def people_without_number(stage: Path) -> list[Path]:
    """Folders of a stage that are named like a person's, but with something else than a number."""
    return [
        child
        for child in _subfolders(stage)
        if child.name.startswith("person_") and not _PERSON.fullmatch(child.name)
    ]


def numbered_files(folder: Path, pattern: re.Pattern[str]) -> dict[int, str]:
    """Files of a folder whose whole name matches; the key is the first group as a number."""
    if not folder.is_dir():
        return {}
    result: dict[int, str] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            match = pattern.fullmatch(entry.name)
            if match:
                result[int(match[1])] = entry.path
    return dict(sorted(result.items()))


def read_json(path: Path) -> Mapping[str, Any] | None:
    """A JSON object, or None when there is no such file.

    Raises
    ------
    InputError
        When the file is unreadable, is no JSON or holds no object.
    """
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise InputError(path, "is far too large for metadata", "check the file")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        # ValueError: no UTF-8, no JSON, or a number of thousands of digits.
        reason = str(error).splitlines()[0]
        raise InputError(path, f"is not readable JSON ({reason})", "repair or remove it") from None
    if not isinstance(content, dict):
        raise InputError(path, "is not a JSON object", "repair or remove it")
    return content


def _stages_below(root: Path) -> ResultsFolder:
    candidates = [root, *_subfolders(root)]

    def first(test: Callable[[Path], bool]) -> Path | None:
        return next((path for path in candidates if test(path)), None)

    return ResultsFolder(
        root, first(_holds_cameras), first(_holds_tracks), first(_holds_poses), first(_holds_world)
    )


def _has_people(stages: ResultsFolder) -> bool:
    return stages.poses is not None or stages.world is not None


def _is_stage(folder: Path) -> bool:
    tests = (_holds_cameras, _holds_tracks, _holds_poses, _holds_world)
    return any(test(folder) for test in tests)


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and _is_folder(e)]
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(folder, f"cannot be listed ({reason})", "check its permissions") from None
    return [folder / name for name in sorted(names) if name not in _HEAVY]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself.
        return False


def refuse_broken_link(path: Path) -> None:
    """Raise :class:`InputError` where a path is a link to something that is not there.

    Without this, data on a disk that is not mounted would count as data that never were.
    """
    if path.is_symlink() and not os.path.exists(path):
        raise InputError(
            path,
            f"is a link to {os.readlink(path)}, which is not there",
            "mount or copy what it leads to, or remove the link",
        )


def _holds_cameras(folder: Path) -> bool:
    names = ("cameras.npz", "camera_data.npz")
    for name in names:
        refuse_broken_link(folder / name)
    return any(find_npz(folder / name) for name in names)


def _holds_tracks(folder: Path) -> bool:
    refuse_broken_link(folder / "tracks.npz")
    return find_npz(folder / "tracks.npz") is not None or (folder / "detections").is_dir()


def _holds_poses(folder: Path) -> bool:
    # A link that leads nowhere counts: whoever reads the people says what is the matter.
    return any(
        find_npz(file) or file.is_symlink()
        for file in (p / "smpl_params_camera.npz" for _, p in person_folders(folder))
    )


def _holds_world(folder: Path) -> bool:
    return any(find_npz(p / "smpl_params_world.npz") for _, p in person_folders(folder))


def _refuse_other_tools(root: Path) -> None:
    for pattern, tool in _OTHER_TOOLS:
        if next(root.glob(pattern), None) is not None:
            raise InputError(
                root,
                f"looks like a {tool} folder, which cannot be opened yet",
                "open a MultiTRAM results folder",
            )
