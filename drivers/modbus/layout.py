"""How one device is read: its blocks, and the registers it turned out not to have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.codec import BlockDecoder, Follower
from drivers.plan import Request, missing, plan
from drivers.profile import ModbusProfile
from hub.ports import Hole


@dataclass(frozen=True, slots=True)
class Content:
    """What one request brings: points by name, and those that wait for others of the device."""

    decoder: BlockDecoder
    names: tuple[str, ...]
    followers: tuple[tuple[str, Follower], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One request of a device; ``numbers`` are those of the points in the order of decoding."""

    request: Request
    content: Content
    numbers: tuple[int, ...]
    following: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The blocks to read, and the numbers of points that the device does not have."""

    blocks: tuple[Block, ...]
    missing: tuple[int, ...] = ()


class Drawer:
    """Draws layouts; devices of one profile share what their blocks are decoded with."""

    def __init__(self) -> None:
        self._contents: dict[tuple[str, Request], Content] = {}

    def layout(
        self, profile: ModbusProfile, numbers: Mapping[str, int], holes: Sequence[Hole] = ()
    ) -> Layout:
        """Plan all points that have a number and are not missing."""
        gone = [name for name in numbers if missing(profile.points[name], holes)]
        there = [name for name in numbers if name not in gone]
        return Layout(
            tuple(self.blocks(profile, numbers, there, holes)),
            tuple(numbers[name] for name in gone),
        )

    def blocks(
        self,
        profile: ModbusProfile,
        numbers: Mapping[str, int],
        names: Iterable[str],
        holes: Sequence[Hole] = (),
    ) -> list[Block]:
        """Plan the named points within the limits of the profile."""
        wanted = {name: profile.points[name] for name in names}
        return [
            self._block(profile, request, numbers)
            for request in plan(wanted, profile.limits, holes)
        ]

    def _block(self, profile: ModbusProfile, request: Request, numbers: Mapping[str, int]) -> Block:
        content = self._contents.get((profile.id, request))
        if content is None:
            content = self._contents[profile.id, request] = _content(profile, request)
        return Block(
            request,
            content,
            tuple(numbers[name] for name in content.names),
            tuple(numbers[name] for name, _ in content.followers),
        )


def _content(profile: ModbusProfile, request: Request) -> Content:
    points = {name: profile.points[name] for name in request.points}
    offsets = {name: point.address - request.address for name, point in points.items()}
    alone = tuple(name for name, point in points.items() if not point.follows)
    return Content(
        BlockDecoder([(points[name], offsets[name]) for name in alone], request.count),
        alone,
        tuple(
            (name, Follower(point, offsets[name]))
            for name, point in points.items()
            if point.follows
        ),
    )
