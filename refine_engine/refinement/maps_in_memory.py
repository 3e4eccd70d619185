"""Depth maps and masks that the caller holds in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.scene import BoolArray


class DepthArrays:
    """Depth maps held in memory: ``depth_maps`` (T, H, W) as the caller gave them."""

    def __init__(
        self,
        maps: NDArray[np.floating[Any]],
        *,
        shares_camera_unit: bool = True,
        people_masked_out: bool = False,
        confidence: NDArray[np.floating[Any]] | None = None,
    ) -> None:
        self._maps = maps
        self._confidence = confidence
        self.size: tuple[int, int] = (int(maps.shape[1]), int(maps.shape[2]))
        self.shares_camera_unit = shares_camera_unit
        self.people_masked_out = people_masked_out

    def has(self, frame: int) -> bool:
        """Whether there is a map for this video frame."""
        return 0 <= frame < len(self._maps)

    def depth(self, frame: int) -> NDArray[np.float32]:
        """(H, W) z-depth; 0 where unknown."""
        found = np.asarray(self._maps[frame], dtype=np.float32)
        return np.where(np.isfinite(found) & (found > 0), found, np.float32(0.0))

    def confidence(self, frame: int) -> NDArray[np.float32] | None:
        """(H, W) trust, or None where none was given."""
        if self._confidence is None:
            return None
        return np.nan_to_num(np.asarray(self._confidence[frame], dtype=np.float32))


class MaskArrays:
    """Image masks held in memory: per person {id: (T, H, W)} and of everything that moves."""

    def __init__(
        self,
        people: Mapping[int, NDArray[Any]] | None = None,
        dynamic: NDArray[Any] | None = None,
    ) -> None:
        self._people = dict(people or {})
        self._dynamic = dynamic

    def person(self, person_id: int, frame: int) -> BoolArray | None:
        """(H, W) mask of one person, or None."""
        maps = self._people.get(person_id)
        if maps is None or not 0 <= frame < len(maps):
            return None
        return np.asarray(maps[frame], dtype=bool)

    def dynamic(self, frame: int) -> BoolArray | None:
        """(H, W) union of everything that moves, or None."""
        if self._dynamic is None or not 0 <= frame < len(self._dynamic):
            return None
        return np.asarray(self._dynamic[frame], dtype=bool)
