"""Where the data files that ship with SMPL Refiner lie."""

from __future__ import annotations

from pathlib import Path

from refine_engine.errors import InputError

_PACKAGE = Path(__file__).resolve().parent


def data_path(*parts: str) -> Path:
    """Path of a shipped file or folder, for example ``data_path("resources", "body", "NOTICE")``.

    In a checkout the folders ``resources`` and ``configs`` lie beside the package; in an
    installed wheel they lie inside it, under ``refine_engine/_data``.

    Raises
    ------
    InputError
        When the file is in neither place.
    """
    # An installed package's own folder comes first: beside it lies all of site-packages.
    for root in (_PACKAGE / "_data", _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise InputError(
        "/".join(parts),
        "this file, which ships with the program, is missing",
        "install SMPL Refiner again",
    )


def resource_path(*parts: str) -> Path:
    """Path of a file or folder below ``resources``; see :func:`data_path`."""
    return data_path("resources", *parts)


def config_path(name: str) -> Path:
    """Path of a file below ``configs``, for example ``vggt.yaml``; see :func:`data_path`."""
    return data_path("configs", name)
