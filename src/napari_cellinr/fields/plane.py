"""Super-resolution in a plane, along one axis or both: a learned correction of interpolation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.polynomial import legendre
from torch import nn

from napari_cellinr.fields.rcan import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DEGREE", "PixelField", "RowField", "cell_weights"]

DEGREE = 3
"""Largest degree of the polynomial in a pixel, along each axis."""

CONVOLUTIONS = 4
"""Convolutions of `PixelField`: so many pixels around a pixel decide on its polynomial."""


class RowField(nn.Module):
    """A correction to interpolation at any position between the coarse rows of a plane.

    An encoder gives latent codes of the coarse plane. A small network decodes the codes of the
    rows on either side, the position between them and the height of the requested row.

    Parameters
    ----------
    latent
        Length of a latent code; 0 for none: then only the neighbouring rows are decoded.
    width, hidden
        Features of the encoder and neurons of the decoder.
    pinned
        Whether the interpolation is exact at the coarse rows, so that the correction is 0 there.
    """

    def __init__(
        self, latent: int, width: int = 24, hidden: int = 48, *, pinned: bool = False
    ) -> None:
        super().__init__()
        self.latent = latent
        self.pinned = pinned
        self.encoder = Encoder(1, latent, 2, width, 1, 3) if latent else None
        n_inputs = 2 * (latent + 1) + 5
        self.decoder = nn.Sequential(
            nn.Conv2d(n_inputs, hidden, 1), nn.ReLU(),
            nn.Conv2d(hidden, hidden, (1, 3), padding=(0, 1), padding_mode="replicate"), nn.ReLU(),
            nn.Conv2d(hidden, 1, 1),
        )  # fmt: skip
        last = self.decoder[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)

    def forward(
        self, coarse: torch.Tensor, base: torch.Tensor, places: torch.Tensor, cell: float
    ) -> torch.Tensor:
        """Return the finer planes, (N, rows, columns).

        Parameters
        ----------
        coarse
            Coarse planes, (N, coarse rows, columns), about 0 to 1.
        base
            Interpolated planes, (N, rows, columns).
        places
            Positions of the rows, in coarse rows, (rows,).
        cell
            Height of a row of the result, in coarse rows.
        """
        codes = coarse[:, None]
        if self.encoder is not None:
            codes = torch.cat([codes, self.encoder(codes)], 1)
        last = coarse.shape[1] - 1
        left = places.floor().clamp(0, max(last - 1, 0))
        part = (places - left).to(base.dtype)
        index = left.long()
        rows = [codes[:, :, index], codes[:, :, (index + 1).clamp(max=last)]]
        facts = torch.stack(
            [
                part,
                torch.cos(torch.pi * part),
                torch.sin(torch.pi * part),
                torch.full_like(part, cell),
            ]
        )
        shape = (len(base), len(facts), *base.shape[1:])
        spread = facts[None, :, :, None].expand(shape)
        inputs = torch.cat([*rows, spread, base[:, None]], 1)
        added: torch.Tensor = self.decoder(inputs)[:, 0]
        if self.pinned:
            added = added * torch.sin(torch.pi * part)[:, None] ** 2
        return base + added


class PixelField(nn.Module):
    """A correction of interpolated planes: a polynomial in every pixel.

    Convolutions give the coefficients, of products of Legendre polynomials in y and x. A pixel of
    the result is the mean of the polynomials over its area, whatever its size, so that one network
    serves all factors. It depends on the neighbours at most `CONVOLUTIONS` pixels away, so that a
    part of a plane is as in the whole.

    Parameters
    ----------
    width
        Features of the convolutions.
    level, contrast
        Mean and standard deviation of the planes from which it learns.
    error
        Root mean square of the correction that it learns: the unit of the coefficients.
    """

    def __init__(
        self, width: int = 24, level: float = 0.0, contrast: float = 1.0, error: float = 1.0
    ) -> None:
        super().__init__()
        self.width, self.level, self.contrast, self.error = width, level, contrast, error
        layers: list[nn.Module] = []
        for number in range(CONVOLUTIONS):
            inputs = width if number else 1
            layers.append(nn.Conv2d(inputs, width, 3, padding=1, padding_mode="replicate"))
            layers.append(nn.ReLU())
        last = nn.Conv2d(width, (DEGREE + 1) ** 2, 1)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, width, 1), nn.ReLU(), last)

    def forward(
        self, coarse: torch.Tensor, base: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
    ) -> torch.Tensor:
        """Return the finer planes, (N, rows, columns).

        Parameters
        ----------
        coarse
            Coarse planes, (N, coarse rows, coarse columns), about 0 to 1.
        base
            Interpolated planes, (N, rows, columns).
        rows, columns
            `cell_weights` of the rows and of the columns of the result.
        """
        terms = self.layers((coarse[:, None] - self.level) / self.contrast)
        count, _, height, width = terms.shape
        size = DEGREE + 1
        terms = terms.reshape(count, size, size, height, width)  # degrees along Y, X; rows, columns
        along_y = _over_cells(terms.transpose(3, 4).flatten(2, 3), rows)
        along_x = along_y.reshape(count, size, width, -1).transpose(2, 3)
        added = _over_cells(along_x, columns)
        return base + self.error * added


def cell_weights(places: NDArray[np.float64], cell: float, count: int) -> NDArray[np.float32]:
    """Return integrals of Legendre polynomials in given pixels over the pixels of a result.

    Parameters
    ----------
    places
        Positions of the pixels of the result, in given pixels, (fine,), increasing.
    cell
        Their size, in given pixels, at most 1.
    count
        Number of given pixels.

    Returns
    -------
    numpy.ndarray
        (2, DEGREE + 2, fine), float32, for each of the at most two given pixels that a pixel of the
        result overlaps: the integral of each polynomial of unit variance over the overlap, divided
        by the cell; and last the number of the given pixel.
    """
    low, high = places - cell / 2 + 0.5, places + cell / 2 + 0.5
    first = np.clip(np.floor(low + 1e-9), 0, count - 1)
    made = np.zeros((2, DEGREE + 2, len(places)), np.float32)
    for side in (0, 1):
        ends = (np.clip(2 * (end - first - side) - 1, -1, 1) for end in (low, high))
        lower, upper = ends
        for degree in range(DEGREE + 1):
            primitive = legendre.legint([0.0] * degree + [1.0])
            whole = legendre.legval(upper, primitive) - legendre.legval(lower, primitive)
            made[side, degree] = math.sqrt(2 * degree + 1) * whole / (2 * cell)
        made[side, -1] = np.minimum(first + side, count - 1)
    made[1, :-1, first == count - 1] = 0  # there is no pixel beyond the last one
    return made


def _over_cells(terms: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return sums over degrees and overlapped pixels, (N, K, fine).

    Terms are (N, degree, K, given).
    """
    first, second = weights.unbind()
    found: torch.Tensor = (terms[..., first[-1].long()] * first[:-1, None]).sum(1)
    return found + (terms[..., second[-1].long()] * second[:-1, None]).sum(1)
