"""The program's commands, in the order in which menus list them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import Command
from app.run_commands import register_run
from app.view_commands import register_view
from refine_engine.exporters.formats import FORMATS

if TYPE_CHECKING:
    from app.main_window import MainWindow

MENUS = ("File", "Edit", "View", "Run", "Help")


def register(window: MainWindow) -> None:
    """Fill the window's registry."""
    _file(window)
    _edit(window)
    register_view(window)
    register_run(window)
    _help(window)


def _file(w: MainWindow) -> None:
    s, files, add = w.session, w.files, w.registry.add

    def idle() -> bool:
        return not s.busy

    def ready() -> bool:
        return s.activity == "ready"

    def has_result() -> bool:
        return s.activity == "ready" and s.shown_output is not None

    add(
        Command(
            "file.open",
            "&Open folder…",
            "File",
            "Open a results folder",
            "Ctrl+O",
            "open",
            when=idle,
        ),
        files.open_folder,
    )
    add(
        Command(
            "file.open_with",
            "Open folder &with…",
            "File",
            "Open a folder and say its frame rate, video, keypoints or which way is up",
            "Ctrl+Shift+O",
            when=idle,
        ),
        files.open_with,
    )
    add(
        Command(
            "file.sample",
            "&New sample…",
            "File",
            "Write a sample scene and open it",
            "Ctrl+N",
            when=idle,
        ),
        files.new_sample,
    )
    add(
        Command(
            "file.load_session",
            "&Load session…",
            "File",
            "Load a saved session",
            separator_before=True,
            when=idle,
        ),
        files.choose_session,
    )
    add(
        Command(
            "file.reopen_last",
            "Reopen &last session",
            "File",
            "The session that was left last: its folder, settings and runs",
            when=lambda: idle() and w.autosave.last.exists(),
        ),
        files.reopen_last,
    )
    add(
        Command(
            "file.load_result",
            "Load a &refined result…",
            "File",
            "Show a refinement_results.json as a run, to look at or to compare with",
            when=idle,
        ),
        files.results.choose,
    )
    add(
        Command(
            "file.save_session",
            "&Save session…",
            "File",
            "Save settings, runs and results",
            "Ctrl+S",
            when=ready,
        ),
        files.save_session,
    )
    add(
        Command(
            "file.load_settings",
            "Load settings (YAML)…",
            "File",
            "Read a configuration file",
            when=idle,
        ),
        files.load_settings,
    )
    add(
        Command(
            "file.save_settings", "Save settings (YAML)…", "File", "Write a configuration file"
        ),
        files.save_settings,
    )
    add(
        Command(
            "file.export",
            "&Export refined JSON…",
            "File",
            "Write refinement_results.json, people and cameras, as the command line does",
            "Ctrl+E",
            "export",
            separator_before=True,
            when=has_result,
        ),
        w.exports.export_results,
    )
    for name, target in FORMATS.items():
        if name == "json":
            continue
        add(
            Command(
                f"file.export_{name}",
                f"Export {target.title}…",
                "File",
                target.description,
                submenu="Export &as",
                when=ready,
            ),
            lambda n=name: w.exports.export_format(n),
        )
    add(
        Command(
            "file.export_losses",
            "Export losses…",
            "File",
            "Write the curves as CSV, PNG or SVG",
            when=lambda: bool(s.curves),
        ),
        w.exports.export_losses,
    )
    add(
        Command(
            "file.screenshot",
            "Save picture of the view…",
            "File",
            "Save the 3-D view as PNG",
            "Ctrl+Shift+S",
            "camera",
            when=lambda: s.scene is not None,
        ),
        w.exports.screenshot,
    )
    add(
        Command(
            "file.turntable",
            "Record turntable…",
            "File",
            "Record one turn around the present frame as a video",
            when=lambda: s.scene is not None,
        ),
        w.exports.record_turntable,
    )
    add(
        Command(
            "file.overlay",
            "Record overlay…",
            "File",
            "Record the bodies over the video, over the loop range",
            when=lambda: s.scene is not None,
        ),
        w.exports.record_overlay,
    )
    add(
        Command(
            "file.stop_recording",
            "Stop recordin&g",
            "File",
            "End the recording of a video without a file",
            when=lambda: w.exports.recording,
        ),
        w.exports.stop,
    )
    add(
        Command(
            "file.preferences",
            "&Preferences…",
            "File",
            "Theme, text size, autosave, body",
            "Ctrl+,",
            separator_before=True,
        ),
        w.dialogs.show_preferences,
    )
    add(Command("file.quit", "&Quit", "File", "End the program", "Ctrl+Q"), w.close)


def _edit(w: MainWindow) -> None:
    s, add = w.session, w.registry.add
    add(
        Command(
            "edit.undo",
            "&Undo",
            "Edit",
            "Undo the last change of settings",
            "Ctrl+Z",
            "undo",
            when=s.undo.canUndo,
        ),
        s.undo.undo,
    )
    add(
        Command(
            "edit.redo",
            "&Redo",
            "Edit",
            "Redo the change of settings",
            "Ctrl+Shift+Z",
            "redo",
            when=s.undo.canRedo,
        ),
        s.undo.redo,
    )
    add(
        Command(
            "edit.reset_weights",
            "Reset all &weights",
            "Edit",
            "All nine lambdas back to their defaults",
            separator_before=True,
        ),
        w.weights.reset_all,
    )
    add(
        Command(
            "edit.next_person",
            "Select the &next person",
            "Edit",
            "Select person after person, then nobody",
            "N",
            separator_before=True,
            when=lambda: s.scene is not None,
        ),
        w.select_next,
    )
    add(
        Command(
            "edit.deselect",
            "&Deselect person",
            "Edit",
            "Select nobody",
            "Escape",
            when=lambda: s.selection is not None,
        ),
        lambda: s.select(None),
    )


def _help(w: MainWindow) -> None:
    add = w.registry.add
    add(
        Command(
            "help.palette",
            "&Command palette…",
            "Help",
            "Find and run any command",
            "Ctrl+Shift+P",
            "search",
        ),
        w.dialogs.show_palette,
    )
    add(
        Command("help.shortcuts", "&Keyboard shortcuts", "Help", "All shortcuts", "F1"),
        w.dialogs.show_shortcuts,
    )
    add(
        Command(
            "help.copy_system",
            "Copy &system information",
            "Help",
            "Versions and OpenGL renderer, for a bug report",
        ),
        w.dialogs.copy_system_information,
    )
    add(Command("help.about", "&About", "Help", "Versions and licences"), w.dialogs.show_about)
