"""How a results folder is to be read, where the folder itself does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UP_DIRECTIONS: tuple[str, ...] = ("", "x", "-x", "y", "-y", "z", "-z")
"""Against gravity in the reconstruction's world, empty = estimated."""


@dataclass(frozen=True)
class Reading:
    """What the user says about a folder; everything left out is found there or estimated."""

    fps: float | None = None
    """Frames a second; None = the video's, else 30."""
    video: str = ""
    """File; empty = looked for in the folder."""
    keypoints: str = ""
    """File or folder of detected 2-D keypoints; empty = looked for in the folder."""
    up: str = ""
    """One of :data:`UP_DIRECTIONS`."""

    @property
    def said(self) -> dict[str, Any]:
        """What was said, as ``load_results`` takes it, and as a session file keeps it."""
        return {name: value for name, value in vars(self).items() if value}

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> Reading:
        """From :attr:`said`; raises ValueError where it says something else."""
        fps, up = saved.get("fps"), str(saved.get("up", ""))
        if up not in UP_DIRECTIONS:
            raise ValueError(f"up is {up!r}")
        return cls(
            None if fps is None else float(fps),
            str(saved.get("video", "")),
            str(saved.get("keypoints", "")),
            up,
        )
