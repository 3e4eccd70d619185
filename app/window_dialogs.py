"""The dialogs of one window: failures, preferences, palette, shortcuts, about, recovery."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject
from PyQt6.QtWidgets import QApplication, QDialog, QMessageBox

from app.dialogs.about import AboutDialog
from app.dialogs.message import ErrorDialog
from app.dialogs.palette import PaletteDialog
from app.dialogs.preferences import PreferencesDialog
from app.dialogs.run_settings import RunSettingsDialog
from app.dialogs.shortcuts import ShortcutsDialog
from app.errors import ErrorReport, system_information

if TYPE_CHECKING:
    from app.main_window import MainWindow


class WindowDialogs(QObject):
    """Opens them; each shows the window's present state."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.errors: list[ErrorDialog] = []
        """Failures that are still on screen."""

    def show_error(self, failure: ErrorReport) -> None:
        """A dialog with a report that can be copied; the program goes on behind it."""
        dialog = ErrorDialog(failure, self._window)
        self.errors.append(dialog)
        dialog.finished.connect(lambda _: self.errors.remove(dialog))
        dialog.folder_chosen.connect(self._window.files.open)
        dialog.open()

    def show_preferences(self, tab: str = "general") -> None:
        """Edit preferences and shortcuts."""
        window = self._window
        dialog = PreferencesDialog(
            window.settings.preferences, window.registry, window.registry.shortcuts(), window
        )
        dialog.show_tab(tab)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            window.settings.set_preferences(dialog.preferences)
            window.settings.set_shortcuts(dialog.shortcuts.table.chosen())
        dialog.deleteLater()

    def show_run_settings(self) -> None:
        """Edit the settings that have no place in the panels, as one undoable step."""
        session = self._window.session
        dialog = RunSettingsDialog(session.config, session.person_ids, self._window)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            session.set_config(dialog.config, "run settings")
        dialog.deleteLater()

    def show_palette(self) -> None:
        """The command palette, below the menu."""
        window = self._window
        dialog = PaletteDialog(window.registry, window)
        top = window.mapToGlobal(window.rect().topLeft())
        dialog.move(top.x() + (window.width() - dialog.width()) // 2, top.y() + 70)
        dialog.open()

    def show_shortcuts(self) -> None:
        """All shortcuts, with a way to change them."""
        dialog = ShortcutsDialog(self._window.registry, self._window)
        dialog.edit_wanted.connect(lambda: self.show_preferences("shortcuts"))
        dialog.open()

    def show_about(self) -> None:
        """Versions and licences."""
        opened = self._window.session.opened
        body = str(getattr(opened.body, "name", "")) if opened else ""
        AboutDialog(self._window.viewing.renderer, body, self._window).open()

    def copy_system_information(self) -> None:
        """Versions to the clipboard."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(system_information(self._window.viewing.renderer))
            self._window.session.notice.emit("System information copied.")

    def offer_recovery(self) -> bool:
        """After a crash: offer the session that was kept aside; whether it is being loaded."""
        window = self._window
        leftovers = window.autosave.leftovers()
        if not leftovers:
            return False
        newest = leftovers[0]
        when = datetime.fromtimestamp(newest.stat().st_mtime)
        choices = QMessageBox.StandardButton
        answer = QMessageBox.question(
            window,
            "Recover the last session?",
            f"The program ended unexpectedly. A copy of the session of {when:%d %B, %H:%M} was "
            "kept, with its settings, its runs and how far the last one had come. Load it?\n\n"
            "“Discard” deletes the copy; “Cancel” keeps it for the next start.",
            choices.Yes | choices.Discard | choices.Cancel,
            choices.Yes,
        )
        if answer == choices.Yes:

            def loaded() -> None:
                window.files.restored.disconnect(loaded)
                for path in leftovers:
                    path.unlink(missing_ok=True)

            # A copy that cannot be loaded now, say because its folder is away, is kept.
            window.files.restored.connect(loaded)
            window.files.load_session(newest)
        elif answer == choices.Discard:
            for path in leftovers:
                path.unlink(missing_ok=True)
        return answer == choices.Yes
