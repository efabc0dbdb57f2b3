"""What tells people, put together of the settings: channels, people and the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from hub.database.connection import Database
from hub.notify import DutyDesk, Letterhead, LogNotifier, People, Pipeline
from hub.notify.people import DUTY, OfRoster
from hub.ports import Clock, Notifier
from hub.secret import Secret
from hub.settings import Settings
from hub.settings.notify import addresses


def pipeline_of(
    settings: Settings, database: Database, secret: Secret, clock: Clock, stack: AsyncExitStack
) -> Pipeline:
    """Return what tells people of alarms and tickets; ``stack`` ends its channels."""
    head = Letterhead(zone=settings.zone, url=settings.web.public_url, secret=secret)
    channels = _channels(settings, clock, stack)
    return Pipeline(database, channels, _people(settings, clock), head, clock)


def _people(settings: Settings, clock: Clock) -> People:
    """Return who can be told; all of it is the duty desk's where only the log is told."""
    if settings.roster is None or settings.notify is None or clock.virtual:
        return DutyDesk()
    return OfRoster(settings.roster, settings.locale)


def _channels(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Mapping[str, Notifier]:
    """Open the channels; without any, and where time is virtual, only the log is told."""
    notify = settings.notify
    if notify is None or clock.virtual:
        return {DUTY: LogNotifier()}
    from hub.notify.channel import AppriseChannel  # noqa: PLC0415 - costs 0.3 s and 40 MB

    channels: dict[str, Notifier] = {}
    for name, url in addresses(notify, settings.folder).items():
        worker = clock.worker(f"channel {name}")
        stack.callback(worker.close)
        channels[name] = AppriseChannel(url, notify.allow, settings.site.id, clock, worker)
    return channels
