"""Draws images beside each other with matplotlib, and saves them as PNG, SVG or PDF."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.io.metadata.units import convert
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import replacing
from napari_cellinr.macro.figures.planes import DIFFERENCE, layout_of, planes_at, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    from napari_cellinr.image import Image
    from napari_cellinr.macro.figures.planes import Layout

__all__ = ["FIGURE_SUFFIXES", "Drawing", "checked_place", "needed_library", "write_figure"]

FIGURE_SUFFIXES: Final = (".png", ".svg", ".pdf")
"""Suffixes of figures."""

PANEL: Final = 2.6
"""Width of a panel in inches."""

_SINGLE: Final = ("red", "green", "blue", "cyan", "magenta", "yellow")
"""Colormaps of napari that go from black to one colour."""


def write_figure(
    path: str | PathLike[str],
    *images: Image,
    at: Mapping[str, int] | None = None,
    crop: Mapping[str, Sequence[int]] | None = None,
    limits: Sequence[Sequence[float]] | None = None,
    colormaps: Sequence[str] | None = None,
    difference: bool = True,
    dpi: float = 200,
) -> None:
    """Save a figure of one plane of each image, with scale bar, time stamp and colour bars.

    Parameters
    ----------
    path
        The file, with the suffix `.png`, `.svg` or `.pdf`.
    *images
        The images, from left to right, such as raw and result, with axes Y, X and others. Their
        names are the titles.
    at
        Index of the plane in the first image, such as `{"T": 3, "Z": 10}`; 0 along other axes.
        In other images it is the same place and time.
    crop
        First index and end along Y and X in the first image.
    limits
        Contrast limits of each image; its percentiles 1 and 99.9 if not given.
    colormaps
        Name of a colormap for each image, such as `gray`, `green` or `viridis`.
    difference
        Whether the last image minus the first one is drawn, too, on a symmetric scale.
    dpi
        Pixels per inch.

    Raises
    ------
    AxesError, ConfigError
        If images or options are not allowed.
    FileError
        If the file cannot be written, or matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import Image, write_figure
    >>> raw = Image(np.random.default_rng(0).random((3, 8, 8)), axes="TYX", name="raw")
    >>> write_figure("figure.png", raw, raw.like(raw.data / 2, name="half"), at={"T": 1})
    """
    place = checked_place(path, FIGURE_SUFFIXES)
    layout = layout_of(images, limits, colormaps, difference, crop)
    drawing = Drawing(layout, at or {}, dpi)
    with replacing(place, place.suffix) as temporary:
        drawing.figure.savefig(temporary, format=place.suffix[1:], dpi=dpi)


class Drawing:
    """A figure whose planes can be replaced.

    Parameters
    ----------
    layout
        What is shown.
    at
        The plane, as for `write_figure`.
    dpi
        Pixels per inch.
    """

    def __init__(self, layout: Layout, at: Mapping[str, int], dpi: float) -> None:
        with needed_library("matplotlib"):
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure

        self._layout = layout
        at = {axis.upper(): place for axis, place in at.items()}
        if not 1 <= dpi <= 2400:
            raise ConfigError(f"dpi={dpi!r} was given; 1 to 2400 pixels per inch are allowed.")
        planes = planes_at(layout, at)
        rows, columns = np.shape(planes[0].data)
        step = planes[0].steps
        height = PANEL * rows * step["Y"] / (columns * step["X"])
        size = (PANEL * len(planes) + 0.2, min(height, 12.0) + 0.7)
        self.figure = Figure(figsize=size, dpi=dpi, layout="constrained", facecolor="white")
        self._canvas: Any = FigureCanvasAgg(self.figure)
        self._axes = list(np.atleast_1d(self.figure.subplots(1, len(planes))))
        self._shown = [
            self._add_panel(axes, number, plane)
            for number, (axes, plane) in enumerate(zip(self._axes, planes, strict=True))
        ]
        _add_scale_bar(self._axes[0], planes[0])
        self._time = self._axes[0].text(
            0.04, 0.96, time_text(layout.images[0], int(at.get("T", 0))),
            transform=self._axes[0].transAxes, ha="left", va="top", color="white", fontsize=8,
            bbox=_SHADE,
        )  # fmt: skip
        self._hide_empty_time()

    def show(self, at: Mapping[str, int]) -> None:
        """Replace the planes, and the time stamp."""
        for shown, plane in zip(self._shown, planes_at(self._layout, at), strict=True):
            shown.set_data(np.asarray(plane.data))
        self._time.set_text(time_text(self._layout.images[0], int(at.get("T", 0))))
        self._hide_empty_time()

    def pixels(self) -> Any:
        """Return the figure as pixels, (rows, columns, 3), uint8."""
        self._canvas.draw()
        self.figure.set_layout_engine("none")  # the panels keep their places, and time is saved
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()

    def _add_panel(self, axes: Any, number: int, plane: Image) -> Any:
        low, high = self._layout.limits[number]
        shape, step = np.shape(plane.data), plane.steps
        shown = axes.imshow(
            np.asarray(plane.data), cmap=_colormap(self._layout.colormaps[number]), vmin=low,
            vmax=high, interpolation="nearest",
            extent=(0, shape[1] * step["X"], shape[0] * step["Y"], 0),
        )  # fmt: skip
        axes.set_title(self._layout.titles[number], fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
        bar = self.figure.colorbar(shown, ax=axes, location="bottom", shrink=0.9, pad=0.02)
        bar.ax.tick_params(labelsize=6)
        bar.ax.locator_params(nbins=4)
        return shown

    def _hide_empty_time(self) -> None:
        self._time.set_visible(bool(self._time.get_text()))


_SHADE: Final = {"facecolor": "black", "alpha": 0.4, "edgecolor": "none", "pad": 1.5}


def checked_place(path: str | PathLike[str], suffixes: Sequence[str]) -> Any:
    """Return the file to write, checked.

    Parameters
    ----------
    path
        The file.
    suffixes
        Suffixes that are allowed.

    Raises
    ------
    FileError
        If the suffix is another one.
    """
    place = place_of(path)
    if place.suffix.lower() not in suffixes:
        raise FileError(f"{place} was given; its name has to end with {', '.join(suffixes)}.")
    return place


@contextmanager
def needed_library(name: str) -> Iterator[None]:
    """Explain what to install if a library cannot be imported within the context.

    Raises
    ------
    FileError
        If it is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise FileError(
            f"{name} is not installed, which figures and movies need; install it with "
            '`pip install "napari-cellinr[figures]"`.'
        ) from error


