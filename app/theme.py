"""Colours of the window: one palette for dark, one for light, and Qt's style sheet from them."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import Literal

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PyQt6.QtWidgets import QApplication

from refine_engine.errors import InputError
from refine_engine.resources import resource_path

ThemeName = Literal["dark", "light", "system"]
THEME_NAMES: tuple[ThemeName, ...] = ("system", "dark", "light")


@dataclass(frozen=True)
class Theme:
    """Named colours, all ``#rrggbb``."""

    name: Literal["dark", "light"]
    background: str
    panel: str
    card: str
    field: str
    """Inside of buttons, spin boxes and lists."""
    field_hover: str
    line: str
    text: str
    quiet: str
    """Secondary text; still at least 4.5:1 on every surface."""
    disabled: str
    accent: str
    """The running and the active."""
    accent_fill: str
    """Filled buttons; white text on it has at least 4.5:1."""
    accent_soft: str
    """Background of the running row."""
    warn: str
    error: str
    ghost: str
    """The state before, in grey."""
    view_top: str
    view_bottom: str
    grid: str


DARK = Theme(
    name="dark",
    background="#17191c",
    panel="#1b1e22",
    card="#1f2327",
    field="#262b31",
    field_hover="#2f353c",
    line="#2a2e34",
    text="#d7dbe0",
    quiet="#949ca7",
    disabled="#737b85",
    accent="#19b5a6",
    accent_fill="#0f766e",
    accent_soft="#1d3230",
    warn="#e3a33c",
    error="#f08770",
    ghost="#8b9199",
    view_top="#1d2025",
    view_bottom="#17191c",
    grid="#4a5058",
)

LIGHT = Theme(
    name="light",
    background="#eceef1",
    panel="#f6f7f8",
    card="#ffffff",
    field="#ffffff",
    field_hover="#e9edf0",
    line="#d3d8dd",
    text="#1d2126",
    quiet="#596270",
    disabled="#7d858f",
    accent="#0a7067",
    accent_fill="#0b7267",
    accent_soft="#dcf1ee",
    warn="#8a5a00",
    error="#b3341b",
    ghost="#7d858f",
    view_top="#f4f6f8",
    view_bottom="#dfe4e8",
    grid="#b4bcc4",
)

TERM_COLOURS: dict[str, str] = {
    "total": "",
    "data": "#2bb6a8",
    "beta": "#b0875a",
    "pose": "#e69f00",
    "cvae": "#cc79a7",
    "skate": "#d55e00",
    "contact": "#7bbf6a",
    "depth": "#56b4e9",
    "multi_scale": "#9f8fd8",
    "smooth": "#8aa0c8",
}
"""One colour a term, the same in every plot and beside every slider; the total takes the text's."""


def term_colour(term: str, theme: Theme) -> str:
    """Colour of a loss term; the total is drawn in the text's colour."""
    return TERM_COLOURS.get(term) or theme.text


def contrast_ratio(a: str, b: str) -> float:
    """Contrast of two ``#rrggbb`` colours as WCAG 2.1 defines it, 1 to 21."""
    first, second = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (first + 0.05) / (second + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def resolve(name: ThemeName) -> Theme:
    """The theme of a name; ``system`` asks the desktop and is dark where that does not say."""
    if name == "dark":
        return DARK
    if name == "light":
        return LIGHT
    hints = QGuiApplication.styleHints()
    scheme = hints.colorScheme() if hints is not None else Qt.ColorScheme.Unknown
    return LIGHT if scheme == Qt.ColorScheme.Light else DARK


def apply(application: QApplication, theme: Theme, font_px: int = 13) -> None:
    """Give the whole program a theme and a font size in pixels."""
    application.setStyle("Fusion")
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    font.setPixelSize(font_px)
    font.setFeature(QFont.Tag(b"tnum"), 1)
    application.setFont(font)
    application.setPalette(_palette(theme))
    application.setStyleSheet(style_sheet(theme, font_px))


def style_sheet(theme: Theme, font_px: int = 13) -> str:
    """Qt style sheet of a theme.

    Raises
    ------
    InputError
        The style sheet that ships with the program is missing.
    """
    path = resource_path("theme", "window.qss")
    try:
        template = Template(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "install again") from None
    values = {key: str(value) for key, value in vars(theme).items()}
    icons = resource_path("icons").as_posix()
    sizes = {
        "px": font_px,
        "small": max(font_px - 2, 9),
        "title": round(17 * font_px / 13),
        # Large already: it grows by as much as the text, or it would push out what is beside it.
        "big": font_px + 8,
    }
    return template.substitute({**values, **sizes}, icons=icons, mono=monospace_family())


def monospace_family() -> str:
    """Family of the system's fixed-width font, for numbers that must line up."""
    return QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: theme.panel,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.field,
        QPalette.ColorRole.AlternateBase: theme.card,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.Button: theme.field,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.BrightText: theme.error,
        QPalette.ColorRole.ToolTipBase: theme.card,
        QPalette.ColorRole.ToolTipText: theme.text,
        QPalette.ColorRole.PlaceholderText: theme.quiet,
        QPalette.ColorRole.Highlight: theme.accent_fill,
        QPalette.ColorRole.HighlightedText: "#ffffff",
        QPalette.ColorRole.Link: theme.accent,
        QPalette.ColorRole.Mid: theme.line,
        QPalette.ColorRole.Accent: theme.accent,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
        palette.setColor(QPalette.ColorGroup.Inactive, role, QColor(colour))
    for role in (
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.Text,
        QPalette.ColorRole.ButtonText,
    ):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.disabled))
    return palette
