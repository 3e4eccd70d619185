"""What opening the folder found, and a log of what happened; both can be copied."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from app.panels.dock import GUTTER
from app.session import Session
from app.theme import DARK, Theme
from app.wording import in_window_words
from refine_engine.scene import Finding

_LOG_LINES = 500
_WEIGHT = {"discarded": 0, "reported": 1, "repaired": 2}
"""What may still harm comes before what was put right."""
SAY = "file.open_with"
"""The command by which a user says what the folder does not."""


class ReportPanel(QWidget):
    """What is missing, the importer's findings, then the log."""

    command_wanted = pyqtSignal(str)
    """Key of a command that a link asks for."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._theme: Theme = DARK
        self._log: list[str] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(GUTTER, 0, GUTTER, 8)
        column.setSpacing(6)
        self.text = QTextBrowser(self)
        self.text.setAccessibleName("Import report and log")
        self.text.setOpenLinks(False)
        self.text.anchorClicked.connect(lambda url: self.command_wanted.emit(url.toString()))
        self.text.setMinimumHeight(60)
        column.addWidget(self.text, 1)
        row = QHBoxLayout()
        self.copy = QPushButton("Copy", self)
        self.copy.setToolTip("Copy the report and the log as text")
        self.copy.clicked.connect(self._copy)
        row.addWidget(self.copy)
        row.addStretch(1)
        column.addLayout(row)
        session.scene_changed.connect(self.refresh)
        session.notice.connect(self.log)
        session.failed.connect(lambda failure: self.log(f"{failure.title}: {failure.message}"))
        self.refresh()

    def log(self, sentence: str) -> None:
        """Add a line with the time."""
        self._log = [*self._log, f"{datetime.now():%H:%M:%S}  {sentence}"][-_LOG_LINES:]
        self.refresh()

    def plain(self) -> str:
        """Report and log as text."""
        scene = self._session.scene
        lines: list[str] = []
        if scene is not None:
            lines.append(f"Folder: {scene.root}")
            lines += [f"missing: {in_window_words(text)}" for text in scene.report.missing]
            for finding in _by_weight(scene.report.findings):
                who = f" person {finding.person}:" if finding.person is not None else ""
                message = in_window_words(finding.message)
                lines.append(f"[{finding.code}] {finding.action}{who} {message}")
            lines.append("")
        return "\n".join([*lines, *self._log])

    def refresh(self) -> None:
        """Write all anew: what is missing first, then what was found, then the log."""
        theme, scene = self._theme, self._session.scene
        parts: list[str] = []
        if scene is None:
            parts.append(
                "<p>Open a results folder: what it holds and what was repaired stands here.</p>"
            )
        else:
            report = scene.report
            if not report.findings and not report.missing:
                parts.append("<p>Nothing had to be repaired, and nothing is missing.</p>")
            if report.missing:
                parts.append(_heading("Missing, and what that means", theme))
            for text in report.missing:
                parts.append(
                    f'<p><span style="color:{theme.warn}">missing</span> '
                    f"{escape(in_window_words(text))}{self._remedy(text)}</p>"
                )
            if report.findings:
                parts.append(_heading("Found on opening", theme))
            for finding in _by_weight(report.findings):
                colour = theme.accent if finding.action == "repaired" else theme.warn
                who = f"person {finding.person}: " if finding.person is not None else ""
                if finding.message.lower().startswith(who.strip()):
                    who = ""
                parts.append(
                    f'<p><span style="color:{colour}">{finding.action}</span> '
                    f"{escape(who)}{escape(in_window_words(finding.message))}</p>"
                )
        if self._log:
            parts.append(_heading("Log", theme))
            log = "<br>".join(escape(line) for line in reversed(self._log))
            parts.append(f'<p style="color:{theme.quiet}">{log}</p>')
        self.text.setHtml("".join(parts))

    def _remedy(self, text: str) -> str:
        """A link to where what is missing can be said."""
        can_be_said = text.startswith(("No frame rate", "No video", "No 2-D keypoints"))
        return f' <a href="{SAY}">Say it…</a>' if can_be_said else ""

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.plain())

    def set_theme(self, theme: Theme) -> None:
        """Colours of the words."""
        self._theme = theme
        self.refresh()


def _by_weight(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: _WEIGHT[finding.action])


def _heading(text: str, theme: Theme) -> str:
    return f'<p style="color:{theme.quiet}"><b>{text}</b></p>'
