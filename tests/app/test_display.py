"""A display counts only where somebody answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.display import has_display


@pytest.fixture
def wayland(tmp_path: Path) -> Iterator[dict[str, str]]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "wayland-7"))
        server.listen()
        yield {"XDG_RUNTIME_DIR": str(tmp_path), "WAYLAND_DISPLAY": "wayland-7"}


@pytest.fixture
def x_over_tcp() -> Iterator[int]:
    """Number of a display on this machine's network, as ssh forwards one."""
    with socket.socket() as server:
        for number in range(60, 200):
            try:
                server.bind(("127.0.0.1", 6000 + number))
            except OSError:
                continue
            server.listen()
            yield number
            return
    pytest.skip("no port is free")


def test_a_server_that_listens_is_a_display(wayland: dict[str, str], x_over_tcp: int) -> None:
    assert has_display(wayland, "linux")
    absolute = f"{wayland['XDG_RUNTIME_DIR']}/wayland-7"
    assert has_display({"WAYLAND_DISPLAY": absolute}, "linux")
    assert has_display({"DISPLAY": f"127.0.0.1:{x_over_tcp}.0"}, "linux")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"DISPLAY": ""},
        {"DISPLAY": ":7777"},
        {"DISPLAY": "localhost:59999.0"},
        {"DISPLAY": "nonsense"},
        {"DISPLAY": "/tmp/no/such/socket:0"},
        {"WAYLAND_DISPLAY": "wayland-7", "XDG_RUNTIME_DIR": "/nowhere"},
    ],
)
def test_a_variable_alone_is_none(environment: dict[str, str]) -> None:
    assert not has_display(environment, "linux")


def test_elsewhere_there_always_is_one() -> None:
    assert has_display({}, "darwin")
    assert has_display({}, "win32")


def test_a_display_that_is_gone_again(wayland: dict[str, str]) -> None:
    """The socket's file outlives its server."""
    Path(wayland["XDG_RUNTIME_DIR"], "wayland-8").touch()
    assert not has_display({**wayland, "WAYLAND_DISPLAY": "wayland-8"}, "linux")
