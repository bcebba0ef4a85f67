"""Where recorded scripts find the object `cellinr`: this import stays the same in all versions."""

from napari_cellinr.ui.session.console import console_of

__all__ = ["console_of"]
