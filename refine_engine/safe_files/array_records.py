"""Inert stand-ins for NumPy's arrays and types while a pickle is read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

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
        extent = checked_shape(shape)
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


def checked_shape(shape: object) -> tuple[int, ...]:
    """Extents of an array, each a whole number that is not negative."""
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


def index_list(value: object) -> NDArray[np.int64]:
    """A list of whole numbers."""
    index = np.asarray(value)
    if index.dtype.kind not in "iu" or index.ndim != 1:
        raise Malformed("indices that are not whole numbers")
    return index.astype(np.int64)
