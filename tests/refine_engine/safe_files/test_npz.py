from __future__ import annotations

import struct
import zipfile

import numpy as np
import pytest

from refine_engine.errors import InputError
from refine_engine.safe_files import file_kind, find_npz, open_npz, read_array, read_header


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {"poses": rng.normal(size=(4, 3)), "frames": np.arange(4), "mask": np.ones(3, bool)}


def write_header(path, text, data=b""):
    text = text.encode().ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_gives_back_what_was_saved(tmp_path, arrays, save):
    save(tmp_path / "a.npz", **arrays)
    with open_npz(tmp_path / "a.npz") as opened:
        assert set(opened) == set(arrays)
        assert opened.header("poses").shape == (4, 3)
        for name, values in arrays.items():
            np.testing.assert_array_equal(opened[name], values)
            assert opened[name].dtype == values.dtype


def test_folder_of_npy_stands_in_for_npz(tmp_path, arrays):
    (tmp_path / "cameras").mkdir()
    for name, values in arrays.items():
        np.save(tmp_path / "cameras" / f"{name}.npy", values)
    assert find_npz(tmp_path / "cameras.npz") == tmp_path / "cameras"
    with open_npz(tmp_path / "cameras.npz") as opened:
        assert set(opened.read_all()) == set(arrays)
        np.testing.assert_array_equal(opened["poses"], arrays["poses"])


def test_npz_file_wins_over_the_folder(tmp_path, arrays):
    (tmp_path / "a").mkdir()
    np.save(tmp_path / "a" / "poses.npy", np.zeros(1))
    np.savez(tmp_path / "a.npz", **arrays)
    with open_npz(tmp_path / "a.npz") as opened:
        assert opened["poses"].shape == (4, 3)


def test_membership_does_not_read_the_array(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", bad=np.array([{}], dtype=object), **arrays)
    with open_npz(tmp_path / "a.npz") as opened:
        assert "bad" in opened
        assert "absent" not in opened
        with pytest.raises(KeyError):
            opened["absent"]


def test_object_members_are_listed_and_refused_while_others_load(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", person_1=np.array({"frames": [1]}, dtype=object), **arrays)
    with open_npz(tmp_path / "a.npz") as opened:
        assert opened.object_names == ("person_1",)
        assert set(opened.read_all()) == set(arrays)
        with pytest.raises(InputError, match=r"person_1.*Python objects"):
            opened["person_1"]


def test_memory_mapped_array_is_read_only_and_equal(tmp_path, arrays):
    np.save(tmp_path / "d.npy", arrays["poses"])
    mapped = read_array(tmp_path / "d.npy", mmap=True)
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    np.testing.assert_array_equal(mapped, read_array(tmp_path / "d.npy"))


def test_empty_array_can_be_asked_for_as_a_map(tmp_path):
    np.save(tmp_path / "d.npy", np.zeros((0, 3)))
    assert read_array(tmp_path / "d.npy", mmap=True).shape == (0, 3)


@pytest.mark.parametrize("keep", [0, 5, 60, 100, 130, 150])
@pytest.mark.parametrize("mmap", [False, True])
def test_truncated_npy_is_an_input_error(tmp_path, arrays, keep, mmap):
    path = tmp_path / "d.npy"
    np.save(path, arrays["poses"])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"d\.npy"):
        read_array(path, mmap=mmap)


def test_every_truncation_of_an_npz_is_an_input_error(tmp_path, arrays):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **arrays)
    content = path.read_bytes()
    for keep in range(0, len(content) - 1, 7):
        path.write_bytes(content[:keep])
        with pytest.raises(InputError), open_npz(path) as opened:
            opened.read_all()


def test_changed_bytes_are_an_input_error_or_harmless(tmp_path, arrays):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **arrays)
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(150):
        changed = bytearray(content)
        changed[rng.integers(len(content))] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        try:
            with open_npz(path) as opened:
                opened.read_all()
        except InputError:
            refused += 1
    assert refused > 75


@pytest.mark.filterwarnings("ignore:Data type alias|Reading `.npy`")
def test_every_changed_byte_of_a_header_is_an_input_error_or_harmless(tmp_path):
    """A lone .npy has no checksum: whatever its header became is parsed."""
    path = tmp_path / "depth.npy"
    np.save(path, np.zeros((6, 9), dtype=bool))
    content = path.read_bytes()
    refused = 0
    for position in range(content.index(b"}") + 1):
        for value in b'\x00"(B,':
            changed = bytearray(content)
            changed[position] = value
            path.write_bytes(changed)
            try:
                read_array(path)
            except InputError:
                refused += 1
    assert refused > 250


def test_header_that_claims_too_much_is_refused_before_reading(tmp_path):
    path = tmp_path / "d.npy"
    write_header(path, "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }")
    with pytest.raises(InputError, match=r"8000\.0 GB"):
        read_array(path)
    with pytest.raises(InputError, match="truncated"):
        read_array(path, mmap=True)


def test_size_limit_is_the_callers(tmp_path, arrays):
    np.save(tmp_path / "d.npy", arrays["poses"])
    with pytest.raises(InputError, match="limit"):
        read_array(tmp_path / "d.npy", max_bytes=8)
    np.savez(tmp_path / "a.npz", **arrays)
    with open_npz(tmp_path / "a.npz", max_bytes=8) as opened, pytest.raises(InputError):
        opened["poses"]


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3), }",
        "{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False}",
        "not a dictionary",
    ],
)
def test_dishonest_header_is_refused(tmp_path, header):
    write_header(tmp_path / "d.npy", header, b"\0" * 64)
    with pytest.raises(InputError, match=r"d\.npy"):
        read_array(tmp_path / "d.npy")


def test_member_that_claims_more_than_the_archive_holds(tmp_path):
    member = tmp_path / "m.npy"
    write_header(member, "{'descr': '<f8', 'fortran_order': False, 'shape': (1000,), }", b"\0" * 8)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.write(member, "poses.npy")
    with open_npz(tmp_path / "a.npz") as opened, pytest.raises(InputError, match="truncated"):
        opened["poses"]


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"", "empty", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "lfs", "git lfs pull"),
        (b"<!DOCTYPE html><html>login</html>", "html", "web page"),
        (b"just some words\n", "text", "text file"),
        (b"\x89HDF\r\n\x1a\n....", "hdf5", "HDF5"),
        (b"\x80\x04\x95....", "pickle", "pickle"),
    ],
)
def test_errors_say_what_the_file_is_instead(tmp_path, content, kind, words):
    path = tmp_path / "cameras.npz"
    path.write_bytes(content)
    assert file_kind(path) == kind
    with pytest.raises(InputError, match=words) as caught:
        open_npz(path)
    assert caught.value.where == str(path)
    path = path.rename(tmp_path / "depth.npy")
    with pytest.raises(InputError, match=words):
        read_header(path)


def test_missing_file_and_empty_folder(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_npz(tmp_path / "absent.npz")
    with pytest.raises(InputError, match=r"without \.npy"):
        open_npz(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_array(tmp_path / "absent.npy")
    with pytest.raises(InputError, match="folder"):
        read_array(tmp_path)
