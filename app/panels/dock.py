"""What all docks share: the small-capitals title, and scrolling when there is little room."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.actions import icon
from app.theme import Theme

GUTTER = 10
ROW_HEIGHT = 31
"""Of a row of text of 13 pixels; see :func:`scaled`."""
COMPACT_ROOM = 9
"""Beside the text, in rows where there is too little room for all of them."""
_TEXT = 13


class DockTitle(QWidget):
    """Title bar of a dock: its name in small capitals, a note, float and close."""

    def __init__(self, dock: QDockWidget, title: str) -> None:
        super().__init__(dock)
        self.setProperty("role", "dock-title")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(self)
        row.setContentsMargins(GUTTER, 7, 6, 4)
        row.setSpacing(4)
        name = QLabel(title.upper(), self)
        name.setProperty("role", "section")
        row.addWidget(name)
        row.addStretch(1)
        self.note = QLabel("", self)
        self.note.setProperty("role", "small")
        row.addWidget(self.note)
        self.extra = QHBoxLayout()
        self.extra.setSpacing(2)
        row.addLayout(self.extra)
        self.float_button = self._button(f"Float or dock “{title}”")
        self.float_button.clicked.connect(lambda: dock.setFloating(not dock.isFloating()))
        self.close_button = self._button(f"Hide “{title}”; the View menu brings it back")
        self.close_button.clicked.connect(dock.close)
        row.addWidget(self.float_button)
        row.addWidget(self.close_button)

    def _button(self, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFixedSize(18, 18)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def set_theme(self, theme: Theme) -> None:
        """Redraw the two buttons."""
        for button, name in ((self.float_button, "float"), (self.close_button, "close")):
            button.setFixedSize(scaled(18), scaled(18))
            button.setIconSize(QSize(scaled(10), scaled(10)))
            button.setIcon(icon(name, theme, theme.disabled))


class Dock(QDockWidget):
    """A dock with our title bar around one panel."""

    shown = pyqtSignal(bool)

    def __init__(self, key: str, title: str, panel: QWidget, parent: QWidget) -> None:
        super().__init__(title, parent)
        self.setObjectName(key)
        self.title = DockTitle(self, title)
        self.setTitleBarWidget(self.title)
        self.setWidget(panel)
        panel.setAccessibleName(title)
        self.visibilityChanged.connect(self.shown)

    def set_theme(self, theme: Theme) -> None:
        """Redraw the title bar."""
        self.title.set_theme(theme)


class ScrollPanel(QScrollArea):
    """A column of rows that scrolls vertically when there is too little height.

    Its preferred height is that of its rows, so that docks share a column well.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.content = QWidget(self)
        self.content.setProperty("role", "content")
        self.content.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.column = QVBoxLayout(self.content)
        self.column.setContentsMargins(GUTTER, 0, GUTTER, 6)
        self.column.setSpacing(0)
        self.setWidget(self.content)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.compact = False

    def full_height(self) -> int:
        """Pixels that all rows take at their usual height; 0 = they have none to be changed."""
        return 0

    def low_height(self) -> int:
        """The same of rows that are as low as they can be."""
        return self.full_height()

    def set_compact(self, compact: bool) -> None:
        """Rows in their usual height, or lower; what is left out of them stays in tool tips."""
        self.compact = compact

    def fit_rows(self) -> None:
        """Lower rows where that saves scrolling."""
        full, room = self.full_height(), self.height()
        if full and room > 1:
            compact = full > room
            if compact != self.compact:
                self.set_compact(compact)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit again."""
        super().resizeEvent(event)
        self.fit_rows()

    def sizeHint(self):
        """Width and height of all rows."""
        hint = self.content.sizeHint()
        hint.setWidth(hint.width() + 2)
        hint.setHeight(hint.height() + 2)
        return hint

    def minimumSizeHint(self):
        """A few rows at least."""
        hint = self.content.minimumSizeHint()
        hint.setHeight(min(hint.height(), 2 * ROW_HEIGHT))
        return hint


def row_height(compact: bool) -> int:
    """Of one row, for the text size in use."""
    # Large text in little room: the text keeps its size, what is around it does not grow with it.
    return round(1.2 * scaled(_TEXT)) + COMPACT_ROOM if compact else scaled(ROW_HEIGHT)


def scaled(pixels: int) -> int:
    """A length made for text of 13 pixels, for the text size in use."""
    return round(pixels * max(QApplication.font().pixelSize(), _TEXT) / _TEXT)


def label(text: str = "", role: str = "", parent: QWidget | None = None) -> QLabel:
    """A label with a role of the style sheet: number, quiet, small, section, title, pill."""
    found = QLabel(text, parent)
    if role:
        found.setProperty("role", role)
    return found


class NumberLabel(QLabel):
    """A right-aligned number as wide as its widest text, so that columns do not jump."""

    def __init__(self, widest: str, role: str) -> None:
        super().__init__()
        self._widest = widest
        self._needed = 0
        self.setProperty("role", role)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def minimumSizeHint(self) -> QSize:
        """Of the widest text, in the font in use."""
        self.ensurePolished()
        if not self._needed:
            self._needed = self.fontMetrics().horizontalAdvance(self._widest) + 2
        hint = super().minimumSizeHint()
        hint.setWidth(max(hint.width(), self._needed))
        return hint

    def sizeHint(self) -> QSize:
        """The same."""
        return self.minimumSizeHint()

    def changeEvent(self, event: QEvent | None) -> None:
        """Another font needs another width."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._needed = 0


def number_label(widest: str, role: str = "number") -> QLabel:
    """A :class:`NumberLabel`."""
    return NumberLabel(widest, role)


def restyle(widget: QWidget, **properties: object) -> None:
    """Set style-sheet properties, and redraw where one changed."""
    changed = False
    for name, value in properties.items():
        if widget.property(name) != value:
            widget.setProperty(name, value)
            changed = True
    if changed:
        style = widget.style()
        if style is not None:
            style.unpolish(widget)
            style.polish(widget)


def loss_text(value: float | None) -> str:
    """A loss in at most six characters."""
    if value is None:
        return ""
    if value != 0 and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 100 else f"{value:.3f}"
