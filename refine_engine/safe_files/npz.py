"""Numeric arrays from ``.npy`` and ``.npz`` files, without unpickling anything.

An ``X.npz`` may also be a folder ``X/`` of ``.npy`` files: some people unzip them. Headers are
checked before memory is reserved, so that a damaged or hostile file cannot ask for all of it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from refine_engine.errors import InputError
from refine_engine.safe_files.signatures import file_kind, kind_of, read_head, refuse

if TYPE_CHECKING:
    from types import TracebackType

MAX_ARRAY_BYTES = 2 * 1024**3
"""Largest array that is read into memory; a memory-mapped one may be larger."""
MAX_HEADER_BYTES = 64 * 1024
MAX_MEMBERS = 100_000

_COPY_AGAIN = "copy or download it again"
# RuntimeError: an encrypted member; its subclass NotImplementedError: an unknown compression.
_ZIP_ERRORS = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class ArrayHeader:
    """What the header of an ``.npy`` file or member says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool
    data_offset: int
    """Bytes before the data."""

    @property
    def holds_objects(self) -> bool:
        """Whether the array holds pickled Python objects."""
        return self.dtype.hasobject

    @property
    def data_bytes(self) -> int:
        """Bytes of the data that the header promises."""
        return math.prod(self.shape) * self.dtype.itemsize


