"""How one device is read: its blocks, and the registers it turned out not to have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.codec import BlockDecoder
from drivers.plan import Request, plan
from drivers.profile import Limits, ModbusProfile, RegisterPoint


@dataclass(frozen=True, slots=True)
class Block:
    """One request with its decoder and the numbers of its points, in order."""

    request: Request
    decoder: BlockDecoder
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The blocks to read, and the numbers of points that the device answers with an exception."""

    blocks: tuple[Block, ...]
    holes: tuple[int, ...] = ()


def layout(profile: ModbusProfile, numbers: Mapping[str, int]) -> Layout:
    """Plan all points of a profile that have a number."""
    return Layout(tuple(_blocks(profile.points, profile.limits, numbers, numbers)))


def halves(block: Block, profile: ModbusProfile, numbers: Mapping[str, int]) -> list[Block]:
    """Split a block between its points; each half keeps the limits of the profile."""
    names = block.request.points
    middle = len(names) // 2
    return [
        part
        for half in (names[:middle], names[middle:])
        for part in _blocks(profile.points, profile.limits, numbers, half)
    ]


def _blocks(
    points: Mapping[str, RegisterPoint],
    limits: Limits,
    numbers: Mapping[str, int],
    names: Iterable[str],
) -> list[Block]:
    wanted = {name: points[name] for name in names if name in points}
    return [_block(request, wanted, numbers) for request in plan(wanted, limits)]


def _block(
    request: Request, points: Mapping[str, RegisterPoint], numbers: Mapping[str, int]
) -> Block:
    fields: Sequence[tuple[RegisterPoint, int]] = [
        (points[name], points[name].address - request.address) for name in request.points
    ]
    return Block(
        request,
        BlockDecoder(fields, request.count),
        tuple(numbers[name] for name in request.points),
    )
