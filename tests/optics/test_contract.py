"""Every forward model keeps what the base class promises."""

import pytest
import torch
from models import MODELS


@pytest.fixture(params=list(MODELS))
def model(request):
    return MODELS[request.param]()


def scene_of(model, shots, seed=0):
    generator = torch.Generator().manual_seed(seed)
    size = (len(shots) * model.samples, model.channels, *model.scene_shape)
    return torch.randn(size, generator=generator, dtype=torch.float64)


def test_sizes_and_times(model):
    shots = torch.arange(model.n_shots)
    frames = model(scene_of(model, shots), shots)
    assert frames.shape == model.data_shape
    n_axes = len(model.scene_shape)
    assert len(model.data_shape) == n_axes + 1
    assert len(model.padding) == len(model.zoom) == len(model.loss_margin) == n_axes
    assert len(model.channel_names) == model.channels
    times = model.shot_times()
    assert times.shape[0] == model.n_shots * model.samples
    assert torch.isfinite(times).all()
    if times.ndim > 1:
        sizes = zip(times.shape[1:], model.scene_shape, strict=True)
        assert all(size in (1, whole) for size, whole in sizes)


def test_linear(model):
    shots = torch.tensor([model.n_shots - 1, 0])
    first, second = scene_of(model, shots, 0), scene_of(model, shots, 1)
    together = model(2 * first - 3 * second, shots)
    apart = 2 * model(first, shots) - 3 * model(second, shots)
    torch.testing.assert_close(together, apart, rtol=1e-9, atol=1e-9)


def test_gradient_is_the_adjoint(model):
    """<A x, y> is <x, A* y> with A* from the gradient."""
    shots = torch.arange(model.n_shots)
    scene = scene_of(model, shots).requires_grad_()
    frames = model(scene, shots)
    other = torch.randn(frames.shape, dtype=torch.float64, generator=torch.Generator())
    (adjoint,) = torch.autograd.grad((frames * other).sum(), scene)
    again = scene_of(model, shots, 2)
    left = float((model(again, shots) * other).sum())
    right = float((again * adjoint).sum())
    assert left == pytest.approx(right, rel=1e-9, abs=1e-9)


def test_shots_are_independent(model):
    """A shot is the same alone as in a batch, in any order."""
    shots = torch.arange(model.n_shots).flip(0)
    scene = scene_of(model, shots)
    together = model(scene, shots)
    for place, shot in enumerate(shots):
        part = scene[place * model.samples : (place + 1) * model.samples]
        torch.testing.assert_close(model(part, shot[None])[0], together[place])


def test_state_round_trip(model, request):
    twin = MODELS[request.node.callspec.params["model"]]()
    for buffer in twin.buffers():
        buffer.zero_()
    twin.load_state_dict(model.state_dict())
    shots = torch.arange(model.n_shots)
    scene = scene_of(model, shots)
    assert torch.equal(twin(scene, shots), model(scene, shots))


def test_no_unknowns_and_any_device(model):
    assert list(model.parameters()) == []
    on_meta = model.to("meta")
    shots = torch.arange(model.n_shots, device="meta")
    size = (model.n_shots * model.samples, model.channels, *model.scene_shape)
    assert on_meta(torch.empty(size, device="meta"), shots).shape == model.data_shape
