"""The middle of the window: the 3-D view, the toggles that float over it, the empty state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QEvent, QObject, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QResizeEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSlider,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.actions import ActionRegistry, icon
from app.theme import Theme
from app.viewport.interface import CameraMode, Colouring

MODES: tuple[tuple[CameraMode, str], ...] = (
    ("orbit", "Orbit"),
    ("follow", "Follow"),
    ("top", "Above"),
    ("side", "Side"),
)
COLOURINGS: tuple[tuple[Colouring, str], ...] = (
    ("person", "Person colours"),
    ("displacement", "Displacement"),
    ("uncertainty", "Uncertainty"),
)
FLOATING = ("view.mesh", "view.skeleton", "view.ground", "view.depth", "view.camera", "view.ghost")
MORE = (
    "view.wire",
    "view.joints",
    "view.trails",
    "view.labels",
    "view.contacts",
    "view.axes",
    "view.image_colours",
)


class ActionButton(QPushButton):
    """A push button that shows and triggers a ``QAction``."""

    def __init__(self, action: QAction, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self._action = action
        self.setObjectName(f"button_{action.objectName()}")
        self.setCheckable(action.isCheckable())
        self.clicked.connect(action.trigger)
        action.changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        self.setEnabled(self._action.isEnabled())
        self.setChecked(self._action.isChecked())
        self.setToolTip(self._action.toolTip())
        self.setAccessibleName(self._action.text().replace("&", ""))


class FloatingBar(QWidget):
    """The row of toggles over the view."""

    mode_chosen = pyqtSignal(str)
    colouring_chosen = pyqtSignal(str)
    confidence_chosen = pyqtSignal(float)

    def __init__(self, registry: ActionRegistry, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "floating")
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 9, 10, 0)
        row.setSpacing(6)
        self.toggles: list[QWidget] = []
        for key in FLOATING:
            action = registry[key]
            self.toggles.append(ActionButton(action, action.text().replace("&", ""), self))
            row.addWidget(self.toggles[-1])
        self.more = QPushButton("More", self)
        self.more.setToolTip("What else can be drawn, and the colouring of bodies")
        self.more.clicked.connect(lambda: self._show_more(registry))
        row.addWidget(self.more)
        self._depth_there = False
        self.trust = QSlider(Qt.Orientation.Horizontal, self)
        self.trust.setObjectName("confidence")
        self.trust.setRange(0, 95)
        self.trust.setFixedWidth(76)
        self.trust.setAccessibleName("Depth confidence")
        self.trust.setToolTip("Show the most trusted part of the depth points; left = all of them")
        self.trust.valueChanged.connect(self._on_trust)
        self.trust_text = QLabel("", self)
        self.trust_text.setProperty("role", "small")
        row.addWidget(self.trust)
        row.addWidget(self.trust_text)
        row.addStretch(1)
        self.mode = QComboBox(self)
        self.mode.setObjectName("camera_mode")
        self.mode.setAccessibleName("Camera mode")
        self.mode.setToolTip("How the view moves; Follow follows the selected person")
        for key, text in MODES:
            self.mode.addItem(text, key)
        self.mode.activated.connect(lambda i: self.mode_chosen.emit(MODES[i][0]))
        row.addWidget(self.mode)
        self.through = ActionButton(registry["view.look_through"], "Look through", self)
        row.addWidget(self.through)
        self.colouring: Colouring = "person"

    def _show_more(self, registry: ActionRegistry) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for key in MORE:
            menu.addAction(registry[key])
        menu.addSeparator()
        for key, text in COLOURINGS:
            action = menu.addAction(text)
            if action is not None:
                action.setCheckable(True)
                action.setChecked(key == self.colouring)
                action.triggered.connect(lambda _=False, k=key: self.colouring_chosen.emit(k))
        menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _on_trust(self, value: int) -> None:
        self.trust_text.setText(f"{100 - value} %")
        self.confidence_chosen.emit(value / 100)

    def show_confidence(self, confidence: float, there: bool) -> None:
        """Show the threshold; hidden where there is no depth or it is switched off."""
        self.trust.blockSignals(True)
        self.trust.setValue(round(confidence * 100))
        self.trust.blockSignals(False)
        self.trust_text.setText(f"{100 - round(confidence * 100)} %")
        self._depth_there = there
        self.fit()

    def fit(self) -> None:
        """Leave out what matters least where the bar is too narrow: nothing is squeezed."""
        optional: list[list[QWidget]] = [[self.trust, self.trust_text]]
        optional += [[button] for button in reversed(self.toggles[1:])]
        for group in optional:
            for widget in group:
                widget.setVisible(self._depth_there or widget not in optional[0])
        for group in optional:
            if self.minimumSizeHint().width() <= self.width():
                break
            for widget in group:
                widget.setVisible(False)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit again."""
        super().resizeEvent(event)
        self.fit()

    def show_mode(self, mode: str) -> None:
        """Show the camera mode."""
        self.mode.setCurrentIndex(next(i for i, (key, _) in enumerate(MODES) if key == mode))


