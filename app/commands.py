"""The program's commands, in the order in which menus list them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import Command

if TYPE_CHECKING:
    from app.main_window import MainWindow

MENUS = ("File", "Edit", "View", "Run", "Help")

DISPLAY: tuple[tuple[str, str, str, str, str], ...] = (
    ("view.mesh", "Mesh", "M", "mesh", "The skinned body surface"),
    ("view.wire", "Wire frame", "W", "wire", "Draw the surface as a wire frame"),
    ("view.skeleton", "Skeleton", "S", "skeleton", "Bones between the 24 joints"),
    ("view.joints", "Joints", "J", "joints", "A ball at each joint"),
    ("view.trails", "Trails", "T", "trails", "Each person's path on the ground"),
    ("view.labels", "Labels", "L", "labels", "Each person's name over the head"),
    ("view.ground", "Ground", "H", "ground", "The ground plane, a grid of 1 m squares"),
    ("view.depth", "Depth", "D", "depth", "The frame's depth map as a point cloud"),
    (
        "view.image_colours",
        "Depth in the video's colours",
        "",
        "depth_image_colours",
        "Colour depth points by the video where there is one, else by distance",
    ),
    ("view.camera", "Camera", "C", "camera", "The camera's path and its frustum with the picture"),
    ("view.ghost", "Ghost", "G", "ghost", "The state before, in grey (or the compared run)"),
    ("view.contacts", "Foot contacts", "F", "contacts", "Discs where feet touch the ground"),
    ("view.axes", "Axes and scale bar", "", "axes", "Orientation axes and the scale bar in metres"),
)
"""Key, text, shortcut, field of ``DisplayOptions``, tip."""


def register(window: MainWindow) -> None:
    """Fill the window's registry."""
    _file(window)
    _edit(window)
    _view(window)
    _run(window)
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
            "file.preferences",
            "&Preferences…",
            "File",
            "Theme, text size, autosave, body",
            "Ctrl+,",
            separator_before=True,
        ),
        w.show_preferences,
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
            "edit.deselect",
            "&Deselect person",
            "Edit",
            "Select nobody",
            "Escape",
            when=lambda: s.selection is not None,
        ),
        lambda: s.select(None),
    )


def _view(w: MainWindow) -> None:
    s, add = w.session, w.registry.add

    def open_() -> bool:
        return s.scene is not None

    for key, text, shortcut, field, tip in DISPLAY:
        action = add(
            Command(key, text, "View", tip, shortcut, checkable=True, when=open_),
            lambda on, f=field: w.change_display(**{f: on}),
        )
        w.registry.set_checked(key, bool(getattr(w.display, field)))
        action.setProperty("field", field)
    add(
        Command(
            "view.before",
            "Show the state &before",
            "View",
            "Show what the input said, instead of the result",
            "B",
            "compare",
            checkable=True,
            separator_before=True,
            when=open_,
        ),
        w.show_before,
    )
    add(
        Command(
            "view.look_through",
            "&Look through the camera",
            "View",
            "See the bodies over the video, through the frame's camera",
            "0",
            checkable=True,
            when=open_,
        ),
        w.look_through,
    )
    for mode, text, shortcut in (
        ("orbit", "Orbit", "1"),
        ("follow", "Follow the person", "2"),
        ("top", "From above", "3"),
        ("side", "From the side", "4"),
    ):
        add(
            Command(
                f"view.mode_{mode}", text, "View", f"Camera: {text.lower()}", shortcut, when=open_
            ),
            lambda m=mode: w.set_camera_mode(m),
        )
    add(
        Command(
            "view.reset_camera",
            "&Reset camera",
            "View",
            "Fit everything into the view",
            "R",
            when=open_,
        ),
        w.reset_camera,
    )
    playback = s.playback
    add(
        Command(
            "view.play",
            "&Play or stop",
            "View",
            "Play the clip",
            "K",
            "play",
            separator_before=True,
            when=open_,
        ),
        playback.toggle,
    )
    add(
        Command("view.back", "One frame back", "View", "One frame back", ",", when=open_),
        lambda: playback.step(-1),
    )
    add(
        Command("view.forward", "One frame on", "View", "One frame on", ".", when=open_),
        lambda: playback.step(1),
    )
    add(
        Command(
            "view.loop_start",
            "Loop from this frame",
            "View",
            "First frame of the loop range",
            "[",
            when=open_,
        ),
        lambda: playback.set_range(playback.frame, max(playback.last, playback.frame)),
    )
    add(
        Command(
            "view.loop_end",
            "Loop to this frame",
            "View",
            "Last frame of the loop range",
            "]",
            when=open_,
        ),
        lambda: playback.set_range(min(playback.first, playback.frame), playback.frame),
    )
    add(
        Command("view.loop_all", "Loop over everything", "View", "No loop range", "\\", when=open_),
        lambda: playback.set_range(0, playback.num_frames - 1),
    )
    for name, text in (
        ("system", "System theme"),
        ("dark", "Dark theme"),
        ("light", "Light theme"),
    ):
        add(
            Command(
                f"view.theme_{name}",
                text,
                "View",
                f"Use the {text.lower()}",
                separator_before=name == "system",
            ),
            lambda n=name: w.choose_theme(n),
        )
    add(
        Command(
            "view.reset_layout",
            "Reset &layout",
            "View",
            "All docks back to their places",
            separator_before=True,
        ),
        w.reset_layout,
    )


