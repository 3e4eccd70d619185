"""SMPL files as users have them, and how they go wrong."""

from __future__ import annotations

import pickle
import sys
import types
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse

from refine_engine.body import BODY_VARIABLE, embedded_body, load_body_model, read_body_file
from refine_engine.errors import BodyModelError, UnsafeFileError


@pytest.fixture(scope="module")
def arrays(plain_body):
    """Arrays of an SMPL file: more betas than ten, pose correctives, unsigned tree."""
    rng = np.random.default_rng(0)
    more = rng.normal(0, 1e-3, size=(6890, 3, 2))
    parents = np.array([2**32 - 1, *plain_body.parents[1:]], dtype=np.uint32)
    return {
        "v_template": np.array(plain_body.v_template),
        "shapedirs": np.concatenate([plain_body.shapedirs, more], axis=2),
        "posedirs": rng.normal(0, 1e-3, size=(6890, 3, 207)),
        "J_regressor": np.array(plain_body.J_regressor),
        "weights": np.array(plain_body.weights),
        "f": plain_body.faces.astype(np.uint32),
        "kintree_table": np.stack([parents, np.arange(24, dtype=np.uint32)]),
        "J": np.array(plain_body.rest_joints_template),
    }


def same(model, arrays):
    np.testing.assert_array_equal(model.v_template, arrays["v_template"])
    np.testing.assert_array_equal(model.shapedirs, arrays["shapedirs"][:, :, :10])
    np.testing.assert_array_equal(model.posedirs, arrays["posedirs"])
    np.testing.assert_array_equal(model.J_regressor, arrays["J_regressor"])
    np.testing.assert_array_equal(model.weights, arrays["weights"])
    np.testing.assert_array_equal(model.faces, arrays["f"])


