"""The middle of the window: the 3-D view and the toggles that float over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
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
    QWidgetAction,
)

from app.action_button import ActionButton
from app.actions import ActionRegistry
from app.elided_label import ElidedLabel
from app.empty_state import EmptyState
from app.view_commands import COLOURINGS
from app.viewport.interface import CameraMode

MODES: tuple[tuple[CameraMode, str], ...] = (
    ("orbit", "Orbit"),
    ("follow", "Follow"),
    ("top", "Above"),
    ("side", "Side"),
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


class FloatingBar(QWidget):
    """The row of toggles over the view."""

    mode_chosen = pyqtSignal(str)
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

    def more_menu(self, registry: ActionRegistry) -> QMenu:
        """What is not on the bar, what had no room on it, and the colouring of bodies."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        left_out = [k for k, b in zip(FLOATING, self.toggles, strict=True) if b.isHidden()]
        for key in (*left_out, *MORE):
            menu.addAction(registry[key])
        if self.through.isHidden():
            menu.addAction(registry["view.look_through"])
        if self._depth_there and self.trust.isHidden():
            menu.addAction(self._trust_action(menu))
        menu.addSeparator()
        for key, _, _ in COLOURINGS:
            menu.addAction(registry[f"view.colour_{key}"])
        return menu

    def _trust_action(self, menu: QMenu) -> QWidgetAction:
        """The slider of the depth's confidence as an entry of a menu."""
        holder = QWidget(menu)
        row = QHBoxLayout(holder)
        row.setContentsMargins(26, 4, 18, 4)
        value = QLabel(self.trust_text.text(), holder)
        slider = QSlider(Qt.Orientation.Horizontal, holder)
        slider.setRange(self.trust.minimum(), self.trust.maximum())
        slider.setValue(self.trust.value())
        slider.setFixedWidth(90)
        slider.setAccessibleName(self.trust.accessibleName())
        slider.setToolTip(self.trust.toolTip())
        slider.valueChanged.connect(self.trust.setValue)
        slider.valueChanged.connect(lambda _: value.setText(self.trust_text.text()))
        row.addWidget(slider)
        row.addWidget(value)
        action = QWidgetAction(menu)
        action.setDefaultWidget(holder)
        return action

    def _show_more(self, registry: ActionRegistry) -> None:
        menu = self.more_menu(registry)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _on_trust(self, value: int) -> None:
        self.trust_text.setText(_trust_text(value))
        self.confidence_chosen.emit(value / 100)

    def show_confidence(self, confidence: float, there: bool) -> None:
        """Show the threshold; hidden where there is no depth or it is switched off."""
        self.trust.blockSignals(True)
        self.trust.setValue(round(confidence * 100))
        self.trust.blockSignals(False)
        self.trust_text.setText(_trust_text(round(confidence * 100)))
        self._depth_there = there
        self.fit()

    def fit(self) -> None:
        """Leave out what matters least where the bar is too narrow: nothing is squeezed."""
        optional: list[list[QWidget]] = [[self.trust, self.trust_text]]
        optional += [[button] for button in reversed(self.toggles)]
        optional.append([self.through])
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


def _trust_text(left_out: int) -> str:
    return f"{100 - left_out} %"


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
        self.caption = ElidedLabel(self._page, margin=16, grows=False)
        self._caption = ""
        self.caption.setProperty("role", "caption")
        self.caption.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._page.installEventFilter(self)
        self.setMinimumSize(320, 240)

    def ensure_view(self) -> Any:
        """The 3-D view, made now if it was not."""
        if self.view is None:
            self.view = self._make_view(self._page)
            self.view.setAccessibleName("3-D view")
            # The focus goes to the widget inside that is drawn on.
            for child in self.view.findChildren(QWidget):
                if child.focusPolicy() != Qt.FocusPolicy.NoFocus:
                    child.setAccessibleName("3-D view")
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
        if text != self._caption:
            self._caption = text
            self.caption.show_text(text)
            self._place()

    def _place(self) -> None:
        self.bar.setGeometry(0, 0, self._page.width(), self.bar.sizeHint().height())
        hint = self.caption.sizeHint()
        width = min(hint.width(), self._page.width() - 28)
        self.caption.setGeometry(14, self._page.height() - hint.height() - 10, width, hint.height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep what floats in place."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)
