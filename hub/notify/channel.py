"""The one door to apprise: an address becomes a channel that takes messages, or says why not.

Two things apprise does not offer are put right here, where its plugins look them up: a mail carries
our own Message-ID, and a robot that answers HTTP 200 with a refusal in its body has not told
anybody. Redirects are never followed.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from email.utils import parseaddr
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import apprise
from apprise.plugins import dingtalk, feishu, lark, wecombot
from apprise.plugins.email import base as mail

from hub.ports import ChannelError, Clock, Refused, Worker

TO = "{to}"
"""Stands in an address for that of the person who is told."""
CONNECT_S = 4.0
READ_S = 6.0
KEY_HEADER = "Idempotency-Key"
_NOBODY = "nobody@example.invalid"
_REFUSALS = ("errcode", "code", "StatusCode")  # what is not 0 in an answer of a robot says no

_message_id: contextvars.ContextVar[str] = contextvars.ContextVar("message_id")


class Kind(NamedTuple):
    """One kind of service: which hosts it speaks to, what it can carry and how often.

    ``host`` asks a service of apprise; ``secret``: its whole address is one; ``longest`` in bytes,
    0: as much as we write; ``pace_s`` is what the service asks for between two messages.
    """

    host: Callable[[Any], str]
    secret: bool = False
    longest: int = 0
    pace_s: float = 0.0


def _robot(key: str) -> Callable[[Any], str]:
    return lambda service: urlsplit(str(getattr(service, key))).hostname or ""


def _ntfy(service: Any) -> str:
    cloud = str(service.mode) == "cloud"
    return urlsplit(service.cloud_notify_url).hostname or "" if cloud else str(service.host)


KINDS: Mapping[str, Kind] = {
    "mailto": Kind(lambda service: str(service.smtp_host)),
    "mailtos": Kind(lambda service: str(service.smtp_host)),
    "json": Kind(lambda service: str(service.host)),
    "jsons": Kind(lambda service: str(service.host)),
    "ntfy": Kind(_ntfy, longest=3900),
    "ntfys": Kind(_ntfy, longest=3900),
    "wecombot": Kind(_robot("api_url"), secret=True, longest=2000, pace_s=3.0),
    "dingtalk": Kind(_robot("notify_url"), secret=True, longest=19000, pace_s=3.0),
    "feishu": Kind(_robot("notify_url"), secret=True, longest=19000, pace_s=0.6),
    "lark": Kind(_robot("notify_url"), secret=True, longest=19000, pace_s=0.6),
}
"""The kinds of channels that there are; an address of any other kind is refused."""


class _Strict:
    """The ``requests`` of a robot's plugin, in which a refusal in the body is an error of HTTP."""

    def __init__(self, requests: Any) -> None:
        self._requests = requests

    def __getattr__(self, name: str) -> Any:
        return getattr(self._requests, name)

    def post(self, *args: Any, **keys: Any) -> Any:
        answer = self._requests.post(*args, **keys)
        if answer.status_code == self._requests.codes.ok and _refuses(answer):
            logging.getLogger("apprise").warning("refused: %.300s", answer.text)
            answer.status_code = self._requests.codes.unprocessable
        return answer


def _refuses(answer: Any) -> bool:
    try:
        said = answer.json()
    except ValueError:
        return False
    return isinstance(said, dict) and any(said.get(name) not in (None, 0) for name in _REFUSALS)


_robots: tuple[Any, ...] = (wecombot, dingtalk, feishu, lark)
for _plugin in _robots:
    _plugin.requests = _Strict(_plugin.requests)
_mail: Any = mail
_make_msgid = _mail.make_msgid
_mail.make_msgid = lambda **where: _message_id.get("") or _make_msgid(**where)


