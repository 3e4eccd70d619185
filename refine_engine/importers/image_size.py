"""How large the images are: several files say so, and some of them the wrong way round."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from refine_engine.errors import InputError
from refine_engine.importers.findings import FindingList
from refine_engine.importers.folder import numbered_files
from refine_engine.safe_files import read_header
from refine_engine.scene import Array

DEPTH_FILE = re.compile(r"depth_0*(\d+)\.npy")


def find_image_size(
    stage: Path,
    metadata: Mapping[str, Any],
    stored: np.ndarray[Any, Any] | None,
    K: Array,
    findings: FindingList,
) -> tuple[int, int]:
    """(height, width): what metadata say, corrected where everything else says the reverse.

    Parameters
    ----------
    stage
        Stage 1's folder.
    metadata
        Its ``metadata.json``.
    stored
        ``original_size`` as the first writer stored it.
    K
        (T, 3, 3) intrinsics, whose principal point is the image centre; NaN where not stored.
    findings
        Receives what was found.

    Raises
    ------
    InputError
        When nothing says how large the images are.
    """
    stated = metadata.get("image_size", metadata.get("original_size"))
    if stated is None and stored is not None:
        stated = stored.tolist()
    witnesses = _size_witnesses(stage, K)
    if isinstance(stated, list) and len(stated) == 2 and all(_is_extent(n) for n in stated):
        size = int(stated[0]), int(stated[1])
        reverse = size[1], size[0]
        if size != reverse and witnesses and all(_near(w, reverse) for w in witnesses):
            findings.repaired(
                "image_size",
                1,
                f"The metadata give width before height; {reverse} (height, width) is used.",
            )
            return reverse
        return size
    if witnesses:
        findings.repaired(
            "image_size",
            1,
            f"The image size is not in the metadata; {witnesses[0]} follows from the other files.",
        )
        return witnesses[0]
    raise InputError(
        stage,
        "says nowhere how large the images are",
        'add "image_size": [height, width] to metadata.json',
    )


def _is_extent(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 65536


def _size_witnesses(stage: Path, K: Array) -> list[tuple[int, int]]:
    found = []
    if np.isfinite(K[0, :2, 2]).all() and (K[0, :2, 2] > 0).all():
        # Every writer puts the principal point exactly at the centre.
        found.append((round(2 * K[0, 1, 2]), round(2 * K[0, 0, 2])))
    maps = numbered_files(stage / "depth_maps", DEPTH_FILE)
    for path in list(maps.values())[:1]:
        try:
            shape = read_header(path).shape
        except InputError:
            continue
        if len(shape) >= 2 and shape[0] != shape[1] and not found:
            found.append((shape[0], shape[1]))
    return found


def _near(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return abs(a[0] - b[0]) <= 2 and abs(a[1] - b[1]) <= 2
