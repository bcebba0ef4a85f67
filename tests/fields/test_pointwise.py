"""The network of every point: many points are computed in parts, with the same gradients."""

import pytest
import torch

from napari_cellinr.fields import pointwise
from napari_cellinr.fields.pointwise import PointwiseNet


@pytest.mark.parametrize("points", [10, 11])
def test_parts_give_the_values_and_gradients_of_the_whole(monkeypatch, points):
    net = PointwiseNet(3, 2, 4, torch.Generator().manual_seed(0))
    features = torch.randn(3, points, generator=torch.Generator().manual_seed(1))
    features.requires_grad_()
    found = []
    for limit in (points, 1):
        monkeypatch.setattr(pointwise, "MANY_POINTS", limit)
        monkeypatch.setattr(pointwise, "AT_ONCE", 4)
        values = net(features)
        gradients = torch.autograd.grad(values.square().sum(), [features, *net.parameters()])
        found.append((values, *gradients))
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(parts, whole)


def test_hidden_values_of_many_points_are_not_kept(monkeypatch):
    monkeypatch.setattr(pointwise, "MANY_POINTS", 100)
    monkeypatch.setattr(pointwise, "AT_ONCE", 50)
    net = PointwiseNet(3, 2, 64, torch.Generator().manual_seed(0))
    kept = []

    def keep(tensor):
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        net(torch.randn(3, 200, requires_grad=True))
    assert max(kept, default=0) <= 3 * 200
