"""How much memory is free, how much a process holds, and how much a folder will need."""

from __future__ import annotations

import os
from pathlib import Path

from refine_engine.errors import InputError
from refine_engine.importers.folder import find_results, person_folders
from refine_engine.safe_files import find_npz, open_npz

_KB = 1024

# Seen on made-up scenes: 301 MB for 180 rows (3 people, 60 frames), 943 MB for 1800 (6, 300).
_BASE_MB = 300.0
_MB_PER_ROW = 0.4


def available_mb() -> float:
    """Memory that new processes can use without swapping, in MB."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / _KB
    except (OSError, ValueError):
        pass
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        # Not what is free, but what there is: half of it is a careful guess.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _KB**2 / 2
    return 4096.0


def expected_mb(folder: Path, max_frames: int | None = None) -> float:
    """Guess of the memory that refining a folder takes, in MB, by its people's frames.

    Only the headers of files are read.
    """
    rows = 0
    try:
        found = find_results(folder)
        stage = found.poses or found.world
        places = [] if stage is None else [place for _, place in person_folders(stage)]
    except InputError:
        places = []
    for place in places:
        for name in ("smpl_params_camera.npz", "smpl_params_world.npz"):
            path = find_npz(place / name)
            if path is not None:
                rows += min(_rows(path), max_frames or 10**9)
                break
    return _BASE_MB + _MB_PER_ROW * rows


def _rows(path: Path) -> int:
    """Length of the longest array of a file; 0 where it is damaged, which its own run will say."""
    try:
        with open_npz(path) as arrays:
            shapes = [arrays.header(name).shape for name in arrays]
    except InputError:
        return 0
    return max((shape[0] for shape in shapes if shape), default=0)


def peak_mb(pid: int) -> float:
    """Most memory that a running process has held so far, in MB; 0 where that is not known."""
    # Not what wait4 reports: that counts the memory of the process that started it, too.
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / _KB
    except (OSError, ValueError):
        pass
    return 0.0
