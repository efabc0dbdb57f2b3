"""The last step of a start: serve a running hub, on its address and on a socket file beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from starlette.types import ASGIApp

from hub.access import Access, first_admin
from hub.kept import Kept, back_up
from hub.labels import Labels
from hub.photos import Photos
from hub.ports import Clock, Twins, Worker
from hub.probe import Probe
from hub.reports.desk import ReportDesk
from hub.settings import Settings
from hub.web import Parts, build
from hub.web.local import LocalReader
from hub.web.server import Server, listening, listening_at
from hub.whole import Hub

Save = Callable[[Path], Awaitable[object]]
"""Write a backup of all data to a file."""


async def serve(
    hub: Hub,
    settings: Settings,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    memory: bool = False,
    twins: Twins | None = None,
) -> Hub:
    """Serve the pages until ``stack`` ends; return the hub with the address it is found at.

    A hub that keeps everything in ``memory`` has no files to back up and no folder for a socket.
    """

    def worker(name: str) -> Worker:
        made = clock.worker(name)
        stack.callback(made.close)
        return made

    photos = Photos(None if memory else settings.photos_folder, worker("photos"))
    parts = _parts(hub, settings, clock, worker, photos)
    save = None if memory else _save(hub.kept, settings, clock, worker("backup"))
    app = build(replace(parts, twins=twins, save=save))
    spec = settings.web
    server = await _started(Server(app, listening(spec.host, spec.port)), stack)
    if not memory:
        await _serve_locally(LocalReader(app), settings.socket_file, stack)
    return replace(
        hub,
        address=f"http://{spec.host}:{server.port}",
        one_time_password=first_admin(hub.kept.database, clock),
    )


def _parts(
    hub: Hub, settings: Settings, clock: Clock, worker: Callable[[str], Worker], photos: Photos
) -> Parts:
    """Return a hub as its pages see it."""
    asking = worker("asking")
    return Parts(
        site=hub.kept.site,
        profiles=settings.profiles,
        packs=settings.packs,
        clock=clock,
        live=hub.live,
        store=hub.kept.store,
        # Threads of their own: a slow chart delays no ticket, a password check no page.
        store_worker=worker("reading"),
        file_worker=worker("files"),
        consumption=hub.consumption,
        hot_water=hub.hot_water,
        database=hub.kept.database,
        database_worker=asking,
        access=Access(hub.kept.database, worker("checking"), clock),
        act=hub.engine.act,
        health=hub.health,
        meter_changes=hub.meter_changes,
        commands=hub.commands,
        probe=Probe(
            site=hub.kept.site,
            profiles=settings.profiles,
            looks={gateway: poller.look for gateway, poller in hub.pollers.items()},
            clock=clock,
        ),
        secret=hub.kept.secret,
        labels=Labels(hub.kept.site, hub.kept.secret),
        photos=photos,
        reports=ReportDesk(
            site=hub.kept.site,
            file=settings.reports,
            database=hub.kept.database,
            worker=asking,
            act=hub.engine.act,
            clock=clock,
        ),
        public_url=settings.web.public_url,
        tariffs=settings.tariffs,
        roster=lambda: hub.engine.roster,
        kinds=settings.reports,
        pauses=settings.promise.pauses,
        counters=hub.counters,
        polls=hub.polls,
        ready=hub.problems,
        trouble=hub.retention.codes,
        flood=lambda: hub.engine.flood,
        floods=lambda: hub.engine.floods,
        why=hub.engine.why,
        locale=settings.locale,
        secure_cookies=settings.web.https,
    )


def _save(kept: Kept, settings: Settings, clock: Clock, worker: Worker) -> Save:
    """Return what writes a backup, in a thread of its own."""
    return lambda file: worker.run(lambda: back_up(settings, kept, clock, file))


async def _serve_locally(app: ASGIApp, file: Path, stack: AsyncExitStack) -> None:
    """Answer the commands of this account beside the hub: its files are open only once."""
    listener = listening_at(file)
    stack.callback(file.unlink, missing_ok=True)
    await _started(Server(app, listener), stack)


async def _started(server: Server, stack: AsyncExitStack) -> Server:
    await server.start()
    stack.push_async_callback(server.stop)
    return server
