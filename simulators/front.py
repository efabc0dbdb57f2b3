"""Where a simulated gateway is met: at a port of loopback, or at one end of a pseudo-terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import tty
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from hub.ports import StartError
from hub.site import Gateway

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_AT_ONCE = 4096
_TERMINALS = Path("/dev/pts")


class Sink(Protocol):
    """Where answers go."""

    def write(self, data: bytes, /) -> None:
        """Send."""

    async def drain(self) -> None:
        """Wait until there is room for more."""

    def close(self) -> None:
        """End the connection."""


Conversation = Callable[[asyncio.StreamReader, Sink], Awaitable[None]]
"""Hear questions and answer them until either side has had enough."""


class Front:
    """The address of one gateway; everybody who comes there has a conversation of its own.

    ``link`` is where the other end of a pseudo-terminal is to be found, if not where the gateway's
    URL says.
    """

    def __init__(self, gateway: Gateway, converse: Conversation, link: Path | None = None) -> None:
        self.port = 0
        self._gateway = gateway
        self._converse = converse
        self._link = link
        self._talks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._terminal: _Terminal | None = None

    async def start(self) -> None:
        """Be there; StartError when the address is not ours to take."""
        if self._gateway.transport == "serial":
            self._terminal = _Terminal(self._place())
            self._begin(self._keep_talking(self._terminal))
        else:
            await self._listen()

    async def stop(self) -> None:
        """End every conversation and be gone."""
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        if self._terminal is not None:
            self._terminal.remove()
        self._server = self._terminal = None

    async def _listen(self) -> None:
        url = urlsplit(self._gateway.url)
        if url.hostname not in _LOOPBACK or url.port is None:
            raise self._error(
                f"{self._gateway.url} is not on this machine; "
                "simulated gateways need tcp://127.0.0.1:<port>"
            )
        try:
            self._server = await asyncio.start_server(self._meet, url.hostname, url.port)
        except OSError as error:
            raise self._error(f"port {url.port} cannot be opened; is it taken?") from error
        self.port = self._server.sockets[0].getsockname()[1]

    def _place(self) -> Path:
        """Return where to put a pseudo-terminal: never over anything, and nowhere by surprise."""
        told = self._link is not None
        path = self._link or Path(urlsplit(self._gateway.url).path)
        inside = path.parent.resolve()
        if inside.is_relative_to("/dev"):
            raise self._error(
                f"{path} is a place for real devices; write --serial {self._elsewhere}"
            )
        if not told and not inside.is_relative_to(Path(tempfile.gettempdir()).resolve()):
            raise self._error(f"{path} is no temporary place; write --serial {self._elsewhere}")
        if path.is_symlink() and not path.exists() and _TERMINALS in path.readlink().parents:
            path.unlink()  # left behind by simulators that could not clean up
        if path.is_symlink() or path.exists():
            raise self._error(f"{path} is there already; remove it if nobody uses it")
        return path

    @property
    def _elsewhere(self) -> str:
        return f"{self._gateway.id}=PATH and let the hub's gateway be serial://PATH"

    def _error(self, what: str) -> StartError:
        return StartError(f"gateway {self._gateway.id}: {what}")

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._begin(self._talk(reader, writer))

    def _begin(self, talking: Awaitable[None]) -> None:
        # In a task of its own: asyncio's would log a cancelled one as an error.
        talk = asyncio.ensure_future(talking)
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._converse(reader, writer)
        finally:
            writer.close()

    async def _keep_talking(self, terminal: _Terminal) -> None:
        """Talk for as long as there is a line: a serial port cannot hang up."""
        while True:
            await self._converse(terminal.heard, terminal)
            await terminal.heard.read(_AT_ONCE)  # said to nobody


class _Terminal:
    """A pseudo-terminal whose other end lies under a link."""

    def __init__(self, link: Path) -> None:
        self.heard = asyncio.StreamReader()
        self._link = link
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        try:
            link.symlink_to(os.ttyname(self._theirs))
        except OSError as error:
            self._close()
            raise StartError(f"{link}: no serial line can be made here: {error}") from error
        asyncio.get_running_loop().add_reader(self._ours, self._hear)

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.heard.feed_data(os.read(self._ours, _AT_ONCE))

    def write(self, data: bytes, /) -> None:
        """Send; what finds no room because nobody reads is lost, as on any line."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._ours, data)

    async def drain(self) -> None:
        """Have no need to wait."""

    def close(self) -> None:
        """Stay: a serial port cannot hang up."""

    def remove(self) -> None:
        """Take the line away."""
        asyncio.get_running_loop().remove_reader(self._ours)
        self._link.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        os.close(self._ours)
        os.close(self._theirs)  # open until now: without anybody on it a terminal is an error
