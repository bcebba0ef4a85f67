"""Plots of losses and line profiles; imported when first used, since pyqtgraph loads slowly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg

from napari_cellinr.ui.widgets.labels import CURVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from napari_cellinr.fitting.problem import Progress

__all__ = ["LossPlot", "ProfilePlot"]

_LOSS = "#3d9be0"
_HELD_OUT = "#e08a1e"


SMALL_SCREEN = 700
"""Height of the screen in pixels below which the plot is lower, to leave room for settings."""


class LossPlot(pg.PlotWidget):
    """Training loss and held-out error over steps, on a logarithmic axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=None, axisItems={"left": _LogAxis("left")})
        plot = self.getPlotItem()
        plot.setLogMode(x=False, y=True)
        plot.setMouseEnabled(x=False, y=False)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.getViewBox().setLimits(minYRange=0.7)  # a factor of 5, within which a number lies
        plot.setContentsMargins(0, 4, 4, 0)
        plot.setTitle(
            f'<span style="color: {_LOSS}">training loss</span> &nbsp; '
            f'<span style="color: {_HELD_OUT}">held-out error</span>',
            size="9pt",
        )
        self._loss = plot.plot(pen=pg.mkPen(_LOSS, width=1))
        self._held_out = plot.plot(pen=pg.mkPen(_HELD_OUT, width=2))
        low = self.screen().availableGeometry().height() < SMALL_SCREEN
        self.setFixedHeight(90 if low else 150)

    def show_history(self, history: Sequence[Progress]) -> None:
        """Draw the newest attempt of a job; hidden until there are two points."""
        rows = _newest_attempt([row for row in history if row.losses])
        self.setVisible(len(rows) > 1)
        self._loss.setData(*_curve([(r.step, sum(r.losses.values())) for r in rows]))
        self._held_out.setData(
            *_curve([(r.step, r.held_out) for r in rows if r.held_out is not None])
        )

    def set_colour(self, colour: str) -> None:
        """Draw axes and numbers in a colour, such as the text colour of the theme."""
        _set_axis_colour(self, colour)


class ProfilePlot(pg.PlotWidget):
    """Values along a line, one curve per layer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=None)
        plot = self.getPlotItem()
        plot.setMouseEnabled(x=False, y=False)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setContentsMargins(0, 4, 4, 0)
        self.setFixedHeight(200)

    def show_profiles(self, curves: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> None:
        """Draw curves of positions and values, in the colours of `CURVES`."""
        plot = self.getPlotItem()
        plot.clear()
        for place, (positions, values) in enumerate(curves):
            pen = pg.mkPen(CURVES[place % len(CURVES)], width=2)
            plot.plot(positions, values, pen=pen, connect="finite")

    def set_colour(self, colour: str) -> None:
        """Draw axes and numbers in a colour, such as the text colour of the theme."""
        _set_axis_colour(self, colour)


class _LogAxis(pg.AxisItem):
    """A logarithmic axis with numbers at 1, 2 and 5 only, which do not overlap."""

    def logTickStrings(  # noqa: N802
        self, values: Sequence[float], scale: float, spacing: float | None
    ) -> list[str]:
        """Return the texts of ticks."""
        mantissas = [round(10 ** (value % 1)) for value in values]
        pairs = zip(values, mantissas, strict=True)
        return [
            f"{10**value:.4g}" if mantissa in {1, 2, 5, 10} else "" for value, mantissa in pairs
        ]


def _set_axis_colour(plot: pg.PlotWidget, colour: str) -> None:
    for name in ("left", "bottom"):
        axis = plot.getPlotItem().getAxis(name)
        axis.setPen(colour)
        axis.setTextPen(colour)
    plot.resetCachedContent()  # pyqtgraph keeps the background of the theme before
    plot.viewport().update()


def _newest_attempt(rows: Sequence[Progress]) -> Sequence[Progress]:
    """Return the rows since the step last went back to the start.

    An attempt with a single point is ignored: it would hide the plot.
    """
    end = len(rows)
    for start in range(end - 1, 0, -1):
        if rows[start].step < rows[start - 1].step:
            if end - start > 1:
                return rows[start:end]
            end = start
    return rows[:end]


def _curve(points: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Return steps and values, without those that a logarithmic axis cannot show."""
    shown = [(step, value) for step, value in points if np.isfinite(value) and value > 0]
    return [step for step, _ in shown], [value for _, value in shown]
