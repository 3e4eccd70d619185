"""What a pickle may name, and what each name is replaced by.

Nothing that a pickle names is ever looked up in the running program: each allowed name maps to
an inert stand-in, which only records what the pickle says
(:mod:`refine_engine.safe_files.array_records`, :mod:`refine_engine.safe_files.object_records`).
:func:`refine_engine.safe_files.object_records.resolve` turns them into plain arrays afterwards,
with every shape and index checked.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

from refine_engine.safe_files.array_records import (
    ArrayRecord,
    DtypeRecord,
    Malformed,
    array_from_bytes,
    checked_shape,
)
from refine_engine.safe_files.object_records import CsrRecord, ObjectRecord, SparseRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _reconstruct_array(kind: object, shape: object = (0,), code: object = b"b") -> ArrayRecord:
    if kind is not ArrayRecord:
        raise Malformed("array of an unusual class")
    return ArrayRecord()


def _scalar(dtype: object, data: object = b"") -> Any:
    if isinstance(dtype, DtypeRecord) and not dtype.dtype.hasobject:
        return array_from_bytes(data, dtype, (1,), "C")[0]
    raise Malformed("scalar without a plain dtype")


def _from_buffer(data: object, dtype: object, shape: object, order: object = "C") -> NDArray[Any]:
    return array_from_bytes(data, dtype, checked_shape(shape), str(order))


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
