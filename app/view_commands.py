"""The commands of the View menu: what is drawn, from where, which frame, in which colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.actions import Command

if TYPE_CHECKING:
    from app.main_window import MainWindow

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


def register_view(w: MainWindow) -> None:
    """Add them to the window's registry."""
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
    _cameras(w, open_)
    _playback(w, open_)
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


def _cameras(w: MainWindow, open_: Callable[[], bool]) -> None:
    add = w.registry.add
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


def _playback(w: MainWindow, open_: Callable[[], bool]) -> None:
    add = w.registry.add
    playback = w.session.playback
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
