"""Opens saved fits as layers, with their origin in the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.macro.naming import result_name
from napari_cellinr.methods import roles_of
from napari_cellinr.ui.layers.convert import layer_tuples
from napari_cellinr.ui.layers.provenance import FITTED_IMAGE, KEPT_FIT, RECORD, record_of
from napari_cellinr.ui.layers.results import contrast_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["fit_tuples"]


def fit_tuples(path: Path) -> list[tuple[Any, dict[str, Any], str]]:
    """Render a saved fit and return layer data tuples; only the result is visible.

    The displacement of a reconstruction is not among them: arrows are shown on demand.

    Raises
    ------
    FileError
        If the file is not a saved fit, damaged, or of a newer version.
    """
    from napari_cellinr import api
    from napari_cellinr.fitting.saved.stored import load_fit

    fit = load_fit(path)
    noted: dict[str, Any] = {
        KEPT_FIT: str(path),
        FITTED_IMAGE: str(fit.source["name"]),
        "napari-cellinr method": fit.method,
        RECORD: record_of(fit),
    }
    layers = []
    for role, image in zip(roles_of(fit), api.render(fit), strict=False):
        if role == "motion":
            continue
        limits = contrast_of(image)
        for place, (data, attributes, kind) in enumerate(reversed(layer_tuples(image))):
            look = {
                "visible": role == "result" and place == 0,
                "contrast_limits": limits,
                "metadata": {**attributes["metadata"], **noted},
            }
            if role not in {"background", "error"}:
                look |= {"colormap": "gray", "blending": "translucent_no_depth"}
            if attributes["name"].startswith(f"{noted[FITTED_IMAGE]} "):
                look["name"] = result_name(attributes["name"], noted[FITTED_IMAGE])
            layers.append((data, {**attributes, **look}, kind))
    return layers
