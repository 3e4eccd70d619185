"""Alpha, how sure it is, and what each source of evidence says alone."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QPolygonF
from PyQt6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.panels.dock import ScrollPanel, label, scaled
from app.session import Session
from app.theme import DARK, Theme, monospace_family
from refine_engine.state import ScaleReport

_ROW = 22
_LEFT = 98
_RIGHT = 56
_PROFILE = 92
"""Heights and widths in pixels."""


class CueChart(QWidget):
    """A row a cue: its alpha with one sigma to each side, all on one axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report: ScaleReport | None = None
        self._theme: Theme = DARK
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("What each cue says about alpha")

    def sizeHint(self) -> QSize:
        """A row a cue."""
        rows = len(self._report.cues) if self._report else 0
        return QSize(240, rows * scaled(_ROW) + 2)

    def show_report(self, report: ScaleReport | None, theme: Theme) -> None:
        """Draw another answer."""
        self._report, self._theme = report, theme
        self.setVisible(bool(report and report.cues))
        if report:
            lines = [
                f"{c.name}: {c.alpha:.4g} ± {c.sigma:.2g}"
                if c.alpha is not None and c.sigma is not None
                else f"{c.name}: says nothing"
                for c in report.cues
            ]
            self.setToolTip("Metres per reconstruction unit\n" + "\n".join(lines))
        self.updateGeometry()
        self.update()

    def _range(self) -> tuple[float, float]:
        report = self._report
        if report is None:
            return 0.0, 1.0
        ends = [report.alpha]
        for cue in report.cues:
            if cue.alpha is not None:
                sigma = cue.sigma or 0.0
                ends += [cue.alpha - sigma, cue.alpha + sigma]
        # One very unsure cue must not squeeze the others: three times alpha is far enough.
        low = max(min(ends), report.alpha / 3)
        high = min(max(ends), report.alpha * 3)
        room = max(high - low, abs(report.alpha) * 0.02) * 0.08
        return low - room, high + room

    def paintEvent(self, event) -> None:
        """Names left, intervals, values right."""
        report, theme = self._report, self._theme
        if report is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        low, high = self._range()
        left, right = float(scaled(_LEFT)), float(self.width() - scaled(_RIGHT))

        def x_of(value: float) -> float:
            part = (value - low) / (high - low)
            return left + min(max(part, 0.0), 1.0) * (right - left)

        mono = QFont(monospace_family())
        mono.setPixelSize(scaled(11))
        plain = self.font()
        x = x_of(report.alpha)
        painter.setPen(QPen(QColor(theme.quiet), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(x, 0), QPointF(x, len(report.cues) * scaled(_ROW)))
        for row, cue in enumerate(report.cues):
            middle = row * scaled(_ROW) + scaled(_ROW) / 2
            painter.setFont(plain)
            painter.setPen(QColor(theme.text if cue.alpha is not None else theme.quiet))
            name = QFontMetrics(plain).elidedText(
                cue.name, Qt.TextElideMode.ElideRight, scaled(_LEFT) - 6
            )
            painter.drawText(
                QRectF(0, row * scaled(_ROW), scaled(_LEFT) - 6, scaled(_ROW)),
                Qt.AlignmentFlag.AlignVCenter,
                name,
            )
            painter.setPen(QPen(QColor(theme.line), 2))
            painter.drawLine(QPointF(left, middle), QPointF(right, middle))
            painter.setFont(mono)
            painter.setPen(QColor(theme.text if cue.alpha is not None else theme.quiet))
            painter.drawText(
                QRectF(right, row * scaled(_ROW), scaled(_RIGHT), scaled(_ROW)),
                int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight),
                f"{cue.alpha:.3f}" if cue.alpha is not None else "none",
            )
            if cue.alpha is None:
                continue
            painter.setPen(QPen(QColor(theme.accent), 2))
            sigma = cue.sigma or 0.0
            painter.drawLine(
                QPointF(x_of(cue.alpha - sigma), middle), QPointF(x_of(cue.alpha + sigma), middle)
            )
            painter.setBrush(QColor(theme.accent))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawEllipse(QPointF(x_of(cue.alpha), middle), 3.5, 3.5)


