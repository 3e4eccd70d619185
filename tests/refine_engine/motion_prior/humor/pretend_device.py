"""A device that is none: it computes on the processor and refuses what a real one would refuse.

Its tensors say that they are on ``meta`` and hold their numbers inside. Within :class:`Pretence`
every operation that mixes them with the processor's raises, so does double precision there (some
real devices have none), and crossings are counted.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

PRETENDED = torch.device("meta")
_COPY = (torch.ops.aten._to_copy.default,)


class There(torch.Tensor):
    """A tensor of the pretended device; ``inside`` has its numbers."""

    inside: torch.Tensor

    @staticmethod
    def __new__(cls, inside: torch.Tensor) -> There:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inside.size(),
            strides=inside.stride(),
            storage_offset=inside.storage_offset(),
            dtype=inside.dtype,
            layout=inside.layout,
            device=PRETENDED,
        )
        made.inside = inside
        return made

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # pragma: no cover
        raise AssertionError(f"{func} of a pretended tensor outside of the pretence")


class Pretence(TorchDispatchMode):
    """Makes ``meta`` a device that computes; ``sent`` and ``fetched`` count the crossings."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.fetched = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        given = [v for v in tree_flatten((args, kwargs))[0] if isinstance(v, torch.Tensor)]
        there = [isinstance(v, There) for v in given]
        asked = kwargs.get("device")
        to_there = any(there)
        if asked is not None:
            kwargs["device"] = torch.device("cpu")
            to_there = torch.device(asked) == PRETENDED
        if func in _COPY:
            (was_there,) = there
            self.sent += to_there and not was_there
            self.fetched += was_there and not to_there
        elif any(there):
            # A number in a tensor may come from anywhere, as on real devices.
            mixed = [tuple(v.shape) for v, t in zip(given, there, strict=True) if not t and v.ndim]
            assert not mixed, f"{func} mixes devices: {mixed} is on the processor"
            assert to_there, f"{func} leaves the device"
        args, kwargs = tree_map(_inside, args), tree_map(_inside, kwargs)
        found = func(*args, **kwargs)
        return tree_map(_there, found) if to_there else found


def _inside(value: Any) -> Any:
    return value.inside if isinstance(value, There) else value


def _there(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    assert value.dtype != torch.float64, "double precision on the device"
    return There(value)
