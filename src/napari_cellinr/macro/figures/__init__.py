"""Figures and movies of images beside each other, with scale bar, time stamp and colour bars."""

from napari_cellinr.macro.figures.figure import FIGURE_SUFFIXES, write_figure
from napari_cellinr.macro.figures.movie import MOVIE_SUFFIXES, write_movie

__all__ = ["FIGURE_SUFFIXES", "MOVIE_SUFFIXES", "write_figure", "write_movie"]
