"""What the File menu does: open and save; dialogs here, reading and writing below."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, QStandardPaths, pyqtSignal
from PyQt6.QtWidgets import QDialog, QFileDialog

from app.dialogs.reading import ReadingDialog
from app.dialogs.sample import SampleDialog
from app.dialogs.save_name import ask_save_name, may_replace
from app.earlier import RESULTS_FILE
from app.errors import report
from app.reading import Reading
from app.session_file import (
    SUFFIX,
    SavedSession,
    read_session,
    run_record,
    saved_run,
    unfinished_run,
    write_session,
)
from app.written_results import WrittenResults
from refine_engine.config import RefinementConfig
from refine_engine.errors import RefinementError

if TYPE_CHECKING:
    from app.main_window import MainWindow


class FileCommands(QObject):
    """Files of one window."""

    restored = pyqtSignal()
    """A session file's runs and settings are back."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.results = WrittenResults(window, self.open)
        self._session = window.session
        self._restoring: SavedSession | None = None
        self._session.scene_changed.connect(self._on_scene)
        self._session.failed.connect(self._on_failed)
        self._session.job_done.connect(self._on_job_done)

    # Opening

    def open_folder(self) -> None:
        """Ask for a results folder and open it."""
        recent = self._window.settings.recent
        start = str(recent[0].parent) if recent else str(Path.home())
        chosen = QFileDialog.getExistingDirectory(self._window, "Open a results folder", start)
        if chosen:
            self.open(Path(chosen))

    def open_with(self) -> None:
        """Ask for a folder and for what it does not say, and open it so."""
        opened = self._session.opened
        recent = self._window.settings.recent
        folder = opened.folder if opened else recent[0] if recent else None
        reading = opened.reading if opened else Reading()
        dialog = ReadingDialog(folder, reading, self._window)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self.open(Path(dialog.folder.text().strip()), dialog.reading)
        dialog.deleteLater()

    def open(self, path: Path, reading: Reading | None = None) -> None:
        """Open a results folder, a session file, a refined result, or a file's folder."""
        if self._session.run_active:
            self._session.notice.emit("Stop the run first; then open another folder.")
            return
        if path.name == RESULTS_FILE and path.is_file():
            self.results.load(path)
            return
        if path.suffix == SUFFIX and path.is_file():
            self.load_session(path)
            return
        self._restoring = None
        self.results.forget()
        self._keep_aside()
        self._session.open(path.parent if path.is_file() else path, reading)

    def _keep_aside(self) -> None:
        """Keep runs that nobody saved: another folder takes their place."""
        if self._session.worth_keeping and not self._session.busy:
            self._window.autosave.keep_last()
            self._window.registry.refresh()

    def reopen_last(self) -> None:
        """The session that was left last, by closing or by opening another folder."""
        last = self._window.autosave.last
        if last.exists():
            # A copy of its own: leaving the present session replaces the file.
            reopened = last.with_name(f"reopened{SUFFIX}")
            shutil.copyfile(last, reopened)
            self._keep_aside()
            self.load_session(reopened)
            reopened.unlink()

    def _on_scene(self) -> None:
        opened = self._session.opened
        if opened is None:
            return
        self._window.settings.add_recent(opened.folder)
        if self._restoring is not None:
            saved, self._restoring = self._restoring, None
            runs = [run_record(r, opened.state, opened.scene.report) for r in saved.runs]
            self._session.restore(runs, saved.state, saved.config, saved.frame, saved.shown_run)
            self._session.notice.emit("The session is back.")
            self.restored.emit()
        else:
            self.results.look_for()

    def _on_failed(self, _failure: object) -> None:
        self._restoring = None
        self.results.forget()

    # Sessions

    def content(self) -> SavedSession | None:
        """What a session file would hold now; None where nothing is open."""
        session = self._session
        if session.opened is None or session.state is None:
            return None
        runs, shown = [saved_run(r) for r in session.runs], session.shown_run
        under_way = session.unfinished
        if under_way is not None:
            runs.append(unfinished_run(under_way, session.state, session.scale))
            shown = under_way.number
        return SavedSession(
            folder=session.opened.folder,
            config=session.config,
            frame=session.playback.frame,
            state=session.state,
            runs=tuple(runs),
            shown_run=shown,
            reading=session.opened.reading,
        )

    def save_session(self) -> None:
        """Ask for a name and save the session."""
        content = self.content()
        if content is None:
            return
        proposal = content.folder / f"session{SUFFIX}"
        path = ask_save_name(self._window, "Save the session", proposal, f"Sessions (*{SUFFIX})")
        if path is not None:
            self.save_session_to(path)

    def save_session_to(self, path: Path) -> None:
        """Save the session to a file."""
        content = self.content()
        if content is None:
            return
        try:
            write_session(path, content)
        except RefinementError as error:
            self._session.fail(report("The session was not saved", error))
        else:
            self._session.notice.emit(f"Session saved to {path}.")

    def choose_session(self) -> None:
        """Ask for a session file and load it."""
        chosen, _ = QFileDialog.getOpenFileName(
            self._window, "Load a session", str(self._folder()), f"Sessions (*{SUFFIX})"
        )
        if chosen:
            self.load_session(Path(chosen))

    def load_session(self, path: Path) -> None:
        """Open a session's folder, then put its runs and settings back."""
        try:
            saved = read_session(path)
        except RefinementError as error:
            self._session.fail(report("The session could not be loaded", error))
            return
        self._restoring = saved
        self._session.open(saved.folder, saved.reading)

    # Settings

    def load_settings(self) -> None:
        """Read settings from a YAML file, as one undoable step."""
        chosen, _ = QFileDialog.getOpenFileName(
            self._window, "Load settings", str(self._folder()), "YAML (*.yaml *.yml)"
        )
        if chosen:
            self.load_settings_from(Path(chosen))

    def load_settings_from(self, path: Path) -> None:
        """Read the ``stage5`` section of a file."""
        try:
            config = RefinementConfig.from_yaml(path)
        except RefinementError as error:
            self._session.fail(report("The settings were not loaded", error))
            return
        self._session.set_config(config, f"load {path.name}")
        self._session.notice.emit(f"Settings of {path} are in use; Undo brings the others back.")

    def save_settings(self) -> None:
        """Write the settings as a YAML file."""
        proposal = self._folder() / "stage5.yaml"
        path = ask_save_name(self._window, "Save settings", proposal, "YAML (*.yaml *.yml)")
        if path is not None:
            self.save_settings_to(path)

    def save_settings_to(self, path: Path) -> None:
        """Write the settings to a YAML file."""
        from refine_engine.exporters.results_json import write_bytes

        try:
            write_bytes(path, self._session.config.to_yaml().encode("utf-8"))
        except RefinementError as error:
            self._session.fail(report("The settings were not saved", error))
        else:
            self._session.notice.emit(f"Settings saved to {path}.")

    def _folder(self) -> Path:
        """Where files of the present scene are proposed."""
        opened = self._session.opened
        return opened.folder if opened is not None else Path.home()

    # Samples

    def new_sample(self) -> None:
        """Ask what the sample shall be, write and open it."""
        place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        dialog = SampleDialog(Path(place or Path.home()) / "smpl-refiner-sample", self._window)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self.make_sample(
                Path(dialog.folder.text()),
                people=dialog.people.value(),
                frames=dialog.frames.value(),
                seed=dialog.seed.value(),
                level=dialog.level.currentText(),
                camera=dialog.camera.currentText(),
            )
        dialog.deleteLater()

    def make_sample(self, folder: Path, **options: object) -> None:
        """Write a sample scene with the engine and open it."""
        if folder.exists() and any(folder.iterdir()) and not self.may_replace(folder):
            return

        def job() -> Path:
            return self._window.engine.sample(folder, options)

        self._session.do("sample", job, f"Making a sample in {folder} …", may_be_left=True)

    def may_replace(self, folder: Path) -> bool:
        """Ask whether a folder's files may be replaced, unless the user wants no such questions."""
        if not self._window.settings.preferences.confirm_overwrite:
            return True
        return may_replace(self._window, folder)

    def _on_job_done(self, key: str, result: object) -> None:
        if key == "sample" and isinstance(result, Path):
            self._session.open(result)