class ArrayFile(Mapping[str, NDArray[Any]]):
    """The arrays of an ``.npz`` file or of a folder of ``.npy`` files, read on access.

    Members that hold Python objects are listed (:attr:`object_names`) but refused on access.
    Use as a context manager, or call :meth:`close`.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._zip: zipfile.ZipFile | None = None
        self._members: dict[str, str] = {}
        if path.is_dir():
            files = sorted(path.glob("*.npy"))
            if not files:
                raise InputError(path, "is a folder without .npy files", "check the path")
            self._members = {file.stem: file.name for file in files}
        else:
            self._zip = _open_zip(path)
            for info in self._zip.infolist():
                if info.filename.endswith(".npy"):
                    self._members[info.filename.removesuffix(".npy")] = info.filename

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._members:
            raise KeyError(name)
        if self._zip is None:
            return read_array(self.path / self._members[name], max_bytes=self._max_bytes)
        where = f"{self.path}:{name}"
        info = self._zip.getinfo(self._members[name])
        header = self.header(name)
        _check(where, header, info.file_size, self._max_bytes)
        try:
            with self._zip.open(info) as stream:
                return _as_array(
                    np.lib.format.read_array(
                        stream, allow_pickle=False, max_header_size=MAX_HEADER_BYTES
                    )
                )
        except (ValueError, *_ZIP_ERRORS) as error:
            raise InputError(where, f"is damaged ({error})", _COPY_AGAIN) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        # Mapping's own version would read the array to find out.
        return name in self._members

    def header(self, name: str) -> ArrayHeader:
        """Shape and dtype of one array, without reading its data."""
        if self._zip is None:
            return read_header(self.path / self._members[name])
        where = f"{self.path}:{name}"
        try:
            with self._zip.open(self._members[name]) as stream:
                return _parse_header(where, stream)
        except _ZIP_ERRORS as error:
            raise InputError(where, f"is damaged ({error})", _COPY_AGAIN) from None

    def read_bytes(self, name: str, limit: int) -> bytes:
        """Return the raw bytes of one member, header included, at most ``limit`` of them."""
        if self._zip is None:
            with (self.path / self._members[name]).open("rb") as file:
                return file.read(limit)
        try:
            with self._zip.open(self._members[name]) as stream:
                return stream.read(limit)
        except _ZIP_ERRORS as error:
            raise InputError(f"{self.path}:{name}", f"is damaged ({error})", _COPY_AGAIN) from None

    @property
    def object_names(self) -> tuple[str, ...]:
        """Names of the members that hold Python objects and are therefore not read."""
        return tuple(name for name in self._members if self.header(name).holds_objects)

    def read_all(self) -> dict[str, NDArray[Any]]:
        """Every numeric array, by name; members with Python objects are left out."""
        skip = set(self.object_names)
        return {name: self[name] for name in self if name not in skip}

    def close(self) -> None:
        """Close the file."""
        if self._zip is not None:
            self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def find_npz(path: str | Path) -> Path | None:
    """``X.npz``, or the folder ``X/`` of ``.npy`` files that stands in for it, or None."""
    path = Path(path)
    if path.is_file():
        return path
    folder = path.with_suffix("") if path.suffix == ".npz" else path
    if folder.is_dir() and any(folder.glob("*.npy")):
        return folder
    return None


def open_npz(path: str | Path, *, max_bytes: int = MAX_ARRAY_BYTES) -> ArrayFile:
    """Open an ``.npz`` file, or the folder of ``.npy`` files that stands in for it.

    Parameters
    ----------
    path
        ``X.npz``; when it is not there, the folder ``X`` is tried.
    max_bytes
        Largest array that may be read into memory.

    Raises
    ------
    InputError
        When there is no such file, or it is not a readable ``.npz``.
    """
    found = find_npz(path)
    if found is None:
        path = Path(path)
        if path.is_dir():
            raise InputError(path, "is a folder without .npy files", "check the path")
        raise InputError(path, "does not exist", "check the path")
    return ArrayFile(found, max_bytes)


def read_header(path: str | Path) -> ArrayHeader:
    """Header of an ``.npy`` file; :class:`InputError` when it is not one."""
    path = Path(path)
    head = read_head(path)
    if kind_of(head) != "npy":
        refuse(path, "a NumPy array file (.npy)")
    # Maps of one folder have the same header: it is parsed once, and each file opened once.
    length = 10 + int.from_bytes(head[8:10], "little")
    if head[6:8] == b"\x01\x00" and length <= len(head):
        # What is wrong with a damaged one is said below, with its name.
        with contextlib.suppress(InputError):
            return _short_header(head[:length])
    with path.open("rb") as stream:
        return _parse_header(str(path), stream)


@functools.lru_cache(maxsize=64)
def _short_header(head: bytes) -> ArrayHeader:
    return _parse_header("", io.BytesIO(head))


def read_array(
    path: str | Path,
    *,
    mmap: bool = False,
    max_bytes: int = MAX_ARRAY_BYTES,
    header: ArrayHeader | None = None,
) -> NDArray[Any]:
    """Array of an ``.npy`` file.

    Parameters
    ----------
    path
        The file.
    mmap
        Map the file read-only instead of reading it; no size limit applies then.
    max_bytes
        Largest array that may be read into memory.
    header
        What :func:`read_header` said, where it was asked before.

    Raises
    ------
    InputError
        When it is not an ``.npy`` file, is truncated, is too large, or holds Python objects.
    """
    path = Path(path)
    if header is None:
        header = read_header(path)
    size = path.stat().st_size
    _check(str(path), header, size, None if mmap else max_bytes)
    order: Literal["F", "C"] = "F" if header.fortran_order else "C"
    try:
        # An empty file cannot be mapped; there is nothing to save by mapping it either.
        if mmap and header.data_bytes > 0:
            return np.memmap(path, header.dtype, "r", header.data_offset, header.shape, order)
        count = math.prod(header.shape)
        flat = np.fromfile(path, header.dtype, count, offset=header.data_offset)
        return flat.reshape(header.shape, order=order)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(path, f"is damaged ({error})", _COPY_AGAIN) from None


def _as_array(loaded: Any) -> NDArray[Any]:
    assert isinstance(loaded, np.ndarray)
    return loaded


def _open_zip(path: Path) -> zipfile.ZipFile:
    if file_kind(path) != "zip":
        refuse(path, "a NumPy archive (.npz)")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise InputError(path, f"is a truncated or damaged .npz ({error})", _COPY_AGAIN) from None
    if len(archive.infolist()) > MAX_MEMBERS:
        archive.close()
        raise InputError(path, f"holds more than {MAX_MEMBERS} arrays", "check the path")
    return archive


def _parse_header(where: str, stream: IO[bytes]) -> ArrayHeader:
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(
                stream, max_header_size=MAX_HEADER_BYTES
            )
        elif version in ((2, 0), (3, 0)):
            # Version 3 differs from 2 only by UTF-8 field names, which plain arrays do not have.
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(
                stream, max_header_size=MAX_HEADER_BYTES
            )
        else:
            raise InputError(where, f"has NumPy format version {version}", "save it with NumPy")
    except (ValueError, SyntaxError, TypeError, tokenize.TokenError) as error:
        # The last three escape from NumPy's second look at a header that is no Python literal.
        reason = str(error).splitlines()[0]
        raise InputError(where, f"has a damaged header ({reason})", _COPY_AGAIN) from None
    if any(extent < 0 for extent in shape):
        raise InputError(where, f"claims the impossible shape {shape}", _COPY_AGAIN)
    return ArrayHeader(tuple(int(n) for n in shape), dtype, fortran, stream.tell())


def _check(where: str, header: ArrayHeader, file_bytes: int, max_bytes: int | None) -> None:
    if header.holds_objects:
        raise InputError(
            where,
            "holds pickled Python objects, which are not read here",
            "save it as plain numeric arrays",
        )
    if max_bytes is not None and header.data_bytes > max_bytes:
        raise InputError(
            where,
            f"claims {header.data_bytes / 1e9:.1f} GB, more than the limit of "
            f"{max_bytes / 1e9:.1f} GB",
            "check the file",
        )
    present = file_bytes - header.data_offset
    if present < header.data_bytes:
        raise InputError(
            where,
            f"is truncated: shape {header.shape} needs {header.data_bytes} bytes, "
            f"{present} are there",
            _COPY_AGAIN,
        )