def _run(w: MainWindow) -> None:
    s, add = w.session, w.registry.add

    def ready() -> bool:
        return s.activity == "ready"

    def active() -> bool:
        return s.run_active and s.activity != "stopping"

    def steppable() -> bool:
        return ready() or (active() and s.activity in ("paused", "running"))

    add(
        Command(
            "run.all",
            "&Run all",
            "Run",
            "Run every sub-stage that is switched on, from the input",
            "F5",
            "play",
            "#ffffff",
            when=ready,
        ),
        s.run,
    )
    add(
        Command(
            "run.pause",
            "&Pause",
            "Run",
            "Hold before the next iteration, or go on",
            "F6",
            "pause",
            when=active,
        ),
        w.toggle_pause,
    )
    add(
        Command(
            "run.step_iteration",
            "Step &iteration",
            "Run",
            "One iteration, then hold",
            "F10",
            "step",
            when=steppable,
        ),
        s.step_iteration,
    )
    add(
        Command(
            "run.step_stage",
            "Step &sub-stage",
            "Run",
            "To the end of the sub-stage, then hold",
            "Shift+F10",
            "step-stage",
            when=steppable,
        ),
        s.step_sub_stage,
    )
    add(
        Command(
            "run.stop",
            "S&top, keep",
            "Run",
            "End the run and keep what was reached",
            "Shift+F5",
            "stop",
            when=active,
        ),
        s.stop,
    )
    add(
        Command(
            "run.cancel",
            "&Cancel",
            "Run",
            "End the run and discard it",
            "Ctrl+Shift+F5",
            "cancel",
            when=active,
        ),
        s.cancel,
    )
    add(
        Command(
            "run.reset",
            "R&eset",
            "Run",
            "Back to what the input says; the runs stay in the history",
            "Ctrl+R",
            "reset",
            separator_before=True,
            when=ready,
        ),
        s.reset,
    )
    add(
        Command(
            "run.live",
            "&Live mode",
            "Run",
            "A change of weights solves again at once, from the shown state",
            "Ctrl+L",
            checkable=True,
            when=lambda: s.scene is not None,
        ),
        s.set_live,
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
        w.show_palette,
    )
    add(
        Command("help.shortcuts", "&Keyboard shortcuts", "Help", "All shortcuts", "F1"),
        w.show_shortcuts,
    )
    add(
        Command(
            "help.copy_system",
            "Copy &system information",
            "Help",
            "Versions and OpenGL renderer, for a bug report",
        ),
        w.copy_system_information,
    )
    add(Command("help.about", "&About", "Help", "Versions and licences"), w.show_about)
