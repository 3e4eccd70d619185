"""The commands of the View menu: what is drawn, from where, which frame, in which colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.actions import Command
from app.viewport.interface import CameraMode, Colouring

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


COLOURINGS: tuple[tuple[Colouring, str, str], ...] = (
    ("person", "Person colours", "Each person in one colour, the same everywhere"),
    ("displacement", "Displacement", "How far the surface moved from the ghost, in centimetres"),
    (
        "uncertainty",
        "Uncertainty",
        "How sure the joints are: one sigma in centimetres; after a run",
    ),
)
"""How bodies are coloured: field of ``DisplayOptions``, text, tip."""

CAMERAS: tuple[tuple[CameraMode, str, str], ...] = (
    ("orbit", "Orbit", "1"),
    ("follow", "Follow the person", "2"),
    ("top", "From above", "3"),
    ("side", "From the side", "4"),
)


def register_view(w: MainWindow) -> None:
    """Add them to the window's registry."""
    s, add, viewing = w.session, w.registry.add, w.viewing

    def open_() -> bool:
        return s.scene is not None

    for key, text, shortcut, field, tip in DISPLAY:
        action = add(
            Command(key, text, "View", tip, shortcut, checkable=True, when=open_),
            lambda on, f=field: viewing.change_display(**{f: on}),
        )
        w.registry.set_checked(key, bool(getattr(viewing.display, field)))
        action.setProperty("field", field)
    for colouring, text, tip in COLOURINGS:
        key = f"view.colour_{colouring}"
        add(
            Command(key, text, "View", tip, group="colouring", submenu="Colour &by", when=open_),
            lambda c=colouring: viewing.change_display(colouring=c),
        )
    w.registry.set_checked("view.colour_person", True)
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
        viewing.show_before,
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
        viewing.look_through,
    )
    _cameras(w, open_)
    _time(w, open_)
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
                group="theme",
                submenu="T&heme",
                separator_before=name == "system",
            ),
            lambda n=name: w.choose_theme(n),
        )
    add(
        Command("view.reset_layout", "Reset la&yout", "View", "All docks back to their places"),
        w.reset_layout,
    )


def _cameras(w: MainWindow, open_: Callable[[], bool]) -> None:
    add, viewing = w.registry.add, w.viewing
    for mode, text, shortcut in CAMERAS:
        add(
            Command(
                f"view.mode_{mode}",
                text,
                "View",
                f"Camera: {text.lower()}",
                shortcut,
                group="camera",
                submenu="&Camera",
                when=open_,
            ),
            lambda m=mode: viewing.set_camera_mode(m),
        )
    w.registry.set_checked("view.mode_orbit", True)
    add(
        Command(
            "view.reset_camera",
            "&Reset camera",
            "View",
            "Fit everything into the view",
            "R",
            submenu="&Camera",
            separator_before=True,
            when=open_,
        ),
        viewing.reset_camera,
    )


def _time(w: MainWindow, open_: Callable[[], bool]) -> None:
    playback = w.session.playback

    def add(
        key: str, text: str, tip: str, shortcut: str, handler: Callable[[], object], image: str = ""
    ) -> None:
        w.registry.add(
            Command(
                key,
                text,
                "View",
                tip,
                shortcut,
                image,
                submenu="&Time",
                separator_before=key in ("view.first", "view.loop_start"),
                when=open_,
            ),
            handler,
        )

    def second() -> int:
        return max(round(playback.fps), 1)

    add("view.play", "&Play or stop", "Play the clip", "K", playback.toggle, "play")
    add("view.back", "One frame back", "One frame back", ",", lambda: playback.step(-1))
    add("view.forward", "One frame on", "One frame on", ".", lambda: playback.step(1))
    add(
        *("view.second_back", "One second back", "One second back", "<"),
        lambda: playback.step(-second()),
    )
    add(
        *("view.second_forward", "One second on", "One second on", ">"),
        lambda: playback.step(second()),
    )
    add(
        *("view.first", "First frame", "To the clip's first frame", "Alt+Home"),
        lambda: playback.step(-playback.num_frames),
    )
    add(
        *("view.last", "Last frame", "To the clip's last frame", "Alt+End"),
        lambda: playback.step(playback.num_frames),
    )
    add(
        *("view.loop_start", "Loop from this frame", "First frame of the loop range", "["),
        lambda: playback.set_range(playback.frame, max(playback.last, playback.frame)),
    )
    add(
        *("view.loop_end", "Loop to this frame", "Last frame of the loop range", "]"),
        lambda: playback.set_range(min(playback.first, playback.frame), playback.frame),
    )
    add(
        *("view.loop_all", "Loop over everything", "No loop range", "\\"),
        lambda: playback.set_range(0, playback.num_frames - 1),
    )
