"""The floor that polling is measured against: asyncio, no checks, no queue, no store.

``python -m bench.bare_client PORT DEVICES SECONDS [PER_CONNECTION]`` asks every device once a
second for one block of 20 registers, unpacks it to 10 floats and prints one JSON line with the
blocks read and the CPU seconds that took. It runs on uvloop where that is installed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import struct
import sys
import time

FIRST, COUNT = 100, 20
SETTLE_S = 3.0
ASK = struct.Struct(">HHHBBHH")
BLOCK = struct.Struct(">10f")


class Bare(asyncio.Protocol):
    """One connection with one question at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport, self._loop = transport, asyncio.get_running_loop()
        self._heard, self._number = b"", 0

    def data_received(self, data: bytes) -> None:
        """Hand over the answer once it is whole."""
        heard = self._heard + data if self._heard else data
        if len(heard) < 9 + 2 * COUNT:
            self._heard = heard
            return
        self._heard = b""
        if not self._answer.done():
            self._answer.set_result(heard)

    def ask(self, unit_id: int) -> asyncio.Future[bytes]:
        """Ask for the block."""
        self._number = self._number % 0xFFFF + 1
        self._answer: asyncio.Future[bytes] = self._loop.create_future()
        self._transport.write(ASK.pack(self._number, 0, 6, unit_id, 3, FIRST, COUNT))
        return self._answer


async def poll(port: int, devices: int, seconds: float, per_connection: int) -> dict[str, float]:
    """Poll until the seconds are over; the first ones, while it settles, are not counted."""
    loop, blocks = asyncio.get_running_loop(), 0
    count = -(-devices // per_connection)
    links = [(await loop.create_connection(Bare, "127.0.0.1", port))[1] for _ in range(count)]
    start_s = time.monotonic() + 0.5

    async def one(n: int, link: Bare) -> None:
        nonlocal blocks
        units = min(per_connection, devices - n * per_connection)
        due_s = start_s + n / count / units
        while True:
            for unit in range(units):
                await asyncio.sleep(due_s - time.monotonic())
                BLOCK.unpack_from(await link.ask(1 + unit), 9)
                blocks += 1
                due_s += 1 / units

    tasks = [asyncio.create_task(one(n, link)) for n, link in enumerate(links)]
    await asyncio.sleep(SETTLE_S)
    before, cpu_s = blocks, time.process_time()
    await asyncio.sleep(seconds)
    found = {"blocks": blocks - before, "cpu_s": time.process_time() - cpu_s}
    for task in tasks:
        task.cancel()
    return found


def new_loop() -> asyncio.AbstractEventLoop:
    """Make the quickest event loop there is."""
    if importlib.util.find_spec("uvloop"):
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        return loop
    return asyncio.new_event_loop()


def main() -> None:
    """Run and print."""
    port, devices, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    per_connection = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    with asyncio.Runner(loop_factory=new_loop) as runner:
        print(json.dumps(runner.run(poll(port, devices, seconds, per_connection))))


if __name__ == "__main__":
    main()
