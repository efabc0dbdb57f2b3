"""The configuration in force: what a checked folder says, its paths and secrets, as one value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from drivers.profile import Profile
from hub.energy.hot_water import Delivery
from hub.energy.tariff import TariffsFile
from hub.model import Json
from hub.ports import ConfigError, Credentials
from hub.reports.kind import NO_REPORTS, ReportsFile
from hub.settings.notify import NotifySpec
from hub.settings.roster import without_addresses
from hub.settings.spec import (
    CampusFile,
    DeviceSpec,
    GatewaySpec,
    JournalSpec,
    MqttSpec,
    PlaceSpec,
    SiteSpec,
    StoreSpec,
    WebSpec,
)
from hub.settings.storage import HoldSpec
from rules.calendar import NO_CALENDAR, CalendarFile
from rules.roster import Roster
from rules.roster_form import RosterFile
from rules.service import Service
from rules.spec import Pack


@dataclass(frozen=True)
class Settings:
    """A checked configuration. ``content`` is all that is in force, as canonical JSON."""

    folder: Path
    data: Path
    site: SiteSpec
    places: tuple[PlaceSpec, ...]
    gateways: tuple[GatewaySpec, ...]
    devices: tuple[DeviceSpec, ...]
    profiles: Mapping[str, Profile]
    packs: tuple[Pack, ...]
    promise: Service
    reports: ReportsFile
    store: StoreSpec
    database: str
    journal: JournalSpec
    web: WebSpec
    mqtt: MqttSpec | None
    writes: bool
    content: str
    content_hash: str
    left_out: tuple[str, ...] = ()
    tariffs: TariffsFile | None = None
    calendar: CalendarFile = NO_CALENDAR
    roster: RosterFile | None = None
    hot_water: Delivery = field(default_factory=Delivery)
    holds: tuple[HoldSpec, ...] = ()
    notify: NotifySpec | None = None

    @property
    def locale(self) -> str:
        """Return the language that pages begin with."""
        return self.site.locale

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone of the site's civil time."""
        return ZoneInfo(self.site.timezone)

    def duty_roster(self) -> Roster | None:
        """Return the roster in the site's civil time; None where the site has none."""
        return Roster(self.roster, self.zone, self.calendar) if self.roster else None

    @property
    def lock_file(self) -> Path:
        """Return the file that a running hub holds against a second one."""
        return self.data / "lock"

    @property
    def socket_file(self) -> Path:
        """Return the socket on which a running hub answers this account's own commands."""
        return self.data / "hub.sock"

    @property
    def journal_file(self) -> Path:
        """Return the file of the journal."""
        return self.data / "journal.sqlite"

    @property
    def database_file(self) -> Path:
        """Return the file of the tables, where the database is sqlite."""
        return self.data / "hub.sqlite"

    @property
    def secret_file(self) -> Path:
        """Return the file of the secret that signs links and labels."""
        return self.data / "secret"

    @property
    def photos_folder(self) -> Path:
        """Return the folder of the photos that people sent."""
        return self.data / "photos"

    @property
    def readings_file(self) -> Path:
        """Return the file of the readings, where the store is duckdb."""
        return self.data / "telemetry.duckdb"

    @property
    def ledger_folder(self) -> Path:
        """Return the folder of the days that the ledger has worked out; derived from the rest."""
        return self.data / "ledger"

    def point_count(self) -> int:
        """Count the points of all devices."""
        return sum(len(self.profiles[device.profile].points) for device in self.devices)

    def credentials(self, mqtt: MqttSpec) -> Credentials:
        """Return who the hub is for a broker, and by what it knows the broker."""
        files = (mqtt.ca_file, mqtt.cert_file, mqtt.key_file)
        ca, certificate, key = (self.folder / file if file else None for file in files)
        password = self.secret(mqtt.password_file)
        return Credentials(mqtt.username, password, ca, certificate, key)

    def secret(self, file: str | None) -> str | None:
        """Read a secret from the file that a ``*_file`` key names, relative to the folder."""
        if file is None:
            return None
        try:
            return (self.folder / file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            line = f"{file}:1: file: the secret cannot be read: {error}; write it to this file"
            raise ConfigError([line]) from error


class Beside(NamedTuple):
    """What stands beside the campus in files of its own."""

    promise: Service
    reports: ReportsFile
    calendar: CalendarFile
    tariffs: TariffsFile | None
    roster: RosterFile | None = None


def settled(
    folder: Path,
    campus: CampusFile,
    profiles: Mapping[str, Profile],
    packs: tuple[Pack, ...],
    beside: Beside,
) -> Settings:
    """Put the files of a site together."""
    content = _canonical(campus, profiles, packs, beside)
    return Settings(
        folder=folder,
        data=(folder / campus.data).resolve(),
        site=campus.site,
        places=campus.places,
        gateways=campus.gateways,
        devices=campus.devices,
        profiles=profiles,
        packs=packs,
        promise=beside.promise,
        reports=beside.reports,
        store=campus.store,
        database=campus.database,
        journal=campus.journal,
        web=campus.web,
        mqtt=campus.mqtt,
        writes=campus.writes,
        content=content,
        content_hash=hashlib.sha256(content.encode()).hexdigest(),
        tariffs=beside.tariffs,
        calendar=beside.calendar,
        roster=beside.roster,
        hot_water=campus.hot_water.delivery(),
        holds=campus.holds,
        notify=campus.notify,
    )


def _canonical(
    campus: CampusFile,
    profiles: Mapping[str, Profile],
    packs: Sequence[Pack],
    beside: Beside,
) -> str:
    """Write down all that is in force, the same for the same configuration."""
    used = {device.profile for device in campus.devices}
    content = {
        "campus": _plain(campus),
        "profiles": {id_: _plain(profiles[id_]) for id_ in sorted(used)},
        "rules": {pack.pack: _plain(pack) for pack in packs},
        "service": _plain(beside.promise),
    }
    if beside.reports != NO_REPORTS:
        content["reports"] = _plain(beside.reports)
    if beside.tariffs is not None:
        content["tariffs"] = _plain(beside.tariffs)
    if beside.calendar != NO_CALENDAR:
        content["calendar"] = _plain(beside.calendar)
    if beside.roster is not None:
        content["roster"] = _plain(without_addresses(beside.roster))
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _plain(model: BaseModel) -> Json:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
