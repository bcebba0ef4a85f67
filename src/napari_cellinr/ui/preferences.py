"""Reads this plugin's page of napari's preferences; defaults where it cannot be read."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields

from napari import settings

from napari_cellinr.config.base import CHECKPOINT_SECONDS

__all__ = ["Preferences", "preferences"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preferences:
    """The settings of the page “CellINR restoration”.

    Parameters
    ----------
    device
        Device that is selected when a dock opens.
    live_preview
        Whether the image is shown while a fit is running.
    preview_seconds
        Shortest time between two previews, in seconds.
    notifications
        Whether napari shows a notification when a job ends.
    checkpoint_seconds
        Time between two checkpoints of a running fit, in seconds; 0 stores none.
    """

    device: str = "auto"
    live_preview: bool = True
    preview_seconds: float = 1.5
    notifications: bool = True
    checkpoint_seconds: float = CHECKPOINT_SECONDS


def preferences() -> Preferences:
    """Return the present preferences.

    The defaults are returned where napari has no settings of plugins (before 0.9), or where the
    settings file is damaged.
    """
    try:
        page = settings.get_plugin_settings("napari-cellinr").docks
        found = {field.name: getattr(page, field.name) for field in fields(Preferences)}
    except Exception as error:  # whatever the settings of another program raise
        logger.info("no preferences: %s", error)
        return Preferences()
    return Preferences(**found)
