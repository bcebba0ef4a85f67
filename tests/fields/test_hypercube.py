"""Points of a voxel lie inside it, and codes are read where they are."""

import torch

from napari_cellinr.fields.hypercube import PaperField, Sizes, _codes_at

SIZES = Sizes(latent=0, neurons=8)


def points_of(rendering, generator=None):
    field = PaperField((4, 6, 8), SIZES, rendering=rendering)
    seen = []

    def decoded(points, *_):
        seen.append(points)
        return points.sum(-1), torch.zeros(points.shape[:2])

    field._decoded = decoded
    centres = torch.tensor([[1.0, 2.0, 3.0], [0.0, 4.0, 5.5]])
    field(centres, torch.tensor([0.5, 1.0, 2.0]), None, torch.zeros(2, 2), generator)
    return (seen[0] - centres[:, None]).abs()


def test_points_are_in_the_middle_of_the_halves_of_a_voxel():
    away = points_of(rendering=True)
    assert away.shape == (2, 8, 3)
    torch.testing.assert_close(away, torch.tensor([0.125, 0.25, 0.5]).expand_as(away))
    assert not points_of(rendering=False).any()


def test_random_points_stay_in_the_voxel():
    away = points_of(rendering=True, generator=torch.Generator().manual_seed(0))
    assert (away <= torch.tensor([0.25, 0.5, 1.0])).all()
    assert (away.amax((0, 1)) > torch.tensor([0.125, 0.25, 0.5])).all()


def test_codes_lie_at_the_centres_of_their_voxels():
    codes = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    corner = torch.tensor([[2.0, 1.0], [2.0, 1.0]])  # two voxels per code along y
    places = torch.tensor([[[2.5, 1.0]], [[4.5, 3.0]], [[8.5, 5.0]]])
    found = _codes_at(codes, places, corner)
    expected = torch.stack([codes[0, :, 0, 0], codes[0, :, 1, 2], codes[0, :, 3, 4]])[:, None]
    torch.testing.assert_close(found, expected)
