"""How commands read a hub's data: through the hub that runs, else from its files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import httpx
import numpy as np

from hub.cli.asking import said
from hub.clock import RealClock
from hub.database.connection import Database, open_database
from hub.journal import unpack
from hub.kept import Kept, open_kept
from hub.lock import is_held, short_path
from hub.model import Batch, EntryKind
from hub.ports import Refused
from hub.recorder import Recorder
from hub.settings import Settings
from hub.site import Site

T = TypeVar("T")
Params = Mapping[str, str | Sequence[str]]
PATIENCE_S = 600.0
_HOME = "http://hub"


class Beside:
    """A running hub, asked over the socket file in its data folder."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def write(self, path: str, params: Params, out: Callable[[bytes], object]) -> None:
        """Hand an answer to ``out`` as it comes; Refused, in the hub's words, when it says no."""
        with self._http.stream("GET", path, params=_plain(params)) as answer:
            if not answer.is_success:
                answer.read()
                raise Refused(said(answer))
            for piece in answer.iter_bytes():
                out(piece)

    def fill(self, file: Path, path: str, params: Params) -> None:
        """Write an answer into a file."""
        with file.open("wb") as out:
            self.write(path, params, out.write)


class StoreBeside:
    """The raw readings in the store of a running hub, which are asked of it; any thread may."""

    def __init__(self, hub: Beside, site: Site) -> None:
        self._hub = hub
        self._site = site

    def raw(self, points: Sequence[int], start_ms: int, end_ms: int, limit: int) -> Batch:
        """Return readings of start <= at < end in order of (point, at).

        Those of all points are asked for: thousands of points are no address. So ``limit`` of them
        may hold some that are not wanted; they say that there is more.
        """
        span = {"start": _instant(start_ms), "end": _instant(end_ms)}
        body = bytearray()
        params = {**span, "rows": str(limit), "place": self._site.id}
        self._hub.write("/api/v1/export/packed", params, body.extend)
        batch = unpack(EntryKind.READINGS, end_ms, bytes(body)).batch or Batch.of([], [], [], [], 0)
        if len(batch) >= limit:
            return batch
        return batch.taken(np.isin(batch.point, np.asarray(points, np.int32)))


@contextlib.contextmanager
def hub_beside(settings: Settings) -> Iterator[Beside | None]:
    """Yield the hub that runs on a site's data, None where none does; Refused if it is silent."""
    if not is_held(settings.lock_file):
        yield None
        return
    file = settings.socket_file
    if not file.exists():
        raise Refused(_silence(settings, "there is no such file"))
    transport = None
    try:
        with short_path(file) as path:
            transport = httpx.HTTPTransport(uds=path)
            with httpx.Client(transport=transport, base_url=_HOME, timeout=PATIENCE_S) as http:
                yield Beside(http)
    except httpx.HTTPError as error:
        raise Refused(_silence(settings, str(error))) from error


def _silence(settings: Settings, why: str) -> str:
    return (
        f"a hub runs on {settings.data} but does not answer on {settings.socket_file}: {why}; run "
        "this command under the hub's own account, or wait until the hub has started"
    )


def from_files(settings: Settings, do: Callable[[Kept], T]) -> T:
    """Open the data of a site whose hub does not run, do something with it and close it."""
    if not settings.data.is_dir():
        raise Refused(f"there is no data folder {settings.data} yet; start the hub once with run")

    async def opened() -> T:
        clock = RealClock()
        async with AsyncExitStack() as stack:
            kept = open_kept(settings, clock, stack, memory=False)
            # What was acknowledged but not yet recorded when the hub stopped counts, too.
            recorder = Recorder(kept.journal, kept.store, clock, 0, kept.room)
            stack.callback(recorder.close)
            await recorder.flush()
            return do(kept)

    return asyncio.run(opened())


@contextlib.contextmanager
def kept_tables(settings: Settings) -> Iterator[Database]:
    """Yield the tables of a site, beside a running hub or without one."""
    sqlite = settings.database == "sqlite"
    if sqlite and not settings.database_file.is_file():
        raise Refused(f"there is no {settings.database_file} yet; start the hub once with run")
    database = open_database(str(settings.database_file) if sqlite else settings.database)
    try:
        yield database
    finally:
        database.close()


@contextlib.contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Yield a file beside the wished one, which takes its place once it is whole."""
    part = file.with_name(file.name + ".part")
    try:
        yield part
        part.replace(file)
    except OSError as error:
        raise Refused(f"{file}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _instant(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _plain(params: Params) -> httpx.QueryParams:
    return httpx.QueryParams(
        [
            (name, one)
            for name, value in params.items()
            for one in ([value] if isinstance(value, str) else value)
        ]
    )
