from __future__ import annotations

from pathlib import Path

import pytest
from PyQt6.QtCore import QSize
from PyQt6.QtGui import QColor, QImage

from app.exports import write_picture
from app.main_window import MainWindow
from refine_engine.errors import ExportError


def picture() -> QImage:
    image = QImage(QSize(20, 10), QImage.Format.Format_RGB32)
    image.fill(QColor("#204060"))
    return image


def test_a_picture_is_written_whole(tmp_path: Path) -> None:
    for name in ("view.png", "view.jpg"):
        write_picture(tmp_path / name, picture())
        read = QImage(str(tmp_path / name))
        assert (read.width(), read.height()) == (20, 10)
    assert read.pixelColor(3, 3).blue() > 80
    assert sorted(p.name for p in tmp_path.iterdir()) == ["view.jpg", "view.png"]


def test_an_unknown_ending_and_a_missing_place_are_said(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no known picture format"):
        write_picture(tmp_path / "view.smpl", picture())
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        write_picture(tmp_path / "file" / "view.png", picture())
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_session_that_cannot_be_written_names_its_own_file(
    opened: MainWindow, tmp_path: Path
) -> None:
    failures = []
    opened.session.failed.connect(failures.append)
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "s.smplsession"
    opened.files.save_session_to(target)
    assert str(target) in failures[0].message
    assert failures[0].title in opened.status.notice.toolTip()
    opened.dialogs.errors[0].accept()
