from __future__ import annotations

import pytest

from refine_engine.errors import InputError, UnsafeFileError
from refine_engine.safe_files import load_torch

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("modern", [True, False])
def test_reads_tensors_on_the_cpu(tmp_path, modern):
    path = tmp_path / "model.pth"
    torch.save(
        {"model": {"module.w": torch.eye(2)}, "epoch": 3},
        path,
        _use_new_zipfile_serialization=modern,
    )
    loaded = load_torch(path)
    assert torch.equal(loaded["model"]["module.w"], torch.eye(2))
    assert loaded["model"]["module.w"].device.type == "cpu"
    assert loaded["epoch"] == 3


class Custom:
    """A class that no reader should look up."""


def test_other_classes_are_refused_by_name(tmp_path):
    torch.save({"x": Custom()}, tmp_path / "model.pt")
    with pytest.raises(UnsafeFileError, match="Custom"):
        load_torch(tmp_path / "model.pt")


@pytest.mark.parametrize("modern", [True, False])
def test_truncated_file(tmp_path, modern):
    path = tmp_path / "model.pt"
    torch.save({"x": torch.ones(100)}, path, _use_new_zipfile_serialization=modern)
    content = path.read_bytes()
    for keep in (0, 10, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:keep])
        with pytest.raises(InputError, match=r"model\.pt"):
            load_torch(path)


def test_other_files_are_named(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"<html>please log in</html>")
    with pytest.raises(InputError, match="web page"):
        load_torch(path)
    torch.save(torch.ones(1000), path)
    with pytest.raises(InputError, match="limit"):
        load_torch(path, max_bytes=1000)