class Python2Pickler(pickle._Pickler):
    """Writes text and bytes as Python 2 did: both as byte strings."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_text(self, text):
        self.save_raw(text.encode("latin1"), text)

    def save_raw(self, content, key=None):
        self.write(pickle.BINSTRING + len(content).to_bytes(4, "little") + content)
        self.memoize(content if key is None else key)

    dispatch[str] = save_text
    dispatch[bytes] = save_raw


# Module names as they were when the official files were written.
OLD_NAMES = {
    b"cnumpy._core.multiarray\n": b"cnumpy.core.multiarray\n",
    b"cscipy.sparse._csc\n": b"cscipy.sparse.csc\n",
}


@pytest.fixture(scope="module")
def official_pkl(tmp_path_factory, arrays):
    """Like basicModel_neutral_lbs_10_207_0_v1.0.0.pkl: Python 2, chumpy, scipy.sparse."""
    chumpy = types.ModuleType("chumpy")
    chumpy.ch = types.ModuleType("chumpy.ch")
    chumpy.reordering = types.ModuleType("chumpy.reordering")
    ch = type("Ch", (), {"__module__": "chumpy.ch"})
    select = type("Select", (), {"__module__": "chumpy.reordering"})
    chumpy.ch.Ch, chumpy.reordering.Select = ch, select
    shapedirs = ch()
    shapedirs.x = arrays["shapedirs"]
    shapedirs._dirty_vars = set()
    expression = ch()
    expression.a, expression.b = shapedirs, ch()
    # A selection of a longer list of values, as chumpy keeps `array[:n]`.
    v_template = select()
    v_template.a = ch()
    v_template.a.x = np.concatenate([arrays["v_template"].ravel(), np.zeros(7)])
    v_template.idxs = np.arange(6890 * 3)
    v_template.preferred_shape = (6890, 3)
    content = {
        **arrays,
        "shapedirs": shapedirs,
        "v_template": v_template,
        "J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"]),
        # An expression without stored values, which nobody needs.
        "v_posed": expression,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    path = tmp_path_factory.mktemp("official") / "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl"
    modules = {m.__name__: m for m in (chumpy, chumpy.ch, chumpy.reordering)}
    sys.modules.update(modules)
    try:
        with path.open("wb") as file:
            Python2Pickler(file, protocol=2).dump(content)
    finally:
        for name in modules:
            del sys.modules[name]
    raw = path.read_bytes()
    for new, old in OLD_NAMES.items():
        assert new in raw
        raw = raw.replace(new, old)
    path.write_bytes(raw)
    return path


def test_official_pickle_is_read_without_chumpy(official_pkl, arrays):
    assert "chumpy" not in sys.modules
    model = load_body_model(official_pkl)
    same(model, arrays)
    assert model.name == official_pkl.name
    assert model.gender == "neutral"
    assert model is not embedded_body("neutral")


def test_official_npz_with_object_arrays_beside_the_numbers(tmp_path, arrays):
    path = tmp_path / "SMPL_MALE.npz"
    extra = np.array({"part2num": {"head": 0}}, dtype=object)
    np.savez(path, **arrays, part2num=extra, joint2num=np.array([None, "x"], dtype=object))
    model = read_body_file(path)
    same(model, arrays)
    assert model.gender == "male"


def test_unzipped_npz_folder(tmp_path, arrays):
    (tmp_path / "SMPL_NEUTRAL").mkdir()
    for name, values in arrays.items():
        np.save(tmp_path / "SMPL_NEUTRAL" / f"{name}.npy", values)
    same(load_body_model(tmp_path / "SMPL_NEUTRAL"), arrays)


def test_zero_correctives_are_skipped(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **{**arrays, "posedirs": np.zeros((6890, 3, 207))})
    assert read_body_file(tmp_path / "a.npz").posedirs is None


@pytest.mark.parametrize("gender", ["neutral", "male", "female"])
def test_embedded_bodies(gender):
    model = load_body_model(gender)
    assert model is embedded_body(gender)
    assert model.gender == gender
    assert model.faces.shape == (13776, 3)
    np.testing.assert_allclose(model.weights.sum(1), 1, atol=1e-6)
    # Faces turn outwards: the volume is that of a person.
    corners = model.v_template[model.faces]
    volume = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert 0.04 < volume < 0.12


def test_arrays_are_read_only(plain_body):
    for array in (plain_body.v_template, plain_body.shapedirs, plain_body.rest_joints_template):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(AttributeError):
        plain_body.name = "other"


def test_places_are_searched_in_order(tmp_path, monkeypatch, arrays):
    first, second = tmp_path / "first", tmp_path / "second"
    for place in (first, second / "smpl"):
        place.mkdir(parents=True)
    np.savez(first / "SMPL_NEUTRAL.npz", **arrays)
    np.savez(second / "smpl" / "basicmodel_m_lbs_10_207_0_v1.1.0.npz", **arrays)
    assert load_body_model(search=[None, "", first]).source == first / "SMPL_NEUTRAL.npz"
    monkeypatch.setenv(BODY_VARIABLE, str(second))
    assert load_body_model("male").source.parent == second / "smpl"
    assert load_body_model(search=[first]).source.parent == first
    monkeypatch.delenv(BODY_VARIABLE)
    assert load_body_model() is embedded_body("neutral")
    assert load_body_model(search=["female"]).gender == "female"


def test_named_place_without_the_model_is_an_error_not_another_body(tmp_path, monkeypatch, arrays):
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **arrays)
    with pytest.raises(BodyModelError, match="female"):
        load_body_model("female", search=[tmp_path])
    monkeypatch.setenv(BODY_VARIABLE, str(tmp_path / "absent.pkl"))
    with pytest.raises(BodyModelError, match="does not exist"):
        load_body_model()


def test_female_is_not_taken_for_male(tmp_path, arrays):
    np.savez(tmp_path / "SMPL_FEMALE.npz", **arrays)
    with pytest.raises(BodyModelError, match="gender 'male'"):
        load_body_model("male", search=[tmp_path])
    assert load_body_model("female", search=[tmp_path]).gender == "female"


def smplx_file(arrays):
    count = 10475
    return {
        **arrays,
        "v_template": np.zeros((count, 3)),
        "kintree_table": np.zeros((2, 55), dtype=np.uint32),
    }


def smplh_file(arrays):
    return {**arrays, "kintree_table": np.zeros((2, 52), dtype=np.int64)}


def other_tree(arrays):
    table = arrays["kintree_table"].copy()
    table[0, 23] = 20
    return {**arrays, "kintree_table": table}


def without(key):
    return lambda arrays: {k: v for k, v in arrays.items() if k != key}


def changed(key, change):
    return lambda arrays: {**arrays, key: change(arrays[key].copy())}


def put(value):
    def change(array):
        array.reshape(-1)[0] = value
        return array

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (smplx_file, r"SMPL-X \(10475 vertices, 55 joints\)"),
        (smplh_file, r"SMPL-H \(52 joints\)"),
        (other_tree, "another joint tree"),
        (without("J_regressor"), "J_regressor not found"),
        (without("f"), "f not found"),
        (changed("shapedirs", lambda a: a[:, :, :5]), r"'shapedirs' has shape \(6890, 3, 5\)"),
        (changed("posedirs", lambda a: a[:, :, :100]), "'posedirs' has shape"),
        (changed("weights", lambda a: a[:, :20]), "'weights' has shape"),
        (changed("weights", lambda a: a * 0.5), "do not sum to 1"),
        (changed("J_regressor", lambda a: a[:17]), "'J_regressor' has shape"),
        (changed("v_template", put(np.nan)), "NaN"),
        (changed("f", put(6890)), "vertices that do not exist"),
        (changed("v_template", lambda a: a.astype(str)), "no numbers"),
    ],
)
def test_wrong_models_are_named(tmp_path, arrays, change, words):
    path = tmp_path / "SMPL_NEUTRAL.npz"
    np.savez(path, **change(arrays))
    with pytest.raises(BodyModelError, match=words) as caught:
        load_body_model(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.5, 0.99])
def test_truncated_files(tmp_path, arrays, official_pkl, fraction):
    npz = tmp_path / "SMPL_NEUTRAL.npz"
    np.savez(npz, **arrays)
    pkl = tmp_path / "SMPL_NEUTRAL.pkl"
    pkl.write_bytes(official_pkl.read_bytes())
    for path in (npz, pkl):
        content = path.read_bytes()
        path.write_bytes(content[: int(fraction * len(content))])
        with pytest.raises(BodyModelError, match="SMPL_NEUTRAL"):
            load_body_model(path)


@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html>log in to download</html>", "web page"),
        (b"see README\n", "text file"),
        (pickle.dumps([1, 2]), "dictionary|pickle"),
    ],
)
def test_files_of_another_kind(tmp_path, suffix, content, words):
    path = tmp_path / f"SMPL_NEUTRAL{suffix}"
    path.write_bytes(content)
    with pytest.raises(BodyModelError, match=words):
        load_body_model(path)


def test_needed_array_that_is_an_expression_is_named(tmp_path, arrays):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    content = pickle.dumps({**arrays, "weights": "here"}, protocol=2)
    marker = pickle.dumps("here", protocol=2)[2:].split(b"q")[0]
    assert content.count(marker) == 1
    path.write_bytes(content.replace(marker, b"cchumpy.ch\nadd\n)\x81}b"))
    with pytest.raises(BodyModelError, match="'weights' holds no numbers"):
        load_body_model(path)


def test_hostile_pickle_is_refused(tmp_path):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(b"\x80\x02cos\nsystem\n(Vtouch it-ran\ntR.")
    with pytest.raises(UnsafeFileError, match=r"os\.system"):
        load_body_model(path)
