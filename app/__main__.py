"""``smpl-refiner-gui [FOLDER] [--run] [--screenshot PNG]``."""

from __future__ import annotations

import os

# Before numpy, torch and OpenMP are loaded: small kernels on many threads only fight each other,
# and waiting threads must not take the window's share of the processor.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("PYQTGRAPH_QT_LIB", "PyQt6")

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.display import has_display

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication

    from app.main_window import MainWindow

_SETTLE_MS = 700
"""Time for layouts and the last frame before a picture is taken."""


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    found = argparse.ArgumentParser(prog="smpl-refiner-gui", description="SMPL Refiner's window.")
    found.add_argument("folder", nargs="?", type=Path, help="results folder or session to open")
    found.add_argument("--run", action="store_true", help="start the refinement at once")
    found.add_argument(
        "--screenshot",
        type=Path,
        metavar="PNG",
        help="open, draw (with --run: refine first), save a picture of the window and end",
    )
    found.add_argument(
        "--size", help="size of the window, WIDTHxHEIGHT (default: as it was left, else 1600x1000)"
    )
    found.add_argument("--theme", choices=("system", "dark", "light"), help="only for this start")
    return found


def prepare_opengl() -> None:
    """Choose the surface format; Qt wants it before the application exists."""
    from PyQt6.QtGui import QSurfaceFormat

    from app.viewport.surface import surface_format

    QSurfaceFormat.setDefaultFormat(surface_format())


_CHATTER = "This plugin does not support propagateSizeHints"
"""Said by Qt's platform without a screen for every window; nobody can do anything about it."""


def print_qt_message(kind: object, _context: object, message: str | None) -> None:
    """Qt's warnings on stderr, as Qt itself writes them, without what means nothing."""
    del kind
    if message and not message.startswith(_CHATTER):
        sys.stderr.write(f"{message}\n")


def spare_collections() -> None:
    """Let the collector of cycles rest: opening a scene makes what stays, and costs it a tenth.

    A full collection over everything that was imported takes longer than a frame, so what is there
    now is left out of all of them; between them more is made than a scene's objects.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the window; returns the exit code."""
    options = parser().parse_args(arguments)
    if "QT_QPA_PLATFORM" not in os.environ and not has_display():
        if options.screenshot is None:
            sys.stderr.write(
                "smpl-refiner-gui: there is no display; use the command smpl-refiner, "
                "or --screenshot PNG\n"
            )
            return 2
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    gc.disable()
    prepare_opengl()
    from PyQt6.QtCore import qInstallMessageHandler
    from PyQt6.QtWidgets import QApplication

    qInstallMessageHandler(print_qt_message)
    application = QApplication(sys.argv[:1])
    application.setApplicationName("SMPL Refiner")
    application.setOrganizationName("SMPL Refiner")
    application.setDesktopFileName("smpl-refiner")
    return run(application, options)


def run(application: QApplication, options: argparse.Namespace) -> int:
    """Make the window, do what the arguments say, and wait for its end."""
    from PyQt6.QtCore import QSize

    from app.errors import ExceptionCatcher
    from app.main_window import MainWindow
    from app.settings import Settings

    catcher = ExceptionCatcher()
    catcher.install()
    settings = Settings()
    window = MainWindow(settings)
    catcher.caught.connect(window.dialogs.show_error)
    if options.theme:
        window.apply_theme(options.theme)
    size = options.size or ("1600x1000" if options.screenshot is not None else "")
    width, _, height = size.partition("x")
    if width.isdigit() and height.isdigit():
        window.arrange(QSize(int(width), int(height)))
    window.show()
    spare_collections()
    folder = options.folder
    if options.screenshot is not None:
        _arrange_picture(application, window, options)
    elif folder is None and settings.preferences.open_last and settings.recent:
        folder = settings.recent[0]
    recovering = options.screenshot is None and window.dialogs.offer_recovery()
    if options.run and not recovering:
        _run_once_open(window)
    if folder is not None and not recovering:
        window.files.open(folder.resolve())
    code = application.exec()
    catcher.remove()
    return code


def _run_once_open(window: MainWindow) -> None:
    session = window.session

    def start() -> None:
        # Only the folder of the command line: what is opened later waits for the user.
        session.scene_changed.disconnect(start)
        session.run()

    session.scene_changed.connect(start)


def _arrange_picture(
    application: QApplication, window: MainWindow, options: argparse.Namespace
) -> None:
    from PyQt6.QtCore import QTimer

    def save() -> None:
        saved = window.viewing.picture().save(str(options.screenshot))
        if not saved:
            sys.stderr.write(f"smpl-refiner-gui: {options.screenshot} cannot be written\n")
        window.close()
        application.exit(0 if saved else 1)

    def later(*_: object) -> None:
        QTimer.singleShot(_SETTLE_MS, save)

    def fail(failure: object) -> None:
        sys.stderr.write(f"smpl-refiner-gui: {getattr(failure, 'message', failure)}\n")
        window.close()
        application.exit(2)

    window.session.failed.connect(fail)
    if options.folder is None:
        later()
    elif options.run:
        window.session.ended.connect(later)
    else:
        window.session.scene_changed.connect(later)


if __name__ == "__main__":
    sys.exit(main())
