"""The 3-D view: people, ground, depth and cameras, drawn with VTK inside a Qt widget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.viewport.scene_view import SceneView

__all__ = ["SceneView"]


def __getattr__(name: str) -> Any:
    # VTK takes a quarter of a second to import: not before somebody wants a view.
    if name == "SceneView":
        from app.viewport.scene_view import SceneView

        return SceneView
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