class ProfileChart(QWidget):
    """How likely everybody's motion together is over alpha: the lower, the likelier."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report: ScaleReport | None = None
        self._theme: Theme = DARK
        self.setAccessibleName("Everybody's motion over alpha")
        self.setToolTip(
            "What everybody's motion says together: negative log-likelihood under the motion prior "
            "(nats above its least value) over alpha (metres per reconstruction unit). "
            "The dotted line is the answer."
        )

    def show_report(self, report: ScaleReport | None, theme: Theme) -> None:
        """Draw another answer."""
        self._report, self._theme = report, theme
        self.setFixedHeight(scaled(_PROFILE))
        self.setVisible(bool(report and len(report.curve) > 2))
        self.update()

    def paintEvent(self, event) -> None:
        """The curve, alpha, and both axes' ends with their units."""
        report, theme = self._report, self._theme
        if report is None or len(report.curve) < 3:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        alphas = [a for a, _ in report.curve]
        top = max(max(nats for _, nats in report.curve), 1e-9)
        left, right = float(scaled(_LEFT)), float(self.width() - scaled(_RIGHT))
        upper, lower = 18.0, float(self.height() - scaled(18))

        def point(alpha: float, nats: float) -> QPointF:
            part = (alpha - alphas[0]) / (alphas[-1] - alphas[0])
            part = min(max(part, 0.0), 1.0)
            return QPointF(left + part * (right - left), lower - nats / top * (lower - upper))

        small = QFont(self.font())
        small.setPixelSize(max(self.font().pixelSize() - 2, 9))
        painter.setFont(small)
        painter.setPen(QColor(theme.quiet))
        middle = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.drawText(
            QRectF(0, upper, scaled(_LEFT) - 6, lower - upper), middle, "everybody's\nmotion, nats"
        )
        painter.drawText(QRectF(right + 6, upper - 8, scaled(_RIGHT) - 6, 16), middle, f"{top:.3g}")
        painter.drawText(QRectF(right + 6, lower - 8, scaled(_RIGHT) - 6, 16), middle, "0")
        for alpha, align in (
            (alphas[0], Qt.AlignmentFlag.AlignLeft),
            (alphas[-1], Qt.AlignmentFlag.AlignRight),
        ):
            painter.drawText(QRectF(left, lower + 2, right - left, 16), align, f"α {alpha:.2f}")
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.drawLine(QPointF(left, lower), QPointF(right, lower))
        painter.setPen(QPen(QColor(theme.quiet), 1, Qt.PenStyle.DotLine))
        at = point(report.alpha, 0.0).x()
        painter.drawLine(QPointF(at, upper - 4), QPointF(at, lower))
        painter.setPen(QPen(QColor(theme.accent), 1.5))
        painter.drawPolyline(QPolygonF([point(a, nats) for a, nats in report.curve]))


def _about_delta(report: ScaleReport) -> str:
    """What the change of alpha is, and how large it may be."""
    text = "Change of alpha against its first estimate, alpha_0"
    if report.bound is None:
        return f"{text}; not bounded" if report.bound_source == "free" else text
    least, largest = report.bound
    return f"{text}; allowed: {least:+.1%} to {largest:+.1%} ({report.bound_source})"


class ScalePanel(ScrollPanel):
    """The answer about scale, with how far it can be trusted."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._theme: Theme = DARK
        row = QHBoxLayout()
        row.setSpacing(12)
        self.alpha = label("", "big-number")
        self.sigma = label("", "quiet-number")
        self.delta = label("", "quiet-number")
        self.alpha.setToolTip("Metres per reconstruction unit of the cameras")
        self.sigma.setToolTip("Standard deviation of alpha, undamped, after the scale sub-stage")
        for widget in (self.alpha, self.sigma, self.delta):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignBaseline)
        row.addStretch(1)
        self.column.addLayout(row)
        self.chart = CueChart(self.content)
        self.column.addWidget(self.chart)
        self.profile = ProfileChart(self.content)
        self.column.addWidget(self.profile)
        self.note = label("", "quiet")
        self.note.setWordWrap(True)
        self.note.setContentsMargins(0, 4, 0, 4)
        self.column.addWidget(self.note)
        self.column.addStretch(1)
        session.scale_changed.connect(self.show_scale)
        session.scene_changed.connect(self.show_scale)
        self.show_scale()

    def heading(self) -> str:
        """One word for the dock's title."""
        report = self._session.scale
        if report is None:
            return ""
        if report.at_bound:
            return "at its bound"
        return "observable" if report.observable else "not observable"

    def show_scale(self) -> None:
        """Draw what the session knows."""
        report, state = self._session.scale, self._session.state
        self.chart.show_report(report, self._theme)
        self.profile.show_report(report, self._theme)
        self.note.setVisible(True)
        if report is None:
            if state is None:
                self.alpha.setText("")
                self.note.setText("Metres per reconstruction unit, once a folder is open.")
            else:
                self.alpha.setText(f"α {state.alpha:.3f}")
                self.note.setText("First estimate; run the refinement to see how sure it is.")
            self.sigma.setText("")
            self.delta.setText("")
            return
        self.alpha.setText(f"α {report.alpha:.3f}")
        self.sigma.setText(f"± {report.sigma:.3f}" if report.sigma is not None else "")
        self.delta.setText(f"Δα {report.delta:+.1%}")
        self.delta.setToolTip(_about_delta(report))
        # The engine's note says which bound was reached, and which setting widens it.
        self.note.setText(report.note)
        self.note.setVisible(bool(report.note))

    def set_theme(self, theme: Theme) -> None:
        """Colours of the chart."""
        self._theme = theme
        self.show_scale()
