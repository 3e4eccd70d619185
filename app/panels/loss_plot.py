"""One sub-stage's curves in a card; imported late because pyqtgraph is."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.elided_label import ElidedLabel
from app.loss_curves import SubStageCurves, decimated, positive_floor
from app.panels.dock import label, loss_text, restyle, scaled
from app.runs import NUMBERS, TITLES, SubStageRow
from app.theme import Theme, term_colour
from refine_engine.state import SubStage

LIVE_HEIGHT = 190
DONE_HEIGHT = 118


class _LogAxis(pg.AxisItem):
    """Decades as 1e-3, 0.01, 0.1, 1, 10: few ticks, read at a glance."""

    def tickValues(self, minVal, maxVal, size):
        """Decades; 2 and 5 between them where there are few; never so many that they touch."""
        decades = range(int(np.floor(minVal)), int(np.ceil(maxVal)) + 1)
        values = [float(d) for d in decades if minVal <= d <= maxVal]
        if len(values) < 2:
            fine = [d + f for d in decades for f in (0.0, np.log10(2.0), np.log10(5.0))]
            values = [v for v in fine if minVal <= v <= maxVal] or [(minVal + maxVal) / 2]
        most = max(int(size / 18), 1)
        return [(1.0, values[:: -(-len(values) // most)])]

    def tickStrings(self, values, scale, spacing):
        """Text of each tick; only whole decades unless the range is narrow."""
        return [_decimal(10**v) for v in values]


class _CountAxis(pg.AxisItem):
    """Whole iterations only."""

    def tickValues(self, minVal, maxVal, size):
        """A few whole numbers."""
        most = max(int(size / 46), 1)
        raw = max((maxVal - minVal) / most, 1.0)
        power = 10.0 ** np.floor(np.log10(raw))
        step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw)
        first = np.ceil(minVal / step) * step
        return [(step, list(np.arange(first, maxVal + 1e-9, step)))]

    def tickStrings(self, values, scale, spacing):
        """Without a decimal point."""
        return [f"{v:.0f}" for v in values]


def _decimal(value):
    if value >= 1e5:
        return f"{value:.0e}".replace("e+0", "e")
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


class LossPlot(QFrame):
    """Total and per-term curves of one sub-stage, logarithmic."""

    hovered = pyqtSignal(object)
    """The iteration under the pointer, or None."""

    def __init__(self, sub_stage: SubStage, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.sub_stage = sub_stage
        self._theme = theme
        self._data: SubStageCurves | None = None
        self._hidden: set[str] = set()
        self._hovered: int | None = None
        self._shown: tuple[object, ...] = ()
        self.setProperty("role", "card")
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 7, 8, 6)
        column.setSpacing(2)
        head = QHBoxLayout()
        head.setSpacing(8)
        title = ElidedLabel(self, margin=2, grows=False)
        title.setProperty("role", "heading")
        title.show_text(f"{NUMBERS[sub_stage]} {TITLES[sub_stage]}")
        self.state = label("", "small")
        self.reading = label("log", "quiet-number")
        self.reading.setAlignment(Qt.AlignmentFlag.AlignRight)
        head.addWidget(title)
        head.addWidget(self.state)
        head.addStretch(1)
        head.addWidget(self.reading)
        column.addLayout(head)
        self.plot = pg.PlotWidget(
            self,
            background=None,
            axisItems={"left": _LogAxis("left"), "bottom": _CountAxis("bottom")},
            antialias=False,
        )
        self.plot.setAccessibleName(f"Losses of {TITLES[sub_stage]}")
        self.plot.setToolTip("Weighted losses (no unit) by iteration, on a logarithmic scale")
        item = self.plot.getPlotItem()
        item.setLogMode(x=False, y=True)
        item.hideButtons()
        item.setMenuEnabled(False)
        item.showGrid(x=False, y=True, alpha=0.18)
        item.getAxis("left").setStyle(maxTickLevel=0, tickTextOffset=4)
        item.getAxis("bottom").setStyle(maxTickLevel=0, tickTextOffset=2)
        self.curves: dict[str, pg.PlotDataItem] = {}
        self._line = pg.InfiniteLine(angle=90, movable=False)
        self._line.setVisible(False)
        item.addItem(self._line, ignoreBounds=True)
        self._mark = pg.ScatterPlotItem(size=7)
        item.addItem(self._mark)
        self._proxy = pg.SignalProxy(
            self.plot.scene().sigMouseMoved, rateLimit=60, slot=self._on_mouse
        )
        column.addWidget(self.plot, 1)
        self.set_theme(theme)

    def release(self) -> None:
        """Disconnect pyqtgraph's proxy and timer before the widget goes."""
        self._proxy.disconnect()
        self.plot.close()

    def set_theme(self, theme: Theme) -> None:
        """Colours."""
        self._theme = theme
        self.plot.setBackground(theme.card)
        item = self.plot.getPlotItem()
        for name in ("left", "bottom"):
            axis = item.getAxis(name)
            axis.setPen(pg.mkPen(theme.line))
            axis.setTextPen(pg.mkPen(theme.quiet))
            axis.setTickFont(self._tick_font())
        item.getAxis("left").setWidth(scaled(40))
        item.getAxis("bottom").setHeight(scaled(20))
        self._line.setPen(pg.mkPen(theme.quiet, style=Qt.PenStyle.DashLine))
        for name, curve in self.curves.items():
            curve.setPen(pg.mkPen(term_colour(name, theme), width=1))
            curve.setSymbolBrush(term_colour(name, theme))
        self._shown = ()

    def _tick_font(self):
        font = self.font()
        font.setPixelSize(scaled(10))
        return font

    def set_live(self, live: bool) -> None:
        """Frame and enlarge the sub-stage that runs."""
        restyle(self, live="true" if live else "false")
        height = LIVE_HEIGHT if live else DONE_HEIGHT
        if self.minimumHeight() != height:
            self.setMinimumHeight(height)
            self.setMaximumHeight(height + (110 if live else 0))

    def show_curves(self, data: SubStageCurves, row: SubStageRow, hidden: set[str]) -> None:
        """Draw everything that is there; buffers are decimated to the plot's width."""
        live = row.status == "running"
        points = max(2 * self.plot.width(), 200)
        key = (id(data), len(data.iterations), row.text, frozenset(hidden), points)
        if key == self._shown and self._data is data:
            return  # a sub-stage that has ended need not be drawn again with the live one
        self._shown = key
        self._data, self._hidden = data, hidden
        self.set_live(live)
        colour = self._theme.accent if live else self._theme.quiet
        self.state.setText(f'<span style="color:{colour}">{"live" if live else row.text}</span>')
        item = self.plot.getPlotItem()
        x = data.iterations.values
        for name, curve in data.curves.items():
            line = self.curves.get(name)
            if line is None:
                line = pg.PlotDataItem(
                    pen=pg.mkPen(term_colour(name, self._theme), width=1),
                    skipFiniteCheck=False,
                    connect="finite",
                    symbolSize=5,
                    symbolPen=None,
                    symbolBrush=term_colour(name, self._theme),
                )
                line.setZValue(2 if name == "total" else 1)
                item.addItem(line)
                self.curves[name] = line
            line.setVisible(name not in hidden)
            if name not in hidden and len(x):
                # One value alone makes no line: without a dot it could not be seen.
                line.setSymbol("o" if len(x) == 1 else None)
                line.setData(*decimated(x, positive_floor(curve.values), points))
        self._show_mark(row)
        self._show_reading()

    def _show_mark(self, row: SubStageRow) -> None:
        data = self._data
        if data is None or not len(data.iterations) or "total" in self._hidden:
            self._mark.clear()
            return
        rolled_back = row.status == "rolled_back"
        total = float(positive_floor(data.curves["total"].values[-1:])[0])
        if not np.isfinite(total):
            self._mark.clear()
            return
        colour = self._theme.error if rolled_back else self._theme.text
        self._mark.setData(
            [float(data.iterations.values[-1])],
            [np.log10(total)],
            symbol="x" if rolled_back else "o",
            pen=pg.mkPen(colour),
            brush=pg.mkBrush(colour),
        )

    def set_hovered(self, iteration: int | None) -> None:
        """Crosshair at an iteration; shared by all plots."""
        self._hovered = iteration
        self._show_reading()

    def _show_reading(self) -> None:
        data = self._data
        shown = data is not None and len(data.iterations) and self._hovered is not None
        if data is None or not shown or self._hovered is None:
            self._line.setVisible(False)
            self.reading.setText("log")
            return
        index = int(np.argmin(np.abs(data.iterations.values - self._hovered)))
        iteration = int(data.iterations.values[index])
        self._line.setPos(iteration)
        self._line.setVisible(True)
        values = [
            f"{n} {loss_text(float(c.values[index]))}"
            for n, c in data.curves.items()
            if n not in self._hidden and np.isfinite(c.values[index])
        ]
        self.reading.setText(f"it {iteration}  {values[0] if values else ''}")
        self.reading.setToolTip("\n".join([f"iteration {iteration}", *values]))

    def _on_mouse(self, event) -> None:
        at = event[0]
        box = self.plot.getPlotItem().vb
        if not self.plot.sceneBoundingRect().contains(at):
            self.hovered.emit(None)
            return
        self.hovered.emit(round(box.mapSceneToView(at).x()))

    def leaveEvent(self, event) -> None:
        """No crosshair without a pointer."""
        self.hovered.emit(None)
        super().leaveEvent(event)
