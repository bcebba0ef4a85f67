"""Finer planes from coarse ones: learnt where the image is fine already, within its planes.

As in isotropic reconstruction (Weigert et al. 2017): rows of a plane are blurred and averaged
like planes along Z, and a field learns to undo that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.ndimage import correlate1d, gaussian_filter1d

from napari_cellinr.fields.plane import RowField
from napari_cellinr.methods.spatime.sections import KINDS, MEANS, Samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.spatime.sections import Sections

    Floats = NDArray[np.float32]

__all__ = ["PlaneField", "Teacher", "best_samples", "teacher_of", "train_planes"]

_BATCH = 12
_ROWS, _COLUMNS = 14, 48  # of a patch: coarse rows, columns
_BLURS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # candidates for the extra blur along Z, pixels
_HELD = 5  # one of so many planes is held out
_SECOND = np.array([1, -2, 1]) / np.sqrt(6)  # keeps the variance of white noise
_NORMAL = 1.4826  # standard deviation of normal values of which the median size is 1


class PlaneField:
    """A fitted `RowField`, applied along Z of whole volumes.

    Parameters
    ----------
    field
        The network.
    device
        Where it computes.
    """

    def __init__(self, field: RowField, device: torch.device) -> None:
        self.field = field.to(device)
        self.device = device

    def refined(
        self, volume: Floats, base: Floats, places: NDArray[np.float64], cell: float
    ) -> Floats:
        """Return a volume with finer Z, float32, about 0 to 1; the mean of its X and Y views.

        Parameters
        ----------
        volume, base
            As given and interpolated along Z, axes ZYX, about 0 to 1.
        places
            Where the planes of the result lie, in given planes.
        cell
            Distance of the planes of the result, in given planes.
        """
        views = []
        for axes in ((1, 0, 2), (2, 0, 1)):
            back = np.argsort(axes)
            views.append(
                self._rows(volume.transpose(axes), base.transpose(axes), places, cell).transpose(
                    back
                )
            )
        return np.asarray((views[0] + views[1]) / 2, np.float32)

    def _rows(
        self, coarse: Floats, base: Floats, places: NDArray[np.float64], cell: float
    ) -> Floats:
        when = torch.from_numpy(places.astype(np.float32)).to(self.device)
        found = []
        with torch.no_grad():
            for start in range(0, len(coarse), 16):
                part = slice(start, start + 16)
                given, guess = (
                    torch.from_numpy(np.ascontiguousarray(a[part])).to(self.device)
                    for a in (coarse, base)
                )
                found.append(self.field(given, guess, when, cell).cpu().numpy())
        return np.concatenate(found)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the parameters by name, on the CPU."""
        found = {k: v.detach().cpu().contiguous() for k, v in self.field.state_dict().items()}
        facts = [self.field.latent, int(self.field.pinned)]
        return {**found, "latent": torch.tensor(facts)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], device: torch.device) -> PlaneField:
        """Return the field that `tensors` was made of."""
        values = {k: torch.from_numpy(np.array(v)) for k, v in tensors.items()}
        latent, *pinned = (int(n) for n in values.pop("latent"))
        field = RowField(latent, pinned=any(pinned))  # fits of old do not say: they are not
        field.load_state_dict(values)
        return cls(field.eval(), device)


