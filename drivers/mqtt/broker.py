"""The one door to amqtt: a broker inside the process, for demonstrations on loopback only."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading

from amqtt.broker import Broker
from amqtt.errors import BrokerError

from hub.ports import StartError

log = logging.getLogger(__name__)

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_START_S = 10.0


class _Broker(Broker):  # type: ignore[misc]  # amqtt has no types
    """amqtt's broker, which leaves a connection open whose client goes before it is greeted."""

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """Serve one client and let go of it, whatever happens."""
        try:
            await super().stream_connected(reader, writer, listener_name)
        except OSError as error:
            log.debug("client of the embedded broker went away: %s", error)
        finally:
            writer.close()


class EmbeddedBroker:
    """An MQTT 3.1.1 broker in a thread and event loop of its own.

    It shows retained messages to clients that never asked for them and keeps nothing for
    anonymous clients that are away, so it never listens beyond this machine.
    """

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        if host not in _LOOPBACK:
            raise StartError(
                f"embedded broker on {host}: it is for demonstrations on 127.0.0.1 only; "
                "use Mosquitto and give its address under mqtt: url"
            )
        self._host = host
        self.port = port
        self._ready = threading.Event()
        self._error: Exception | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    @property
    def url(self) -> str:
        """Return the address for clients; it names the version to spare them a refusal."""
        return f"mqtt://{self._host}:{self.port}?version=3.1.1"

    def start(self) -> None:
        """Listen; StartError when the port is taken."""
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.ERROR)
        with self._probe() as probe:
            self.port = probe.getsockname()[1]
        self._thread.start()
        if not self._ready.wait(_START_S) or self._error:
            raise StartError(f"embedded broker on port {self.port}: {self._error or 'no answer'}")

    def stop(self) -> None:
        """Stop listening, drop the clients and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_START_S)

    def _probe(self) -> socket.socket:
        try:
            return socket.create_server((self._host, self.port))
        except OSError as error:
            raise StartError(
                f"embedded broker: port {self.port} is taken; give another mqtt.port ({error})"
            ) from error

    def _run(self) -> None:
        self._loop = asyncio.new_event_loop()
        try:
            self._loop.run_until_complete(self._serve())
        except (BrokerError, OSError) as error:
            self._error = error
            self._ready.set()
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        broker = _Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{self._host}:{self.port}"}},
                "plugins": {
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
                },
            }
        )
        await broker.start()
        self._ready.set()
        await self._stop.wait()
        await broker.shutdown()
