"""Reads on lines whose answers come late or garbled; each value must be that of its question.

Over TCP what is late stays behind with its connection. A serial line cannot be opened anew: it is
promised no answer later than three timeouts after its deadline, however busy this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

from drivers.modbus.frame import Question
from hub.ports import GarbageAnswerError, NoAnswerError
from hub.site import Line
from tests.drivers.wires import FAST, Wire, honest, value

TCP_HEAD = 9  # up to the byte count; over TCP nothing checks the values themselves
KINDS = {
    "tcp": ("tcp", FAST),
    "lenient": ("tcp", Line(transaction_ids="lenient")),
    "rtu+tcp": ("rtu+tcp", FAST),
    "serial": ("serial", FAST),
}


async def late_answers(kind: str, lines: int, wanted: int) -> tuple[int, int, int]:
    """Read back to back, other registers each time; return how many were spoilt, good and wrong."""
    one_each = (_ask_on(kind, seed, wanted // lines) for seed in range(lines))
    bad, good, wrong = zip(*await asyncio.gather(*one_each), strict=True)
    return sum(bad), sum(good), sum(wrong)


async def _ask_on(kind: str, seed: int, wanted: int) -> tuple[int, int, int]:
    scheme, line = KINDS[kind]
    wire, chance = Wire(framed=scheme == "tcp"), random.Random(seed)
    timeout_s = 0.05
    asked: list[float] = []
    bad = 0

    async def late(adu, send, n):
        nonlocal bad
        fate = chance.random()
        if fate < 0.5:
            bad += 1
            asked_s = asked[-1]
            await asyncio.sleep(timeout_s * chance.uniform(1.05, 3.5))
            later_s = asyncio.get_running_loop().time() - asked_s
            if scheme == "serial" and later_s > timeout_s * 3.8:
                return
            with contextlib.suppress(OSError):
                send(honest(adu))
        elif fate < 0.6:
            bad += 1
            frame = bytearray(send.framed(honest(adu)))
            checked = TCP_HEAD if scheme == "tcp" else len(frame)
            frame[chance.randrange(checked)] ^= 1 << chance.randrange(8)
            send.raw(bytes(frame))
        else:
            send(honest(adu))

    wire.answer = late
    if scheme == "serial":
        wire.plug()
    else:
        await wire.listen()
    bus = wire.bus(timeout_s, line)
    deadline_s = bus._deadline_s

    def ask(question: Question) -> float:
        asked.append(asyncio.get_running_loop().time())
        return deadline_s(question)

    bus._deadline_s = ask
    good = wrong = 0
    while bad < wanted:
        address = chance.randrange(1000)
        bus._breaker._until_s = 0.0  # a busy machine may be slow to connect; that is not the matter
        await asyncio.sleep(0)
        with contextlib.suppress(NoAnswerError, GarbageAnswerError):
            words = list(await bus.read(1, "holding", address, 2))
            good += 1
            wrong += words != [value(1, address), value(1, address + 1)]
    await bus.close()
    await wire.close()
    return bad, good, wrong
