"""What a file really is, from its first bytes, so that an error can name it."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from refine_engine.errors import InputError

_MAGIC = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x93NUMPY", "npy"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"version https://git-lfs", "lfs"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"]\x00\x00", "lzma"),
    (b"\x89PNG", "png"),
)
_ZLIB_SECOND_BYTES = (b"\x01", b"\x5e", b"\x9c", b"\xda")

_SENTENCES = {
    "empty": ("is empty", "copy or download it again"),
    "lfs": (
        "is a Git LFS pointer, not the data itself",
        "fetch the real file with `git lfs pull` or download it",
    ),
    "html": (
        "is a web page, not data (a download that asked for a login, as a rule)",
        "download it again while logged in",
    ),
    "text": ("is a text file", "point to the binary file instead"),
    "hdf5": ("is an HDF5 file", "convert it to .npz"),
    "png": ("is an image", "point to the array file instead"),
}


def file_kind(path: str | Path) -> str:
    """Kind of a file from its first bytes.

    Returns
    -------
    str
        ``zip``, ``npy``, ``pickle``, ``zlib``, ``gzip``, ``bzip2``, ``xz``, ``lzma``, ``hdf5``,
        ``png``, ``lfs``, ``html``, ``text``, ``empty`` or ``unknown``.

    Raises
    ------
    InputError
        When the file is missing, is a folder or cannot be read.
    """
    return kind_of(read_head(path))


def kind_of(head: bytes) -> str:
    """Kind of a file that begins with these bytes; see :func:`file_kind`."""
    if not head:
        return "empty"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:1] == b"\x78" and head[1:2] in _ZLIB_SECOND_BYTES:
        return "zlib"
    if head[:1] == b"\x80" and 2 <= head[1] <= 5:
        return "pickle"
    stripped = head.lstrip().lower()
    if stripped.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "html"
    # A protocol-0 pickle is text too; it ends with a full stop and starts with an opcode.
    if head.startswith((b"(dp", b"(lp", b"ccopy_reg", b"cnumpy", b"(i", b"cchumpy")):
        return "pickle"
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head):
        return "text"
    return "unknown"


def read_head(path: str | Path, count: int = 256) -> bytes:
    """First ``count`` bytes of a file; :class:`InputError` when it cannot be read."""
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(path, "is a folder where a file is expected", "name a file inside it")
        if path.exists() and not path.is_file():
            # Opening a pipe would wait for ever, and a device never ends.
            raise InputError(path, "is no ordinary file", "put the file itself there")
        with path.open("rb") as stream:
            return stream.read(count)
    except FileNotFoundError:
        raise InputError(path, "does not exist", "check the path") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(path, f"cannot be read ({reason})", "check its permissions") from None


def refuse(path: str | Path, expected: str) -> NoReturn:
    """Raise :class:`InputError` that says what the file is instead of ``expected``."""
    kind = file_kind(path)
    if kind in _SENTENCES:
        problem, remedy = _SENTENCES[kind]
        raise InputError(path, f"{problem}; {expected} was expected", remedy)
    raise InputError(
        path,
        f"is not {expected}, or is damaged (it looks like: {kind})",
        "copy or download it again",
    )
