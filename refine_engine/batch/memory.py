"""How much memory is free, and how much a process holds."""

from __future__ import annotations

import os
from pathlib import Path

_KB = 1024


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


def resident_mb(pid: int) -> float:
    """Memory that a process holds now, in MB; 0 where that cannot be read."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / _KB
    except (OSError, ValueError):
        pass
    return 0.0
