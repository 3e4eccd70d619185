"""What can be exported: results, other formats, losses, pictures and videos of the view."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QBuffer, QObject, QSize
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QDialog, QFileDialog

from app.dialogs.export import Exportable, ExportDialog
from app.dialogs.save_name import ask_save_name
from app.errors import report
from app.movies import TURN_FPS, TURN_SECONDS, Recording, VideoFile, even
from app.wording import in_window_words
from refine_engine.errors import ExportError, RefinementError
from refine_engine.exporters.formats import FORMATS, ExportOptions

if TYPE_CHECKING:
    from app.main_window import MainWindow

RESULTS = "5_refinement"


@dataclass(frozen=True)
class Written:
    """What an export wrote."""

    path: Path
    notes: tuple[str, ...] = ()
    """What the format could not hold."""


def write_picture(path: Path, image: QImage) -> None:
    """Write a picture in the format of the path's ending: the whole file or none.

    Raises
    ------
    ExportError
        No such format is known, or the file cannot be written.
    """
    from refine_engine.exporters.results_json import write_bytes

    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    if not image.save(buffer, path.suffix.lstrip(".") or "png"):
        raise ExportError(path, "is of no known picture format", "name it .png or .jpg")
    write_bytes(path, bytes(buffer.data().data()))


class ExportCommands(QObject):
    """Exports of one window."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._session = window.session
        self._recording: Recording | None = None
        self._session.job_done.connect(self._on_job_done)

    # Results

    def export_results(self) -> None:
        """Ask for a folder and write the refined results there."""
        opened = self._session.opened
        if opened is None:
            return
        chosen = QFileDialog.getExistingDirectory(
            self._window, "Folder for the refined results", str(opened.folder)
        )
        if chosen:
            folder = Path(chosen)
            self.export_to(folder / RESULTS if folder == opened.folder else folder)

    def export_to(self, folder: Path) -> None:
        """Write what the command line writes, for the shown run."""
        session = self._session
        opened, output = session.opened, session.shown_output
        if opened is None or output is None:
            session.notice.emit("Run the refinement first: there is nothing to export yet.")
            return
        if (folder / "refinement_results.json").exists() and not self._window.files.may_replace(
            folder
        ):
            return
        config = session.shown_config

        def job() -> Path:
            self._window.engine.export(folder, output, opened, config)
            return folder

        session.do("export", job, f"Writing {folder} …")

    def export_format(self, name: str) -> None:
        """Ask what and where to, and write the shown state in a format."""
        session = self._session
        opened, state, playback = session.opened, session.state, session.playback
        if opened is None or state is None:
            return
        what = Exportable(
            proposal=FORMATS[name].default_path(opened.folder),
            people=tuple(session.person_ids),
            selected=session.selection,
            frames=opened.scene.num_frames,
            loop=(playback.first, playback.last),
            floor=-float(state.ground_plane[3]),
        )
        dialog = ExportDialog(FORMATS[name], what, self._window.files.may_replace, self._window)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self.export_format_to(name, dialog.path, dialog.options)
        dialog.deleteLater()

    def export_format_to(self, name: str, path: Path, options: ExportOptions | None = None) -> None:
        """Write the shown state in a format; what lies there is replaced."""
        session = self._session
        opened, state = session.opened, session.state
        if opened is None or state is None:
            return
        output, config = session.shown_output, session.shown_config
        options = options or ExportOptions(overwrite=True)

        def job() -> Written:
            engine = self._window.engine
            notes = engine.export_format(name, path, state, opened, output, config, options)
            return Written(path, tuple(notes))

        session.do("export", job, f"Writing {path} …")

    def _on_job_done(self, key: str, result: object) -> None:
        if key == "export" and isinstance(result, Path):
            result = Written(result)
        if key == "export" and isinstance(result, Written):
            notes = " ".join(f"Note: {in_window_words(note)}." for note in result.notes)
            self._session.notice.emit(f"Written to {result.path}. {notes}".rstrip())

    # Losses and pictures

    def export_losses(self) -> None:
        """Ask for a name and write the loss curves as .csv, .png or .svg."""
        path = ask_save_name(
            self._window,
            "Export the losses",
            self._folder() / "losses.csv",
            "Values (*.csv);;Picture (*.png);;Drawing (*.svg)",
        )
        if path is not None:
            self.losses_to(path)

    def losses_to(self, path: Path) -> None:
        """Write the loss curves as .csv, .png or .svg."""
        try:
            self._window.losses.export(path)
        except RefinementError as error:
            self._session.fail(report("The losses were not exported", error))
        else:
            self._session.notice.emit(f"Losses written to {path}.")

    def screenshot(self) -> None:
        """Ask for a name and save a picture of the 3-D view."""
        path = ask_save_name(
            self._window,
            "Save a picture of the view",
            self._folder() / "view.png",
            "Picture (*.png *.jpg)",
        )
        if path is not None:
            self.screenshot_to(path)

    def screenshot_to(self, path: Path) -> None:
        """Save a picture of the 3-D view."""
        try:
            write_picture(path, self._window.area.ensure_view().grab_image())
        except RefinementError as error:
            self._session.fail(report("The picture was not saved", error))
        else:
            self._session.notice.emit(f"Picture saved to {path}.")

    def _folder(self) -> Path:
        """Where files are proposed: beside the results."""
        opened = self._session.opened
        return opened.folder if opened is not None else Path.home()

    # Videos

    def record_turntable(self) -> None:
        """Ask for a name and record one turn around the present frame."""
        path = self._video_path("turntable.mp4")
        if path is not None:
            self.turntable_to(path)

    def turntable_to(self, path: Path, frames: int = TURN_SECONDS * TURN_FPS) -> None:
        """Record one turn around the present frame."""
        view = self._window.area.ensure_view()
        size = even(QSize(1280, 720))

        def draw(_: int) -> QImage:
            view.turn(360.0 / frames)
            return view.grab_image(size)

        self._record(path, size, TURN_FPS, frames, draw, lambda: None)

    def record_overlay(self) -> None:
        """Ask for a name and record the bodies over the video, over the loop range."""
        path = self._video_path("overlay.mp4")
        if path is not None:
            self.overlay_to(path)

    def overlay_to(self, path: Path) -> None:
        """Record what the camera sees, bodies over the video, over the loop range."""
        scene, playback = self._session.scene, self._session.playback
        if scene is None:
            return
        playback.stop()
        view, registry = self._window.area.ensure_view(), self._window.registry
        height, width = scene.cameras.image_size
        size = even(QSize(width, height))
        first, before = playback.first, playback.frame
        looking = registry["view.look_through"].isChecked()
        registry["view.look_through"].setChecked(True)

        def draw(index: int) -> QImage:
            playback.seek(first + index)
            return view.grab_image(size)

        def after() -> None:
            playback.seek(before)
            registry["view.look_through"].setChecked(looking)

        self._record(path, size, playback.fps, playback.last - first + 1, draw, after)

    def _video_path(self, name: str) -> Path | None:
        return ask_save_name(self._window, "Record a video", self._folder() / name, "Video (*.mp4)")

    def _record(self, path, size, fps, count, draw, after) -> None:  # type: ignore[no-untyped-def]
        if self.recording:
            self._session.notice.emit("A video is being recorded already.")
            return
        try:
            video = VideoFile(path, size, fps)
        except RefinementError as error:
            after()
            self._session.fail(report("The video was not recorded", error))
            return
        self._recording = Recording(video, count, draw, after, self)
        self._recording.progress.connect(self._on_recorded)
        self._recording.ended.connect(self._on_recording_ended)
        self._recording.start()
        self._window.registry.refresh()

    @property
    def recording(self) -> bool:
        """Whether a video is being recorded."""
        return self._recording is not None

    def _on_recorded(self, done: int, count: int) -> None:
        self._window.status.show_recording(done / count)
        # Not a notice: the log need not hold every frame.
        self._window.status.say(f"Recording: frame {done} of {count}; the File menu can stop it.")

    def _on_recording_ended(self, error: BaseException | None) -> None:
        recording, self._recording = self._recording, None
        self._window.status.show_recording(None)
        self._window.registry.refresh()
        if error is not None:
            self._session.fail(report("The video was not recorded", error))
        elif recording is not None:
            self._session.notice.emit(f"Video written to {recording.video.path}.")
        if recording is not None:
            recording.deleteLater()

    def stop(self) -> None:
        """End a recording without a file."""
        if self._recording is not None:
            self._recording.cancel()
            self._recording = None
            self._window.status.show_recording(None)
            self._window.registry.refresh()
            self._session.notice.emit("Recording stopped; no file was written.")
