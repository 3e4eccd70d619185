"""Which video belongs to a results folder, and its frame rate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from refine_engine.errors import InputError
from refine_engine.importers.findings import FindingList
from refine_engine.importers.folder import ResultsFolder, numbered_files, read_json
from refine_engine.importers.video import ImageFolder, VideoFile

if TYPE_CHECKING:
    from refine_engine.scene import VideoFrames

ASSUMED_FPS = 30.0
_INDEXED = 5000
"""Frames of a video that are looked at even where the results have fewer."""
_FRAME_FILE = re.compile(r"frame_0*(\d+)\.(?:jpg|jpeg|png)")
_VIDEO_SUFFIXES = {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm"}


def open_video(
    folder: ResultsFolder,
    given: str | Path | None,
    image_size: tuple[int, int],
    num_frames: int,
    findings: FindingList,
) -> VideoFrames | None:
    """Open the given video, or the first one found that fits the folder.

    Looked for, best first: what ``pipeline_summary.json`` names, a video in the folder, Stage 3's
    left-over frames, the tracker's copy.

    Raises
    ------
    InputError
        When the given video cannot be read or has another picture size than the results.
    """
    if given is not None:
        video = _fitting(Path(given).expanduser(), image_size, num_frames)
        if video.size != image_size:
            size = video.size
            video.close()
            raise InputError(
                given,
                f"is {size[1]} x {size[0]} pixels, the results {image_size[1]} x {image_size[0]}",
                "name the video that the results were made from",
            )
        _note_length(video, num_frames, findings)
        return video
    for place in _places(folder, findings):
        try:
            found = _images(place) if place.is_dir() else _fitting(place, image_size, num_frames)
        except InputError as error:
            findings.discarded("video", 1, f"A video was left out: {error}")
            continue
        if found.size == image_size:
            _note_length(found, num_frames, findings)
            return found
        findings.discarded(
            "video",
            1,
            f"{place.name} is {found.size[1]} x {found.size[0]} pixels, the results "
            f"{image_size[1]} x {image_size[0]}; it is not shown.",
        )
        found.close()
    findings.missing(
        "No video: bodies cannot be laid over the picture; refinement itself does not need it."
    )
    return None


def video_size(folder: ResultsFolder, given: str | Path | None) -> tuple[int, int] | None:
    """(height, width) of the given video, or of the first one found that can be read.

    Raises
    ------
    InputError
        When the given video cannot be read.
    """
    if given is not None:
        return _size(VideoFile(Path(given).expanduser(), limit=1))
    for place in _places(folder, FindingList()):
        try:
            return _size(_images(place) if place.is_dir() else VideoFile(place, limit=1))
        except InputError:
            continue
    return None


def _size(video: VideoFrames) -> tuple[int, int]:
    size = video.size
    video.close()
    return size


def frame_rate(
    given: float | None, video: VideoFrames | None, findings: FindingList
) -> tuple[float, Literal["video", "user", "assumed"]]:
    """Frames a second and where the number is from."""
    if given is not None:
        return float(given), "user"
    if video is not None and video.fps is not None and video.fps > 0 and not _is_copy(video.path):
        return float(video.fps), "video"
    findings.missing(
        f"No frame rate: {ASSUMED_FPS:.0f} frames a second are assumed; speeds, the motion prior "
        "and exports are wrong if the video ran at another rate (say it: --fps)."
    )
    return ASSUMED_FPS, "assumed"


def _fitting(path: Path, image_size: tuple[int, int], num_frames: int) -> VideoFrames:
    """The video; without its rotation when only that has the results' size."""
    limit = max(num_frames, _INDEXED)
    video = VideoFile(path, limit=limit)
    if video.size != image_size and video.size == image_size[::-1]:
        flat = VideoFile(path, upright=False, limit=limit)
        if flat.size == image_size:
            video.close()
            return flat
        flat.close()
    return video


def _images(folder: Path) -> ImageFolder:
    files = numbered_files(folder, _FRAME_FILE)
    return ImageFolder(folder, {frame: Path(file) for frame, file in files.items()})


def _is_copy(path: Path) -> bool:
    # The tracker writes its copy at 30 frames a second whatever the video ran at.
    return path.name == "phalp_input.mp4"


def _places(folder: ResultsFolder, findings: FindingList) -> Iterator[Path]:
    try:
        named = (read_json(folder.root / "pipeline_summary.json") or {}).get("video_path")
    except InputError as error:
        findings.reported("unreadable", 1, str(error))
        named = None
    if isinstance(named, str) and named and "\0" not in named:
        for base in (folder.root, folder.root.parent, Path()):
            # An absolute path wins over the base.
            path = base / named
            if path.is_file():
                yield path
                break
    beside = sorted(p for p in folder.root.iterdir() if p.suffix.lower() in _VIDEO_SUFFIXES)
    yield from sorted(beside, key=lambda p: p.stem != "video")
    if folder.poses is not None and (folder.poses / "_tmp_frames").is_dir():
        yield folder.poses / "_tmp_frames"
    if folder.tracks is not None:
        copy = folder.tracks / "_tmp" / "phalp_input.mp4"
        if copy.is_file():
            yield copy


def _note_length(video: VideoFrames, num_frames: int, findings: FindingList) -> None:
    if video.num_frames < num_frames:
        findings.reported(
            "video",
            num_frames - video.num_frames,
            f"{video.path.name} has {video.num_frames} frames, the results {num_frames}; it may be "
            "another video, and the last frames have no picture.",
        )
