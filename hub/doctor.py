"""Say what is wrong with an installation, where, and what to do about it."""

from __future__ import annotations

import asyncio
import grp
import os
import shutil
import socket
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import httpx

import hub
from hub.database.connection import open_database
from hub.journal import Journal, open_connection
from hub.lock import is_held
from hub.ports import ConfigError, HubError
from hub.settings import Settings
from hub.settings.spec import TLS_PORT

_PACKAGES = ("pymodbus", "paho-mqtt", "duckdb", "sqlalchemy", "fastapi", "pydantic", "numpy")
_LEAST_FREE = 1_000_000_000
_AT_ONCE = 32
_PATIENCE_S = 2.0
_SERIAL = "serial://"
_PORTS = {"mqtt": 1883, "mqtts": 8883, "https": 443, "tcp+tls": TLS_PORT}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is in order, and otherwise what to do."""

    ok: bool
    what: str
    where: str
    do: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything the hub needs; beside a running hub leave alone what it is using."""
    running = is_held(settings.lock_file)
    findings = [*_versions(), *_data_folder(settings), *_secrets(settings)]
    findings.append(_web(settings, running=running))
    if running:
        where = str(settings.data)
        findings.append(Finding(ok=True, what="a hub is running on this folder", where=where))
        return findings
    findings += [_database(settings), _journal(settings), *_embedded_broker(settings)]
    findings += asyncio.run(_connections(settings))
    return findings


def _versions() -> Iterator[Finding]:
    installed, missing = [f"Python {sys.version.split()[0]}"], []
    for package in _PACKAGES:
        try:
            installed.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    yield Finding(ok=True, what=", ".join(installed), where=f"campus-hub {hub.__version__}")
    if missing:
        what = f"not installed: {', '.join(missing)}"
        yield Finding(ok=False, what=what, where=sys.prefix, do="run: python3 run.py --help")


def _data_folder(settings: Settings) -> Iterator[Finding]:
    data = settings.data
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    probe = there / ".campus-hub-probe"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        do = f"give the hub's account the right to write to {there}, or change data in campus.yaml"
        yield Finding(ok=False, what=what, where=str(data), do=do)
    else:
        yield Finding(ok=True, what="can be written", where=str(data))
    free = shutil.disk_usage(there).free
    what = f"{free / 1e9:.1f} GB free"
    do = "make room, or put data on another disk; the journal alone may grow to journal.limit"
    yield Finding(ok=free >= _LEAST_FREE, what=what, where=f"disk of {there}", do=do)


def _secrets(settings: Settings) -> Iterator[Finding]:
    files = [getattr(settings.store, "token_file", None)]
    files += [settings.mqtt.password_file, settings.mqtt.key_file] if settings.mqtt else []
    files += [gateway.key_file for gateway in settings.gateways]
    channels = settings.notify.channels.values() if settings.notify else ()
    files += [channel.url_file for channel in channels]
    for file in dict.fromkeys(filter(None, files)):
        path = settings.folder / file
        try:
            settings.secret(file)
        except ConfigError as error:
            yield Finding(ok=False, what=str(error), where=str(path), do="write it to this file")
            continue
        private = not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
        what = "only its owner can read it" if private else "others can read it"
        yield Finding(ok=private, what=what, where=str(path), do=f"run: chmod 600 {path}")


def _web(settings: Settings, *, running: bool) -> Finding:
    host, port = settings.web.host, settings.web.port
    where = f"http://{host}:{port}"
    if _is_free(host, port):
        do = "a hub holds the data folder but serves no pages here: look at its log, start it again"
        what = "nobody answers" if running else "the port is free"
        return Finding(ok=not running, what=what, where=where, do=do)
    try:
        answers = httpx.get(f"{where}/healthz", timeout=_PATIENCE_S).is_success
    except httpx.HTTPError:
        answers = False
    if answers:
        return Finding(ok=True, what="a hub answers", where=where)
    do = "stop the other program (ss -ltnp shows it), or change web in campus.yaml"
    return Finding(ok=False, what="the port cannot be used by the hub", where=where, do=do)


