"""Voxel size, time step and channels in the private tags of manufacturers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.io.metadata.units import Step, known_length, known_step, pint_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tifffile import TiffFile

__all__ = ["VendorFacts", "vendor_facts"]


@dataclass(frozen=True)
class VendorFacts:
    """What private tags say about an image.

    Parameters
    ----------
    steps
        Step and unit by axis letter.
    channels, colours
        Names and display colours (`#rrggbb`) of the channels; empty if not stated.
    """

    steps: Mapping[str, Step] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()


def vendor_facts(file: TiffFile) -> VendorFacts:
    """Return what the private tags of the first page of a file say; empty if they say nothing."""
    for reader in _READERS:
        try:
            found = reader(file)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError):
            continue  # tags that are not as the manufacturer writes them
        if found.steps or found.channels:
            return found
    return VendorFacts()


def _steps(unit: str, **values: Any) -> dict[str, Step]:
    found = {
        axis: (known_length if axis == "Z" else known_step)(value, unit)
        for axis, value in values.items()
    }
    return {axis: step for axis, step in found.items() if step}


def _in_micrometers(**metres: Any) -> dict[str, Step]:
    """Return steps in µm from sizes in m."""
    known = {axis: value for axis, value in metres.items() if isinstance(value, int | float)}
    return _steps("micrometer", **{axis: value * 1e6 for axis, value in known.items()})


def _lsm(file: TiffFile) -> VendorFacts:
    """Zeiss LSM: voxel size in m, time interval in s, names and colours of channels."""
    stated = file.lsm_metadata or {}
    steps = _in_micrometers(**{axis: stated.get(f"VoxelSize{axis}") for axis in "ZYX"})
    time = _steps("second", T=stated.get("TimeIntervall"))
    shown = stated.get("ChannelColors") or {}
    colours = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b, *_ in shown.get("Colors", ())]
    return VendorFacts(
        {**steps, **time}, tuple(map(str, shown.get("ColorNames", ()))), tuple(colours)
    )


def _zeiss_sem(file: TiffFile) -> VendorFacts:
    """Zeiss SmartSEM: size of a pixel with its unit."""
    stated = file.sem_metadata or {}
    for key in ("ap_image_pixel_size", "ap_pixel_size"):
        entry = stated.get(key)
        if entry and len(entry) == 3:
            unit = pint_name(str(entry[2]))
            return VendorFacts(_steps(unit, Y=entry[1], X=entry[1]))
    return VendorFacts()


def _fei(file: TiffFile) -> VendorFacts:
    """FEI and Thermo Fisher electron microscopes: size of a pixel in m."""
    stated = file.fei_metadata or {}
    for section in ("Scan", "EScan", "IScan"):
        sizes = stated.get(section) or {}
        steps = _in_micrometers(Y=sizes.get("PixelHeight"), X=sizes.get("PixelWidth"))
        if steps:
            return VendorFacts(steps)
    return VendorFacts()


def _olympus_sis(file: TiffFile) -> VendorFacts:
    """Olympus Soft Imaging Solutions: size of a pixel in m."""
    stated = file.sis_metadata or {}
    return VendorFacts(_in_micrometers(Y=stated.get("pixelsizey"), X=stated.get("pixelsizex")))


def _tvips(file: TiffFile) -> VendorFacts:
    """TVIPS EM-MENU, version 2: size of a pixel in nm."""
    stated = file.tvips_metadata or {}
    values = {axis: stated.get(f"PixelSize{axis}") for axis in "YX"}
    return VendorFacts(_steps("nanometer", **values))


def _fluoview(file: TiffFile) -> VendorFacts:
    """Olympus FluoView: step and unit of each dimension."""
    steps: dict[str, Step] = {}
    for name, _, _, step, unit, *_ in (file.fluoview_metadata or {}).get("Dimensions", ()):
        axis = str(name).strip().upper()
        found = known_step(step, pint_name(str(unit)))
        if axis in {"X", "Y", "Z", "T"} and found:
            steps[axis] = found
    return VendorFacts(steps)


def _metaseries(file: TiffFile) -> VendorFacts:
    """MetaMorph and MetaXpress: spatial calibration with its unit."""
    stated = (file.metaseries_metadata or {}).get("PlaneInfo") or {}
    if not stated.get("spatial-calibration-state", True):
        return VendorFacts()
    unit = pint_name(str(stated.get("spatial-calibration-units", "")))
    values = {axis: stated.get(f"spatial-calibration-{axis.lower()}") for axis in "YX"}
    return VendorFacts(_steps(unit, **values))


def _scanimage(file: TiffFile) -> VendorFacts:
    """ScanImage: field of view in µm over its pixels, step of the stack in µm, frame period."""
    stated = (file.scanimage_metadata or {}).get("FrameData") or {}
    steps: dict[str, Step] = {}
    field_of_view = stated.get("SI.hRoiManager.imagingFovUm")
    if field_of_view:
        width, height = np.ptp(np.asarray(field_of_view, float), axis=0)
        counts = [stated.get(f"SI.hRoiManager.{key}") for key in ("linesPerFrame", "pixelsPerLine")]
        steps = _steps("micrometer", Y=height / counts[0], X=width / counts[1])
    depth = stated.get("SI.hStackManager.stackZStepSize")
    period = stated.get("SI.hRoiManager.scanFramePeriod")
    return VendorFacts({**steps, **_steps("micrometer", Z=depth), **_steps("second", T=period)})


def _gatan(file: TiffFile) -> VendorFacts:
    """Gatan DigitalMicrograph: unit in tags 65003 and 65004, step in tags 65009 and 65010."""
    tags = file.pages.first.tags
    found: dict[str, Step] = {}
    for axis, unit_tag, step_tag in (("X", 65003, 65009), ("Y", 65004, 65010)):
        unit = tags.valueof(unit_tag)
        text = unit.decode("utf-16-le", "ignore") if isinstance(unit, bytes) else str(unit or "")
        found |= _steps(pint_name(text.strip("\0 ")), **{axis: tags.valueof(step_tag)})
    return VendorFacts(found)


def _described(file: TiffFile) -> VendorFacts:
    """Aperio (`MPP = 0.25`) and Improvision (`XCalibrationMicrons=0.16`) in the description."""
    text = str(file.pages.first.description or "")
    if text.startswith("Aperio"):
        found = re.search(r"\bMPP\s*=\s*([\d.]+)", text)
        value = found.group(1) if found else None
        return VendorFacts(_steps("micrometer", Y=value, X=value))
    if "[Improvision Data]" in text:
        values = {
            axis: match.group(1)
            for axis in "ZYX"
            if (match := re.search(rf"{axis}CalibrationMicrons=([\d.eE+-]+)", text))
        }
        return VendorFacts(_steps("micrometer", **values))
    return VendorFacts()


_READERS: tuple[Callable[[TiffFile], VendorFacts], ...] = (
    _lsm, _zeiss_sem, _fei, _olympus_sis, _tvips, _fluoview, _metaseries, _scanimage, _gatan,
    _described,
)  # fmt: skip
