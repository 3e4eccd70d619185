"""The legend of all loss plots: which colour is which term; a click hides or shows it."""

from __future__ import annotations

from collections.abc import Collection

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QLabel, QWidget

from app.theme import Theme, term_colour


class LossLegend(QLabel):
    """Names as links, reachable by Tab."""

    term_toggled = pyqtSignal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._shown: tuple[object, ...] = ()
        self.setProperty("role", "small")
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.setToolTip("Click a name to hide or show its curve in all plots")
        self.setAccessibleName("Legend of the losses")
        self.linkActivated.connect(self.term_toggled)

    def show_terms(self, names: tuple[str, ...], hidden: Collection[str], theme: Theme) -> None:
        """Write the names; hidden ones struck through."""
        shown = (names, tuple(sorted(hidden)), theme.name)
        if shown == self._shown:
            return
        self._shown = shown
        parts = []
        for name in names:
            off = name in hidden
            colour = theme.disabled if off else term_colour(name, theme)
            text = theme.disabled if off else theme.quiet
            line = "line-through" if off else "none"
            parts.append(
                f'<span style="white-space:nowrap"><span style="color:{colour}">▬</span>&nbsp;'
                f'<a href="{name}" style="color:{text};text-decoration:{line}">{name}</a>'
                "&nbsp;&nbsp;</span>"
            )
        self.setText(" ".join(parts))
