"""What the web is handed by the composition root; it wires nothing itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Request

from drivers.profile import Profile
from hub.labels import Labels
from hub.model import Json
from hub.photos import Photos
from hub.ports import Clock, TimeSeriesStore, Twins, Worker
from hub.reports.desk import ReportDesk
from hub.reports.kind import NO_REPORTS, ReportsFile
from hub.secret import Secret
from hub.site import Site
from rules.load import Flood
from rules.roster import Roster
from rules.service import PauseForm
from rules.spec import Pack

if TYPE_CHECKING:
    from hub.access import Access
    from hub.control import Commands
    from hub.database.connection import Database
    from hub.energy.consumption import Consumption
    from hub.energy.hot_water_query import HotWater
    from hub.energy.meter_changes import MeterChanges
    from hub.energy.tariff import TariffsFile
    from hub.health import Health
    from hub.live import Live
    from hub.probe import Probe

Act = Callable[[Mapping[str, Json]], Awaitable[object]]
"""Hand a person's action to the engine and wait until it is applied; Refused with the reason."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The running hub as the web sees it.

    ``store_worker`` and ``database_worker`` are threads for reading, so that a slow chart never
    delays a ticket; ``file_worker`` makes files for download, which may take minutes.
    ``ready`` lists what keeps the hub from working (empty: all is well); ``trouble`` names, for
    every page, what is wrong with keeping readings; ``flood`` tells whether alarms come too fast,
    ``floods`` the same by crew, ``why`` why a rule has or has not risen on a subject;
    ``counters`` gives the figures of /metrics by name, ``polls`` those of each gateway.
    ``save`` writes a backup of all data to a file.
    ``kinds`` are those of what people report, ``pauses`` the reasons for which clocks may stand.
    ``roster`` gives the one in force with its swaps, None where the site has none.
    ``secret`` signs links and labels, which begin with ``public_url``; ``labels`` knows what the
    labels on doors and devices say. ``reports`` takes what people without an account report, and
    ``photos`` keeps what they and the crews send with it.
    ``commands`` is None where writes are off, ``tariffs`` where the site has written none,
    ``twins`` outside demonstrations.
    """

    site: Site
    profiles: Mapping[str, Profile]
    packs: Sequence[Pack]
    clock: Clock
    live: Live
    store: TimeSeriesStore
    store_worker: Worker
    file_worker: Worker
    consumption: Consumption
    hot_water: HotWater
    database: Database
    database_worker: Worker
    act: Act
    access: Access
    health: Health
    probe: Probe
    secret: Secret
    labels: Labels
    photos: Photos
    reports: ReportDesk
    public_url: str = ""
    commands: Commands | None = None
    meter_changes: MeterChanges | None = None
    tariffs: TariffsFile | None = None
    roster: Callable[[], Roster | None] = lambda: None
    kinds: ReportsFile = NO_REPORTS
    pauses: Mapping[str, PauseForm] = field(default_factory=dict)
    twins: Twins | None = None
    counters: Callable[[], Mapping[str, float]] = dict
    polls: Callable[[], Mapping[str, Mapping[str, float]]] = dict
    flood: Callable[[], Flood] = Flood
    floods: Callable[[], Mapping[str, Flood]] = dict
    why: Callable[[str, str], Mapping[str, Json] | None] = lambda _subject, _rule: None
    ready: Callable[[], Sequence[str]] = tuple
    trouble: Callable[[], Sequence[str]] = tuple
    save: Callable[[Path], Awaitable[object]] | None = None
    locale: str = "zh-CN"
    secure_cookies: bool = False


def parts_of(request: Request) -> Parts:
    """Return the parts of the application that serves a request."""
    parts: Parts = request.app.state.parts
    return parts
