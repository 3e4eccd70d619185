"""Reading SMPL body model files, and finding them."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.body.joints import BETA_COUNT, JOINT_COUNT, PARENTS, VERTEX_COUNT
from refine_engine.body.model import GENDERS, Array, BodyModel
from refine_engine.errors import BodyModelError, InputError, UnsafeFileError
from refine_engine.resources import data_path
from refine_engine.safe_files import file_kind, find_npz, load_pickle, open_npz

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

BODY_VARIABLE = "SMPL_REFINER_BODY"
"""Environment variable that names a body model file, or a folder of them."""

_NEEDED = ("v_template", "shapedirs", "J_regressor", "weights", "f", "kintree_table")
_DOWNLOAD = "download the SMPL model (6890 vertices, 24 joints) from smpl.is.tue.mpg.de"
_OTHER_MODELS = {
    10475: "SMPL-X (10475 vertices, 55 joints)",
    5023: "FLAME (a head)",
    778: "MANO (a hand)",
    10654: "SUPR",
}
_FILE_PATTERNS = (
    # SMPL_NEUTRAL.pkl, SMPL_MALE.npz; smplx and most projects
    re.compile(r"^(?:smpl|body)_(?P<gender>neutral|male|female)\.(?:pkl|npz)$", re.IGNORECASE),
    # basicModel_neutral_lbs_10_207_0_v1.0.0.pkl, basicmodel_m_lbs_10_207_0_v1.1.0.pkl
    re.compile(
        r"^basicmodel_(?P<gender>neutral|male|female|n|m|f)_lbs_10_207_0_v[\d.]+\.(?:pkl|npz)$",
        re.IGNORECASE,
    ),
    # AMASS and SMPL+H style folders: smpl/neutral/model.npz
    re.compile(r"^(?P<gender>neutral|male|female)/model\.(?:pkl|npz)$", re.IGNORECASE),
)


def load_body_model(
    path_or_gender: str | Path | None = None, *, search: Iterable[str | Path | None] = ()
) -> BodyModel:
    """Load a body: the user's own SMPL file where there is one, else the embedded body.

    Parameters
    ----------
    path_or_gender
        A file; or a folder with SMPL files (neutral is taken); or ``neutral``, ``male``,
        ``female``; None means neutral.
    search
        Files or folders where the user's own SMPL files may lie, best first: the ``--body``
        option, the setting of the desktop program. Entries that are None are skipped. After them
        the environment variable ``SMPL_REFINER_BODY`` is used. A place that was named but holds no
        model for the gender is an error, never a silent fall-back to another body.

    Returns
    -------
    BodyModel
        With its first ten betas; further ones are left out.

    Raises
    ------
    BodyModelError
        When a named file is missing, truncated, or not an SMPL body (SMPL-X, SMPL-H, shapes).
    UnsafeFileError
        When a pickle asks for anything that could run code; nothing was run.
    """
    gender = "neutral"
    if path_or_gender is not None:
        if str(path_or_gender).lower() in GENDERS:
            gender = str(path_or_gender).lower()
        else:
            return _load_place(Path(path_or_gender).expanduser(), gender)
    variable = os.environ.get(BODY_VARIABLE) or None
    for place in (*search, variable):
        if place is None or str(place) == "":
            continue
        if str(place).lower() in GENDERS:
            # `--body male`: the embedded body of that gender was asked for by name.
            return embedded_body(str(place).lower())
        return _load_place(Path(place).expanduser(), gender)
    return embedded_body(gender)


@functools.lru_cache(maxsize=len(GENDERS))
def embedded_body(gender: str = "neutral") -> BodyModel:
    """Return the free (CC0) body that ships with the program.

    Parameters
    ----------
    gender
        ``neutral``, ``male`` or ``female``.
    """
    if gender not in GENDERS:
        raise BodyModelError(gender, "is not a gender of the body", f"use one of {GENDERS}")
    path = data_path("resources", "body", f"BODY_{gender.upper()}.npz")
    return read_body_file(path, name=f"embedded {gender} body", gender=gender)


def find_body_file(folder: Path, gender: str) -> Path | None:
    """SMPL file for ``gender`` in a folder or in its ``smpl`` and ``models`` sub-folders."""
    places = (folder, folder / "smpl", folder / "models", folder / "models" / "smpl")
    candidates: list[tuple[int, str, Path]] = []
    for place in places:
        if not place.is_dir():
            continue
        for path in (*place.glob("*.[pn][kp][lz]"), *place.glob("*/model.[pn][kp][lz]")):
            for rank, pattern in enumerate(_FILE_PATTERNS):
                match = pattern.match(path.relative_to(place).as_posix())
                if match and match["gender"][0].lower() == gender[0]:
                    candidates.append((rank, path.suffix, path))
        if candidates:
            # .npz before .pkl of the same pattern: nothing has to be unpickled.
            return min(candidates)[2]
    return None


def read_body_file(
    path: str | Path, *, name: str | None = None, gender: str | None = None
) -> BodyModel:
    """Read one SMPL file: the project's own ``.npz``, an official ``.npz`` or ``.pkl``.

    Parameters
    ----------
    path
        The file.
    name, gender
        What to call the model; by default its file name, and the gender in it.

    Raises
    ------
    BodyModelError, UnsafeFileError
        As :func:`load_body_model`.
    """
    path = Path(path)
    try:
        arrays = _read_arrays(path)
    except (BodyModelError, UnsafeFileError):
        raise
    except InputError as error:
        raise BodyModelError(error.where, error.problem, error.remedy) from None
    return _build(arrays, path, name or path.name, gender or _gender_in(path))


def _load_place(place: Path, gender: str) -> BodyModel:
    if not place.is_dir():
        return read_body_file(place)
    found = find_body_file(place, gender)
    if found is None:
        if find_npz(place) is not None:
            return read_body_file(place)
        raise BodyModelError(
            place,
            f"holds no SMPL model for gender '{gender}' (looked for SMPL_{gender.upper()}.npz/.pkl "
            f"and basicModel_{gender}_lbs_10_207_0_v*.pkl)",
            "put the model there, or name its file",
        )
    return read_body_file(found, gender=gender)


def _read_arrays(path: Path) -> Mapping[str, Any]:
    if path.is_dir() or (path.exists() and file_kind(path) == "zip") or path.suffix == ".npz":
        with open_npz(path) as arrays:
            # Official files carry object arrays beside the numeric ones; they are not needed.
            return arrays.read_all()
    content = load_pickle(path)
    if not isinstance(content, dict):
        raise BodyModelError(
            path, "holds no dictionary of arrays, so it is no SMPL file", _DOWNLOAD
        )
    return content


def _build(arrays: Mapping[str, Any], path: Path, name: str, gender: str) -> BodyModel:
    missing = [key for key in _NEEDED if key not in arrays]
    if missing:
        raise BodyModelError(path, f"is no SMPL model: {', '.join(missing)} not found", _DOWNLOAD)
    v_template = _numbers(arrays, "v_template", path)
    joints = _kintree(arrays, path)
    if v_template.ndim != 2 or v_template.shape[-1] != 3 or len(v_template) != VERTEX_COUNT:
        count = len(v_template) if v_template.ndim else 0
        kind = _OTHER_MODELS.get(count, f"a model of shape {v_template.shape}")
        raise BodyModelError(path, f"is {kind}, not SMPL with 6890 vertices", _DOWNLOAD)
    if len(joints) != JOINT_COUNT:
        kind = "SMPL-H (52 joints)" if len(joints) == 52 else f"a body of {len(joints)} joints"
        raise BodyModelError(path, f"is {kind}, not SMPL with 24 joints", _DOWNLOAD)
    if joints != PARENTS:
        raise BodyModelError(path, "has another joint tree than SMPL", _DOWNLOAD)
    shapedirs = _numbers(arrays, "shapedirs", path)
    if shapedirs.ndim != 3 or shapedirs.shape[:2] != (VERTEX_COUNT, 3):
        raise _wrong_shape(path, "shapedirs", shapedirs, "(6890, 3, >=10)")
    if shapedirs.shape[2] < BETA_COUNT:
        raise _wrong_shape(path, "shapedirs", shapedirs, "(6890, 3, >=10)")
    regressor = _numbers(arrays, "J_regressor", path)
    if regressor.shape != (JOINT_COUNT, VERTEX_COUNT):
        raise _wrong_shape(path, "J_regressor", regressor, "(24, 6890)")
    weights = _numbers(arrays, "weights", path)
    if weights.shape != (VERTEX_COUNT, JOINT_COUNT):
        raise _wrong_shape(path, "weights", weights, "(6890, 24)")
    if np.abs(weights.sum(1) - 1.0).max() > 1e-3:
        raise BodyModelError(path, "has skinning weights that do not sum to 1", _DOWNLOAD)
    return BodyModel(
        name=name,
        gender=gender,
        source=path,
        v_template=v_template,
        shapedirs=np.ascontiguousarray(shapedirs[:, :, :BETA_COUNT]),
        posedirs=_posedirs(arrays, path),
        J_regressor=regressor,
        weights=weights,
        faces=_faces(arrays, path),
    )


def _kintree(arrays: Mapping[str, Any], path: Path) -> tuple[int, ...]:
    table = np.asarray(arrays["kintree_table"])
    if table.dtype.kind not in "iuf" or table.ndim != 2 or table.shape[0] != 2:
        raise _wrong_shape(path, "kintree_table", table, "(2, 24)")
    # The root's parent is written as -1, or as 2**32 - 1 where the array is unsigned.
    parents = table[0].astype(np.int64)
    return (-1, *(int(parent) for parent in parents[1:]))


def _posedirs(arrays: Mapping[str, Any], path: Path) -> Array | None:
    if "posedirs" not in arrays:
        return None
    posedirs = _numbers(arrays, "posedirs", path)
    if posedirs.shape != (VERTEX_COUNT, 3, 9 * (JOINT_COUNT - 1)):
        raise _wrong_shape(path, "posedirs", posedirs, "(6890, 3, 207)")
    return posedirs if posedirs.any() else None


def _faces(arrays: Mapping[str, Any], path: Path) -> NDArray[np.int32]:
    faces = np.asarray(arrays["f"])
    if faces.dtype.kind not in "iu" or faces.ndim != 2 or faces.shape[1] != 3:
        raise _wrong_shape(path, "f", faces, "(13776, 3) whole numbers")
    if faces.size == 0 or faces.min() < 0 or faces.max() >= VERTEX_COUNT:
        raise BodyModelError(path, "has faces of vertices that do not exist", _DOWNLOAD)
    return np.ascontiguousarray(faces, dtype=np.int32)


def _numbers(arrays: Mapping[str, Any], key: str, path: Path) -> Array:
    values = np.asarray(arrays[key])
    if values.dtype.kind not in "fiu":
        raise BodyModelError(path, f"'{key}' holds no numbers", _DOWNLOAD)
    result = np.array(values, dtype=np.float64, order="C")
    if not np.isfinite(result).all():
        raise BodyModelError(path, f"'{key}' holds NaN or infinite values", _DOWNLOAD)
    return result


def _wrong_shape(path: Path, key: str, array: NDArray[Any], expected: str) -> BodyModelError:
    return BodyModelError(path, f"'{key}' has shape {array.shape}, not {expected}", _DOWNLOAD)


def _gender_in(path: Path) -> str:
    for part in (path.name.lower(), path.parent.name.lower()):
        match = re.search(r"(?:^|[_\W])(neutral|female|male|n|f|m)(?:[_\W]|$)", part)
        if match:
            return {"n": "neutral", "f": "female", "m": "male"}[match[1][0]]
    return "neutral"
