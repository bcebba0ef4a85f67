"""Super-resolution along one axis of a plane: a learned correction of the interpolation."""

from __future__ import annotations

import torch
from torch import nn

from napari_cellinr.fields.rcan import Encoder

__all__ = ["RowField"]


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
