"""The nine lambdas: a logarithmic slider and an exact number each."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import QLocale, Qt, pyqtSignal
from PyQt6.QtGui import QDoubleValidator
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.actions import icon
from app.panels.dock import ScrollPanel, label, row_height, scaled
from app.panels.log_slider import LogSlider
from app.session import Session
from app.settings import Settings
from app.theme import Theme, term_colour
from refine_engine.config import TERM_NAMES, RefinementConfig

MEANINGS: Mapping[str, str] = {
    "data": "keypoints, poses",
    "beta": "body shape",
    "pose": "pose prior",
    "cvae": "motion prior",
    "skate": "foot sliding",
    "contact": "ground contact",
    "depth": "VGGT depth",
    "multi_scale": "people's scale",
    "smooth": "acceleration",
}
"""What stands under each key."""

PRESETS: Mapping[str, Mapping[str, float]] = {
    "default": RefinementConfig().weights(),
}


class NumberField(QLineEdit):
    """An exact value: Enter or leaving the field takes it over."""

    value_entered = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = 0.0
        validator = QDoubleValidator(0.0, 1e9, 12, self)
        validator.setNotation(QDoubleValidator.Notation.ScientificNotation)
        validator.setLocale(QLocale.c())
        self.setValidator(validator)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.editingFinished.connect(self._on_finished)

    def set_value(self, value: float) -> None:
        """Show a value; what the user is typing is left alone."""
        self._value = value
        if not (self.hasFocus() and self.isModified()):
            self.setText(f"{value:.4g}")

    def _on_finished(self) -> None:
        if not self.isModified():
            return
        self.setModified(False)
        value = float(self.text() or 0.0)
        if value != self._value:
            self.value_entered.emit(value)
        self.set_value(self._value)


class WeightRow(QFrame):
    """One term: its key and meaning, slider, number, reset."""

    chosen = pyqtSignal(str, float)
    """Entered or reset."""
    dragged = pyqtSignal(str, float)
    """On the way to where the slider will be let go."""

    def __init__(self, term: str, default: float, parent: QWidget) -> None:
        super().__init__(parent)
        self.term, self.default = term, default
        self.setProperty("role", "row")
        row = QHBoxLayout(self)
        row.setContentsMargins(5, 0, 4, 0)
        row.setSpacing(6)
        self.swatch = QWidget(self)
        names = QVBoxLayout()
        names.setSpacing(0)
        names.setContentsMargins(0, 1, 0, 1)
        self.name = label(term, "number")
        self.meaning = label(MEANINGS[term], "small")
        names.addWidget(self.name)
        names.addWidget(self.meaning)
        self._names = QWidget(self)
        self._names.setLayout(names)
        self.slider = LogSlider(default, self)
        self.slider.setObjectName(f"slider_{term}")
        self.slider.setAccessibleName(f"Weight of {term}")
        self.field = NumberField(self)
        self.field.setObjectName(f"weight_{term}")
        self.field.setAccessibleName(f"Exact weight of {term}")
        self.reset = QToolButton(self)
        self.reset.setFixedSize(20, 20)
        self.reset.setToolTip(f"Back to the default, {default:g}")
        self.reset.setAccessibleName(f"Reset the weight of {term}")
        for widget in (self.swatch, self._names, self.slider, self.field, self.reset):
            row.addWidget(widget)
        self.slider.value_changed.connect(lambda v: self.dragged.emit(term, v))
        self.field.value_entered.connect(lambda v: self.chosen.emit(term, v))
        self.reset.clicked.connect(lambda: self.chosen.emit(term, default))

    def fit_text(self, compact: bool) -> None:
        """Sizes for the text size in use; a low row leaves the meaning to its tool tip."""
        self.setFixedHeight(row_height(compact))
        self.meaning.setVisible(not compact)
        self.field.setFixedHeight(row_height(compact) - 4)
        self.swatch.setFixedSize(3, scaled(15 if compact else 20))
        self._names.setFixedWidth(scaled(104))
        self.field.setFixedWidth(scaled(62))

    def show_value(self, value: float, description: str, effective: float | None) -> None:
        """Show a lambda and the weight that follows from it."""
        self.slider.set_value(value)
        self.field.set_value(value)
        self.reset.setEnabled(value != self.default)
        tip = f"<b>lambda_{self.term}</b>, {MEANINGS[self.term]}<br>{description}"
        tip += f"<br>Default {self.default:g}."
        if effective is not None:
            tip += f"<br>Effective weight {effective:.4g} (lambda times the term's unit constant)."
        if value == 0:
            tip += "<br><b>0: the term is absent.</b>"
        for widget in (self.slider, self.field, self.name, self.meaning):
            widget.setToolTip(tip)

    def set_theme(self, theme: Theme) -> None:
        """Colours."""
        self.slider.set_theme(theme)
        self.swatch.setStyleSheet(
            f"background: {term_colour(self.term, theme)}; border-radius: 1px;"
        )
        self.reset.setIcon(icon("reset", theme, theme.quiet))


class WeightsPanel(ScrollPanel):
    """Nine rows, presets, and reset of all."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        unit_constants: Mapping[str, float],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._settings = settings
        self._constants = unit_constants
        defaults = RefinementConfig().weights()
        self.rows: dict[str, WeightRow] = {}
        for term in TERM_NAMES:
            row = WeightRow(term, defaults[term], self.content)
            row.chosen.connect(session.set_weight)
            row.dragged.connect(self._on_dragged)
            self.rows[term] = row
            self.column.addWidget(row)
        self.column.addStretch(1)
        self.preset_button = QPushButton("Preset: default ▾", self)
        self.preset_button.setProperty("role", "link")
        self.preset_button.setToolTip("Load, save or remove a set of weights")
        self.preset_button.clicked.connect(self._show_presets)
        session.config_changed.connect(self._show_config)
        self._show_config()

    def set_unit_constants(self, constants: Mapping[str, float]) -> None:
        """The engine's constant of each term; lambda times it is the effective weight."""
        self._constants = constants
        self._show_config()

    def presets(self) -> dict[str, Mapping[str, float]]:
        """Ours, then the user's."""
        return {**PRESETS, **self._settings.presets()}

    def _on_dragged(self, term: str, value: float) -> None:
        self._session.set_weight(term, value, merge=True)

    def _show_config(self) -> None:
        weights = self._session.config.weights()
        for term, row in self.rows.items():
            constant = self._constants.get(term)
            effective = None if constant is None else weights[term] * constant
            row.show_value(weights[term], RefinementConfig.describe(f"lambda_{term}"), effective)
        name = next((n for n, w in self.presets().items() if dict(w) == weights), "custom")
        self.preset_button.setText(f"Preset: {name} ▾")

    def preset_menu(self) -> QMenu:
        """Load, save, remove, reset."""
        menu = QMenu(self)
        own = self._settings.presets()
        for name, weights in self.presets().items():
            action = menu.addAction(name)
            if action is not None:
                action.triggered.connect(lambda _=False, n=name, w=weights: self._load(n, w))
        menu.addSeparator()
        save = menu.addAction("Save these weights as…")
        if save is not None:
            save.triggered.connect(self._save)
        if own:
            remove = menu.addMenu("Remove")
            for name in own:
                action = remove.addAction(name) if remove is not None else None
                if action is not None:
                    action.triggered.connect(lambda _=False, n=name: self._remove(n))
        reset = menu.addAction("Reset all to defaults")
        if reset is not None:
            reset.triggered.connect(self.reset_all)
        return menu

    def _show_presets(self) -> None:
        menu = self.preset_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.preset_button.mapToGlobal(self.preset_button.rect().bottomLeft()))

    def reset_all(self) -> None:
        """All nine back to their defaults, as one undoable step."""
        self._session.set_weights(RefinementConfig().weights(), "reset weights")

    def _load(self, name: str, weights: Mapping[str, float]) -> None:
        known = {t: w for t, w in weights.items() if t in TERM_NAMES}
        self._session.set_weights(known, f"load preset {name}")

    def _save(self) -> None:
        name, chosen = QInputDialog.getText(self, "Save weights", "Name of the preset:")
        if chosen and name.strip():
            self.save_preset(name)

    def save_preset(self, name: str) -> None:
        """Keep the present weights under a name."""
        self._settings.set_preset(name, self._session.config.weights())
        self._show_config()

    def _remove(self, name: str) -> None:
        self._settings.remove_preset(name)
        self._show_config()

    def set_theme(self, theme: Theme) -> None:
        """Colours of what is painted by hand."""
        for row in self.rows.values():
            row.set_theme(theme)
        self.set_compact(self.full_height() > self.height() > 1)

    def full_height(self) -> int:
        """Of the nine rows."""
        return len(self.rows) * row_height(False) + 6

    def low_height(self) -> int:
        """The same without meanings."""
        return len(self.rows) * row_height(True) + 6

    def set_compact(self, compact: bool) -> None:
        """Low rows show no meanings."""
        super().set_compact(compact)
        for row in self.rows.values():
            row.fit_text(compact)
