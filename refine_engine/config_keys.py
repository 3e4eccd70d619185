"""One key of the settings: what it means, which values it takes, and how a wrong one is told."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refine_engine.errors import ConfigError

_NEAR = 0.5
"""Likeness of names from which on one is taken for a slip of the other."""


@dataclass(frozen=True)
class Key:
    """Meaning and legal range of one key, kept in the field's metadata."""

    doc: str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    optional: bool = False
    pattern: str = ""
    """Regular expression of the whole text; empty = any text."""
    examples: tuple[str, ...] = ()
    """What to offer for it."""


def suggestion(key: str, names: Sequence[str]) -> str:
    """What to write instead of a name that there is not: the nearest, or any where few are."""
    near = difflib.get_close_matches(str(key), names, n=1, cutoff=_NEAR)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"use one of {', '.join(names)}" if len(names) < 12 else "configs/vggt.yaml lists them"


def checked(name: str, value: Any, annotation: str, key: Key) -> Any:
    """The value in its declared type.

    Parameters
    ----------
    name
        The key.
    value
        What was given.
    annotation
        Type of the field, as text.
    key
        Its range.

    Raises
    ------
    ConfigError
        The value is of another type or out of range; says what was expected.
    """
    if value is None and key.optional:
        return None
    if key.choices:
        if value not in key.choices:
            raise ConfigError(name, f"is {value!r}", f"use one of {', '.join(key.choices)}")
        return value
    kind = annotation.split("|")[0].strip()
    if kind == "bool":
        if not isinstance(value, bool):
            raise ConfigError(name, f"is {value!r}, not true or false", "write true or false")
        return value
    if kind == "str":
        if not isinstance(value, str):
            raise ConfigError(name, f"is {value!r}, not text", "write it in quotes")
        if key.pattern and not re.fullmatch(key.pattern, value):
            raise ConfigError(name, f"is {value!r}", f"use one of {', '.join(key.examples)}")
        return value
    if kind.startswith("dict"):
        return _checked_stature(name, value, key)
    return _checked_number(name, value, key, whole=kind == "int")


# YAML 1.1 takes 1e-4 for text, because it has no decimal point; people write it all the same.
_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def _checked_number(name: str, value: Any, key: Key, *, whole: bool) -> float | int:
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(name, f"is {value!r}, not a number", f"write {_range(key)}")
    if whole and value != int(value):
        raise ConfigError(name, f"is {value!r}, not a whole number", f"write {_range(key)}")
    if not key.low <= value <= key.high:
        raise ConfigError(name, f"is {value!r}, out of range", f"write {_range(key)}")
    return int(value) if whole else float(value)


def _checked_stature(name: str, value: Any, key: Key) -> dict[int, float]:
    if not isinstance(value, Mapping):
        raise ConfigError(name, f"is {value!r}, not a mapping", "write 'person id: metres'")
    checked: dict[int, float] = {}
    for person, metres in value.items():
        try:
            person_id = int(person)
        except (TypeError, ValueError):
            raise ConfigError(name, f"has the key {person!r}", "use a person's number") from None
        checked[person_id] = float(_checked_number(f"{name}.{person}", metres, key, whole=False))
    return checked


def _range(key: Key) -> str:
    if math.isinf(key.low) and math.isinf(key.high):
        return "a number"
    return f"a number from {key.low:g} to {key.high:g}"
