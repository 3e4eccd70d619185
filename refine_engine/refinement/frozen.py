"""Read-only faces of states: what a snapshot shows may be shared between threads."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from refine_engine.state import freeze

if TYPE_CHECKING:
    from refine_engine.state import OptimizationState, PersonState


def read_only(state: OptimizationState) -> OptimizationState:
    """The same state whose arrays cannot be written to; nothing is copied.

    The arrays are views: the solver's own stay writable, because its compiled kernels take
    read-only arrays for another type.
    """
    return replace(
        state,
        people={i: _person(p) for i, p in state.people.items()},
        ground_plane=_view(state.ground_plane),
        chunk_log_scale=_view(state.chunk_log_scale),
    )


def _person(person: PersonState) -> PersonState:
    arrays = {f.name: getattr(person, f.name) for f in fields(person)}
    return replace(person, **{name: _view(a) for name, a in arrays.items() if a is not None})


def _view(array: Any) -> Any:
    if not array.flags.writeable:
        return array
    view = array.view()
    freeze(view)
    return view
