"""Which keys run which command: the defaults, the user's own choices, and what is in the way.

Shortcuts are kept as Qt's portable text ("Ctrl+Shift+P"); "" = none.
"""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeySequence

from refine_engine.errors import ConfigError

_OPERATING = (
    *(Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Return, Qt.Key.Key_Enter),
    *(Qt.Key.Key_Space, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down),
    *(Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown),
    *(Qt.Key.Key_Delete, Qt.Key.Key_Backspace),
)
"""Keys that move about in fields, lists, sliders and the time line when pressed alone."""


def portable(text: str) -> str:
    """A shortcut in Qt's portable spelling; "" where the text is none."""
    return QKeySequence(text).toString(QKeySequence.SequenceFormat.PortableText)


def native(text: str) -> str:
    """A shortcut as this desktop writes it."""
    return QKeySequence(text).toString(QKeySequence.SequenceFormat.NativeText)


class Shortcuts:
    """An editable table of command keys and shortcuts.

    Parameters
    ----------
    defaults
        Command key to its default shortcut, every command once.
    chosen
        The user's own, by command key; unknown commands and unusable keys are passed over, and a
        default that one of them took is not used twice.
    menu_letters
        Letters that open a menu together with Alt.
    """

    def __init__(
        self,
        defaults: Mapping[str, str],
        chosen: Mapping[str, str] | None = None,
        menu_letters: str = "",
    ) -> None:
        self._defaults = {key: portable(text) for key, text in defaults.items()}
        self._menus = {portable(f"Alt+{letter}") for letter in menu_letters}
        self._now = dict(self._defaults)
        own = {k: portable(t) for k, t in (chosen or {}).items() if k in self._defaults}
        # First all that are let go, so that two commands may have changed places.
        for key in own:
            self._now[key] = ""
        for key, text in own.items():
            for holder in self.holders(text, key):
                if holder not in own:
                    self._now[holder] = ""
            if not self.refusal(text) and not self.holders(text, key):
                self._now[key] = text

    def __getitem__(self, key: str) -> str:
        return self._now[key]

    def default(self, key: str) -> str:
        """The shortcut that a command has when nothing was changed."""
        return self._defaults[key]

    def changed(self, key: str) -> bool:
        """Whether a command has another shortcut than its default."""
        return self._now[key] != self._defaults[key]

    def chosen(self) -> dict[str, str]:
        """What differs from the defaults, to be kept."""
        return {key: text for key, text in self._now.items() if self.changed(key)}

    def refusal(self, text: str) -> str:
        """Why a shortcut cannot be given to any command; "" where it can."""
        sequence = QKeySequence(text)
        if sequence.count() == 0:
            return ""
        if sequence.count() > 1:
            return "One key, with Ctrl, Alt or Shift if you like, not several in a row."
        combination = sequence[0]
        modifiers = combination.keyboardModifiers() & ~Qt.KeyboardModifier.ShiftModifier
        if combination.key() in _OPERATING and not modifiers:
            return f"{native(text)} moves about in fields, lists and sliders."
        if portable(text) in self._menus:
            return f"{native(text)} opens a menu."
        return ""

    def holders(self, text: str, but: str = "") -> list[str]:
        """Commands that have this shortcut now, all but one."""
        wanted = portable(text)
        return [k for k, t in self._now.items() if wanted and t == wanted and k != but]

    def assign(self, key: str, text: str, *, take_over: bool = False) -> None:
        """Give a command a shortcut ("" = none).

        Parameters
        ----------
        key
            The command.
        text
            The shortcut.
        take_over
            Let a command that has it lose it.

        Raises
        ------
        ConfigError
            The keys cannot be used, or belong to another command; nothing was changed.
        """
        why = self.refusal(text)
        if why:
            raise ConfigError(native(text), f"cannot be a shortcut: {why}", "press other keys")
        holders = self.holders(text, key)
        if holders and not take_over:
            raise ConfigError(
                native(text), f"belongs to {', '.join(holders)}", "take it over, or press others"
            )
        for holder in holders:
            self._now[holder] = ""
        self._now[key] = portable(text)

    def reset(self, key: str, *, take_over: bool = False) -> None:
        """Back to the default; raises as :meth:`assign` does."""
        self.assign(key, self._defaults[key], take_over=take_over)

    def reset_all(self) -> None:
        """All back to their defaults."""
        self._now = dict(self._defaults)
