"""Read a config folder once: everything in force, or every problem with its file and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

import hub
from drivers.profile import Profile
from hub.energy.tariff import TariffsFile
from hub.model import Json
from hub.ports import ConfigError
from hub.reports.kind import ReportsFile
from hub.settings.form import fitted
from hub.settings.in_force import Beside, Settings, settled
from hub.settings.left_out import LeftOut
from hub.settings.notify import NotifySpec, wrong_channels, wrong_ways
from hub.settings.references import Draft, broken_references
from hub.settings.roster import WrittenRoster
from hub.settings.source import Document, Problem, Row, read_csv, read_yaml
from hub.settings.spec import (
    DEVICE_COLUMNS,
    PLACE_COLUMNS,
    CampusFile,
    DevicesFile,
    PlacesFile,
)
from rules.calendar import NO_CALENDAR, CalendarFile
from rules.roster_form import RosterFile
from rules.service import Service
from rules.spec import Pack

T = TypeVar("T")
CAMPUS: TypeAdapter[CampusFile] = TypeAdapter(CampusFile)
PLACES: TypeAdapter[PlacesFile] = TypeAdapter(PlacesFile)
DEVICES: TypeAdapter[DevicesFile] = TypeAdapter(DevicesFile)
PROFILE: TypeAdapter[Profile] = TypeAdapter(Profile)
PACK: TypeAdapter[Pack] = TypeAdapter(Pack)
PROMISE: TypeAdapter[Service] = TypeAdapter(Service)
TARIFFS: TypeAdapter[TariffsFile] = TypeAdapter(TariffsFile)
CALENDAR: TypeAdapter[CalendarFile] = TypeAdapter(CalendarFile)
ROSTER: TypeAdapter[RosterFile] = TypeAdapter(RosterFile)
REPORTS: TypeAdapter[ReportsFile] = TypeAdapter(ReportsFile)


def shipped() -> Path:
    """Return the folder of the configuration that comes with the program."""
    package = Path(hub.__file__).resolve().parent
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "config" / "profiles").is_dir():
        return checkout / "config"
    return package / "_config"


def load(folder: Path, *, keep_going: bool = False) -> Settings:
    """Read and check a config folder; ConfigError lists every problem, form and references.

    With ``keep_going`` wrong profiles and wrong devices are left out; ``Settings.left_out`` then
    holds what is wrong with them. Anything else that is wrong still is an error.
    """
    reading = _Reading(folder.resolve(), LeftOut())
    settings = reading.settings()
    if settings is not None:
        return settings
    problems = [str(problem) for problem in sorted(set(reading.problems))]
    left_out = LeftOut.of(reading.problems, reading.profile_files()) if keep_going else None
    rest = _Reading(folder.resolve(), left_out).settings() if left_out is not None else None
    if rest is None:
        raise ConfigError(problems)
    return replace(rest, left_out=tuple(problems))


class _Reading:
    """One pass over a config folder."""

    def __init__(self, folder: Path, left_out: LeftOut) -> None:
        self.folder = folder
        self._left_out = left_out
        self.problems: list[Problem] = []
        self._draft = Draft()
        self._in_force: dict[str, Pack] = {}

    def settings(self) -> Settings | None:
        """Read all files; return None when there are problems."""
        if not (self.folder / "campus.yaml").is_file():
            what = f"not found in {self.folder}; a config folder is one that holds campus.yaml"
            self.problems.append(Problem("campus.yaml", 1, "file", what))
            return None
        document = read_yaml(self.folder / "campus.yaml", "campus.yaml", self.problems)
        document = document and self._left_out.without(document)
        campus = self._fitted(document, CAMPUS)
        places = self._table("places", PLACE_COLUMNS, PLACES)
        devices = self._table("devices", DEVICE_COLUMNS, DEVICES)
        self._profiles()
        self._packs()
        promise = self._promise()
        reports = self._reports()
        tariffs = self._tariffs()
        calendar = self._calendar()
        roster = self._roster(calendar)
        if document is not None:
            self._take_rows(document)
            self.problems += broken_references(self._draft)
            if campus is not None and campus.notify is not None:
                self._channels(document, campus.notify)
        self.problems = self._left_out.remaining(self.problems)
        if self.problems or campus is None or promise is None or calendar is None:
            return None
        if reports is None:
            return None
        if places:
            campus = campus.model_copy(update={"places": campus.places + places.places})
        if devices:
            campus = campus.model_copy(update={"devices": campus.devices + devices.devices})
        return self._settled(campus, Beside(promise, reports, calendar, tariffs, roster))

    def _channels(self, document: Document, notify: NotifySpec) -> None:
        """Check how people are told: the channels, and who is told by them."""
        self.problems += wrong_channels(document, notify, self.folder)
        written = self._draft.roster
        if written is not None and written.file is not None:
            self.problems += wrong_ways(written.document, written.file, notify, self.folder)

    def _fitted(self, document: Document | None, adapter: TypeAdapter[T]) -> T | None:
        return fitted(document, adapter, self.problems) if document is not None else None

    def _table(self, name: str, columns: Sequence[str], adapter: TypeAdapter[T]) -> T | None:
        path = self.folder / f"{name}.csv"
        if not path.exists():
            return None
        document = read_csv(path, columns, self.problems)
        if document is None:
            self._draft.places_unread |= name == "places"
            return None
        document = self._left_out.without(document)
        rows = self._draft.places if name == "places" else self._draft.devices
        rows += document.rows(name)
        return self._fitted(document, adapter)

    def _take_rows(self, document: Document) -> None:
        self._draft.campus = document.data
        self._draft.places[:0] = document.rows("places")
        self._draft.gateways[:0] = document.rows("gateways")
        self._draft.devices[:0] = document.rows("devices")
        self._draft.holds += document.rows("holds")

    def _files(self, kind: str) -> dict[str, tuple[Path, str]]:
        """Return id -> path and name to print; a file of the site comes before a shipped one."""
        files: dict[str, tuple[Path, str]] = {}
        for folder in (shipped(), self.folder):
            own = folder == self.folder
            for path in sorted((folder / kind).glob("*.yaml")):
                name = path.relative_to(folder).as_posix() if own else str(path)
                files[path.stem] = (path, name)
        return files

    def profile_files(self) -> dict[str, str]:
        """Return the ids of the profiles by the names of their files, as problems name them."""
        return {name: id_ for id_, (_, name) in self._files("profiles").items()}

    def _profiles(self) -> None:
        for id_, (path, name) in self._files("profiles").items():
            if id_ in self._left_out.profiles:
                self._draft.profiles_unread.add(id_)
                continue
            document = read_yaml(path, name, self.problems)
            profile = self._fitted(document, PROFILE)
            if document is None or profile is None:
                self._draft.profiles_unread.add(id_)
                continue
            self._named(document, "id", profile.id, id_)
            self._draft.profiles[id_] = (document, profile)

    def _packs(self) -> None:
        for id_, (path, name) in self._files("rules").items():
            document = read_yaml(path, name, self.problems)
            pack = self._fitted(document, PACK)
            if document is not None and pack is not None:
                self._named(document, "pack", pack.pack, id_)
                self._in_force[id_] = pack
                if path.is_relative_to(self.folder):
                    self._draft.own_packs.append((document, pack))
                else:
                    self._draft.shipped_packs.append(pack)
            else:
                self._draft.packs_unread = True

    def _named(self, document: Document, key: str, id_: str, stem: str) -> None:
        if id_ != stem:
            what = f"is {id_!r} but the file is {stem}.yaml; make them the same"
            self.problems.append(document.problem((key,), what))

    def _promise(self) -> Service | None:
        document = self._own_or_shipped("service.yaml")
        if document is not None:
            top = Row(document, (), document.data)  # it is the policy of all the rest
            self._draft.policies += [top, *document.rows("policies")]
        return self._fitted(document, PROMISE)

    def _own(self, name: str) -> Document | None:
        """Read a file of which the shipped one is an example; None where the site has none."""
        path = self.folder / name
        return read_yaml(path, name, self.problems) if path.exists() else None

    def _reports(self) -> ReportsFile | None:
        document = self._own_or_shipped("reports.yaml")
        reports = self._fitted(document, REPORTS)
        own = (self.folder / "reports.yaml").is_file()
        if document is not None and reports is not None and own:
            self._draft.reports = (document, reports)
        return reports

    def _own_or_shipped(self, file: str) -> Document | None:
        own = self.folder / file
        path = own if own.is_file() else shipped() / file
        return read_yaml(path, file if path == own else str(path), self.problems)

    def _tariffs(self) -> TariffsFile | None:
        if document := self._own("tariffs.yaml"):
            self._draft.accounts += document.rows("accounts")
        return self._fitted(document, TARIFFS)

    def _calendar(self) -> CalendarFile | None:
        """Read the site's own calendar; that which is shipped is an example."""
        if not (self.folder / "calendar.yaml").exists():
            self._draft.calendar = NO_CALENDAR
            return NO_CALENDAR
        calendar = self._fitted(self._own("calendar.yaml"), CALENDAR)
        self._draft.calendar = calendar
        return calendar

    def _roster(self, calendar: CalendarFile | None) -> RosterFile | None:
        document = self._own("roster.yaml")
        roster = self._fitted(document, ROSTER)
        self._draft.roster = WrittenRoster(document, roster, calendar) if document else None
        return roster

    def _settled(self, campus: CampusFile, beside: Beside) -> Settings:
        profiles = {id_: profile for id_, (_, profile) in self._draft.profiles.items()}
        packs = tuple(pack for _, pack in sorted(self._in_force.items()))
        return settled(self.folder, campus, profiles, packs, beside)


def schemas() -> dict[str, dict[str, Json]]:
    """Return the JSON Schema of each kind of file, for editors and for people."""
    adapters: Mapping[str, TypeAdapter[Json]] = {
        "campus": CAMPUS,
        "profile": PROFILE,
        "rules": PACK,
        "service": PROMISE,
        "tariffs": TARIFFS,
        "calendar": CALENDAR,
        "roster": ROSTER,
        "reports": REPORTS,
    }
    return {name: adapter.json_schema() for name, adapter in adapters.items()}
