"""Ways to ask a hub for figures: by the command line, beside it or without it, and by its API."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from hub.app import Outside, running
from hub.cli import run
from hub.clock import RealClock
from hub.lock import short_path
from hub.ports import NoAnswerError
from hub.settings import load
from hub.whole import Hub

PATIENCE_S = 60.0  # of who asks a hub; the machine may be busy


class NoBus:
    """A gateway that nobody reaches."""

    async def read(self, *question: object) -> list[int]:
        raise NoAnswerError("no answer")

    async def write(self, *order: object) -> None:
        raise NoAnswerError("no answer")

    async def close(self) -> None:
        return


@asynccontextmanager
async def hub_of(folder: Path) -> AsyncIterator[Hub]:
    outside = Outside(bus_of=lambda gateway, clock: NoBus())
    async with running(load(folder), RealClock(), outside) as hub:
        yield hub


async def command(*words: str | Path) -> int:
    return await asyncio.to_thread(run, [str(word) for word in words])


@asynccontextmanager
async def local(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    with short_path(load(folder).socket_file) as path:
        transport = httpx.AsyncHTTPTransport(uds=path)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://hub", timeout=PATIENCE_S
        ) as http:
            yield http


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
