"""The devices that a fit can compute on."""

from __future__ import annotations

import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.text import n_of

__all__ = ["available_devices", "choose_device", "numbered_devices"]


def available_devices() -> dict[str, str]:
    """Return why each kind of device cannot be used; an empty text if it can."""
    cuda = "" if torch.cuda.is_available() else _why_no_cuda()
    mps = "" if torch.backends.mps.is_available() else "this is not a Mac with Apple silicon"
    return {"cpu": "", "cuda": cuda, "mps": mps}


def numbered_devices() -> list[str]:
    """Return the names of the GPUs of this machine, such as `cuda:1`, if there are several."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [f"cuda:{number}" for number in range(count)] if count > 1 else []


def choose_device(name: str | torch.device) -> torch.device:
    """Return the device called `name`; `auto` takes the GPU if there is one.

    Raises
    ------
    ConfigError
        If this machine cannot use it; names those that it can use.
    """
    name = str(name)
    reasons = available_devices()
    usable = [kind for kind, reason in reasons.items() if not reason]
    if name == "auto":
        return torch.device("cuda" if "cuda" in usable else usable[-1])
    kind, _, number = name.partition(":")
    reason = reasons.get(kind, "there is no such kind of device")
    if not reason and number:
        reason = _why_not_number(kind, number)
    if reason:
        raise ConfigError(
            f"device {name!r} was given, but {reason}; usable here: {', '.join(usable)}, or auto."
        )
    return torch.device(name)


def _why_not_number(kind: str, number: str) -> str:
    """Return why one of several devices of a kind cannot be used; empty if it can."""
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if number.isdecimal() and int(number) < count:
        return ""
    are = "is" if count == 1 else "are"
    return f"there {are} {n_of(count, 'device')} of this kind, counted from 0"


def _why_no_cuda() -> str:
    if torch.version.cuda is None:
        return "the installed torch was built without CUDA"
    return "no NVIDIA GPU or driver was found"
