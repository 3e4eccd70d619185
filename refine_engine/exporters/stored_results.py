"""A run's files read back, with every value that somebody relies on checked."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import InputError
from refine_engine.exporters.results_json import OUTPUT_FOLDER, PERSON_FILE, RESULTS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from numpy.typing import NDArray

AGAIN = "refine it again with this program"


def results_place(folder: str | Path, otherwise: str = "refine it first") -> Path:
    """The folder with ``refinement_results.json``: the given one or its ``5_refinement``.

    Raises
    ------
    InputError
        Neither has the file; ``otherwise`` is what to do then.
    """
    folder = Path(folder)
    for place in (folder, folder / OUTPUT_FOLDER):
        if (place / RESULTS_FILE).is_file():
            return place
    raise InputError(folder, f"has no {OUTPUT_FOLDER}/{RESULTS_FILE}", otherwise)


def person_files(place: Path, listed: Container[str] | None) -> dict[int, Path]:
    """Files of the people of a run, by their ids.

    Parameters
    ----------
    place
        Folder of the results.
    listed
        Ids, as text, that the document has; None = all. Files of people whom an earlier run had,
        and this one has not, are not part of it.
    """
    found = {}
    for path in sorted(place.glob(f"person_*/{PERSON_FILE}")):
        match = re.fullmatch(r"person_(\d+)", path.parent.name)
        if match and (listed is None or str(int(match[1])) in listed):
            found[int(match[1])] = path
    return found


def read_results_json(
    path: Path, needed: Iterable[str], where_given: Iterable[str] = ()
) -> dict[str, Any]:
    """The document of a run that left results.

    Parameters
    ----------
    path
        The file.
    needed
        Keys that must be there and hold what they should.
    where_given
        Keys that may be absent. Others are left as they are.

    Raises
    ------
    InputError
        The file is no such document, the run had failed, or a needed value is missing or wrong.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(path, f"cannot be read ({reason})", AGAIN) from None
    if not isinstance(document, dict):
        raise InputError(path, "is not a JSON object", AGAIN)
    if document.get("status") == "failed":
        raise InputError(path, "is the record of a failed run", "refine the folder again")
    for key in needed:
        if key not in document:
            raise InputError(path, f"has no key {key!r}", AGAIN)
    for key in (*needed, *(key for key in where_given if key in document)):
        what, holds = _EXPECTED[key]
        if not holds(document[key]):
            raise InputError(path, f"holds no {what} as {key!r}", AGAIN)
    return document


def check_camera_poses(path: Path, poses: NDArray[Any]) -> None:
    """Raise :class:`InputError` unless an array is (T, 4, 4) rigid transforms."""
    good = poses.dtype.kind in "iuf" and poses.ndim == 3 and poses.shape[1:] == (4, 4)
    if not good or len(poses) == 0 or not np.isfinite(poses).all():
        raise InputError(path, "holds no finite numbers (T, 4, 4) as 'poses'", AGAIN)
    R = poses[:, :3, :3].astype(np.float64)
    off = np.abs(R @ np.swapaxes(R, 1, 2) - np.eye(3)).max()
    if off > 1e-3 or np.linalg.det(R).min() < 0:
        raise InputError(path, "holds cameras whose rotation is none", AGAIN)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _number_or_none(value: object) -> bool:
    return value is None or _number(value)


def _by_person(value: object) -> bool:
    return isinstance(value, dict) and all(key.isascii() and key.isdigit() for key in value)


def _comparison(value: object) -> bool:
    """Metrics before and after, each a number or null; null where there are none at all."""
    if value is None:
        return True
    if not isinstance(value, dict):
        return False
    sides = [value.get("before") or {}, value.get("after") or {}]
    return all(isinstance(s, dict) and all(map(_number_or_none, s.values())) for s in sides)


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


_EXPECTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "scale_alpha": ("positive number", _positive),
    "scale_delta": ("number", _number),
    "ground_plane": (
        "four numbers",
        lambda v: isinstance(v, list) and len(v) == 4 and all(map(_number, v)),
    ),
    "world": (
        "frame rate ('fps')",
        lambda v: isinstance(v, dict) and _positive(v.get("fps")),
    ),
    "body": (
        "body model ('gender')",
        lambda v: isinstance(v, dict) and isinstance(v.get("gender"), str),
    ),
    "people": ("list of people by number", _by_person),
    "per_person_likelihoods": (
        "likelihoods by person",
        lambda v: _by_person(v) and all(map(_number_or_none, v.values())),
    ),
    "sub_stages": (
        "list of sub-stages",
        lambda v: (
            isinstance(v, list)
            and all(isinstance(s, dict) and _number(s.get("seconds", 0.0)) for s in v)
        ),
    ),
    "before_after": ("metrics before and after", _comparison),
    "config": ("settings", lambda v: isinstance(v, dict)),
    "scale_sigma": ("number", _number_or_none),
    "alpha_0": ("number", _number_or_none),
}
