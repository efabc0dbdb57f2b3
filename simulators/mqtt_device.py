"""The MQTT devices of a fleet on a real broker: one paho client speaks for all of them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion

from simulators.campus import Fleet
from simulators.dialects import Said
from simulators.telemetry import Terminals

log = logging.getLogger(__name__)
_PORT = 1883
_QUEUED = 20_000  # messages that wait while the broker is away; later ones are lost


class MqttDevices:
    """Publish telemetry with QoS 1 and retained status; answer commands."""

    def __init__(self, fleet: Fleet, url: str) -> None:
        self._clock = fleet.clock
        self._terminals = Terminals(fleet)
        self._url = urlsplit(url)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"simulators-{fleet.clock.token('mqtt')[:12]}"
        )
        self._client.max_queued_messages_set(_QUEUED)
        self._client.max_inflight_messages_set(100)
        self._client.reconnect_delay_set(1, 10)
        self._client.on_connect = self._connected
        self._client.on_message = self._received

    async def run(self) -> None:
        """Speak until cancelled, then say that every device is offline."""
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(self._url.hostname or "127.0.0.1", self._url.port or _PORT)
        self._client.loop_start()
        try:
            while (due_ms := self._terminals.next_due_ms()) is not None:
                await self._clock.sleep((due_ms - self._clock.now_ms()) / 1000)
                for said in self._terminals.spoken(self._clock.now_ms()):
                    self._say(said)
            await self._loop.create_future()
        finally:
            self._stop()

    def _stop(self) -> None:
        if self._client.is_connected():
            sent = [self._say(said) for said in self._terminals.statuses(online=False)]
            if sent:
                sent[-1].wait_for_publish(1.0)
        self._client.disconnect()
        self._client.loop_stop()

    def _say(self, said: Said) -> MQTTMessageInfo:
        return self._client.publish(said.topic, said.payload, qos=1, retain=said.retained)

    def _connected(self, client: Client, *_: Any) -> None:
        """Say who is here, and listen for commands (in paho's thread)."""
        if wanted := self._terminals.topics():
            client.subscribe([(topic, 1) for topic in wanted])
        for said in self._terminals.statuses(online=True):
            self._say(said)

    def _received(self, _client: Client, _: Any, message: MQTTMessage) -> None:
        """Hand a command to the loop: twins live there (in paho's thread)."""
        if self._loop is not None and not message.retain:
            self._loop.call_soon_threadsafe(self._answer, message.topic, bytes(message.payload))

    def _answer(self, topic: str, payload: bytes) -> None:
        answer = self._terminals.reply(topic, payload)
        if answer is not None:
            self._say(answer)
