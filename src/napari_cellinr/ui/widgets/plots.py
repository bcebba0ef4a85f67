"""The live plot of losses; pyqtgraph is loaded with it, not before."""

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
"""Pixels in height below which settings need the room more than a curve does."""


class LossPlot(pg.PlotWidget):
    """Training loss and held-out error over steps, on a logarithmic axis.

    The curves are kept and get new values. Both colours can be told apart on dark and light.
    """

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
        """Draw the newest attempt of a job; nothing is shown until there is a line to draw."""
        rows = _newest_attempt([row for row in history if row.losses])
        self.setVisible(len(rows) > 1)
        self._loss.setData(*_curve([(r.step, sum(r.losses.values())) for r in rows]))
        self._held_out.setData(
            *_curve([(r.step, r.held_out) for r in rows if r.held_out is not None])
        )

    def set_colour(self, colour: str) -> None:
        """Draw axes and numbers in a colour, that of text in the theme around the plot."""
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
        """Draw curves of positions and values, each in the colour of its place."""
        plot = self.getPlotItem()
        plot.clear()
        for place, (positions, values) in enumerate(curves):
            pen = pg.mkPen(CURVES[place % len(CURVES)], width=2)
            plot.plot(positions, values, pen=pen, connect="finite")

    def set_colour(self, colour: str) -> None:
        """Draw axes and numbers in a colour, that of text in the theme around the plot."""
        _set_axis_colour(self, colour)


class _LogAxis(pg.AxisItem):
    """A logarithmic axis with plain numbers at 1, 2 and 5 only, which do not overlap."""

    def logTickStrings(  # noqa: N802
        self, values: Sequence[float], scale: float, spacing: float | None
    ) -> list[str]:
        """Return the text of ticks that are given as powers of ten."""
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


def _newest_attempt(rows: Sequence[Progress]) -> Sequence[Progress]:
    """Return the rows since the steps were last counted anew: a line would run back there.

    An attempt of which there is one point only is not there yet: it would hide the plot.
    """
    end = len(rows)
    for start in range(end - 1, 0, -1):
        if rows[start].step < rows[start - 1].step:
            if end - start > 1:
                return rows[start:end]
            end = start
    return rows[:end]


def _curve(points: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Return the steps and the values that a logarithmic axis can show."""
    shown = [(step, value) for step, value in points if np.isfinite(value) and value > 0]
    return [step for step, _ in shown], [value for _, value in shown]
