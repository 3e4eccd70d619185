"""Pickles, read without running what they say.

A pickle is a program. This reader executes only the part of it that builds containers, numbers,
text and arrays: every name that it asks for must be in an allow-list (:mod:`.allowed`), and even
those resolve to inert stand-ins, never to the real function or class.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from refine_engine.errors import InputError, UnsafeFileError
from refine_engine.safe_files.allowed import BUILTIN_NAMES, NUMERIC_NAMES
from refine_engine.safe_files.array_records import Malformed
from refine_engine.safe_files.npz import find_npz, open_npz, read_array, read_header
from refine_engine.safe_files.object_records import ChumpyRecord, resolve
from refine_engine.safe_files.signatures import file_kind, refuse
from refine_engine.safe_files.torch_files import TENSOR_NAMES

MAX_PICKLE_BYTES = 4 * 1024**3

NameTable = Mapping[tuple[str, str], object]


class Loader(Protocol):
    """Something that builds one value, as an unpickler does."""

    def load(self) -> Any:
        """Build it."""


class ForbiddenName(Exception):
    """A pickle asks for a name that is not in the allow-list."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__(f"{module}.{name}")


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickler that resolves names through a table and nothing else.

    Parameters
    ----------
    stream
        The pickle.
    names
        ``(module, name)`` to what stands in for it.
    """

    def __init__(self, stream: IO[bytes], names: NameTable) -> None:
        super().__init__(stream, encoding="latin1")
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up in the table; :class:`ForbiddenName` when it is not there."""
        return look_up(self._names, module, name)

    def persistent_load(self, pid: object) -> Any:
        """Refuse: a persistent id means a kind of file that is not read here."""
        raise ForbiddenName("persistent", "id")


def look_up(names: NameTable, module: str, name: str) -> Any:
    """Stand-in for ``module.name``; any class of chumpy is a holder of values."""
    if (module, name) in names:
        return names[module, name]
    root = module.partition(".")[0]
    if root == "chumpy" and names is not BUILTIN_NAMES and name.isidentifier():
        return ChumpyRecord
    raise ForbiddenName(module, name)


def load_pickle(
    path: str | Path, *, numeric: bool = True, max_bytes: int = MAX_PICKLE_BYTES
) -> Any:
    """Read a pickle of plain values and arrays.

    Parameters
    ----------
    path
        The file.
    numeric
        Allow NumPy arrays, SciPy sparse matrices (returned dense) and chumpy arrays (returned as
        NumPy arrays); False allows builtin values only.
    max_bytes
        Largest file that is read.

    Raises
    ------
    UnsafeFileError
        When the pickle asks for anything else; the message names it. Nothing was run.
    InputError
        When the file is missing, too large, truncated or not a pickle.
    """
    path = Path(path)
    kind = file_kind(path)
    if kind in ("empty", "lfs", "html", "zip", "npy", "hdf5", "png", "zlib"):
        refuse(path, "a Python pickle")
    size = path.stat().st_size
    if size > max_bytes:
        raise InputError(
            path,
            f"is {size / 1e9:.1f} GB, more than the limit of {max_bytes / 1e9:.1f} GB",
            "check the file",
        )
    names = NUMERIC_NAMES if numeric else BUILTIN_NAMES
    try:
        with path.open("rb") as stream:
            return read_pickle_stream(stream, path, names)
    except UnsafeFileError:
        raise
    except InputError:
        if kind == "text":
            # The oldest pickles are text too, so it had to be tried.
            refuse(path, "a Python pickle")
        raise


def read_pickle_stream(stream: IO[bytes], where: str | Path, names: NameTable) -> Any:
    """Read one pickle from a stream; ``where`` is what errors call it."""
    return guarded_load(RestrictedUnpickler(stream, names), where)


def guarded_load(unpickler: Loader, where: str | Path) -> Any:
    """Run a restricted unpickler and turn what can go wrong into a :class:`RefinementError`."""
    try:
        return resolve(unpickler.load())
    except ForbiddenName as error:
        raise UnsafeFileError(
            where,
            f"asks for '{error}', which could run code, and was not read",
            "take the file from its original source, or convert it to .npz where you trust it",
        ) from None
    except Malformed as error:
        raise UnsafeFileError(
            where, f"is not an honest pickle ({error}) and was not read", "check where it is from"
        ) from None
    except (EOFError, pickle.UnpicklingError) as error:
        reason = str(error) or "it ends too early"
        raise InputError(
            where, f"is a truncated or damaged pickle ({reason})", "copy or download it again"
        ) from None
    except MemoryError:
        raise InputError(where, "asks for more memory than there is", "check the file") from None
    except (
        ArithmeticError,
        AttributeError,
        ImportError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        raise InputError(
            where, f"is a damaged pickle ({error})", "copy or download it again"
        ) from None


def load_object_array(path: str | Path, name: str | None = None, *, tensors: bool = False) -> Any:
    """Python object inside an ``.npy`` file, or inside one array of an ``.npz``.

    Parameters
    ----------
    path
        ``.npy`` written by ``np.save(path, some_dict)``, or ``.npz`` when ``name`` is given.
    name
        Array of the ``.npz``.
    tensors
        Allow PyTorch tensors too (TRAM's files); they come out as arrays.

    Returns
    -------
    Any
        The object itself for a zero-dimensional array (as ``array.item()``), else an object
        array. A numeric array is returned as it is.

    Raises
    ------
    UnsafeFileError, InputError
        As :func:`load_pickle`.
    """
    path = Path(path)
    limit = MAX_PICKLE_BYTES + 1
    if name is None:
        header = read_header(path)
        if not header.holds_objects:
            return read_array(path)
        where = str(path)
        with path.open("rb") as stream:
            stream.seek(header.data_offset)
            content = stream.read(limit)
    else:
        where = f"{find_npz(path)}:{name}"
        with open_npz(path) as arrays:
            if name not in arrays:
                raise InputError(path, f"has no array '{name}'", "check which file this is")
            header = arrays.header(name)
            if not header.holds_objects:
                return arrays[name]
            content = arrays.read_bytes(name, limit)[header.data_offset :]
    if len(content) >= limit:
        raise InputError(where, "is too large to be read as Python objects", "check the file")
    names = TENSOR_NAMES if tensors else NUMERIC_NAMES
    value = read_pickle_stream(io.BytesIO(content), where, names)
    return value.item() if getattr(value, "shape", None) == () else value
