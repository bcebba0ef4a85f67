"""The devices that a fit can compute on."""

from __future__ import annotations

import torch

from napari_cellinr.errors import ConfigError

__all__ = ["available_devices", "choose_device"]


def available_devices() -> dict[str, str]:
    """Return why each kind of device cannot be used; an empty text if it can."""
    cuda = "" if torch.cuda.is_available() else _why_no_cuda()
    mps = "" if torch.backends.mps.is_available() else "this is not a Mac with Apple silicon"
    return {"cpu": "", "cuda": cuda, "mps": mps}


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` takes the GPU if there is one.

    Raises
    ------
    ConfigError
        If this machine cannot use it; names those that it can use.
    """
    reasons = available_devices()
    usable = [kind for kind, reason in reasons.items() if not reason]
    if name == "auto":
        return torch.device("cuda" if "cuda" in usable else usable[-1])
    if reasons[name]:
        raise ConfigError(
            f"device {name!r} was given, but {reasons[name]}; usable here: "
            f"{', '.join(usable)}, or auto."
        )
    return torch.device(name)


def _why_no_cuda() -> str:
    if torch.version.cuda is None:
        return "the installed torch was built without CUDA"
    return "no NVIDIA GPU or driver was found"
