"""Real servers that take messages, or do to them what real servers do."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Post:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    content: dict[str, Any]


@dataclass
class HttpSink:
    """Notes every request, then answers as ``behaviour`` says."""

    port: int = 0
    behaviour: str = "take"  # or fail, drop, refuse, redirect, stall
    posts: list[Post] = field(default_factory=list)
    outlasted: bool = False  # who asked was still there when it would stall no longer
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def keys(self) -> list[str]:
        return [post.headers.get("Idempotency-Key", "") for post in self.posts]


@contextlib.contextmanager
def http_sink() -> Iterator[HttpSink]:
    sink = HttpSink()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.posts.append(Post(self.path, dict(self.headers), json.loads(body)))
            self._answer(sink.behaviour)

        def do_GET(self) -> None:
            sink.posts.append(Post(self.path, dict(self.headers), {}))
            self._answer("take")

        def _answer(self, behaviour: str) -> None:
            if behaviour == "stall":
                sink.outlasted |= not sink.released.wait(60)
            if behaviour in ("drop", "stall"):
                self.close_connection = True
                return
            said = b'{"errcode": 45009, "errmsg": "too often"}' if behaviour == "refuse" else b"{}"
            self.send_response({"fail": 500, "redirect": 307}.get(behaviour, 200))
            if behaviour == "redirect":
                self.send_header("Location", f"http://127.0.0.1:{sink.port}/elsewhere")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # who asks may be killed
    sink.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield sink
    finally:
        sink.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class MailSink:
    """Notes every mail that it took; while it ``refuses`` it takes none."""

    port: int = 0
    refuses: bool = False
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuses:
            return "451 not now"
        message = email.message_from_bytes(envelope.content or b"", policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((list(envelope.rcpt_tos), message))
        return "250 taken"


@contextlib.contextmanager
def mail_sink() -> Iterator[MailSink]:
    sink, loop = MailSink(), asyncio.new_event_loop()
    opening = loop.create_server(lambda: SMTP(sink, hostname="sink"), "127.0.0.1", 0)
    server = loop.run_until_complete(opening)
    sink.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield sink
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
