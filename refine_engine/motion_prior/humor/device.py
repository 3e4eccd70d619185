"""Where HuMoR's networks work: the processor, or a GPU of the user's choice.

States, variables and results live on the processor in double precision. Networks on a GPU work in
single precision, and only two things cross: rows to evaluate on the way there, packed into one
tensor, and rows of results on the way back. Both ways keep derivatives. Nothing else in the engine
knows of a device.

Memory is not pinned: an evaluation sends less than a megabyte and waits for its answer anyway.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from refine_engine.errors import ConfigError, OptimizationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

PROCESSOR = torch.device("cpu")
MOST_ROWS = 4096
"""Rows that are evaluated at once; with derivatives by the latents they take about 200 MB."""
_WITHOUT = "use 'cpu', or leave it at 'auto'"


@dataclass(frozen=True)
class Device:
    """A place for networks."""

    torch_device: torch.device = PROCESSOR

    @classmethod
    def named(cls, setting: str) -> Device:
        """What the setting ``device`` asks for.

        Parameters
        ----------
        setting
            ``auto`` (the first CUDA card where there is one, else the processor), ``cpu``,
            ``cuda``, ``cuda:N`` or ``mps``.

        Raises
        ------
        ConfigError
            There is no such device.
        """
        if setting == "auto":
            return cls(torch.device("cuda", 0)) if torch.cuda.is_available() else cls()
        if setting == "cpu":
            return cls()
        if setting == "mps":
            if not torch.backends.mps.is_available():
                raise ConfigError("device", "is 'mps', but PyTorch sees no Apple GPU", _WITHOUT)
            return cls(torch.device("mps"))
        if not torch.cuda.is_available():
            if torch.version.cuda is None:
                why = "this PyTorch is built without CUDA"
                remedy = f"install a build of it with CUDA (docs/motion-prior.md), or {_WITHOUT}"
            else:
                why = "PyTorch sees no card"
                remedy = f"see whether nvidia-smi lists one, or {_WITHOUT}"
            raise ConfigError("device", f"is '{setting}', but {why}", remedy)
        number = int(setting.partition(":")[2] or 0)
        count = torch.cuda.device_count()
        if number >= count:
            cards = ", ".join(f"cuda:{k}" for k in range(count))
            raise ConfigError("device", f"is '{setting}', but there is only {cards}", "use that")
        return cls(torch.device("cuda", number))

    @property
    def name(self) -> str:
        """For people: ``CPU``, or the card and its number."""
        kind = self.torch_device.type
        if kind == "cpu":
            return "CPU"
        if kind == "cuda":
            return f"{torch.cuda.get_device_name(self.torch_device)} ({self.torch_device})"
        return f"GPU ({self.torch_device})"

    @property
    def wide(self) -> torch.dtype:
        """Precision of what is no network: double on the processor, else single."""
        return torch.float64 if self.torch_device.type == "cpu" else torch.float32

    def send(self, values: Tensor) -> Tensor:
        """Values of the processor, there."""
        # Not all devices know double precision: it is given up before they see it.
        return values.to(self.wide).to(self.torch_device)

    def fetch(self, values: Tensor) -> Tensor:
        """Values of the device, on the processor in double precision."""
        return values.cpu().double()

    def evaluated(self, work: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """``work`` done there for rows that know nothing of each other; double precision, here.

        At most :data:`MOST_ROWS` at once, and fewer where memory does not suffice.

        Raises
        ------
        OptimizationError
            Memory does not suffice for one row, or the device fails.
        """
        with self.telling_failures():
            return torch.cat([self._evaluated(work, part) for part in torch.split(rows, MOST_ROWS)])

    def _evaluated(self, work: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        try:
            return self.fetch(work(self.send(rows)))
        except torch.OutOfMemoryError:
            if len(rows) < 2:
                raise
        # Outside of the handler, whose traceback holds on to what was computed so far.
        if self.torch_device.type == "cuda":
            torch.cuda.empty_cache()
        halves = rows.tensor_split(2)
        return torch.cat([self._evaluated(work, half) for half in halves])

    @contextmanager
    def telling_failures(self) -> Iterator[None]:
        """Say in a sentence what a device cannot do.

        Raises
        ------
        OptimizationError
            The device ran out of memory within, or failed.
        """
        remedy = "end other programs that use it, or run with device 'cpu'"
        try:
            yield
        except torch.OutOfMemoryError:
            problem = "has too little free memory for HuMoR's networks"
            raise OptimizationError(f"device {self.torch_device}", problem, remedy) from None
        except torch.AcceleratorError as error:
            problem = f"failed ({(str(error).splitlines() or ['no reason given'])[0]})"
            raise OptimizationError(f"device {self.torch_device}", problem, remedy) from error
