"""Files that PyTorch wrote: checkpoints, and tensors inside ordinary pickles."""

from __future__ import annotations

import io
import math
import pickle
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import InputError, UnsafeFileError
from refine_engine.safe_files.allowed import NUMERIC_NAMES
from refine_engine.safe_files.array_records import MAX_PICKLED_ARRAY_BYTES, Malformed
from refine_engine.safe_files.object_records import ObjectRecord
from refine_engine.safe_files.signatures import file_kind, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_TORCH_BYTES = 8 * 1024**3


def load_torch(path: str | Path, *, max_bytes: int = MAX_TORCH_BYTES) -> Any:
    """Read a ``.pt`` / ``.pth`` file of tensors, on the CPU, running nothing of it.

    Raises
    ------
    UnsafeFileError
        When the file needs anything but tensors and plain containers.
    InputError
        When it is missing, too large, truncated or not a PyTorch file.
    """
    path = Path(path)
    if file_kind(path) not in ("zip", "pickle"):
        refuse(path, "a PyTorch file")
    size = path.stat().st_size
    if size > max_bytes:
        raise InputError(
            path,
            f"is {size / 1e9:.1f} GB, more than the limit of {max_bytes / 1e9:.1f} GB",
            "check the file",
        )
    # Importing torch takes a second or two; most runs never open such a file.
    import torch

    try:
        with warnings.catch_warnings():
            # Old files make torch warn about its own storage classes.
            warnings.filterwarnings("ignore", message="TypedStorage is deprecated")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error)
        named = re.search(r"(?:GLOBAL|class|global) ([\w.]+\.[\w.]+)", reason)
        if named or "Unsupported" in reason:
            what = f"'{named[1]}'" if named else "an operation"
            raise UnsafeFileError(
                path,
                f"asks for {what}, which could run code, and was not read",
                "save its state_dict, or its tensors alone",
            ) from None
        raise _damaged(path, reason) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, reason: str) -> InputError:
    if "central directory" in reason or "zip archive" in reason:
        first = "it is cut off or damaged"
    elif "not in a subdirectory" in reason:
        first = "it is another kind of ZIP archive"
    else:
        # Torch's own text, without the advice and the source lines that follow its first sentence.
        text = re.sub(r"^\[enforce fail[^\]]*\]\s*\.?\s*", "", reason.strip())
        first = re.split(r"\n|\.\s", text)[0][:160].rstrip(".") or "it ends too early"
    return InputError(path, f"is no readable PyTorch file ({first})", "copy or download it again")


class _Storage(ObjectRecord):
    """Raw numbers of a tensor, as PyTorch puts them into a pickle."""

    __slots__ = ()

    def numbers(self) -> NDArray[Any]:
        """Return the storage as a flat array."""
        (content,) = self.arguments
        if not isinstance(content, bytes | bytearray):
            raise Malformed("tensor storage without bytes")
        import torch

        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="TypedStorage is deprecated")
                storage = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
                flat = torch.empty(0, dtype=storage.dtype).set_(storage)
        except (pickle.UnpicklingError, RuntimeError, TypeError, AttributeError, EOFError) as error:
            raise Malformed(f"tensor storage: {error}") from None
        # NumPy has no bfloat16; its values fit float32 exactly.
        return (flat.float() if flat.dtype == torch.bfloat16 else flat).numpy()


def _whole_numbers(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple) or not all(isinstance(v, int) and v >= 0 for v in values):
        raise Malformed("tensor with unusual sizes")
    return values


def _rebuild_tensor(
    storage: object, offset: object, size: object, stride: object, *_: object
) -> NDArray[Any]:
    if not isinstance(storage, _Storage) or not isinstance(offset, int) or offset < 0:
        raise Malformed("unusual tensor")
    shape, steps = _whole_numbers(size), _whole_numbers(stride)
    if len(shape) != len(steps):
        raise Malformed("tensor with unusual strides")
    flat = storage.numbers()
    if math.prod(shape) == 0:
        return np.empty(shape, dtype=flat.dtype)
    last = offset + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
    if last >= len(flat):
        raise Malformed("tensor beyond its storage")
    # Strides of zero repeat values: a small file could claim an enormous tensor.
    if math.prod(shape) * flat.itemsize > MAX_PICKLED_ARRAY_BYTES:
        raise Malformed("tensor that is too large")
    view = np.lib.stride_tricks.as_strided(
        flat[offset:], shape, tuple(step * flat.itemsize for step in steps), writeable=False
    )
    return view.copy()


def _rebuild_parameter(data: object, *_: object) -> object:
    return data


TENSOR_NAMES: dict[tuple[str, str], object] = {
    **NUMERIC_NAMES,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch.storage", "_load_from_bytes"): _Storage,
}
"""Allow-list of pickles that hold tensors; they come out as NumPy arrays."""
