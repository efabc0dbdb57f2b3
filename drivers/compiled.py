"""The usual case of decoding, all values good, as one function made for one block.

Judging ten values in a loop costs four times as much as unpacking them. The function is written
like those of dataclasses: as source that holds nothing but names made here and numbers of the
profile. Whatever it does not find good it leaves to the codec, which judges point by point.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

from hub.model import Quality, flag

Decode = Callable[[bytes, list[float], list[int]], None]
_Key = tuple[int, str, bool, str]
_GOOD = flag(Quality.GOOD)
_LARGEST = sys.float_info.max
_SAFE_FACTOR = 1e200  # times any 64-bit integer this is still finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Where a value lies in a block of bytes and what it means.

    The value is ((raw >> shift & mask) x factor / divisor + offset); mask 0 takes all bits.
    """

    start: int
    order: str
    code: str
    swapped: bool
    shift: int
    mask: int
    invalid: frozenset[float]
    factor: float
    divisor: float
    offset: float
    low: float
    high: float


def swapped(data: bytes) -> bytes:
    """Return the block with the two bytes of each register exchanged."""
    words = array("H", data)
    words.byteswap()
    return words.tobytes()


def compiled(parts: tuple[Part, ...], size: int, judge: Decode) -> Decode:
    """Make the function that appends values and qualities of a block; ``judge`` does the rest.

    >>> part = Part(start=0, order=">", code="h", swapped=False, shift=0, mask=0,
    ...     invalid=frozenset({32767}), factor=1, divisor=10, offset=0.0, low=-20.0, high=120.0)
    >>> values, flags = [], []
    >>> compiled((part,), 2, print)(bytes([1, 249]), values, flags)
    >>> values, flags
    ([50.5], [0])
    """
    if any(part.code.endswith("s") for part in parts):
        return judge  # decimal digits have no format of their own
    code, names = _code(parts, size)
    space: dict[str, Any] = {**names, "judge": judge, "swapped": swapped}
    exec(code, space)  # noqa: S102 - see above: no text of a profile is in it
    made: Decode = space["decode"]
    return made


@lru_cache(maxsize=1024)  # a campus has thousands of devices of a few profiles
def _code(parts: tuple[Part, ...], size: int) -> tuple[CodeType, Mapping[str, object]]:
    """Write the function; return it with what it refers to."""
    raws: dict[_Key, str] = {}
    for part in parts:
        raws.setdefault(_key(part), f"raw{len(raws)}")
    space: dict[str, object] = {"good": [_GOOD] * len(parts)}
    lines = ["def decode(data, values, flags):"]
    if any(part.swapped for part in parts):
        lines.append(" other = swapped(data)")
    whole = ""
    for n, layer in enumerate(_layers(list(raws))):
        _, order, turned, _ = layer[0]
        space[f"unpack{n}"] = struct.Struct(order + _format(layer, size)).unpack
        whole = ", ".join(raws[key] for key in layer) + ", "
        lines.append(f" {whole}= unpacked = unpack{n}({'other' if turned else 'data'})")
    found, conditions = [], []
    for n, part in enumerate(parts):
        value = raw = raws[_key(part)]
        if (told := _expression(part, raw)) != raw:
            value = f"value{n}"
            lines.append(f" {value} = {told}")
        found.append(value)
        conditions.extend(_conditions(part, raw, value))
    listed = "".join(f"{value}, " for value in found)
    lines += [
        f" if {' and '.join(conditions) or 'True'}:",
        f"  values += {'unpacked' if listed and listed == whole else f'({listed})'}",
        "  flags += good",
        " else:",
        "  judge(data, values, flags)",
    ]
    return compile("\n".join(lines), "<decode>", "exec"), space


def _key(part: Part) -> _Key:
    return part.start, part.order, part.swapped, part.code


def _layers(keys: list[_Key]) -> list[list[_Key]]:
    """Spread the raw values over as few structs as order and overlaps allow."""
    layers: list[list[_Key]] = []
    for key in sorted(keys):
        start, order, turned, _ = key
        for layer in layers:
            before, its_order, its_turned, code = layer[-1]
            end = before + struct.calcsize(code)
            if (its_order, its_turned) == (order, turned) and end <= start:
                layer.append(key)
                break
        else:
            layers.append([key])
    return layers


def _format(layer: Sequence[_Key], size: int) -> str:
    written, at = "", 0
    for start, _, _, code in layer:
        written += f"{start - at}x{code}"
        at = start + struct.calcsize(code)
    return f"{written}{size - at}x"


def _expression(part: Part, raw: str) -> str:
    if part.mask:
        raw = f"({raw} >> {part.shift} & {part.mask})"
    if part.factor != 1:
        raw += f" * {part.factor!r}"
    if part.divisor != 1:
        raw += f" / {part.divisor!r}"
    return raw + f" + {part.offset!r}" if part.offset else raw


def _conditions(part: Part, raw: str, value: str) -> list[str]:
    conditions = [
        f"{raw} != {marker!r}" for marker in sorted(part.invalid) if _passes(part, marker)
    ]
    whole = part.code not in "fd" and abs(part.factor) < _SAFE_FACTOR
    if not (whole and (part.low, part.high) == (-_LARGEST, _LARGEST)):
        conditions += [f"{value} >= {part.low!r}", f"{value} <= {part.high!r}"]
    return conditions


def _passes(part: Part, marker: float) -> bool:
    """Tell whether the range would let a marker through."""
    if part.mask:
        return True
    return part.low <= marker * part.factor / part.divisor + part.offset <= part.high
