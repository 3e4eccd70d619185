"""What opening the folder found, and a log of what happened; both can be copied."""

from __future__ import annotations

from datetime import datetime
from html import escape

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

_LOG_LINES = 500
_ACTIONS = {"repaired": "repaired", "reported": "reported", "discarded": "discarded"}


class ReportPanel(QWidget):
    """The importer's findings, what is missing, then the log."""

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

    def repairs(self) -> int:
        """How many findings were repaired."""
        scene = self._session.scene
        return sum(f.action == "repaired" for f in scene.report.findings) if scene else 0

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
            for finding in scene.report.findings:
                who = f" person {finding.person}:" if finding.person is not None else ""
                lines.append(f"[{finding.code}] {finding.action}{who} {finding.message}")
            lines += [f"missing: {text}" for text in scene.report.missing]
            lines.append("")
        return "\n".join([*lines, *self._log])

    def refresh(self) -> None:
        """Write all anew, keeping the log's end in view."""
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
            for finding in report.findings:
                colour = theme.accent if finding.action == "repaired" else theme.warn
                who = f"person {finding.person}: " if finding.person is not None else ""
                parts.append(
                    f'<p><span style="color:{colour}">{_ACTIONS[finding.action]}</span> '
                    f"<b>{escape(finding.code)}</b> {escape(who)}{escape(finding.message)}</p>"
                )
            for text in report.missing:
                parts.append(
                    f'<p><span style="color:{theme.warn}">missing</span> {escape(text)}</p>'
                )
        if self._log:
            parts.append(f'<p style="color:{theme.quiet}"><b>Log</b></p>')
            log = "<br>".join(escape(line) for line in reversed(self._log))
            parts.append(f'<p style="color:{theme.quiet}">{log}</p>')
        self.text.setHtml("".join(parts))

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.plain())

    def set_theme(self, theme: Theme) -> None:
        """Colours of the words."""
        self._theme = theme
        self.refresh()
