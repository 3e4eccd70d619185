"""Loss curves, one plot a sub-stage, the live one first and largest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QBuffer, QPoint, QRect, QSize, Qt, QTimer
from PyQt6.QtGui import QPainter, QPixmap
from PyQt6.QtWidgets import QWidget

from app.loss_curves import as_csv
from app.panels.dock import GUTTER, ScrollPanel, label
from app.panels.loss_legend import LossLegend
from app.session import Session
from app.theme import DARK, Theme
from refine_engine.errors import ExportError
from refine_engine.state import SUBSTAGES, SubStage

if TYPE_CHECKING:
    from app.panels.loss_plot import LossPlot

_REDRAW_MS = 100
_REDRAW_BESIDE_A_RUN_MS = 300
"""Drawing the plots takes time that the engine could use."""
_PREPARE_MS = 900
_PREPARE_GAP_MS = 60


class LossesPanel(ScrollPanel):
    """Plots appear with their sub-stage's first iteration."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._theme: Theme = DARK
        self.plots: dict[SubStage, LossPlot] = {}
        self.hidden: set[str] = set()
        self.column.setSpacing(7)
        # Above the plots, where it stays while they scroll.
        self.legend = LossLegend(self)
        self.legend.term_toggled.connect(self.toggle_term)
        self.legend.hide()
        self._legend_at = QRect()
        self.empty = label(
            "Loss curves appear here while a refinement runs: one plot for each sub-stage.", "quiet"
        )
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.column.addWidget(self.empty)
        self.column.addStretch(1)
        # Plots are redrawn at this pace at most, however fast values come.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.redraw)
        self._preparing = QTimer(self)
        self._preparing.setSingleShot(True)
        self._preparing.timeout.connect(self._prepare_next)
        session.losses_changed.connect(self._schedule)
        session.rows_changed.connect(self._schedule)
        session.losses_reset.connect(self._reset)

    def _schedule(self) -> None:
        if not self._timer.isActive():
            running = self._session.activity == "running"
            self._timer.start(_REDRAW_BESIDE_A_RUN_MS if running else _REDRAW_MS)

    def _reset(self) -> None:
        # What stays is not hidden in between: laying plots out anew takes longer than drawing them.
        present = self._present()
        for sub_stage, plot in self.plots.items():
            plot.setVisible(sub_stage in present)
        self.empty.setVisible(not present)
        self._schedule()

    def _present(self) -> list[SubStage]:
        """Sub-stages with values, in order."""
        curves = self._session.curves
        return [s for s in SUBSTAGES if s in curves and len(curves[s].iterations)]

    def redraw(self) -> None:
        """Draw all curves that have values, newest sub-stage on top."""
        if not self.isVisible():
            return
        present = self._present()
        for sub_stage in present:
            plot = self.plots.get(sub_stage) or self._add(sub_stage)
            if plot.isHidden():
                plot.setVisible(True)
            plot.show_curves(
                self._session.curves[sub_stage], self._session.rows[sub_stage], self.hidden
            )
        self.empty.setVisible(not present)
        self._show_legend(present)

    def _show_legend(self, present: list[SubStage]) -> None:
        names: dict[str, None] = {}
        for sub_stage in present:
            names.update(dict.fromkeys(self._session.curves[sub_stage].curves))
        self.legend.show_terms(tuple(names), self.hidden, self._theme)
        self.legend.setVisible(bool(names))
        self._place_legend()

    def _place_legend(self) -> None:
        width = max(self.width() - 2 * GUTTER, 60)
        height = 0 if self.legend.isHidden() else self.legend.heightForWidth(width)
        wanted = QRect(GUTTER, 0, width, height)
        # Margins lay the plots out again, so only where something changed.
        if wanted != self._legend_at:
            self._legend_at = wanted
            self.legend.setGeometry(wanted)
            self.setViewportMargins(0, height + 6 if height else 0, 0, 0)

    def resizeEvent(self, event) -> None:
        """The legend is as wide as the panel."""
        super().resizeEvent(event)
        self._place_legend()

    def showEvent(self, event) -> None:
        """Catch up with what came while hidden."""
        super().showEvent(event)
        self._schedule()

    def prepare(self) -> None:
        """Make the plots one by one while the window is idle, so that no run waits for them."""
        if self._preparing.isActive() or len(self.plots) == len(SUBSTAGES) - 1:
            return
        self._preparing.start(_PREPARE_MS)

    def _prepare_next(self) -> None:
        missing = [s for s in SUBSTAGES[1:] if s not in self.plots]
        if missing:
            self._add(missing[0]).setVisible(False)
        if len(missing) > 1:
            self._preparing.start(_PREPARE_GAP_MS)

    def _add(self, sub_stage: SubStage) -> LossPlot:
        from app.panels.loss_plot import LossPlot

        plot = LossPlot(sub_stage, self._theme, self.content)
        plot.hovered.connect(self._on_hovered)
        self.plots[sub_stage] = plot
        # Later sub-stages above earlier ones: what runs is on top.
        later = [s for s in self.plots if SUBSTAGES.index(s) > SUBSTAGES.index(sub_stage)]
        self.column.insertWidget(1 + len(later), plot)
        # A new widget would be last in the window's order of Tab.
        QWidget.setTabOrder(self.legend, plot.plot)
        return plot

    def _on_hovered(self, iteration: int | None) -> None:
        for plot in self.plots.values():
            plot.set_hovered(iteration)

    def toggle_term(self, term: str) -> None:
        """Hide or show a term's curve in all plots."""
        self.hidden ^= {term}
        self.redraw()

    def export(self, path: Path) -> None:
        """Write all curves: values as .csv, or the picture as .png or .svg.

        Raises
        ------
        ExportError
            The file cannot be written, or its name ends otherwise.
        """
        from refine_engine.exporters.results_json import write_bytes

        suffix = path.suffix.lower()
        if suffix == ".csv":
            data = as_csv(self._session.curves, SUBSTAGES).encode("utf-8")
        elif suffix == ".png":
            data = self._png()
        elif suffix == ".svg":
            data = self._svg()
        else:
            raise ExportError(path, "has no known ending", "name it .csv, .png or .svg")
        write_bytes(path, data)

    def _used(self) -> QRect:
        rows = [p.geometry() for p in self.plots.values() if p.isVisible()]
        used = QRect()
        for row in rows:
            used = used.united(row)
        return used.adjusted(-8, -8, 8, 8) if rows else self.content.rect()

    def _picture_size(self) -> QSize:
        used = self._used()
        return QSize(used.width(), used.height() + self.legend.height() + 10)

    def _paint_picture(self, painter: QPainter) -> None:
        """The legend, and all plots below it, whether scrolled into sight or not."""
        used, size = self._used(), self._picture_size()
        painter.fillRect(QRect(QPoint(0, 0), size), self.palette().window())
        self.legend.render(painter, QPoint(8, 8))
        below = QPoint(0, self.legend.height() + 10)
        for plot in self.plots.values():
            if plot.isVisible():
                plot.render(painter, plot.pos() - used.topLeft() + below)

    def _png(self) -> bytes:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self._picture_size() * ratio)
        picture.setDevicePixelRatio(ratio)
        painter = QPainter(picture)
        self._paint_picture(painter)
        painter.end()
        buffer = QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        picture.save(buffer, "PNG")
        return bytes(buffer.data().data())

    def _svg(self) -> bytes:
        from PyQt6.QtSvg import QSvgGenerator

        size = self._picture_size()
        buffer = QBuffer()
        generator = QSvgGenerator()
        generator.setOutputDevice(buffer)
        generator.setSize(size)
        generator.setViewBox(QRect(QPoint(0, 0), size))
        generator.setTitle("SMPL Refiner: losses")
        painter = QPainter(generator)
        self._paint_picture(painter)
        painter.end()
        return bytes(buffer.data().data())

    def set_theme(self, theme: Theme) -> None:
        """Colours of the plots."""
        self._theme = theme
        for plot in self.plots.values():
            plot.set_theme(theme)
        self._schedule()

    def release(self) -> None:
        """Let pyqtgraph's timers go before the window does."""
        self._timer.stop()
        self._preparing.stop()
        for plot in self.plots.values():
            plot.release()
