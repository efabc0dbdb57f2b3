"""Measure decoding beside pymodbus's own and a plain struct, on the same blocks.

``python -m bench.decode [--rounds N]`` prints microseconds of CPU time for one block of 20
registers, ready as values and qualities, and the ratios. Rounds take the ways in turn, so that a
noisy machine disturbs all of them alike; the middle of the rounds is printed, and of the hub also
the least. A plain struct judges nothing: what it gives may be a filler, no number or out of range.
"""

from __future__ import annotations

import argparse
import statistics
import struct
import time
from collections.abc import Callable, Mapping

from pymodbus.client.mixin import ModbusClientMixin

from drivers.codec import BlockDecoder
from drivers.profile import RegisterPoint

GOAL_US = 0.3
REGISTERS = 20
BLOCKS = 2_000
BLOCKS_PER_POLL = 4  # they share the columns of the poll, as in the driver
_FLOATS = [
    (RegisterPoint(table="input", address=2 * n, type="float32", min=-6000, max=6000), 2 * n)
    for n in range(10)
]
_METER: tuple[tuple[str, float, float | None, tuple[int, ...]], ...] = (
    ("uint32", 0.01, None, ()), ("uint32", 0.01, None, ()), ("uint32", 0.01, None, ()),
    ("uint16", 0.1, 500, (0xFFFF,)), ("uint16", 0.01, 100, (0xFFFF,)),
    ("int32", 1, 25_000, (0x7FFFFFFF,)), ("int16", 0.001, 1, (0x7FFF,)),
    ("uint16", 0.01, 70, (0xFFFF,)), ("uint16", 1, None, ()), ("uint16", 1, None, ()),
)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    float_blocks = [struct.pack(">10f", *(n % 100 + i for i in range(10))) for n in range(BLOCKS)]
    meter_blocks = [
        struct.pack(">IIIHHiHHHH12x", n, n, n, 2300 + n % 9, 100, 500, 900, 5000, 0, 1)
        for n in range(BLOCKS)
    ]
    report("10 float32 with limits", _ways(BlockDecoder(_FLOATS, REGISTERS), float_blocks), rounds)
    meter = BlockDecoder(_meter(), REGISTERS)
    report("room meter: 10 mixed, scaled, markers", {"hub": _ours(meter, meter_blocks)}, rounds)


def report(title: str, ways: Mapping[str, Callable[[], None]], rounds: int) -> None:
    """Run the ways in turn and print the middle of each."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            way()
            taken[name].append((time.process_time() - began) / BLOCKS * 1e6)
    ours, least = statistics.median(taken["hub"]), min(taken["hub"])
    print(f"{title}: hub {ours:.3f} us/block (goal {GOAL_US}: {_verdict(ours)}), least {least:.3f}")
    for name, times in taken.items():
        if name != "hub":
            middle = statistics.median(times)
            print(f"  {name}: {middle:.3f} us/block, {middle / ours:.1f} x the hub's time")


def _verdict(ours: float) -> str:
    return "met" if ours <= GOAL_US else "missed"


def _ways(decoder: BlockDecoder, blocks: list[bytes]) -> Mapping[str, Callable[[], None]]:
    words = [list(struct.unpack(">20H", block)) for block in blocks]
    unpack = struct.Struct(">10f").unpack
    convert = ModbusClientMixin.convert_from_registers
    kind = ModbusClientMixin.DATATYPE.FLOAT32
    decode = decoder.decode

    def plain() -> None:
        for block in blocks:
            unpack(block)

    def pymodbus() -> None:
        for registers in words:
            convert(registers, kind)

    def words_first() -> None:
        for registers in words:
            decode(decoder.bytes_of(registers), [], [])

    return {
        "hub": _ours(decoder, blocks),
        "hub, from a list of registers": words_first,
        "plain struct, judging nothing": plain,
        "pymodbus convert_from_registers, one call": pymodbus,
    }


def _ours(decoder: BlockDecoder, blocks: list[bytes]) -> Callable[[], None]:
    decode = decoder.decode
    polls = [blocks[n : n + BLOCKS_PER_POLL] for n in range(0, len(blocks), BLOCKS_PER_POLL)]

    def ours() -> None:
        for poll in polls:
            values: list[float] = []
            flags: list[int] = []
            for block in poll:
                decode(block, values, flags)

    return ours


def _meter() -> list[tuple[RegisterPoint, int]]:
    made, at = [], 0
    for type_, scale, highest, invalid in _METER:
        point = RegisterPoint.model_validate(
            {"table": "input", "address": at, "type": type_, "scale": scale, "invalid": invalid}
            | ({} if highest is None else {"min": -highest, "max": highest})
        )
        made.append((point, at))
        at += point.words
    return made


if __name__ == "__main__":
    main()
