"""Settings of every method, without torch; docks, command line and macros are built from them."""

from napari_cellinr.config.base import Config
from napari_cellinr.config.cellinr import CellINRConfig
from napari_cellinr.config.nstm import NSTMConfig
from napari_cellinr.config.spatime import SpatimeConfig

__all__ = ["CellINRConfig", "Config", "NSTMConfig", "SpatimeConfig"]
