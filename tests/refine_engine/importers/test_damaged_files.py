"""Whatever happens to the files: a scene of finite numbers, or an error that names a file."""

from __future__ import annotations

import random
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from refine_engine.errors import InputError
from refine_engine.importers import load_results
from refine_engine.importers.description import as_text, describe
from tests.refine_engine.importers import folders


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.write_results(tmp_path_factory.mktemp("good") / "run", 8).root


def damage(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    kind = rng.choice(["truncated", "flipped", "gone", "empty", "folder", "values", "shape"])
    if kind == "truncated":
        path.write_bytes(content[: rng.randrange(len(content))])
    elif kind == "flipped":
        for _ in range(rng.choice([1, 20])):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
    elif kind in ("gone", "folder"):
        path.unlink()
        if kind == "folder":
            path.mkdir()
    elif kind == "empty":
        path.write_bytes(b"")
    elif path.suffix == ".json":
        text = path.read_text(errors="replace")
        path.write_text(rng.choice(["[]", text.replace("8", "-5"), text.replace("[", '["a",')]))
    elif path.suffix == ".npz":
        # Written by this test a moment ago; the importers under test never unpickle.
        with np.load(path, allow_pickle=True) as arrays:
            held = dict(arrays)
        name = rng.choice(list(held))
        held[name] = changed(held[name], kind, rng)
        np.savez(path, **held)
    else:
        np.save(path, changed(np.load(path), kind, rng))


def changed(array: np.ndarray, kind: str, rng: random.Random) -> np.ndarray:
    if kind == "shape":
        return rng.choice([array[:0] if array.ndim else array, array[None], array.ravel()])
    if array.dtype.kind != "f":
        return array.astype(str) if array.dtype != object else array
    result = array.copy()
    result[rng.randrange(max(len(result), 1)) :] = rng.choice([np.nan, np.inf, 1e9, 0])
    return result


@pytest.mark.parametrize("seed", range(40))
def test_damaged_folders_open_or_say_why(good: Path, tmp_path: Path, seed: int) -> None:
    root = tmp_path / "run"
    shutil.copytree(good, root)
    rng = random.Random(seed)
    files = sorted(p for p in root.rglob("*") if p.is_file())
    # Archives and metadata more often than one of the many images.
    files += 8 * [p for p in files if p.suffix in (".npz", ".json")]
    for path in rng.sample(files, rng.choice([1, 2, 4])):
        if path.is_file() and path.stat().st_size:
            damage(path, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refusal = ""
        try:
            scene = load_results(root)
        except InputError as error:
            refusal = str(error)
    if refusal:
        assert str(root) in refusal
        return
    as_text(describe(scene, "body"))
    assert np.isfinite(scene.cameras.R_cam_world).all()
    assert np.isfinite(scene.cameras.t_cam_world).all()
    assert np.isfinite(scene.R_world_recon).all()
    for person in scene.people.values():
        for array in (person.transl_cam, person.R_cam_root, person.body_pose, person.betas):
            assert np.isfinite(array).all()
        assert (np.diff(person.frames) > 0).all()
        assert person.frames[-1] < scene.num_frames
        assert person.keypoints is not None
        assert np.isfinite(person.keypoints.pixels).all()
