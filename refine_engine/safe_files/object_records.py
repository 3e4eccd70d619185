"""Inert stand-ins for foreign objects that stand for an array, and what they resolve to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.safe_files.array_records import (
    MAX_PICKLED_ARRAY_BYTES,
    ArrayRecord,
    DtypeRecord,
    Malformed,
    Sealed,
    checked_shape,
    index_list,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


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
        shape = checked_shape(state.get("_shape", state.get("shape")))
        if len(shape) != 2:
            raise Malformed("sparse matrix that is not two-dimensional")
        data = np.asarray(state.get("data"))
        if data.dtype.hasobject or data.ndim != 1:
            raise Malformed("sparse matrix without numbers")
        if math.prod(shape) * data.dtype.itemsize > MAX_PICKLED_ARRAY_BYTES:
            raise Malformed("sparse matrix that is too large")
        if "indptr" in state:
            major_axis = 0 if isinstance(self, CsrRecord) else 1
            row, col = _compressed_indices(state, shape[major_axis], len(data))
            if major_axis == 1:
                row, col = col, row
        else:
            coords = state.get("coords", (state.get("row"), state.get("col")))
            row, col = index_list(coords[0]), index_list(coords[1])
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
        index = index_list(convert(self.state["idxs"]))
        if len(index) and (index.min() < 0 or index.max() >= len(source)):
            raise Malformed("chumpy selection out of range")
        shape = self.state.get("preferred_shape")
        picked = source[index]
        return picked if shape is None else picked.reshape(checked_shape(convert(shape)))


def _compressed_indices(
    state: Mapping[str, Any], major: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    pointers, minor = index_list(state["indptr"]), index_list(state.get("indices"))
    if len(pointers) != major + 1 or pointers[0] != 0 or pointers[-1] > count:
        raise Malformed("sparse matrix with damaged pointers")
    lengths = np.diff(pointers)
    if (lengths < 0).any() or pointers[-1] != count or len(minor) != count:
        raise Malformed("sparse matrix with damaged pointers")
    return np.repeat(np.arange(major), lengths), minor


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
