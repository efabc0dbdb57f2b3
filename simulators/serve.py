"""Run the fleet on real protocols until cancelled; a private socket takes faults and repairs."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import cast

from hub.model import Json
from hub.ports import NoAnswerError, Refused, StartError, Twins
from hub.site import Gateway
from simulators.campus import Fleet
from simulators.lines import LineServers, line_behind
from simulators.modbus_server import ModbusServers
from simulators.mqtt_device import MqttDevices

log = logging.getLogger(__name__)
_LONGEST_ASK = 65_536
_LONGEST_ANSWER = 4 * 1024 * 1024  # the overview of the reference campus has 4,870 twins


async def serve_fleet(
    fleet: Fleet,
    gateways: Sequence[Gateway],
    mqtt_url: str | None,
    control: Path | None = None,
    links: Mapping[str, Path] = MappingProxyType({}),
) -> None:
    """Serve the twins until cancelled.

    Everything listens once the ``control`` socket is there. ``links`` says where the serial ports
    of gateways are to be found, if not where their URLs say.
    """
    lines = [(one, line) for one in gateways if (line := line_behind(fleet, one.id)) is not None]
    meters = LineServers(lines, links)
    others = {gateway.id for gateway, _ in lines}
    servers = ModbusServers(fleet, [one for one in gateways if one.id not in others], links)
    door = Control(fleet, control) if control else None
    try:
        await servers.start()
        await meters.start()
        if door:
            await door.start()
        log.info("simulators serve: %d devices, %d gateways", len(fleet.devices), len(gateways))
        if mqtt_url:
            await MqttDevices(fleet, mqtt_url).run()
        else:
            await asyncio.get_running_loop().create_future()
    finally:
        if door:
            await door.stop()
        await meters.stop()
        await servers.stop()


class Control:
    """Answer overview, fault and repair as JSON lines on a socket only this user can open."""

    def __init__(self, twins: Twins, path: Path) -> None:
        self._twins = twins
        self._path = path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; StartError when the path is taken by something else."""
        if self._path.is_socket():
            self._path.unlink()
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            raise StartError(f"{self._path}: no socket can be made here: {error}") from error
        self._path.chmod(0o600)  # before anybody can connect: nothing listens yet
        self._server = await asyncio.start_unix_server(
            self._converse, sock=listener, limit=_LONGEST_ASK
        )

    async def stop(self) -> None:
        """Stop listening and remove the socket."""
        if self._server:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError):
            log.warning("simulator control dropped a connection: line too long or broken")
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Json]:
        try:
            wish = json.loads(line)
            match wish["do"]:
                case "overview":
                    return {"result": list(await self._twins.overview())}
                case "fault":
                    await self._twins.fault(str(wish["device"]), str(wish["kind"]))
                case "repair":
                    await self._twins.repair(str(wish["device"]), str(wish["part"]))
                case _:
                    return {"refused": "do is one of overview, fault and repair"}
        except Refused as error:
            return {"refused": str(error)}
        except (ValueError, KeyError, TypeError):
            return {"refused": 'write one JSON object a line, like {"do": "overview"}'}
        return {"result": None}


class RemoteTwins:
    """The twins of another process, through its control socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def overview(self) -> Sequence[Mapping[str, Json]]:
        """Return each twin: device, kind, place, faults it can have, faults active, parts."""
        return cast("Sequence[Mapping[str, Json]]", await self._ask({"do": "overview"}))

    async def fault(self, device: str, kind: str) -> None:
        """Start a fault on a twin; Refused when it has no such fault."""
        await self._ask({"do": "fault", "device": device, "kind": kind})

    async def repair(self, device: str, part: str) -> None:
        """Replace or mend a part of a twin; Refused when it has no such part."""
        await self._ask({"do": "repair", "device": device, "part": part})

    async def _ask(self, wish: Mapping[str, Json]) -> Json:
        try:
            reader, writer = await asyncio.open_unix_connection(
                str(self._path), limit=_LONGEST_ANSWER
            )
        except OSError as error:
            raise NoAnswerError(f"{self._path}: the simulators do not answer: {error}") from error
        try:
            writer.write(json.dumps(wish).encode() + b"\n")
            await writer.drain()
            line = await reader.readline()
        finally:
            writer.close()
        if not line:
            raise NoAnswerError(f"{self._path}: the simulators went away")
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["result"]
