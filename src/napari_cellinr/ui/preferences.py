"""What the user has set in napari's preferences; the defaults where napari cannot be asked."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields

from napari import settings

__all__ = ["Preferences", "preferences"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preferences:
    """The settings of the page “CellINR restoration”.

    Parameters
    ----------
    device
        Device that the docks choose at first.
    live_preview
        Whether a running fit shows how far the image is.
    preview_seconds
        Least time between two such previews.
    notifications
        Whether the end of a job is also told outside the dock.
    checkpoint_seconds
        Time between two checkpoints of a running fit, from which it can go on; 0 for none.
    """

    device: str = "auto"
    live_preview: bool = True
    preview_seconds: float = 1.5
    notifications: bool = True
    checkpoint_seconds: float = 60.0


def preferences() -> Preferences:
    """Return the preferences as they are now.

    napari before 0.9 has no settings of plugins, and their file may be damaged: neither keeps
    anyone from working.
    """
    try:
        page = settings.get_plugin_settings("napari-cellinr").docks
        found = {field.name: getattr(page, field.name) for field in fields(Preferences)}
    except Exception as error:  # whatever the settings of another program raise
        logger.info("no preferences: %s", error)
        return Preferences()
    return Preferences(**found)
