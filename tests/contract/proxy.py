"""A proxy of our own before a real server: rewrites paths, and plays the faults of a bad day."""

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

import httpx

NEW_PATH, OLD_PATH = "/api/v2/write", "/write"
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Asked:
    """What a client wants."""

    method: str
    path: str
    params: dict[str, str]
    body: bytes

    @property
    def writes(self) -> bool:
        return self.path in {NEW_PATH, OLD_PATH}


@dataclass(frozen=True)
class Answer:
    """What it gets; without a status the line goes dead."""

    status: int | None
    body: bytes = b""
    kind: str = "application/json"


DEAD = Answer(None)
Fault = Callable[[Asked, Callable[[], Answer]], Answer]
"""Answer in the server's place; the second argument asks the server itself."""


class Proxy:
    """Passes on, unless ``fault`` answers; ``rewrite`` makes a 1.6 server take /api/v2/write."""

    def __init__(self, upstream: str) -> None:
        self._upstream = httpx.Client(base_url=upstream, timeout=PATIENCE_S)
        self.rewrite = False
        self.fault: Fault | None = None
        self.asked: list[Asked] = []
        self.ending = threading.Event()  # a fault that waits, waits for this at most
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._upstream.close()

    def writes(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.writes]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if self.fault is None:
            return self.passed_on(asked)
        return self.fault(asked, lambda: self.passed_on(asked))

    def passed_on(self, asked: Asked) -> Answer:
        path, params = asked.path, dict(asked.params)
        if self.rewrite and path == NEW_PATH:
            path, params["db"] = OLD_PATH, params.pop("bucket")
            params.pop("org", None)
        got = self._upstream.request(asked.method, path, params=params, content=asked.body)
        return Answer(got.status_code, got.content, got.headers.get("Content-Type", "text/plain"))

    def _handler(proxy) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler has its own self
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer in one piece, or the other side waits to acknowledge
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                params = {key: values[-1] for key, values in parse_qs(parts.query).items()}
                length = int(self.headers.get("Content-Length") or 0)
                said = proxy.answer(
                    Asked(self.command, parts.path, params, self.rfile.read(length))
                )
                if said.status is None:
                    # Closed with a reset, as by a server that was killed.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    return
                self.send_response(said.status)
                self.send_header("Content-Type", said.kind)
                if said.status != 204:
                    self.send_header("Content-Length", str(len(said.body)))
                self.end_headers()
                if said.status != 204:
                    self.wfile.write(said.body)

            do_POST = do_GET  # noqa: N815 - as the library calls it

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