def _colormap(name: str) -> Any:
    """Return a colormap of matplotlib; grey for names that it does not know."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    if name == DIFFERENCE:
        return LinearSegmentedColormap.from_list(name, [(0.8, 0, 0.7), (1, 1, 1), (0, 0.6, 0)])
    if name in _SINGLE:
        colour = "lime" if name == "green" else name
        return LinearSegmentedColormap.from_list(name, ["black", colour])
    return colormaps[name] if name in colormaps else colormaps["gray"]


def _add_scale_bar(axes: Any, plane: Image) -> None:
    """Add a bar of about a fifth of the width; in pixels if their size is not known."""
    from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

    width = plane.sizes["X"] * plane.steps["X"]
    unit = plane.units[plane.axes.index("X")]
    in_micrometres = convert(1.0, unit, "micrometer")
    text = "px" if in_micrometres is None else "µm"
    factor = 1 / plane.steps["X"] if in_micrometres is None else in_micrometres
    length = _round_length(width * factor / 4)
    bar = AnchoredSizeBar(
        axes.transData, length / factor, f"{length:g} {text}", "lower right", pad=0.3,
        borderpad=0.4, sep=2, color="white", frameon=True, size_vertical=width / 100,
        fontproperties={"size": 7},
    )  # fmt: skip
    bar.patch.set(facecolor="black", alpha=0.4, edgecolor="none")
    axes.add_artist(bar)


def _round_length(most: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20 … that is not larger than a length."""
    if not most > 0:
        raise ConfigError("an image without a width was given; a figure needs one.")
    power = 10.0 ** np.floor(np.log10(most))
    return float(max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9)))
