"""Files of ``joblib.dump`` (PHALP, WHAM, PromptHMR), read without joblib and without running them.

Such a file is a pickle, compressed or not, in which each array is announced by a
``NumpyArrayWrapper`` object and followed by its raw bytes, in the middle of the pickle stream.
(joblib documentation, "Persistence"; layout checked against files written by joblib 1.6.)
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import pickle
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from refine_engine.errors import InputError
from refine_engine.safe_files.array_records import (
    ArrayRecord,
    DtypeRecord,
    Malformed,
    array_from_bytes,
)
from refine_engine.safe_files.object_records import ObjectRecord
from refine_engine.safe_files.pickles import guarded_load, look_up
from refine_engine.safe_files.signatures import file_kind, refuse
from refine_engine.safe_files.torch_files import TENSOR_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer
    from numpy.typing import NDArray

MAX_JOBLIB_BYTES = 8 * 1024**3


class _WrapperRecord(ObjectRecord):
    """Stand-in for ``joblib.numpy_pickle.NumpyArrayWrapper``: announces an array's bytes."""

    __slots__ = ()

    def read(self, stream: IO[bytes]) -> NDArray[Any]:
        """Read the array that follows in the stream."""
        kind, shape = self.state.get("subclass"), self.state.get("shape")
        dtype, order = self.state.get("dtype"), self.state.get("order")
        if kind is not ArrayRecord or not isinstance(dtype, DtypeRecord):
            raise Malformed("array of an unusual class")
        if dtype.dtype.hasobject:
            # The bytes that follow would be another pickle.
            raise Malformed("array of Python objects")
        if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise Malformed("unusual shape")
        if self.state.get("numpy_array_alignment_bytes") is not None:
            padding = stream.read(1)
            stream.read(padding[0] if padding else 0)
        count = math.prod(shape) * dtype.dtype.itemsize
        if count > MAX_JOBLIB_BYTES:
            raise Malformed("array that is too large")
        content = stream.read(count)
        if len(content) != count:
            raise EOFError("it ends inside an array")
        return array_from_bytes(content, dtype, shape, str(order))


JOBLIB_NAMES: dict[tuple[str, str], object] = {
    **TENSOR_NAMES,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _WrapperRecord,
}
"""Allow-list of joblib files."""


# The C unpickler reads ahead, which would swallow the raw bytes; the Python one does not.
_PythonUnpickler: Any = pickle._Unpickler


class _JoblibUnpickler(_PythonUnpickler):  # type: ignore[misc]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_PythonUnpickler.dispatch)

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream, encoding="latin1")
        self._stream = stream

    def find_class(self, module: str, name: str) -> Any:
        return look_up(JOBLIB_NAMES, module, name)

    def persistent_load(self, pid: object) -> Any:
        raise Malformed("persistent id")

    def _load_build(self) -> None:
        _PythonUnpickler.dispatch[pickle.BUILD[0]](self)
        if self.stack and isinstance(self.stack[-1], _WrapperRecord):
            self.stack[-1] = self.stack[-1].read(self._stream)

    dispatch[pickle.BUILD[0]] = _load_build


def load_joblib(path: str | Path, *, max_bytes: int = MAX_JOBLIB_BYTES) -> Any:
    """Read a file of ``joblib.dump``: plain values, arrays, tensors (as arrays).

    Parameters
    ----------
    path
        The file, uncompressed or compressed with zlib, gzip, bz2, lzma or xz.
    max_bytes
        Largest content, after decompression.

    Raises
    ------
    UnsafeFileError
        When the file asks for anything else; the message names it. Nothing was run.
    InputError
        When it is missing, too large, truncated, or of another kind.
    """
    path = Path(path)
    kind = file_kind(path)
    with path.open("rb") as file:
        stream: io.BufferedReader
        if kind == "pickle":
            stream = file
            if path.stat().st_size > max_bytes:
                raise _too_large(path, max_bytes)
        elif kind in _OPENERS:
            opened = _OPENERS[kind](file)
            stream = io.BufferedReader(_Limited(opened, path, max_bytes), 1 << 20)
        else:
            refuse(path, "a joblib file")
        try:
            return guarded_load(_JoblibUnpickler(stream), path)
        except (OSError, zlib.error, lzma.LZMAError) as error:
            raise InputError(path, f"is damaged ({error})", "copy or download it again") from None


def _too_large(path: Path, max_bytes: int) -> InputError:
    return InputError(
        path, f"holds more than the limit of {max_bytes / 1e9:.1f} GB", "check the file"
    )


class _ZlibReader(io.RawIOBase):
    """Decompressed bytes of a zlib stream (the header ``78 xx``, which gzip does not read)."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._inflate = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        limit = size if size > 0 else 1 << 20
        while not self._inflate.eof:
            source = self._inflate.unconsumed_tail or self._file.read(1 << 16)
            content = self._inflate.decompress(source, limit)
            if content:
                return content
            if not source:
                raise EOFError("it ends inside its compressed data")
        return b""


class _Limited(io.RawIOBase):
    """A readable stream that refuses to give more than a number of bytes."""

    def __init__(self, stream: Any, path: Path, limit: int) -> None:
        self._source = stream
        self._path = path
        self._limit = limit
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        content = self._source.read(len(view))
        self._left -= len(content)
        if self._left < 0:
            raise _too_large(self._path, self._limit)
        view[: len(content)] = content
        return len(content)


_OPENERS: dict[str, Callable[[IO[bytes]], Any]] = {
    "zlib": _ZlibReader,
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "lzma": lzma.LZMAFile,
}
