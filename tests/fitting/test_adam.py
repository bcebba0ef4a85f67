"""Adam: the same steps as the Adam of torch, and continued as if never stopped."""

import torch

from napari_cellinr.fitting.adam import Adam


def gradients(parameters, step):
    """Give each parameter but the last one a gradient of its own."""
    generator = torch.Generator().manual_seed(step)
    for parameter in parameters[:-1]:
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def parameters():
    return [torch.nn.Parameter(torch.ones(size)) for size in (3, 5, 2)]


def groups(values):
    """Return groups with different settings."""
    return [
        {"params": values[:1], "lr": 0.1, "weight_decay": 0.3},
        {"params": values[1:], "lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-3},
    ]


def test_the_same_steps_as_the_adam_of_torch():
    ours, theirs = parameters(), parameters()
    adam, other = Adam(groups(ours)), torch.optim.Adam(groups(theirs))
    for step in range(20):
        gradients(ours, step)
        gradients(theirs, step)
        adam.step()
        other.step()
    for mine, its in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.data, its.data)


def test_a_factor_of_zero_changes_nothing():
    values = parameters()
    gradients(values, 0)
    Adam(groups(values)).step(0)
    assert all((value == 1).all() for value in values)


def test_continues_as_if_never_stopped():
    whole, parts = parameters(), parameters()
    one, first, second = Adam(groups(whole)), Adam(groups(parts)), Adam(groups(parts))
    for step in range(10):
        if step == 5:
            second.load({name: value.clone() for name, value in first.tensors().items()})
        gradients(whole, step)
        gradients(parts, step)
        one.step()
        (first if step < 5 else second).step()
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_gradients_are_forgotten():
    values = parameters()
    gradients(values, 0)
    Adam(groups(values)).forget_gradients()
    assert all(value.grad is None for value in values)
