"""Settings of CellINR: removal of noise and out-of-focus background."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from napari_cellinr.config.base import CPU_SPEED, Config, gpu_warning, setting

__all__ = [
    "Annealing",
    "Background",
    "Bleaching",
    "CellINRConfig",
    "Estimate",
    "Pattern",
    "Preset",
    "Structure",
]

Preset = Literal["preview", "fast", "best", "paper"]
Background = Literal["subtract", "keep"]
Structure = Literal["auto", "sheet", "filament", "blob", "none"]
Pattern = Literal["auto", "none"]
Bleaching = Literal["keep", "correct"]
Annealing = Literal["linear", "exponential"]
Estimate = Literal["auto", "groups", "nlm-5", "nlm-4", "nlm-3", "nlm-2", "gaussian"]


class CellINRConfig(Config):
    """Settings of one denoising fit.

    Preset `preview` takes seconds, `fast` is for results on a CPU, `best` for final results,
    `paper` is the published method (Zhao et al., "CellINR"), which needs a GPU.

    Examples
    --------
    >>> from napari_cellinr import CellINRConfig
    >>> config = CellINRConfig(preset="preview", background="keep")
    >>> config.steps, config.changes()
    (30, {'preset': 'preview', 'background': 'keep'})
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "fast": {"rounds": 1, "repeats": 1, "steps": 100},
            "best": {"rounds": 3, "repeats": 3, "steps": 200},
            "preview": {"steps": 30, "estimate": "nlm-3"},
            "paper": {"steps": 50_000, "total_variation": 0.15, "learning_rate": 2e-3},
        }
    )

    FILES: ClassVar[tuple[str, ...]] = ("camera_offset", "camera_gain", "camera_variance")
    NEWER: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"rounds": 0, "repeats": 2, "annealing": "exponential"}
    )

    preset: Preset = setting(
        "fast",
        "preview: a quick look within seconds; fast: good quality on a CPU; best: best quality, "
        "several times slower; paper: the published method, needs a GPU.",
    )
    steps: int = setting(120, "Maximum number of optimisation steps.", ge=1, le=1_000_000)
    background: Background = setting(
        "subtract",
        "subtract removes the smooth background (out-of-focus light); keep leaves it in the "
        "result.",
    )
    structure: Structure = setting(
        "auto",
        "Shape of the structures that are protected when the background is separated: sheet "
        "(membranes), filament, blob (nuclei), none; auto detects it in the image.",
    )
    background_width: float | None = setting(
        None,
        "Brightness variations wider than this count as background. Leave empty to choose the "
        "width from the image.",
        unit="voxel in x",
        gt=2,
        advanced=True,
    )
    coupling: bool = setting(
        True,
        "Preset fast: denoise the frames of a time series together instead of one by one.",
        advanced=True,
    )
    bleaching: Bleaching = setting(
        "keep",
        "keep leaves the brightness of each frame as it is; correct scales every frame to the "
        "mean signal of the first one.",
    )
    dark: bool = setting(
        False,
        "Structures are darker than their surroundings; with the background subtracted, the "
        "result is how much darker they are.",
        advanced=True,
    )
    gain: float | None = setting(
        None,
        "Camera gain: grey levels per photon. Leave empty to estimate it from the image.",
        unit="grey levels",
        gt=0,
        advanced=True,
    )
    read_noise: float | None = setting(
        None,
        "Standard deviation of the camera noise. Leave empty to estimate it from the image.",
        unit="grey levels",
        ge=0,
        advanced=True,
    )
    offset: float | None = setting(
        None,
        "Grey level that the camera records without light. Leave empty to estimate it from the "
        "image.",
        unit="grey levels",
        advanced=True,
    )
    grain: float | None = setting(
        None,
        "Blur that the noise was given by scaling or filtering the image: standard deviation of "
        "a Gaussian, 0 for an image as it was recorded. Leave empty to estimate it from the "
        "image.",
        unit="voxel",
        ge=0,
        le=3,
        advanced=True,
    )
    pattern: Pattern = setting(
        "auto",
        "auto finds offsets of the rows, columns and pixels of the camera in the image (stripes, "
        "fixed pattern) and subtracts them; none leaves them.",
        advanced=True,
    )
    camera_offset: str | None = setting(
        None,
        "File (TIFF or .mat) with the offset of each pixel of the camera, in grey levels, of the "
        "size of the image.",
        advanced=True,
    )
    camera_gain: str | None = setting(
        None,
        "File with the gain of each pixel of the camera, in any unit: only ratios count.",
        advanced=True,
    )
    camera_variance: str | None = setting(
        None,
        "File with the variance of each pixel of the camera without light: very noisy pixels are "
        "replaced by the mean of their neighbours.",
        advanced=True,
    )
    estimate: Estimate = setting(
        "auto",
        "Conventional denoising that gives the initial estimate: groups (patch matching), nlm-N "
        "(non-local means, search radius N voxels) or gaussian.",
        advanced=True,
    )
    rounds: int = setting(
        0,
        "Rounds in which a network learns the errors of the initial estimate (groups) on synthetic "
        "noise; 0 for none.",
        ge=0,
        le=5,
        advanced=True,
    )
    repeats: int = setting(
        2, "Synthetic images on which the network learns in a round.", ge=1, le=10, advanced=True
    )
    kernel_spacing: int = setting(
        16,
        "Distance between the nodes of the local kernels in 3-D, larger in 2-D; small values "
        "risk fitting the noise.",
        unit="voxel",
        ge=2,
        le=64,
        advanced=True,
    )
    total_variation: float = setting(
        0.002, "Weight of the total-variation penalty in 3-D.", ge=0, le=10, advanced=True
    )
    held_out: float = setting(
        0.02,
        "Fraction of the voxels that are held out of the fit to decide when to stop.",
        gt=0,
        le=0.2,
        advanced=True,
    )
    learning_rate: float = setting(
        0.001, "Learning rate of the Adam optimiser.", gt=0, le=1, advanced=True
    )
    final_learning_rate: float = setting(
        2e-5,
        "Preset paper: learning rate at the last step, to which it falls from learning_rate.",
        gt=0,
        le=1,
        advanced=True,
    )
    annealing: Annealing = setting(
        "linear",
        "Preset paper: how the learning rate falls. linear is as in the paper; exponential as in "
        "earlier versions, so that their unfinished fits can be resumed.",
        advanced=True,
    )
    blind_convolution: bool = setting(
        True,
        "Preset paper: model each voxel as a weighted mean over points around it, not as one "
        "point.",
        advanced=True,
    )
    points: int = setting(
        27,
        "Preset paper: points sampled per voxel; as many again are added where their weight is "
        "high.",
        ge=1,
        le=1000,
        advanced=True,
    )
    batch: int = setting(
        4096, "Preset paper: voxels per step.", unit="voxel", ge=1, le=1_000_000, advanced=True
    )
    neurons: int = setting(
        256, "Preset paper: neurons in each of the 8 hidden layers.", ge=4, le=4096, advanced=True
    )

    @property
    def has_field(self) -> bool:
        """Whether a network corrects the initial estimate."""
        return self.rounds > 0 and not self.is_published and self.estimate in {"auto", "groups"}

    def can_start_from(self, other: Config) -> bool:
        """Return whether both fits have a network that corrects the estimate, or neither has."""
        return isinstance(other, CellINRConfig) and self.has_field == other.has_field

    @property
    def fits_in_batches(self) -> bool:
        """Whether a step takes some of the voxels, so that its memory depends on their number."""
        return self.is_published

    def cost_warning(self, sizes: Mapping[str, int]) -> str:
        """Return a warning if the fit would take very long on a CPU, else an empty text.

        Parameters
        ----------
        sizes
            Number of elements by axis letter; each time point and channel is fitted on its own.
        """
        seconds = self.cpu_seconds() * sizes.get("T", 1) * sizes.get("C", 1)
        return gpu_warning(self, self.batch, seconds)

    def cpu_seconds(self) -> float:
        """Return the estimated seconds of the preset `paper` for one image on one core."""
        evaluations = self.batch * (3 * self.points if self.blind_convolution else 1)
        operations = 6 * 8 * self.neurons**2  # 8 layers; 2 forward and 4 backward per weight
        return self.steps * evaluations * operations / CPU_SPEED
