"""What is open, in the window's upper right corner, and the way to what was found on opening it."""

from __future__ import annotations

from html import escape

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QWidget

from app.engine_worker import OpenedScene
from app.theme import Theme


class SceneTitle(QLabel):
    """Folder, people, frames, frame rate, and a link to the report."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("", parent)
        self.setProperty("role", "small")
        self.setContentsMargins(0, 7, 14, 7)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.LinksAccessibleByMouse)

    def show_scene(self, opened: OpenedScene | None, theme: Theme) -> None:
        """Of an opened folder; nothing where none is open."""
        if opened is None:
            return
        scene = opened.scene
        repairs = sum(f.action == "repaired" for f in scene.report.findings)
        found = f"{_counted(repairs, 'repair')} on opening" if repairs else "nothing to repair"
        if scene.report.missing:
            found += f", {_counted(len(scene.report.missing), 'thing')} missing"
        assumed = " assumed" if scene.fps_source == "assumed" else ""
        parts = (
            escape(opened.folder.name),
            f"{_counted(len(scene.people), 'person', 'people')}, {scene.num_frames} frames, "
            f"{scene.fps:g} fps{assumed}",
            f'<a href="report" style="color:{theme.quiet}">{found}</a>',
        )
        self.setText(" &nbsp;·&nbsp; ".join(parts))
        self.setToolTip(f"{escape(str(opened.folder))}<br>The Report panel says what was found.")


def _counted(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"
