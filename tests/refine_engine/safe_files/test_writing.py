"""Files that belong together appear all or not at all; one run at a time writes a folder."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from refine_engine.errors import ExportError
from refine_engine.safe_files import npz_bytes, only_writer, open_npz, write_files


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A disk on which no file can grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_all_are_written_with_the_rights_that_the_user_gives(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_files({tmp_path / "new" / "a": b"1", tmp_path / "b": b"2"})
    finally:
        os.umask(mask)
    assert everything(tmp_path) == {"new/a": b"1", "b": b"2"}
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o640


def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old a")
    files = {
        tmp_path / "a": b"new a",
        tmp_path / "new" / "deep" / "b": b"x" * 5000,
        tmp_path / "c": b"c",
    }
    with largest_file(2000), pytest.raises(ExportError, match=r"deep/b: cannot be written"):
        write_files(files)
    assert everything(tmp_path) == {"a": b"old a"}
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_in_the_way_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(ExportError, match="b: is a folder where a file is to be written"):
        write_files({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert os.listdir(tmp_path) == ["b"]


def test_a_pipe_or_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ExportError, match="pipe: is no ordinary file"):
        write_files({tmp_path / "a": b"1", tmp_path / "pipe": b"2"})
    assert os.listdir(tmp_path) == ["pipe"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_stays_one_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"old")
    (tmp_path / "a").symlink_to(tmp_path / "real" / "a")
    write_files({tmp_path / "a": b"new"})
    assert (tmp_path / "a").is_symlink()
    assert everything(tmp_path / "real") == {"a": b"new"}
    (tmp_path / "dead").symlink_to("/not/mounted/a")
    with pytest.raises(ExportError, match=r"dead: is a link to /not/mounted/a.*not there"):
        write_files({tmp_path / "dead": b"new"})


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(ExportError, match="a/b: cannot be written"):
        write_files({tmp_path / "a" / "b": b"1"})
    assert everything(tmp_path) == {"a": b"mine"}


def test_an_interruption_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_files({tmp_path / "new" / "a": b"1"})
    assert not os.listdir(tmp_path)


def test_long_and_foreign_names(tmp_path: Path) -> None:
    names = ["x" * 255, "Zoë 走る 🏃.json", "a\nb"]
    write_files({tmp_path / name: b"1" for name in names})
    assert sorted(os.listdir(tmp_path)) == sorted(names)


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    write_files({tmp_path / "a.npz": npz_bytes({"x": np.arange(3)})})
    with open_npz(tmp_path / "a.npz") as file:
        np.testing.assert_array_equal(file["x"], np.arange(3))
    with pytest.raises(ValueError, match="allow_pickle"):
        npz_bytes({"x": np.array([{}], dtype=object)})


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with only_writer(folder):
        write_files({folder / "a": b"1"})
        busy = pytest.raises(ExportError, match=r"out: is being written by another run; .*--output")
        with busy, only_writer(folder):
            raise AssertionError("held twice")
        with only_writer(tmp_path / "other"):
            pass
    with only_writer(folder):
        pass
    assert os.listdir(folder) == ["a"]
    # A folder into which nothing was written is gone again.
    assert os.listdir(tmp_path) == ["out"]


def test_a_killed_writer_holds_nothing(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from refine_engine.safe_files import only_writer
        with only_writer(Path(sys.argv[1])):
            print("held", flush=True)
            time.sleep(60)
        """
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ExportError, match="another run"), only_writer(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with only_writer(tmp_path):
            pass


def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = pytest.raises(ExportError, match=r"file/out: cannot be made .*--output")
    with refused, only_writer(tmp_path / "file" / "out"):
        raise AssertionError("made")
