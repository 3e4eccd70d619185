from __future__ import annotations

import collections
import pickle

import numpy as np
import pytest
import scipy.sparse

from refine_engine.errors import InputError
from refine_engine.safe_files import load_object_array, load_pickle

DETECTION = {
    "track_id": 3,
    "bbox": [1.0, 2.0, 3.0, 4.0],
    "confidence": 0.5,
    "keypoints_2d": [[0.1, 0.2, 0.3]],
    "name": "péter",
    "nothing": None,
    "flag": True,
}


def dump(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_builtin_values_come_back(tmp_path, protocol):
    path = dump(tmp_path / "d.pkl", [DETECTION, {1, 2}, (3, b"\x00\xff")], protocol)
    assert load_pickle(path, numeric=False) == [DETECTION, {1, 2}, (3, b"\x00\xff")]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.arange(5, dtype=">i4"),
        np.zeros((0, 3)),
        np.array(2.5),
        np.array([True, False]),
        np.array(["ab", "c"]),
        np.array([b"ab", b"c"]),
        np.array([1 + 2j]),
        np.arange(4, dtype=np.uint32),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_arrays_come_back(tmp_path, array, protocol):
    loaded = load_pickle(dump(tmp_path / "a.pkl", {"x": array}, protocol))["x"]
    assert type(loaded) is np.ndarray
    np.testing.assert_array_equal(loaded, array)
    assert loaded.shape == array.shape
    assert loaded.dtype == array.dtype.newbyteorder("=") or loaded.dtype == array.dtype


@pytest.mark.parametrize("protocol", range(6))
def test_object_arrays_and_scalars_come_back(tmp_path, protocol):
    items = np.array([{"id": 1, "box": np.ones(2)}, None, "x", [1]], dtype=object).reshape(2, 2)
    value = collections.OrderedDict(objects=items, scalar=np.float32(2.5), flag=np.bool_(True))
    loaded = load_pickle(dump(tmp_path / "o.pkl", value, protocol))
    assert loaded["scalar"] == np.float32(2.5)
    assert loaded["flag"]
    assert loaded["objects"].shape == (2, 2)
    np.testing.assert_array_equal(loaded["objects"][0, 0]["box"], [1, 1])
    assert loaded["objects"][1, 1] == [1]


@pytest.mark.parametrize("layout", ["csc", "csr", "coo"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_sparse_matrices_come_back_dense(tmp_path, layout, kind, protocol):
    dense = np.array([[0, 1.5, 0, 0], [2, 0, 0, 3], [0, 0, 0, 0]])
    sparse = getattr(scipy.sparse, f"{layout}_{kind}")(dense)
    loaded = load_pickle(dump(tmp_path / "s.pkl", {"J": sparse}, protocol))["J"]
    np.testing.assert_array_equal(loaded, dense)


def test_shared_and_circular_containers_keep_their_structure(tmp_path):
    shared = [np.ones(2)]
    circle: dict[str, object] = {"a": shared, "b": shared}
    circle["self"] = circle
    loaded = load_pickle(dump(tmp_path / "c.pkl", circle))
    assert loaded["a"] is loaded["b"]
    assert loaded["self"] is loaded


def test_dictionary_inside_npy(tmp_path):
    camera = {"pred_cam_R": np.eye(3)[None], "img_focal": 600.0}
    np.save(tmp_path / "camera.npy", camera, allow_pickle=True)
    loaded = load_object_array(tmp_path / "camera.npy")
    np.testing.assert_array_equal(loaded["pred_cam_R"], camera["pred_cam_R"])
    assert loaded["img_focal"] == 600.0


def test_dictionary_inside_npz_and_inside_its_unzipped_folder(tmp_path):
    value = {"frames": [3, 4], "trajectory_world": np.ones((2, 3)), "num_frames": 2}
    np.savez(tmp_path / "all.npz", person_1=np.array(value, dtype=object), plain=np.arange(3))
    loaded = load_object_array(tmp_path / "all.npz", "person_1")
    assert loaded["frames"] == [3, 4]
    np.testing.assert_array_equal(load_object_array(tmp_path / "all.npz", "plain"), np.arange(3))
    (tmp_path / "bare").mkdir()
    np.save(tmp_path / "bare" / "person_1.npy", np.array(value, dtype=object), allow_pickle=True)
    assert load_object_array(tmp_path / "bare.npz", "person_1")["num_frames"] == 2
    with pytest.raises(InputError, match="person_9"):
        load_object_array(tmp_path / "all.npz", "person_9")


def test_ragged_object_array(tmp_path):
    ragged = np.empty(2, dtype=object)
    ragged[0], ragged[1] = np.ones((1, 5)), np.zeros((3, 5))
    np.save(tmp_path / "boxes.npy", ragged, allow_pickle=True)
    loaded = load_object_array(tmp_path / "boxes.npy")
    assert [len(boxes) for boxes in loaded] == [1, 3]


def test_numeric_npy_is_returned_as_it_is(tmp_path):
    np.save(tmp_path / "boxes.npy", np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(
        load_object_array(tmp_path / "boxes.npy"), np.arange(6).reshape(2, 3)
    )


def test_tensors_inside_npy_come_out_as_arrays(tmp_path):
    torch = pytest.importorskip("torch")
    base = torch.arange(12.0).reshape(3, 4)
    track = {
        "part": base[1:, ::2],
        "spread": torch.ones(2, 1).expand(2, 3),
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "frame": torch.tensor([4, 5]),
        "empty": torch.zeros(0, 3),
    }
    np.save(tmp_path / "t.npy", track, allow_pickle=True)
    loaded = load_object_array(tmp_path / "t.npy", tensors=True)
    for name, tensor in track.items():
        np.testing.assert_array_equal(loaded[name], tensor.float().numpy())
    assert loaded["frame"].dtype == np.int64
    with pytest.raises(InputError, match="_rebuild_tensor_v2"):
        load_object_array(tmp_path / "t.npy")


def test_every_truncation_is_an_input_error(tmp_path):
    content = pickle.dumps({"x": np.arange(20.0), "y": [DETECTION] * 2}, protocol=4)
    path = tmp_path / "t.pkl"
    for keep in range(0, len(content) - 1, 5):
        path.write_bytes(content[:keep])
        with pytest.raises(InputError):
            load_pickle(path)


def test_changed_bytes_never_escape_as_another_error(tmp_path):
    sparse = scipy.sparse.csc_matrix(np.eye(4))
    content = pickle.dumps({"x": np.arange(6.0), "s": sparse, "d": DETECTION}, protocol=2)
    path = tmp_path / "f.pkl"
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(600):
        changed = bytearray(content)
        for _ in range(int(rng.integers(1, 4))):
            changed[rng.integers(2, len(content))] = int(rng.integers(256))
        path.write_bytes(changed)
        try:
            load_pickle(path)
        except InputError:
            refused += 1
    assert refused > 200


def test_damaged_sparse_matrix_is_refused_not_read_out_of_bounds(tmp_path):
    sparse = scipy.sparse.csc_matrix(np.eye(4))
    sparse.indices = np.array([0, 1, 2, 900], dtype=np.int32)
    with pytest.raises(InputError, match="out of range"):
        load_pickle(dump(tmp_path / "s.pkl", sparse))


def test_other_files_are_named(tmp_path):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match="git lfs pull"):
        load_pickle(path)
    with pytest.raises(InputError, match="does not exist"):
        load_pickle(tmp_path / "absent.pkl")
    dump(path, list(range(1000)))
    with pytest.raises(InputError, match="limit"):
        load_pickle(path, max_bytes=100)