class EmptyState(QWidget):
    """What to do when nothing is open."""

    recent_chosen = pyqtSignal(str)

    def __init__(self, registry: ActionRegistry, parent: QWidget) -> None:
        super().__init__(parent)
        outer = QVBoxLayout(self)
        outer.addStretch(2)
        self.picture = QLabel(self)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title = QLabel("Open a results folder", self)
        title.setProperty("role", "title")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text = QLabel(
            "Drop a folder of MultiTRAM results here, with its stages 1 to 4.<br>"
            "You will see people, ground and depth, and can refine them.",
            self,
        )
        text.setProperty("role", "quiet")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        outer.addWidget(self.picture)
        outer.addSpacing(6)
        outer.addWidget(title)
        outer.addSpacing(2)
        outer.addWidget(text)
        outer.addSpacing(12)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(ActionButton(registry["file.open"], "Open folder…", self))
        row.addWidget(ActionButton(registry["file.sample"], "Try a sample…", self))
        row.addStretch(1)
        outer.addLayout(row)
        outer.addSpacing(14)
        self.recent = QVBoxLayout()
        self.recent.setSpacing(0)
        outer.addLayout(self.recent)
        outer.addStretch(3)

    def show_recent(self, folders: list[str]) -> None:
        """Offer the folders opened last."""
        while self.recent.count():
            item = self.recent.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        for folder in folders[:5]:
            button = QPushButton(folder, self)
            button.setProperty("role", "link")
            button.setToolTip(f"Open {folder}")
            button.clicked.connect(lambda _=False, f=folder: self.recent_chosen.emit(f))
            self.recent.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)

    def set_theme(self, theme: Theme) -> None:
        """The folder in a quiet colour."""
        self.picture.setPixmap(
            icon("folder-large", theme, theme.disabled, 64).pixmap(QSize(64, 64))
        )


class ViewArea(QWidget):
    """Stacks the empty state and the view; keeps the floating widgets in place.

    Parameters
    ----------
    registry
        Actions of the toggles.
    make_view
        Makes the 3-D view, a ``QWidget`` as :mod:`app.viewport.interface` describes.
    """

    resized = pyqtSignal()

    def __init__(
        self, registry: ActionRegistry, make_view: Callable[[QWidget], Any], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._make_view = make_view
        self.view: Any = None
        """The 3-D view; None until :meth:`ensure_view`."""
        self.pages = QStackedLayout(self)
        self.empty = EmptyState(registry, self)
        self.pages.addWidget(self.empty)
        self._page = QWidget(self)
        self._inside = QVBoxLayout(self._page)
        self._inside.setContentsMargins(0, 0, 0, 0)
        self.pages.addWidget(self._page)
        self.bar = FloatingBar(registry, self._page)
        self.caption = QLabel("", self._page)
        self.caption.setProperty("role", "caption")
        self.caption.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._page.installEventFilter(self)
        self.setMinimumSize(320, 240)

    def ensure_view(self) -> Any:
        """The 3-D view, made now if it was not."""
        if self.view is None:
            self.view = self._make_view(self._page)
            self.view.setAccessibleName("3-D view")
            self._inside.addWidget(self.view)
            self.bar.raise_()
            self.caption.raise_()
        return self.view

    def show_view(self, shown: bool) -> None:
        """Show the view, or the empty state."""
        self.pages.setCurrentIndex(1 if shown else 0)
        self._place()

    def set_caption(self, text: str) -> None:
        """The line in the lower left corner."""
        if text != self.caption.text():
            self.caption.setText(text)
            self.caption.adjustSize()

    def _place(self) -> None:
        self.bar.setGeometry(0, 0, self._page.width(), self.bar.sizeHint().height())
        self.caption.adjustSize()
        self.caption.move(14, self._page.height() - self.caption.height() - 10)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep what floats in place."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)
