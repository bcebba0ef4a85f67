"""The cases of the benchmark by name: what is recorded, and with which settings it is fitted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import data
import real
from motions import Motion

if TYPE_CHECKING:
    from collections.abc import Callable

    from data import Recording

SEED = 100  # not used to choose any setting
MORE_SEEDS = (101, 102)

FAMILIES = {
    "translation": (Motion("translation", 16), 4),
    "rotation": (Motion("rotation", 30), 4),
    "shear": (Motion("shear", 0.4), 4),
    "swirl": (Motion("swirl", 0.5), 4),
    "periodic": (Motion("periodic", 4), 12),
    "local": (Motion("local", 3), 4),
}
LITTLE = "translation by 4"
"""A single motion of a quarter of that of `translation`, in noisy frames."""


@dataclass(frozen=True)
class Case:
    """One fit: a recording, settings, and to which table it belongs."""

    make: Callable[[], Recording]
    settings: dict[str, Any] = field(default_factory=dict)
    group: str = "families"


def _dpc(
    family: str, noise: float = 0.01, *, seed: int = SEED, surrounded: bool = False
) -> Callable[[], Recording]:
    motion, frames = (Motion("translation", 4), 4) if family == LITTLE else FAMILIES[family]
    return lambda: data.phase_contrast(motion, seed, frames, noise, surrounded=surrounded)


CASES: dict[str, Case] = {family: Case(_dpc(family)) for family in FAMILIES}
CASES["translation, coarse-to-fine off"] = Case(
    _dpc("translation"), {"coarse_to_fine": False}, "off"
)
CASES["line-scan"] = Case(lambda: data.line_scan(Motion("translation", 9), SEED), group="scans")
CASES["z-scan"] = Case(lambda: data.z_scan(Motion("translation", 9), SEED), group="scans")
CASES["phase target"] = Case(data.phase_target, group="real")
for _family in FAMILIES:
    CASES[f"{_family}, static"] = Case(_dpc(_family), {"moving": False, "restart": False}, "static")
CASES["puncta"] = Case(data.puncta, group="real")
CASES["embryo"] = Case(data.embryo, group="real")
for _family in FAMILIES:
    CASES[f"{_family}, surrounded"] = Case(_dpc(_family, surrounded=True), group="surrounded")
for _family in ("translation", "rotation", "shear", "swirl", "periodic"):
    for _seed in MORE_SEEDS:
        CASES[f"{_family}, seed {_seed}"] = Case(_dpc(_family, seed=_seed), group="seeds")
for _noise in (0.03, 0.1):
    CASES[f"translation, noise {_noise:g}"] = Case(_dpc("translation", _noise), group="noise")
for _noise in (0.03, 0.06, 0.1):
    for _seed in (SEED, *MORE_SEEDS):
        CASES[f"{LITTLE}, noise {_noise:g}, seed {_seed}"] = Case(
            _dpc(LITTLE, _noise, seed=_seed), group="noise"
        )
for _family in ("rotation", "shear", "swirl", "periodic"):
    CASES[f"{_family}, coarse-to-fine off"] = Case(
        _dpc(_family), {"coarse_to_fine": False, "restart": False}, "off"
    )
CASES["image through a diffuser"] = Case(real.diffusercam, group="real")
for _name in ("image through a diffuser", "puncta", "embryo"):
    CASES[f"{_name}, static"] = Case(
        CASES[_name].make, {"moving": False, "restart": False}, "static"
    )
CASES["actin in a lattice of light"] = Case(real.lattice_sim_actin, group="real")
CASES["three-beam simulation of others"] = Case(
    real.sim3d_simulated,
    {"steps": 60, "restart": False, "unexplained": "off"},
    "real",
)
for _name in ("line-scan", "z-scan"):
    CASES[f"{_name}, static"] = Case(
        CASES[_name].make, {"moving": False, "restart": False, "unexplained": "off"}, "static"
    )
for _kind in ("worm", "beads", "cell", "ball"):
    CASES[f"sample {_kind}"] = Case(lambda kind=_kind: real.sample(kind), group="samples")