@dataclass(frozen=True)
class Teacher:
    """Planes whose rows are made coarse like planes along Z.

    Parameters
    ----------
    planes
        (planes, rows, columns), about 0 to 1.
    ratio
        Pixels per coarse row: the step along Z divided by that in the plane.
    blur
        Standard deviation in pixels by which the image is more blurred along Z.
    sections
        What a plane along Z is, and so a coarse row.
    noise
        Standard deviation of the noise of a coarse row: that of planes is not blurred with them.
    """

    planes: Floats
    ratio: float
    blur: float
    sections: Sections = MEANS
    noise: float = 0.0

    def pair(
        self, plane: Floats, factor: float, generator: np.random.Generator
    ) -> tuple[Floats, Floats, Floats, NDArray[np.float64], float]:
        """Return coarse rows, their interpolation, the finer truth, its places and cell."""
        blurred = (
            gaussian_filter1d(plane, self.blur, axis=0, mode="nearest") if self.blur else plane
        )
        n_coarse = int(len(plane) // self.ratio)
        coarse = self._as_noisy(self.sections.rows(blurred, self.ratio, n_coarse), generator)
        n_fine = round(n_coarse * factor)
        truth = self.sections.rows(blurred, self.ratio * n_coarse / n_fine, n_fine)
        cell = n_coarse / n_fine
        places = (np.arange(n_fine, dtype=np.float64) + 0.5) * cell - 0.5
        return coarse, self.sections.whole(n_coarse, n_fine) @ coarse, truth, places, cell

    def _as_noisy(self, rows: Floats, generator: np.random.Generator) -> Floats:
        """Return rows with as much noise as the blur took from them."""
        if not (self.noise and self.blur):
            return rows
        kept = min(1.0, 1 / (2 * np.sqrt(np.pi) * self.blur))  # of its variance, by a Gaussian
        lost = np.float32(self.noise * np.sqrt(1 - kept))
        return rows + lost * generator.standard_normal(rows.shape, dtype=np.float32)


def teacher_of(volumes: Sequence[Floats], ratio: float, sections: Sections = MEANS) -> Teacher:
    """Return the teacher for volumes with axes ZYX, about 0 to 1; the blur is measured.

    Parameters
    ----------
    volumes
        Axes ZYX, about 0 to 1.
    ratio
        The step along Z divided by that in the plane, more than 1.
    sections
        What a plane along Z is.
    """
    stacked = np.concatenate([v.reshape(-1, *v.shape[-2:]) for v in volumes])
    active = np.argsort([-float(p.std()) for p in stacked])[: max(8, len(stacked) * 3 // 4)]
    planes = stacked[np.sort(active)]
    both = np.concatenate([planes, planes.transpose(0, 2, 1)]) if _square(planes) else planes
    along = np.mean([_steepness(v, 0) for v in volumes])
    noise = _noise_of(planes) if isinstance(sections, Samples) else 0.0
    found = {}
    for blur in _BLURS:
        teacher, random = Teacher(planes, ratio, blur, sections, noise), np.random.default_rng(0)
        sample = [teacher.pair(p, 1.0, random)[0] for p in planes[:: max(1, len(planes) // 12)]]
        found[blur] = abs(np.log(np.mean([_steepness(s, 0) for s in sample]) / along))
    return Teacher(both, ratio, min(found, key=lambda b: found[b]), sections, noise)


def best_samples(teacher: Teacher, factor: float) -> Samples:
    """Return how thin planes are joined best, as rows that the teacher left out say."""
    device, found = torch.device("cpu"), {}
    for kind in KINDS:
        asked = replace(teacher, sections=Samples(kind))
        found[kind] = _error(None, asked, teacher.planes, factor, device)
    return Samples(min(found, key=lambda k: found[k]))


def train_planes(
    teacher: Teacher,
    factor: float,
    *,
    latent: int,
    steps: int,
    rate: float,
    seed: int,
    device: torch.device,
) -> Iterator[tuple[int, PlaneField | None, dict[str, float]]]:
    """Yield the step, the field and errors; the last one has the best field, or none.

    None if no field is better than interpolation on planes that no step has seen.

    Parameters
    ----------
    teacher
        Planes to learn from.
    factor
        How much finer planes are wanted; somewhat other factors are learnt with it.
    latent, steps, rate, seed, device
        Length of the code; steps and step size of Adam; random numbers; where to compute.
    """
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):  # the first weights of the field
        torch.manual_seed(seed)
        field = RowField(latent, pinned=isinstance(teacher.sections, Samples)).to(device)
    held = teacher.planes[_HELD - 1 :: _HELD]
    training = np.delete(teacher.planes, np.s_[_HELD - 1 :: _HELD], axis=0)
    optimiser = torch.optim.Adam(field.parameters(), lr=rate)
    errors = {"interpolation": _error(None, teacher, held, factor, device), "blur": teacher.blur}
    best, kept = errors["interpolation"], None
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 10) * (1 - 0.97 * step / steps)
        wanted = factor * generator.uniform(0.8, 1.2) if step % 2 else factor
        coarse, base, truth, places, cell = _batch(teacher, training, max(wanted, 1.1), generator)
        given = (torch.from_numpy(a).to(device) for a in (coarse, base, truth))
        rows = torch.from_numpy(places.astype(np.float32)).to(device)
        low, guess, aim = given
        loss = ((field(low, guess, rows, cell) - aim) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 40 == 39 or step == steps - 1:
            errors["field"] = _error(field, teacher, held, factor, device)
            if errors["field"] < best:
                best = errors["field"]
                kept = {k: v.detach().clone() for k, v in field.state_dict().items()}
        yield step + 1, None, {"planes": loss.item(), **errors}
    if kept is None:
        yield steps, None, errors
        return
    field.load_state_dict(kept)
    yield steps, PlaneField(field.eval(), device), {**errors, "field": best}


def _batch(
    teacher: Teacher, planes: Floats, factor: float, generator: np.random.Generator
) -> tuple[Floats, Floats, Floats, NDArray[np.float64], float]:
    """Return patches of random planes, stacked; mirrored by chance."""
    rows = min(planes.shape[1], int(np.ceil(_ROWS * teacher.ratio)))
    columns = min(planes.shape[2], _COLUMNS)
    patches = []
    for _ in range(_BATCH):
        plane = planes[generator.integers(len(planes))]
        top = generator.integers(planes.shape[1] - rows + 1)
        left = generator.integers(planes.shape[2] - columns + 1)
        patch = plane[top : top + rows, left : left + columns]
        patch = patch[::-1] if generator.random() < 0.5 else patch
        patches.append(patch[:, ::-1] if generator.random() < 0.5 else patch)
    made = [teacher.pair(np.ascontiguousarray(p), factor, generator) for p in patches]
    coarse, base, truth = (np.stack([m[i] for m in made]) for i in range(3))
    return coarse, base, truth, made[0][3], made[0][4]


def _error(
    field: RowField | None, teacher: Teacher, planes: Floats, factor: float, device: torch.device
) -> float:
    """Return the mean squared error on held-out planes; the same noise for whatever is asked."""
    found, random = [], np.random.default_rng(0)
    for plane in planes[:: max(1, len(planes) // 16)]:
        coarse, base, truth, places, cell = teacher.pair(plane, factor, random)
        if field is not None:
            tensors = [torch.from_numpy(a[None]).to(device) for a in (coarse, base)]
            rows = torch.from_numpy(places.astype(np.float32)).to(device)
            with torch.no_grad():
                base = field(*tensors, rows, cell)[0].cpu().numpy()
        found.append(float(np.mean((base - truth) ** 2)))
    return float(np.mean(found))


def _noise_of(planes: Floats) -> float:
    """Return the standard deviation of white noise, from second differences in the plane."""
    rough = correlate1d(correlate1d(planes, _SECOND, 1), _SECOND, 2)
    return float(_NORMAL * np.median(np.abs(rough)))


def _steepness(values: Floats, axis: int) -> float:
    """Return how much neighbours differ, against how much everything varies."""
    return float(np.mean(np.diff(values, axis=axis) ** 2) / max(float(values.var()), 1e-12))


def _square(planes: Floats) -> bool:
    return bool(planes.shape[1] == planes.shape[2])
