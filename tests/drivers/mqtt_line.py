"""A real broker on a free port, and a connection to it that notes what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from drivers.mqtt.connection import Broker, PahoMessages
from hub.clock import RealClock
from hub.ports import Credentials, Message
from tests.ports import free_port

PATIENCE_S = 60
TOPIC = "campus/dorm-01/shower-1/telemetry"
TOPICS = ["campus/+/+/telemetry"]


class Mosquitto:
    """A real broker on a free port of loopback; ``settings`` are lines of its configuration."""

    def __init__(self, program: str, folder: Path, settings: Sequence[str] = ()) -> None:
        self._program = program
        self._file = folder / "mosquitto.conf"
        self._settings = settings or ("allow_anonymous true",)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        # As root it would become another user, who cannot read the files of a test.
        lines = ("user root", f"listener {self.port} 127.0.0.1", *self._settings)
        self._file.write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._file)], stderr=subprocess.DEVNULL
        )
        for _ in range(PATIENCE_S * 100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert self._process.poll() is None, f"the broker did not start: {self._file}"
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None


async def until(claim: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not claim():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)


class Ear:
    """A connection and what it heard, with nothing acknowledged."""

    def __init__(
        self,
        url: str,
        client_id: str = "hub-test",
        topics: list[str] = TOPICS,
        credentials: Credentials | None = None,
    ) -> None:
        broker = Broker.of(url, client_id, credentials or Credentials())
        self.line = PahoMessages(broker, topics, RealClock())
        self.heard: list[Message] = []

    async def start(self) -> None:
        await self.line.start(lambda: self.heard.extend(self.line.drain()))

    def subscribed(self) -> bool:
        """Tell whether the heartbeat came back: its topic is the last that is subscribed to."""
        return self.line.connected() and self.line._link is not None and self.line._link.beat > 0

    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.heard]


@asynccontextmanager
async def ear(
    url: str, client_id: str = "hub-test", credentials: Credentials | None = None
) -> AsyncIterator[Ear]:
    made = Ear(url, client_id, credentials=credentials)
    await made.start()
    try:
        await until(made.subscribed)
        yield made
    finally:
        await made.line.close()


async def publish(url: str, *payloads: bytes, topic: str = TOPIC) -> None:
    """Publish as a device would, from a client of its own."""
    device = Ear(url, "device", [])
    await device.start()
    await until(device.line.connected)
    for payload in payloads:
        await device.line.publish(topic, payload)
    link = device.line._link
    assert link is not None
    await until(lambda: not link.client._out_messages)  # the broker has acknowledged them all
    await device.line.close()


def session(line: PahoMessages) -> str:
    """Name the version of MQTT that was agreed on."""
    return line._versions[0].name
