"""Loss values of a run, appended one by one in buffers that double: thousands stay cheap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from refine_engine.state import SubStage

Array = NDArray[np.float64]


class Curve:
    """A growing list of float64 values."""

    def __init__(self) -> None:
        self._buffer: Array = np.empty(64)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, value: float) -> None:
        """Add one value."""
        if self._size == len(self._buffer):
            self._buffer = np.concatenate([self._buffer, np.empty(self._size)])
        self._buffer[self._size] = value
        self._size += 1

    @property
    def values(self) -> Array:
        """(n,) view of the values."""
        return self._buffer[: self._size]


class SubStageCurves:
    """Total and per-term losses of one sub-stage over its accepted iterations."""

    def __init__(self) -> None:
        self.iterations = Curve()
        self.curves: dict[str, Curve] = {"total": Curve()}
        self.rolled_back = False

    @classmethod
    def of(cls, losses: Mapping[str, Sequence[float]]) -> SubStageCurves:
        """Curves that the engine kept: "total" and terms, a value an iteration, from the first."""
        made = cls()
        total = losses.get("total", ())
        for row, value in enumerate(total):
            terms = {n: v[row] for n, v in losses.items() if n != "total" and row < len(v)}
            made.append(row + 1, value, terms)
        return made

    def append(self, iteration: int, total: float, terms: Mapping[str, float]) -> None:
        """Add one iteration; a term that appears late is NaN before."""
        self.iterations.append(iteration)
        self.curves["total"].append(total)
        for name, value in terms.items():
            curve = self.curves.get(name)
            if curve is None:
                curve = self.curves[name] = Curve()
                for _ in range(len(self.iterations) - 1):
                    curve.append(float("nan"))
            curve.append(value)
        for curve in self.curves.values():
            if len(curve) < len(self.iterations):
                curve.append(float("nan"))


def positive_floor(values: Array, floor: float = 1e-12) -> Array:
    """Values fit for a logarithmic axis: at least ``floor``, NaN where not finite."""
    return np.where(np.isfinite(values), np.maximum(values, floor), np.nan)


def decimated(x: Array, y: Array, points: int) -> tuple[Array, Array]:
    """At most about ``points`` points that keep each bucket's minimum and maximum.

    Parameters
    ----------
    x, y
        (n,) each.
    points
        Wanted number of points, for example twice the plot's width in pixels.
    """
    n = len(x)
    if n <= points or points < 4:
        return x, y
    bucket = -(-n // (points // 2))
    whole = n // bucket * bucket
    shaped = np.nan_to_num(y[:whole].reshape(-1, bucket), nan=0.0)
    starts = np.arange(0, whole, bucket)
    picks = np.stack([starts + shaped.argmin(1), starts + shaped.argmax(1)], 1)
    picks.sort(1)
    index = np.unique(np.concatenate([[0], picks.ravel(), np.arange(whole, n), [n - 1]]))
    return x[index], y[index]


def as_csv(curves: Mapping[SubStage, SubStageCurves], wanted: Iterable[SubStage]) -> str:
    """Comma-separated text: sub-stage, iteration, total and every term that occurs."""
    wanted = [s for s in wanted if s in curves and len(curves[s].iterations)]
    names: list[str] = ["total"]
    for sub_stage in wanted:
        names += [n for n in curves[sub_stage].curves if n not in names]
    lines = [",".join(["sub_stage", "iteration", *names])]
    for sub_stage in wanted:
        c = curves[sub_stage]
        columns = [c.curves[n].values if n in c.curves else None for n in names]
        for row, iteration in enumerate(c.iterations.values):
            cells = [_cell(column, row) for column in columns]
            lines.append(",".join([sub_stage, str(int(iteration)), *cells]))
    return "\n".join(lines) + "\n"


def _cell(column: Array | None, row: int) -> str:
    if column is None or not np.isfinite(column[row]):
        return ""
    return repr(float(column[row]))
