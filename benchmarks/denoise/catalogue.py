"""The methods that are compared, with the settings that each may choose from."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Method:
    """One way to denoise.

    Parameters
    ----------
    name, label
        Name in options and files, and in the report.
    module, function
        Where it is: called with the raw image, the noise and settings.
    volumes, planes
        Settings to choose from for 3-D and for 2-D images; empty if it cannot do them.
    environment
        `own` for that of the plugin, else the name of another one.
    n_seeds
        Number of seeds that are run; slow variants take fewer.
    """

    name: str
    label: str
    module: str
    function: str
    volumes: tuple[dict[str, Any], ...] = ({},)
    planes: tuple[dict[str, Any], ...] = ({},)
    environment: str = "own"
    n_seeds: int = 5

    def candidates(self, n_axes: int) -> tuple[dict[str, Any], ...]:
        """Return the settings to choose from for images of so many axes."""
        return self.volumes if n_axes == 3 else self.planes


def _grid(**choices: tuple[Any, ...]) -> tuple[dict[str, Any], ...]:
    """Return all combinations."""
    names = tuple(choices)
    return tuple(
        dict(zip(names, values, strict=True)) for values in itertools.product(*choices.values())
    )


_TV = _grid(weight=(0.2, 0.35, 0.5, 0.8, 1.2, 1.8))
_WAVELET = _grid(wavelet=("sym4", "bior2.6"), rule=("BayesShrink", "VisuShrink"))
_N2V = {"epochs": 30, "steps": None, "batch": 4, "patch": [8, 32, 32]}
_WBNS = _grid(width=(4, 8, 12, 16), noise_levels=(1, 2))

METHODS = (
    Method("raw", "raw", "peers_classic", "identity"),
    Method(
        "gaussian",
        "Gaussian 0.7",
        "peers_classic",
        "gaussian",
        ({"sigma": 0.7},),
        _grid(sigma=(0.7, 1.0, 1.4)),
    ),
    Method("tv", "Anscombe + TV", "peers_classic", "total_variation", _TV, _TV),
    Method(
        "wavelet",
        "Anscombe + wavelet",
        "peers_classic",
        "wavelet",
        _WAVELET,
        _WAVELET,
        environment="peers",
    ),
    Method(
        "nlm",
        "Anscombe + NLM",
        "peers_classic",
        "non_local_means",
        _grid(patch=(5, 7), distance=(5,), strength=(0.5, 0.6)),
        _grid(patch=(5, 7), distance=(5, 11), strength=(0.5, 0.6, 0.8)),
    ),
    Method("wbns", "WBNS", "peers_classic", "wavelet_background", _WBNS, ()),
    Method("bm4d", "Anscombe + BM4D", "peers_bm", "stabilised", environment="peers"),
    Method("bm4d-raw", "BM4D", "peers_bm", "plain", environment="peers", n_seeds=1),
    Method("n2v", "Noise2Void", "peers_n2v", "noise2void", (_N2V,), (), "n2v", n_seeds=1),
    Method(
        "n2v2",
        "N2V2",
        "peers_n2v",
        "noise2void",
        (_N2V | {"second": True},),
        (),
        "n2v",
        n_seeds=1,
    ),
    Method("bmnd", "BMND", "peers_nd", "block_matching", environment="peers", n_seeds=1),
    Method("ndsafir", "NDSafir", "peers_nd", "safir", environment="peers", n_seeds=1),
    Method("cellinr", "CellINR fast", "ours", "fast"),
)

OURS = METHODS[-1]


def by_name(name: str) -> Method:
    """Return the method of a name."""
    return next(method for method in METHODS if method.name == name)
