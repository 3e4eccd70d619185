"""Whether a window can be shown, asked without Qt, which ends the whole process where it cannot."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

_PATIENCE_S = 2.0


def has_display(environment: Mapping[str, str] | None = None, platform: str = sys.platform) -> bool:
    """Whether a display is there and answers: always on macOS and Windows, a server elsewhere.

    A variable alone says little: a session over ssh may have inherited one from a display that is
    long gone.
    """
    if platform in ("darwin", "win32"):
        return True
    known = os.environ if environment is None else environment
    return _wayland_answers(known) or _x_answers(known.get("DISPLAY", ""))


def _wayland_answers(environment: Mapping[str, str]) -> bool:
    name = environment.get("WAYLAND_DISPLAY", "")
    if not name:
        return False
    # An absolute name counts as it is; joining keeps it.
    return _answers(str(Path(environment.get("XDG_RUNTIME_DIR", "/")) / name))


def _x_answers(display: str) -> bool:
    """``host:display.screen``; without a host, or with "unix", a socket of this machine."""
    match = re.fullmatch(r"(?P<host>.*):(?P<number>\d+)(\.\d+)?", display)
    if match is None:
        # macOS names a socket by its path.
        return bool(display) and _answers(display)
    host, number = match["host"], int(match["number"])
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        if _answers(f"\0{path}") or _answers(path):
            return True
        host = "localhost"
    try:
        with socket.create_connection((host.strip("[]"), 6000 + number), _PATIENCE_S):
            return True
    except (OSError, OverflowError, UnicodeError):
        return False


def _answers(path: str) -> bool:
    """Whether somebody listens on a socket file; a leading zero names Linux's abstract ones."""
    if not hasattr(socket, "AF_UNIX"):
        return False
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(_PATIENCE_S)
        try:
            line.connect(path)
        except (OSError, ValueError):
            return False
    return True
