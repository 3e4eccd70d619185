"""Folders with one array file a frame, checked without reading the arrays."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import InputError
from refine_engine.importers.folder import numbered_files
from refine_engine.safe_files import read_array, read_header

if TYPE_CHECKING:
    from numpy.typing import NDArray

MapFile = str | Path
"""A path. Plain text where there are thousands: it is made in a fraction of the time."""
MAPPED_BYTES = 16 * 1024**2
"""Smaller files are read: to map one takes longer than to read it."""


@dataclass(frozen=True)
class CheckedFiles:
    """Array files of one kind; those that cannot be read are set apart."""

    files: dict[int, MapFile]
    """Video frame to file."""
    shape: tuple[int, ...] | None
    """Shape that most of them have, without axes of length 1; None without files."""
    dtype: np.dtype[Any] | None
    refused: tuple[InputError, ...] = ()


def find_maps(folder: Path, pattern: re.Pattern[str]) -> CheckedFiles:
    """Image-shaped array files of a folder whose names match; see :func:`check_maps`."""
    return check_maps(numbered_files(folder, pattern))


def check_maps(files: Mapping[int, MapFile]) -> CheckedFiles:
    """Set apart files that are truncated, damaged, or of another shape than most.

    Files of the commonest size share their header with the first of them; only the others are
    opened, so that a thousand good files cost a thousand ``stat`` calls.
    """
    good: dict[int, MapFile] = {}
    refused: list[InputError] = []
    sizes: dict[int, int] = {}
    for frame, path in files.items():
        try:
            sizes[frame] = _size(path)
        except InputError as error:
            refused.append(error)
    if not sizes:
        return CheckedFiles({}, None, None, tuple(refused))
    shape: tuple[int, ...] | None = None
    dtype: np.dtype[Any] | None = None
    common: int | None = None
    for size, _ in Counter(sizes.values()).most_common():
        for frame in (f for f, s in sizes.items() if s == size):
            path = files[frame]
            if size == common:
                good[frame] = path
                continue
            try:
                # Reading checks that the data are as long as the header says.
                array = read_map(path)
            except InputError as error:
                refused.append(error)
                continue
            if shape is None:
                shape, dtype, common = array.shape, array.dtype, size
            if array.shape == shape:
                good[frame] = path
            else:
                refused.append(
                    InputError(path, f"has shape {array.shape}, the others {shape}", "remove it")
                )
    return CheckedFiles(dict(sorted(good.items())), shape, dtype, tuple(refused))


def _size(path: MapFile) -> int:
    """Bytes of a file; :class:`InputError` where it is none that can be read."""
    try:
        facts = os.stat(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(path, f"cannot be read ({reason})", "copy it again") from None
    if not stat.S_ISREG(facts.st_mode):
        raise InputError(path, "is no ordinary file", "put the file itself there")
    if not os.access(path, os.R_OK):
        raise InputError(path, "cannot be read (Permission denied)", "check its permissions")
    return facts.st_size


def read_map(path: MapFile) -> NDArray[Any]:
    """(h, w) array of a file, mapped where it is large; axes of length 1 around it are dropped.

    Raises
    ------
    InputError
        When it cannot be read or is no image of numbers.
    """
    header = read_header(path)
    kept = tuple(n for n in header.shape if n != 1)
    if len(kept) != 2 or header.dtype.kind not in "fiub":
        raise InputError(path, f"holds {header.dtype} {header.shape}, not (h, w)", "remove it")
    array = read_array(path, mmap=header.data_bytes > MAPPED_BYTES, header=header)
    return array.reshape(kept)


def spread(frames: Iterable[int], count: int) -> list[int]:
    """Up to ``count`` of the frames, evenly spread."""
    known = sorted(frames)
    picks = np.linspace(0, len(known) - 1, min(count, len(known))).round().astype(int)
    return [known[k] for k in picks]
