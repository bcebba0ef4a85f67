"""Warnings and errors stand out from the background of both themes."""

import numpy as np
import pytest
from napari.utils.theme import get_theme

from napari_cellinr.ui.widgets.labels import COLOURS

pytestmark = pytest.mark.gui


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("kind", ["warning", "error"])
def test_what_is_said_can_be_read(theme, kind):
    colours = [get_theme(theme).background.as_hex(), COLOURS[kind].split()[1].rstrip(";")]
    light, dark = sorted(map(luminance, colours), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3


def luminance(colour):
    """Return the relative luminance of WCAG 2."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
