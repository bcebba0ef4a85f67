"""A device that is only pretended: tensors with real values that claim to be on a GPU.

While a `Device` is entered, tensors that are made on it or sent to it are of a class that says
so, though their values are on the CPU. They refuse what those of a GPU refuse: to be computed with
tensors of another device, to be read by NumPy, and, on `mps`, to hold float64.
"""

import threading
from contextlib import contextmanager
from functools import cache

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import return_and_correct_aliasing

aten = torch.ops.aten
WIDE = (torch.float64, torch.complex128)
MIXED = (  # what may be given tensors of both devices: copies, and indices on the CPU
    aten.copy_.default,
    aten._to_copy.default,
    aten.index.Tensor,
    aten.index_put_.default,
    aten._index_put_impl_.default,
)
NUMPY = ("numpy", "__array__", "__dlpack__", "data_ptr")


class Pretend(torch.Tensor):
    """A tensor that claims to be on a GPU; `held` has its values on the CPU."""

    @staticmethod
    def __new__(cls, held, device):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=held.device,
        )

    def __init__(self, held, device):
        if device.name == "mps" and held.dtype in WIDE:
            raise TypeError(f"cannot make a tensor of {held.dtype}: MPS has no float64.")
        self.held, self.pretended = held, device

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [*_tensors(args), *_tensors(kwargs.values())]
        device = next(x.pretended for x in tensors if isinstance(x, Pretend))
        outside = any(not isinstance(x, Pretend) and x.ndim > 0 for x in tensors)
        if outside and func not in MIXED:
            raise RuntimeError(f"{func} got tensors on {device.name} and on cpu.")
        device.sent += outside
        to_cpu = func is aten.copy_.default and not isinstance(args[0], Pretend)
        if to_cpu or func is aten._local_scalar_dense.default:
            device.read(func)
        found = func(*_held(args), **{name: _held(value) for name, value in kwargs.items()})
        if to_cpu:
            return found
        made = _pretend(found, device)
        return return_and_correct_aliasing(func, args, kwargs, made) if _aliases(func) else made


def _tensors(values):
    """Yield all tensors, also those in lists."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _held(value):
    """Return what pretended tensors hold, also in lists."""
    if isinstance(value, list | tuple):
        return type(value)(map(_held, value))
    return value.held if isinstance(value, Pretend) else value


def _pretend(value, device):
    """Return tensors as pretended ones, also in lists."""
    if isinstance(value, list | tuple):
        return type(value)(_pretend(part, device) for part in value)
    return Pretend(value, device) if isinstance(value, torch.Tensor) else value


@cache
def _aliases(func):
    """Return whether a function returns or changes what it is given."""
    return any(part.alias_info is not None for part in func._schema.returns)


class Device(TorchFunctionMode):
    """While it is entered, this machine has a device called `name`, `cuda` or `mps`.

    `sent` counts the tensors that were sent to it.
    """

    def __init__(self, name):
        super().__init__()
        self.name, self.sent, self._may_read = name, 0, True

    @contextmanager
    def without_reads(self):
        """Fail where the CPU reads from the device, and so waits for it."""
        self._may_read = False
        try:
            yield
        finally:
            self._may_read = True

    def read(self, how):
        """Note that values go from the device to the CPU."""
        assert self._may_read, f"{how} reads from the device within a step"

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        own, name = args[0] if args else None, getattr(func, "__name__", "")
        if isinstance(own, Pretend):
            if func == torch.Tensor.device.__get__:
                return torch.device(self.name, 0)
            if name in {"__repr__", "__format__"}:
                return f"{own.held!r} on {self.name}"
            if name == "tolist":
                self.read(name)
                return own.held.tolist()
            if name in NUMPY:
                raise TypeError(f"can't convert a tensor on {self.name} to NumPy.")
        if name in {"cpu", "to"} and isinstance(own, torch.Tensor):
            place, dtype = ("cpu", None) if name == "cpu" else _asked(*args[1:], **kwargs)
            return self._moved(own, place, dtype or own.dtype)
        if self._is_meant(kwargs.get("device")):
            found = func(*args, **{**kwargs, "device": "cpu"})
            return Pretend(found.detach(), self).requires_grad_(found.requires_grad)
        return func(*args, **kwargs)

    def _is_meant(self, place):
        return place is not None and torch.device(place).type == self.name

    def _moved(self, own, place, dtype):
        """Return a tensor sent to a place, if any, and of a dtype."""
        own = own if own.dtype == dtype else own.type(dtype)
        here, there = isinstance(own, Pretend), self._is_meant(place)
        if place is None or here == there:
            return own
        if here:
            self.read("Tensor.to")
            return own.detach().held.clone()
        self.sent += 1
        return Pretend(own.detach().clone(), self)


def _asked(*args, device=None, dtype=None, **_):
    """Return the place and dtype that `Tensor.to` was given, None if it was not."""
    for given in args:
        if isinstance(given, Pretend):
            device, dtype = given.pretended.name, given.dtype
        elif isinstance(given, torch.Tensor):
            device, dtype = "cpu", given.dtype
        elif isinstance(given, torch.dtype):
            dtype = given
        elif isinstance(given, str | torch.device):
            device = given
    return device, dtype


class Generator(torch.Generator):
    """Random numbers of any device, which come from the CPU."""

    def __new__(cls, device="cpu"):
        made = super().__new__(cls)
        made.place = torch.device(device)
        return made

    def __init__(self, device="cpu"):
        pass

    @property
    def device(self):
        return self.place


@contextmanager
def entered(device, monkeypatch):
    """Give this machine a device, in all threads."""
    run = threading.Thread.run

    def run_with_device(thread):
        with device:
            run(thread)

    monkeypatch.setattr(threading.Thread, "run", run_with_device)
    monkeypatch.setattr(torch, "Generator", Generator)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with device:
            yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