class _Heard(logging.Handler):
    """Keeps what apprise says in one thread, which is all that it tells of a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.said.append(record.getMessage())


def kind_of(url: str) -> Kind:
    """Return the kind of service of an address; Refused where there is none such."""
    scheme = url.partition("://")[0].lower()
    if scheme not in KINDS:
        known = ", ".join(f"{name}://" for name in KINDS)
        raise Refused(f"{scheme!r} is no kind of channel; known: {known}")
    return KINDS[scheme]


def hosts_of(url: str, address: str = "") -> list[str]:
    """Return every host that a channel hands messages to: the server, and those of mailboxes.

    Refused where the address is none. Without ``address`` what is open in it is left out.
    """
    service = _service(url, address)
    hosts = [kind_of(url).host(service)]
    if isinstance(service, mail.NotifyEmail):
        boxes = [box for _, box in service.targets] + [*service.cc, *service.bcc]
        domains = (str(box).rpartition("@")[2] for box in boxes if box != _NOBODY)
        hosts += list(dict.fromkeys(domains))
    return [host.lower() for host in hosts]


def fill(url: str, address: str) -> str:
    """Return the URL with the address of a person in it; Refused for what is no address."""
    if TO not in url:
        return url
    whole = parseaddr(address)[1] == address and address.count("@") == 1
    plain = address.replace("-", "").replace("_", "").isalnum() and address.isascii()
    if not (whole if _is_mail(url) else plain) or any(one in address for one in "\r\n,; "):
        wanted = "a mail address" if _is_mail(url) else "letters, digits, - and _"
        raise Refused(f"{address!r} is no address of this channel: it takes {wanted}")
    return url.replace(TO, quote(address, safe=""))


def outside(url: str, allow: Collection[str], address: str = "") -> str | None:
    """Return the first host of a channel that is not allowed; None: all of them are."""
    return next((host for host in hosts_of(url, address) if host not in allow), None)


class AppriseChannel:
    """One channel of the site. Its messages go out one after the other, in a thread of its own."""

    def __init__(
        self, url: str, allow: Collection[str], sender: str, clock: Clock, worker: Worker
    ) -> None:
        self._url = url
        self._allow = allow
        self._sender = sender
        self._clock = clock
        self._worker = worker
        self._kind = kind_of(url)
        self._services: dict[str, Any] = {}
        self._free_s = 0.0

    async def send(self, key: str, subject: str, body: str, address: str = "") -> None:
        """Hand over a message, or raise ChannelError; ``key`` is the same when it comes again."""
        if self._kind.pace_s:
            now_s = self._clock.monotonic()
            wait_s, self._free_s = self._free_s - now_s, max(self._free_s, now_s)
            self._free_s += self._kind.pace_s
            if wait_s > 0:
                await self._clock.sleep(wait_s)
        await self._worker.run(lambda: self._hand_over(key, subject, body, address))

    def _hand_over(self, key: str, subject: str, body: str, address: str) -> None:
        service = self._service_for(address)
        heard, log = _Heard(), logging.getLogger("apprise")
        _carry(service, key, self._sender)
        log.addHandler(heard)
        try:
            taken = service.notify(
                title=subject, body=_cut(body, self._kind.longest - len(subject.encode())),
                body_format=apprise.NotifyFormat.TEXT,
            )  # fmt: skip
        except Exception as error:  # whatever a plugin raises, nobody was told
            raise ChannelError(f"{type(error).__name__}: {error}") from error
        finally:
            log.removeHandler(heard)
        if not taken:
            raise ChannelError("; ".join(heard.said)[:300] or "not taken, and nothing was said")

    def _service_for(self, address: str) -> Any:
        """Return the service for an address; what is not on the allow-list is never used."""
        if address not in self._services:
            try:
                if host := outside(self._url, self._allow, address):
                    raise ChannelError(f"{host} is not in notify.allow of campus.yaml")
                self._services[address] = _service(self._url, address)
            except Refused as refusal:
                raise ChannelError(str(refusal)) from refusal
        return self._services[address]


def _service(url: str, address: str = "") -> Any:
    """Return apprise's service for a URL; Refused where it knows none."""
    kind_of(url)
    nobody = _NOBODY if _is_mail(url) else "nobody"
    filled = fill(url, address or nobody)
    heard, log = _Heard(), logging.getLogger("apprise")
    log.addHandler(heard)
    try:
        service = apprise.Apprise.instantiate(filled)
    finally:
        log.removeHandler(heard)
    if service is None:
        raise Refused("; ".join(heard.said) or "is no address that can be used")
    if isinstance(service, mail.NotifyEmail) and (
        service.use_wkd or service.pgp_mode != mail.PGP_MODE_DEFAULT
    ):
        raise Refused("pgp is not for the hub: it would ask other servers for keys")
    service.redirects = False
    service.request_rate_per_sec = 0.0  # ours is the pace: it waits in no thread
    service.socket_connect_timeout, service.socket_read_timeout = CONNECT_S, READ_S
    return service


def _is_mail(url: str) -> bool:
    return url.lower().startswith("mailto")


def _carry(service: Any, key: str, sender: str) -> None:
    """Put the key of a message where its kind of service has room for it."""
    if isinstance(service, mail.NotifyEmail):
        ticket = key.partition("/")[0]
        _message_id.set(f"<{key}@{sender}>")
        service.headers |= {
            "References": f"<{ticket}@{sender}>",
            "Auto-Submitted": "auto-generated",
        }
    if hasattr(service, "headers"):
        service.headers[KEY_HEADER] = key


def _cut(body: str, longest: int) -> str:
    """Cut a body to so many bytes; whole when there is no limit."""
    octets = body.encode()
    if longest <= 0 or len(octets) <= longest:
        return body
    return octets[: longest - 3].decode(errors="ignore") + "…"
