"""Files that appear whole or not at all, also when the disk is full or the program is stopped."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

_ELSEWHERE = "name another folder to write to (--output)"


def npz_bytes(arrays: Mapping[str, NDArray[Any]], *, compressed: bool = True) -> bytes:
    """An npz; arrays of objects are refused, so that reading never runs code."""
    stream = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write several files that belong together: all of them, or none.

    Everything is written to temporary names beside the targets first and renamed at the end, in
    the order given. A full disk, an interruption or a kill while bytes are written leaves what was
    there before untouched; what says that the others are there belongs last.

    Parameters
    ----------
    files
        Path to content.

    Raises
    ------
    ExportError
        A file cannot be written; the text names it.
    """
    waiting: dict[Path, Path] = {}
    made: list[Path] = []
    path = Path()
    try:
        for path, content in files.items():
            place = _real_place(path)
            made += _make_folder(place.parent)
            # Before anything is replaced: a rename onto a folder would fail halfway.
            if place.is_dir():
                raise ExportError(path, "is a folder where a file is to be written", "remove it")
            if place.exists() and not place.is_file():
                # A rename would put a file in the place of a device or a pipe.
                raise ExportError(path, "is no ordinary file", "choose another place")
            waiting[place] = _write_beside(place, content)
        for path in list(waiting):
            os.replace(waiting[path], path)
            del waiting[path]
            made.clear()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ExportError(path, f"cannot be written ({reason})", "choose another place") from None
    finally:
        # Whatever was raised, an interruption included.
        for temporary in waiting.values():
            temporary.unlink(missing_ok=True)
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder, made where it is not there, so that nobody else in here writes it meanwhile.

    The system lets go when the process ends, however it ends; nothing is left behind. Where it
    knows no such locks (Windows, some network file systems) nothing is held.

    Raises
    ------
    ExportError
        Somebody else holds it, or the folder cannot be made or written.
    """
    made: list[Path] = []
    try:
        made = _make_folder(folder)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ExportError(folder, f"cannot be made ({reason})", _ELSEWHERE) from None
    if not writable:
        raise ExportError(folder, "cannot be written to", _ELSEWHERE)
    held = _hold(folder)
    try:
        yield
    finally:
        for empty in reversed(made):
            # Of a run that failed before it wrote anything.
            with contextlib.suppress(OSError):
                empty.rmdir()
        if held is not None:
            os.close(held)


def _hold(folder: Path) -> int | None:
    """A locked handle of the folder itself; None where the system has no such lock."""
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ExportError(
            folder,
            "is being written by another run",
            f"wait for it to end, or {_ELSEWHERE}",
        ) from None
    except OSError:
        # A file system without locks.
        os.close(handle)
        return None
    return handle


def _real_place(path: Path) -> Path:
    """Where a path leads: a link stays one, and what it leads to is written."""
    if not path.is_symlink():
        return path
    place = Path(os.path.realpath(path))
    if not place.parent.is_dir():
        raise ExportError(path, f"is a link to {place}, which is not there", "remove the link")
    return place


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above; the ones that were not there, top first."""
    missing = []
    place = folder
    while not place.exists():
        missing.append(place)
        place = place.parent
    made: list[Path] = []
    try:
        for place in reversed(missing):
            place.mkdir(exist_ok=True)
            made.append(place)
    except OSError:
        for place in reversed(made):
            with contextlib.suppress(OSError):
                place.rmdir()
        raise
    if not folder.is_dir():
        raise NotADirectoryError(20, "a file is in the way", str(folder))
    return made


def _write_beside(path: Path, content: bytes) -> Path:
    """Write a temporary file in the same folder, so that a rename is all that is left to do."""
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}")
    # Not tempfile.mkstemp, which gives rights to nobody else whatever the user's umask says.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


_BINARY = getattr(os, "O_BINARY", 0)
