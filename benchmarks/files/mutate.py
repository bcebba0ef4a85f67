"""Ways to damage the bytes of a file, each the same in every run."""

from collections.abc import Iterator

import numpy as np

STEP = 64
_NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)


def truncations(content: bytes) -> Iterator[bytes]:
    """Yield the file cut off at every 64th byte."""
    for end in range(0, len(content), STEP):
        yield content[:end]


def flips(content: bytes, most: int) -> Iterator[bytes]:
    """Yield the file with one byte inverted: every byte, or `most` bytes evenly spread."""
    for place in np.unique(np.linspace(0, len(content) - 1, min(most, len(content))).astype(int)):
        yield content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def mutation(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the file with one to four random changes."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        if len(changed) < 16:
            break
        _CHANGES[rng.integers(len(_CHANGES))](changed, _place(changed, rng), rng)
    return bytes(changed)


def _place(content: bytearray, rng: np.random.Generator) -> int:
    """Return a position: headers are at the beginning or the end, and are wanted more often."""
    n = len(content)
    kind = rng.integers(4)
    if kind == 0:
        return int(rng.integers(n))
    if kind == 1:
        return int(max(0, n - 1 - rng.integers(min(n, 400))))
    return int(rng.integers(min(n, 600)))


def _bit(content: bytearray, place: int, rng: np.random.Generator) -> None:
    content[place] ^= 1 << int(rng.integers(8))


def _byte(content: bytearray, place: int, rng: np.random.Generator) -> None:
    content[place] = int(rng.integers(256))


def _number(content: bytearray, place: int, rng: np.random.Generator) -> None:
    size = int(rng.choice([1, 2, 4, 8]))
    order = "little" if rng.integers(2) else "big"
    value = _NUMBERS[rng.integers(len(_NUMBERS))] % 256**size
    content[place : place + size] = value.to_bytes(size, order)


def _remove(content: bytearray, place: int, rng: np.random.Generator) -> None:
    del content[place : place + int(rng.integers(1, 40))]


def _insert(content: bytearray, place: int, rng: np.random.Generator) -> None:
    content[place:place] = bytes(rng.integers(0, 256, int(rng.integers(1, 40)), dtype=np.uint8))


def _repeat(content: bytearray, place: int, rng: np.random.Generator) -> None:
    content[place:place] = content[place : place + int(rng.integers(1, 400))]


def _cut(content: bytearray, place: int, rng: np.random.Generator) -> None:
    del content[max(16, place) :]


def _copy(content: bytearray, place: int, rng: np.random.Generator) -> None:
    other = int(rng.integers(len(content)))
    size = int(rng.integers(1, 16))
    content[place : place + size] = content[other : other + size]


_CHANGES = (_bit, _byte, _byte, _number, _number, _number, _remove, _insert, _repeat, _cut, _copy)
