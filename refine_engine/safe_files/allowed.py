"""What a pickle may name, and what each name is replaced by.

Nothing that a pickle names is ever looked up in the running program: each allowed name maps to
one of the inert stand-ins below, which only record what the pickle says. :func:`resolve` turns
them into plain arrays afterwards, with every shape and index checked.
"""

from __future__ import annotations

import collections
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

MAX_PICKLED_ARRAY_BYTES = 4 * 1024**3
_DTYPE_KINDS = "?bhilqpBHILQPefdFDSUVO"


class Malformed(ValueError):
    """A pickle says something that no honest writer says."""


class Sealed(type):
    """Metaclass that refuses new attributes: a pickle could otherwise rewrite the stand-ins."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise Malformed("attempt to change a class")


class DtypeRecord(metaclass=Sealed):
    """Stand-in for ``numpy.dtype``: a simple scalar type with its byte order."""

    __slots__ = ("dtype",)

    def __init__(self, spec: object = "f8", align: object = False, copy: object = False) -> None:
        if not isinstance(spec, str) or not spec or len(spec) > 8:
            raise Malformed("unusual dtype")
        try:
            dtype = np.dtype(spec)
        except TypeError:
            raise Malformed(f"unknown dtype {spec!r}") from None
        if dtype.char not in _DTYPE_KINDS or dtype.fields or dtype.subdtype:
            raise Malformed(f"dtype {spec!r} is not supported")
        self.dtype: np.dtype[Any] = dtype

    def __setstate__(self, state: object) -> None:
        # (version, byte order, subdtype, names, fields, item size, alignment, flags)
        if not isinstance(state, tuple) or len(state) < 5:
            raise Malformed("unusual dtype state")
        if any(state[k] is not None for k in (2, 3, 4)):
            raise Malformed("structured dtypes are not supported")
        order = state[1].decode() if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise Malformed("unusual byte order")
        if order == ">":
            self.dtype = self.dtype.newbyteorder(">")


class ArrayRecord(metaclass=Sealed):
    """Stand-in for ``numpy.ndarray`` while its pickle is read."""

    __slots__ = ("_array", "_items")

    def __init__(self, *_: object) -> None:
        self._array: NDArray[Any] | None = None
        self._items: list[Any] | None = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise Malformed("unusual array state")
        shape, dtype, fortran, data = state[-4:]
        if not isinstance(dtype, DtypeRecord):
            raise Malformed("array without a dtype")
        extent = _checked_shape(shape)
        if dtype.dtype.hasobject:
            if not isinstance(data, list) or len(data) != math.prod(extent):
                raise Malformed("object array without its list")
            self._items = data
            self._array = np.empty(extent, dtype=object, order="F" if fortran else "C")
            return
        self._array = array_from_bytes(data, dtype, extent, "F" if fortran else "C")

    def resolved(self, convert: Callable[[Any], Any]) -> NDArray[Any]:
        """Return the array; items of an object array go through ``convert``."""
        if self._array is None:
            raise Malformed("array without data")
        if self._items is not None:
            flat = np.empty(len(self._items), dtype=object)
            for k, item in enumerate(self._items):
                flat[k] = convert(item)
            if self._array.flags.c_contiguous:
                return flat.reshape(self._array.shape)
            return flat.reshape(self._array.shape[::-1]).T
        return self._array


class ObjectRecord(metaclass=Sealed):
    """Stand-in for an object of a known foreign class: keeps its state, runs nothing."""

    __slots__ = ("arguments", "state")
    origin = ""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: dict[Any, Any] = {}

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) == 2:
            state = {**(state[0] or {}), **(state[1] or {})}
        if not isinstance(state, dict):
            raise Malformed("unusual object state")
        self.state = state

    def array(self, convert: Callable[[Any], Any]) -> Any:
        """Return the plain value that the object stands for."""
        raise Malformed("object of a class that holds no values")


class SparseRecord(ObjectRecord):
    """Stand-in for a ``scipy.sparse`` CSC, CSR or COO matrix."""

    __slots__ = ("layout",)

    def array(self, convert: Callable[[Any], Any]) -> NDArray[Any]:
        """Dense array of the matrix, with every index checked."""
        state = {key: convert(value) for key, value in self.state.items()}
        shape = _checked_shape(state.get("_shape", state.get("shape")))
        if len(shape) != 2:
            raise Malformed("sparse matrix that is not two-dimensional")
        data = np.asarray(state.get("data"))
        if data.dtype.hasobject or data.ndim != 1:
            raise Malformed("sparse matrix without numbers")
        if math.prod(shape) * data.dtype.itemsize > MAX_PICKLED_ARRAY_BYTES:
            raise Malformed("sparse matrix that is too large")
        if "indptr" in state:
            major_axis = 0 if _is_csr(self) else 1
            row, col = _compressed_indices(state, shape[major_axis], len(data))
            if major_axis == 1:
                row, col = col, row
        else:
            coords = state.get("coords", (state.get("row"), state.get("col")))
            row, col = _index(coords[0]), _index(coords[1])
        if not len(row) == len(col) == len(data):
            raise Malformed("sparse matrix with lists of different lengths")
        for index, extent in ((row, shape[0]), (col, shape[1])):
            if len(index) and (index.min() < 0 or index.max() >= extent):
                raise Malformed("sparse matrix with an index out of range")
        dense = np.zeros(shape, dtype=data.dtype)
        np.add.at(dense, (row, col), data)
        return dense


class CsrRecord(SparseRecord):
    """Stand-in for a CSR matrix."""

    __slots__ = ()


class ChumpyRecord(ObjectRecord):
    """Stand-in for a ``chumpy`` array: the values that it was saved with."""

    __slots__ = ()

    def array(self, convert: Callable[[Any], Any]) -> Any:
        """Return its values, or None where it is an expression that holds none.

        ``chumpy.reordering.Select`` is evaluated, no other expression is; official files keep a
        few of them beside the arrays that matter.
        """
        if "x" in self.state:
            values = convert(self.state["x"])
            return None if values is None else np.asarray(values)
        if "a" not in self.state or "idxs" not in self.state:
            return None
        values = convert(self.state["a"])
        if values is None:
            return None
        source = np.asarray(values).ravel()
        index = _index(convert(self.state["idxs"]))
        if len(index) and (index.min() < 0 or index.max() >= len(source)):
            raise Malformed("chumpy selection out of range")
        shape = self.state.get("preferred_shape")
        picked = source[index]
        return picked if shape is None else picked.reshape(_checked_shape(convert(shape)))


def array_from_bytes(
    data: object, dtype: object, shape: tuple[int, ...], order: str
) -> NDArray[Any]:
    """Array of raw bytes, as NumPy writes them in a pickle; the length must fit the shape."""
    if not isinstance(dtype, DtypeRecord) or dtype.dtype.hasobject:
        raise Malformed("array without a plain dtype")
    if isinstance(data, str):
        # A Python 2 pickle read as latin1: its byte strings arrive as text.
        data = data.encode("latin1")
    if not isinstance(data, bytes | bytearray | memoryview):
        raise Malformed("array without bytes")
    if order not in ("C", "F", "A"):
        raise Malformed("unusual array order")
    if len(data) != math.prod(shape) * dtype.dtype.itemsize:
        raise Malformed("array whose bytes do not fit its shape")
    flat = np.frombuffer(data, dtype=dtype.dtype)
    if order == "F":
        return flat.reshape(shape[::-1]).T.copy(order="F")
    return flat.reshape(shape).copy()


def resolve(value: Any) -> Any:
    """Replace every stand-in in a tree of containers by the plain value it stands for."""
    return _Resolver()(value)


class _Resolver:
    def __init__(self) -> None:
        self._done: dict[int, Any] = {}
        # Keeps the sources alive, so that an id is not reused while it is a key.
        self._sources: list[Any] = []

    def __call__(self, value: Any) -> Any:
        if isinstance(value, ArrayRecord | ObjectRecord | dict | list | tuple | set | frozenset):
            if id(value) not in self._done:
                self._sources.append(value)
                self._done[id(value)] = self._convert(value)
            return self._done[id(value)]
        if isinstance(value, DtypeRecord):
            return value.dtype
        return value

    def _convert(self, value: Any) -> Any:
        if isinstance(value, ArrayRecord):
            return value.resolved(self)
        if isinstance(value, ObjectRecord):
            return value.array(self)
        if isinstance(value, dict):
            # In place before the items are visited, so that a cycle finds its own container.
            result: dict[Any, Any] = {}
            self._done[id(value)] = result
            result.update({self(key): self(item) for key, item in value.items()})
            return result
        if isinstance(value, list):
            items: list[Any] = []
            self._done[id(value)] = items
            items.extend(self(item) for item in value)
            return items
        return type(value)(self(item) for item in value)


def _is_csr(record: SparseRecord) -> bool:
    return isinstance(record, CsrRecord)


def _checked_shape(shape: object) -> tuple[int, ...]:
    if isinstance(shape, np.ndarray) and shape.dtype.kind in "iu":
        shape = tuple(shape.tolist())
    if not isinstance(shape, tuple | list) or len(shape) > 32:
        raise Malformed("unusual shape")
    result = []
    for extent in shape:
        if not isinstance(extent, int | np.integer) or extent < 0:
            raise Malformed("unusual shape")
        result.append(int(extent))
    return tuple(result)


def _index(value: object) -> NDArray[np.int64]:
    index = np.asarray(value)
    if index.dtype.kind not in "iu" or index.ndim != 1:
        raise Malformed("indices that are not whole numbers")
    return index.astype(np.int64)


def _compressed_indices(
    state: Mapping[str, Any], major: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    pointers, minor = _index(state["indptr"]), _index(state.get("indices"))
    if len(pointers) != major + 1 or pointers[0] != 0 or pointers[-1] > count:
        raise Malformed("sparse matrix with damaged pointers")
    lengths = np.diff(pointers)
    if (lengths < 0).any() or pointers[-1] != count or len(minor) != count:
        raise Malformed("sparse matrix with damaged pointers")
    return np.repeat(np.arange(major), lengths), minor


def _reconstruct_array(kind: object, shape: object = (0,), code: object = b"b") -> ArrayRecord:
    if kind is not ArrayRecord:
        raise Malformed("array of an unusual class")
    return ArrayRecord()


def _scalar(dtype: object, data: object = b"") -> Any:
    if isinstance(dtype, DtypeRecord) and not dtype.dtype.hasobject:
        return array_from_bytes(data, dtype, (1,), "C")[0]
    raise Malformed("scalar without a plain dtype")


def _from_buffer(data: object, dtype: object, shape: object, order: object = "C") -> NDArray[Any]:
    return array_from_bytes(data, dtype, _checked_shape(shape), str(order))


def _encode(text: object, encoding: object = "latin1") -> bytes:
    # How Python 3 writes bytes into a protocol-2 pickle.
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Malformed("unusual text encoding")
    return text.encode("latin1")


def _rebuild_object(kind: object, base: object = None, state: object = None) -> ObjectRecord:
    if not (isinstance(kind, type) and issubclass(kind, ObjectRecord)):
        raise Malformed("object of an unusual class")
    return kind()


def _bytes(data: object = b"", *_: object) -> bytes:
    if isinstance(data, str):
        return data.encode("latin1")
    if not isinstance(data, bytes | bytearray | list | tuple):
        raise Malformed("bytes of an unusual kind")
    return bytes(data)


def _bytearray(data: object = b"", *_: object) -> bytearray:
    return bytearray(_bytes(data))


def _slice(*parts: object) -> slice:
    if not all(part is None or isinstance(part, int) for part in parts) or not 0 < len(parts) < 4:
        raise Malformed("unusual slice")
    return slice(*parts)


def _default_dict(*_: object) -> dict[Any, Any]:
    # The factory is whatever the pickle says; only the contents matter.
    return {}


_NUMPY_CORES = ("numpy.core", "numpy._core")
_SPARSE_LAYOUTS: dict[str, type[SparseRecord]] = {
    "csc": SparseRecord,
    "csr": CsrRecord,
    "coo": SparseRecord,
}


def _numpy_names() -> dict[tuple[str, str], object]:
    names: dict[tuple[str, str], object] = {
        ("numpy", "ndarray"): ArrayRecord,
        ("numpy", "dtype"): DtypeRecord,
    }
    for core in _NUMPY_CORES:
        names[f"{core}.multiarray", "_reconstruct"] = _reconstruct_array
        names[f"{core}.multiarray", "scalar"] = _scalar
        names[f"{core}.numeric", "_frombuffer"] = _from_buffer
    for dtype_class in ("Float64", "Float32", "Int64", "Int32", "UInt8", "Bool"):
        names["numpy.dtypes", f"{dtype_class}DType"] = DtypeRecord
    return names


def _sparse_names() -> dict[tuple[str, str], object]:
    names: dict[tuple[str, str], object] = {}
    for layout, record in _SPARSE_LAYOUTS.items():
        for module in (f"scipy.sparse.{layout}", f"scipy.sparse._{layout}", "scipy.sparse"):
            for suffix in ("matrix", "array"):
                names[module, f"{layout}_{suffix}"] = record
    return names


BUILTIN_NAMES: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): _default_dict,
    ("_codecs", "encode"): _encode,
    **{
        (module, name): value
        for module in ("builtins", "__builtin__")
        for name, value in {
            "dict": dict,
            "list": list,
            "tuple": tuple,
            "set": set,
            "frozenset": frozenset,
            "int": int,
            "float": float,
            "bool": bool,
            "complex": complex,
            "str": str,
            "slice": _slice,
            "bytes": _bytes,
            "bytearray": _bytearray,
        }.items()
    },
}
"""Names that hold nothing but plain Python values."""

NUMERIC_NAMES: dict[tuple[str, str], object] = {
    **BUILTIN_NAMES,
    **_numpy_names(),
    **_sparse_names(),
    ("copy_reg", "_reconstructor"): _rebuild_object,
    ("copyreg", "_reconstructor"): _rebuild_object,
    ("builtins", "object"): ObjectRecord,
    ("__builtin__", "object"): ObjectRecord,
}
"""Names that numeric data need: NumPy arrays and SciPy sparse matrices."""
