"""Collects what opening a folder detects, for the import report."""

from __future__ import annotations

import re
from typing import Literal

from refine_engine.scene import Finding, ImportReport


class FindingList:
    """Grows while a folder is read; :meth:`report` freezes it in the order of the codes."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._missing: list[str] = []

    def _add(
        self,
        action: Literal["repaired", "reported", "discarded"],
        code: str,
        count: int,
        message: str,
        person: int | None,
    ) -> None:
        self._findings.append(Finding(code, action, int(count), message, person))

    def repaired(self, code: str, count: int, message: str, person: int | None = None) -> None:
        """Note something that was put right."""
        self._add("repaired", code, count, message, person)

    def reported(self, code: str, count: int, message: str, person: int | None = None) -> None:
        """Note something that the user should know and that was left as it is."""
        self._add("reported", code, count, message, person)

    def discarded(self, code: str, count: int, message: str, person: int | None = None) -> None:
        """Note something that was not used."""
        self._add("discarded", code, count, message, person)

    def missing(self, sentence: str) -> None:
        """Note what is absent and what that means for refinement."""
        self._missing.append(sentence)

    def report(self) -> ImportReport:
        """Return the report, known codes in numerical order first."""
        findings = sorted(self._findings, key=_order)
        return ImportReport(tuple(findings), tuple(self._missing))


def _order(finding: Finding) -> tuple[int, str, int]:
    known = re.fullmatch(r"B(\d+)", finding.code)
    return (int(known[1]) if known else 1000, finding.code, finding.person or 0)