def _embedded_broker(settings: Settings) -> Iterator[Finding]:
    mqtt = settings.mqtt
    if mqtt and mqtt.embedded:
        free = _is_free("127.0.0.1", mqtt.port)
        what = "the port of the embedded broker is " + ("free" if free else "taken")
        do = "is another broker running? then write its mqtt: {url: ...}, or choose another port"
        yield Finding(ok=free, what=what, where=mqtt.address, do=do)


def _database(settings: Settings) -> Finding:
    sqlite = settings.database == "sqlite"
    where = str(settings.database_file) if sqlite else settings.database
    if sqlite and not settings.database_file.exists():
        return Finding(ok=True, what="will be made at the first start", where=where)
    try:
        open_database(where).close()  # brings the tables up to date, as the start would
    except HubError as error:
        do = "start the database, or restore hub.sqlite from a backup"
        return Finding(ok=False, what=str(error), where=where, do=do)
    return Finding(ok=True, what="open, tables up to date", where=where)


def _journal(settings: Settings) -> Finding:
    where = str(settings.journal_file)
    if not settings.journal_file.exists():
        return Finding(ok=True, what="will be made at the first start", where=where)
    try:
        journal = Journal(open_connection(where))
        problem = journal.check()
        journal.close()
    except HubError as error:
        problem = str(error)
    do = "move the file aside and keep it: a new journal begins, stores and tickets stay"
    return Finding(ok=problem is None, what=problem or "whole", where=where, do=do)


async def _connections(settings: Settings) -> Sequence[Finding]:
    """Try to connect to broker, store and every gateway, many at once; look at serial ports."""
    turn = asyncio.Semaphore(_AT_ONCE)
    ports = [one for one in settings.gateways if one.url.startswith(_SERIAL)]
    boxes = [one for one in settings.gateways if one not in ports]
    wanted = [(one.url, _gateway_hint(one.id)) for one in boxes]
    if settings.mqtt and settings.mqtt.url:
        wanted.append((settings.mqtt.url, "start the broker, or correct mqtt in campus.yaml"))
    if settings.store.kind == "influx":
        wanted.append((settings.store.url, "start InfluxDB, or correct store in campus.yaml"))
    tried = await asyncio.gather(*(_connection(url, do, turn) for url, do in wanted))
    return [*(_serial_port(one.url) for one in ports), *tried]


def _serial_port(url: str) -> Finding:
    """Look at a serial port without opening it: that alone resets some adapters."""
    path = Path(url.removeprefix(_SERIAL))
    try:
        status = path.stat()
    except OSError as error:
        do = "plug the adapter in (ls -l /dev/serial/by-id names those there are), or correct url"
        return Finding(ok=False, what=f"not there: {error.strerror}", where=url, do=do)
    if not stat.S_ISCHR(status.st_mode):
        do = "name the port itself, for instance serial:///dev/ttyUSB0"
        return Finding(ok=False, what="is no serial port", where=url, do=do)
    if not os.access(path, os.R_OK | os.W_OK):
        do = f"put the hub's account into group {_group(status.st_gid)}, and sign in again"
        return Finding(ok=False, what="this account may not open it", where=url, do=do)
    return Finding(ok=True, what="there, and may be opened", where=url)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _gateway_hint(id_: str) -> str:
    return f"look at power, cable and address of gateway {id_}; then correct gateways: if it moved"


async def _connection(url: str, do: str, turn: asyncio.Semaphore) -> Finding:
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 80)
    try:
        async with turn, asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except TimeoutError:
        return Finding(ok=False, what=f"no answer within {_PATIENCE_S:g} s", where=url, do=do)
    except ConnectionRefusedError:
        return Finding(ok=False, what="refused: nothing listens there", where=url, do=do)
    except OSError as error:
        what = f"cannot connect: {error.strerror or error}"
        return Finding(ok=False, what=what, where=url, do=do)
    writer.close()
    return Finding(ok=True, what="answers", where=url)


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError:
        return False
    return True
