"""Finer rows between coarse ones: latent codes of the rows, decoded at any place between them."""

from __future__ import annotations

import torch
from torch import nn

from napari_cellinr.fields.rcan import Encoder

__all__ = ["RowField"]


class RowField(nn.Module):
    """What interpolation lacks at any place between coarse rows of a plane.

    Latent codes come from an encoder that sees the coarse plane. A small network decodes the
    codes of the rows on either side, the place between them and the size of the wanted cell.

    Parameters
    ----------
    latent
        Length of a code; 0 for none, then only grey levels of the neighbouring rows are decoded.
    width, hidden
        Features of the encoder and neurons of the decoder.
    pinned
        Whether the interpolation is exact at the coarse rows, so that nothing is added there.
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
            (N, coarse rows, columns), about 0 to 1.
        base
            Interpolated planes, (N, rows, columns).
        places
            Where the rows lie, in coarse rows, (rows,).
        cell
            Height of a wanted row in coarse rows.
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
