"""The one door to uvicorn: serve an application on an address or a socket file of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from hub.lock import short_path
from hub.ports import StartError

BACKLOG = 200


class _Quiet(uvicorn.Server):
    """Leaves signals to the hub, which stops its parts in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """Take an address at once; StartError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise StartError(
            f"web: {host}:{port} cannot be opened: {error.strerror}; end the program that uses "
            "it, or change web.port in campus.yaml"
        ) from error


def listening_at(file: Path) -> socket.socket:
    """Take a socket file that only this account may open; the folder is held by this hub alone."""
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        file.unlink(missing_ok=True)  # what a hub left that did not end in order
        with short_path(file) as path:
            local.bind(path)
            file.chmod(0o600)
            # Nobody can connect before this, so nobody slips in before the mode is set.
            local.listen(BACKLOG)
    except OSError as error:
        local.close()
        raise StartError(f"web: {file} cannot be opened: {error.strerror}") from error
    return local


class Server:
    """Serves an application on a listening socket until stopped."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self._socket = listener
        name = listener.getsockname()
        self.port: int = name[1] if isinstance(name, tuple) else 0
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", server_header=False,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        self._server = _Quiet(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="web")

    async def stop(self) -> None:
        """Answer what is being asked, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._socket.close()
