"""Harmful changes of JSON, of saved fits and of scripts; the same ones for the same seed."""

from __future__ import annotations

import copy
import json
import re
import struct
from typing import Any

import numpy as np
from mutate import mutation

DEPTH = 100_000

_PLACE = "harmful value"
"""Stands in a text where something is put that no JSON library would write."""

_RAW = (
    "[" * DEPTH + "]" * DEPTH,
    '{"a":' * DEPTH + "1" + "}" * DEPTH,
    "[" * DEPTH,
    "1" * 5000,
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "-0",
    '"\\ud800"',
    '"a", "harmful key": 1',
    "",
)

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, -(2**31), 2**31, 2**63, 2**64, 10**30, 10**400, 0.0, -0.5,
    0.5, 1e-300, 1e300, float("nan"), float("inf"), float("-inf"), "", "0", "nan", "a" * 100_000,
    "\x1b[2J\n\x00\u202e", "../../etc/passwd", [], [[]], [None], [0], [-1, 2.5], ["a"], {},
    {"a": 1}, {"kind": "time-lapse"}, [[1, 2], [3]], list(range(1000)), [1e300] * 3, [10**9] * 2,
    [10**9] * 5,
)  # fmt: skip


def changed_json(values: Any, rng: np.random.Generator) -> str:
    """Return the text of plain values with one to three harmful changes."""
    changed, raw = json.loads(json.dumps(values)), _PLACE
    for _ in range(rng.integers(1, 4)):
        holder, key = _place(changed, rng)
        change = rng.integers(6)
        if holder is None:
            changed = _value(rng)
        elif change == 0:
            del holder[key]
        elif change == 1 and isinstance(holder, dict):
            holder[str(rng.choice(["", "_", "unknown", "kind", "__class__"]))] = _value(rng)
        elif change == 2 and isinstance(holder, list):
            holder.extend(holder[:] * int(rng.integers(1, 4)))
        elif change == 3:
            holder[key], raw = _PLACE, _RAW[rng.integers(len(_RAW))]
        else:
            holder[key] = _near(holder[key], rng)
    text = json.dumps(changed)
    if rng.integers(10) == 0:  # each key of the top twice, the second time with another value
        text = f"{text[:-1]}, {changed_json(values, rng)[1:]}" if text[:2] == '{"' else text
    if rng.integers(10) == 0:
        text = text[: rng.integers(len(text) + 1)]
    return text.replace(json.dumps(_PLACE), raw)


def changed_fit(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a saved fit with a changed header, changed arrays, or changed bytes."""
    kind = rng.integers(10)
    if kind == 0:
        return mutation(content, rng)
    length = struct.unpack("<Q", content[:8])[0]
    table, values = json.loads(content[8 : 8 + length]), content[8 + length :]
    if kind == 1:
        return _stored(changed_json(table, rng), values)
    if kind <= 5:
        table, values = _changed_arrays(table, values, rng)
    if kind >= 4:
        header = json.loads(table["__metadata__"]["header"])
        table["__metadata__"]["header"] = changed_json(header, rng)
    return _stored(json.dumps(table), values)


def changed_script(text: str, rng: np.random.Generator) -> str:
    """Return a script with other values, deeper nesting, or changed bytes."""
    kind = rng.integers(4)
    if kind == 0:
        return mutation(text.encode(), rng).decode("latin-1")
    found = list(re.finditer(r"\"[^\"\n]*\"|\b\d+(\.\d+)?\b", text))
    place = found[rng.integers(len(found))].span()
    raw = ("(" * DEPTH, "[" * 500 + "]" * 500, "-" * DEPTH + "1", "9" * 5000, "b'a'", "1j", "...")
    value = raw[rng.integers(len(raw))] if kind == 1 else repr(_value(rng))
    return text[: place[0]] + value + text[place[1] :]


def _stored(table: str, values: bytes) -> bytes:
    text = table.encode("utf-8", "replace")
    return struct.pack("<Q", len(text)) + text + values


def _changed_arrays(
    table: dict[str, Any], values: bytes, rng: np.random.Generator
) -> tuple[dict[str, Any], bytes]:
    """Return the table and the values of a file with one array renamed, reshaped or refilled."""
    names = [name for name in table if name != "__metadata__"]
    if not names:
        return table, values
    name = names[rng.integers(len(names))]
    entry, kind = table[name], rng.integers(6)
    start, stop = entry["data_offsets"]
    if kind == 0:
        table[f"{name}{rng.choice(['x', '.0', chr(0)])}"] = table.pop(name)
    elif kind == 1:
        entry["shape"] = [1, *entry["shape"]] if rng.integers(2) else [int(np.prod(entry["shape"]))]
    elif kind == 2:
        entry["shape"] = entry["shape"][::-1]
    elif kind == 3 and entry["dtype"] in _TYPES:
        others = _TYPES[entry["dtype"]]
        entry["dtype"] = others[rng.integers(len(others))]
    else:
        bad = (np.nan, np.inf, -np.inf, 1e30, -1.0, 0.0)[rng.integers(6)]
        dtype = {"F32": "<f4", "F64": "<f8"}.get(entry["dtype"])
        number = np.array(bad, dtype).tobytes() if dtype else b"\xff"
        count = (stop - start) // len(number)
        if kind == 4 and count:
            start += int(rng.integers(count)) * len(number)
            count = 1
        values = values[:start] + number * count + values[start + count * len(number) :]
    return table, values


_TYPES = {"F32": ("I32", "U32"), "F64": ("I64", "U64"), "I64": ("F64", "U64"), "U8": ("I8", "BOOL")}
"""Types of the same size."""


def _place(values: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return a table or list, and a key in it; None if the values are neither, or empty."""
    places = [
        (holder, key)
        for holder in _holders(values)
        for key in (holder if isinstance(holder, dict) else range(len(holder)))
    ]
    return places[rng.integers(len(places))] if places else (None, None)


def _holders(values: Any) -> list[Any]:
    if not isinstance(values, dict | list):
        return []
    inner = values.values() if isinstance(values, dict) else values
    return [values, *(holder for one in inner for holder in _holders(one))][:2000]


def _value(rng: np.random.Generator) -> Any:
    return copy.deepcopy(_VALUES[rng.integers(len(_VALUES))])


def _near(value: Any, rng: np.random.Generator) -> Any:
    """Return another value, sometimes one of the same type."""
    if rng.integers(2) or value is None or isinstance(value, bool | dict):
        return _value(rng)
    if isinstance(value, int | float):
        return value * int(rng.choice([-1, 2, 1000, 10**9, 10**15])) + int(rng.integers(-1, 2))
    if isinstance(value, str):
        return value[::-1] if rng.integers(2) else value + str(rng.choice(["\n", "\x1b[31m", "x"]))
    return value[: rng.integers(len(value) + 1)] if rng.integers(2) else value[::-1]
