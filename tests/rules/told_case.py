"""Cases of rules as they are written in files: readings as rows, and what must come of them.

``docs/detection-rules.md`` says how a case is written; this reads it and lets the engine hear it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

import yaml
from pydantic import Field, TypeAdapter

from hub.engine import Core
from hub.judge import Look
from hub.judge.nights import Nights
from hub.model import Alarm, AlarmState, Batch, Entry, EntryKind, Quality, Reason, flag
from hub.settings import Settings, build_site
from hub.settings.spec import DeviceSpec, GatewaySpec, PlaceSpec
from hub.site import Site
from rules.calendar import Calendar
from rules.form import Duration, Spec
from rules.spec import Pack, Rule
from rules.spec_windows import WindowForm

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
GOOD = "good"
HUB, LINE = "hub", "line"


PLACES = {"building": "b", "plant": "b/plant", "shower_room": "b/1/shower-1", "room": "b/1/{n}"}


class Group(Spec):
    """Devices of one profile: ``count`` of them, called by the profile's kind and a number.

    Each stands in a ``room`` of its own, or all in one other place; the building's is ``main``.
    """

    profile: str
    count: int = Field(1, ge=1)
    place: Literal["building", "plant", "shower_room", "room"] = "plant"
    interval: Duration = timedelta(minutes=1)
    gateways: int = Field(0, ge=0)


class Expected(Spec):
    """When the rule rings and is over, and which other rules ring that are right to."""

    raised: Duration | None = None
    cleared: Duration | None = None
    also: tuple[str, ...] = ()


class Case(Spec):
    """One case of a rule: the devices, when it plays, and what each of its stories must bring."""

    devices: tuple[Group, ...] = ()
    start: datetime
    subject: str
    raises: Expected
    look_alike: Expected = Expected()
    clears: Expected


Story = Literal["raises", "look_alike", "clears"]


class Rang(NamedTuple):
    """An alarm that people heard; seconds since the start of the story."""

    rule: str
    subject: str
    raised: timedelta
    cleared: timedelta | None


class Row(NamedTuple):
    """One reading of one point, or without a point only the time."""

    at_ms: int
    point: str
    value: float
    quality: int


def play(settings: Settings, case: Case, rule: Rule, path: Path) -> list[Rang]:
    """Let the engine hear a story and return the alarms of it, in order.

    In force are the rule itself and all others of its manner, by readings or by days, that have
    their points in the story.
    """
    start_ms = round(case.start.timestamp() * 1000)
    rows = sorted(_rows(path), key=lambda row: row.at_ms)
    site = _site(settings, case.devices)
    names = {row.point.rpartition("/")[2] for row in rows}
    packs = [one for pack in settings.packs if (one := _in_force(pack, rule, names))]
    ear = _Ear(settings, site, packs, start_ms)
    for at_ms in sorted({row.at_ms for row in rows}):
        ear.hear(at_ms, [row for row in rows if row.at_ms == at_ms and row.point])
    return ear.rang()


class _Ear:
    """The engine at work on a site, with the look at every day that is over."""

    def __init__(
        self, settings: Settings, site: Site, packs: Sequence[Pack], start_ms: int
    ) -> None:
        calendar = Calendar(settings.calendar, site.zone)
        self._site, self._start_ms = site, start_ms
        self._core = Core(site, packs, settings.promise, calendar)
        self._nights = Nights(Look(site, packs, calendar), site.zone)
        self._alarms: dict[str, Alarm] = {}
        self._heard: set[str] = set()
        self._step(Entry(EntryKind.CONFIGURATION, start_ms))

    def hear(self, after_ms: int, rows: Sequence[Row]) -> None:
        """Let time pass to an instant and take the readings of it."""
        now_ms = self._start_ms + after_ms
        self._pass(now_ms - 1)
        for row in rows:
            if row.point.startswith(f"{HUB}/"):
                self._step(_said(now_ms, row))
            elif row.point.startswith(f"{LINE}/"):
                self._step(_share(now_ms, row))
        readings = [
            (self._site.numbers[f"{device}/{row.point.rpartition('/')[2]}"], row)
            for row in rows
            if not row.point.startswith(f"{LINE}/")
            for device in self._meant(row.point)
        ]
        if readings:
            batch = Batch.of(
                [number for number, _ in readings],
                [now_ms] * len(readings),
                [row.value for _, row in readings],
                [row.quality for _, row in readings],
                now_ms,
            )
            self._nights.read(batch)
            self._step(Entry(EntryKind.READINGS, now_ms, batch))
        self._pass(now_ms)

    def rang(self) -> list[Rang]:
        """Return the alarms that people heard."""
        return [
            Rang(
                alarm.rule,
                alarm.device,
                self._after(alarm.raised_ms),
                None if alarm.cleared_ms is None else self._after(alarm.cleared_ms),
            )
            for alarm in self._alarms.values()
            if alarm.id in self._heard
        ]

    def _after(self, at_ms: int) -> timedelta:
        return timedelta(milliseconds=at_ms - self._start_ms)

    def _meant(self, point: str) -> list[str]:
        """Return the devices that a point is told of: one that is named, or all that have it."""
        device, _, name = point.rpartition("/")
        return [
            one.id
            for one in self._site.devices.values()
            if (not device or one.id.endswith(f"/{device}"))
            and any(point.name == name for point in one.points)
        ]

    def _pass(self, now_ms: int) -> None:
        for entry in self._nights.until(now_ms):
            self._due(entry.at_ms)
            self._step(entry)
        self._due(now_ms)

    def _due(self, now_ms: int) -> None:
        while (due_ms := self._core.next_due_ms()) is not None and due_ms <= now_ms:
            self._step(Entry(EntryKind.TICK, due_ms))

    def _step(self, entry: Entry) -> None:
        for effect in self._core.step(0, entry):
            if isinstance(effect, Alarm):
                self._alarms[effect.id] = effect
                if effect.state is AlarmState.UNACKNOWLEDGED:
                    self._heard.add(effect.id)


def read_case(folder: Path) -> Case:
    """Read case.yaml of a rule."""
    return Case.model_validate(yaml.safe_load((folder / "case.yaml").read_text("utf-8")))


def _in_force(pack: Pack, rule: Rule, names: set[str]) -> Pack | None:
    by_days = isinstance(rule, WindowForm)
    kept = [
        one
        for one in pack.rules
        if one is rule
        or (isinstance(one, WindowForm) == by_days and one.inputs and {*one.inputs} <= names)
    ]
    return pack.model_copy(update={"rules": tuple(kept)}) if kept else None


def _site(settings: Settings, groups: Sequence[Group]) -> Site:
    """Make a building with a plant, a shower room and a room for every other device."""
    places = {"b": "building", "b/1": "floor"}
    gateways: dict[str, None] = {}
    devices: list[DeviceSpec] = []
    for group in groups:
        kind = settings.profiles[group.profile].kind
        for n in range(1, group.count + 1):
            place = PLACES[group.place].replace("{n}", str(100 + n))
            places.setdefault(place, group.place)
            gateway = f"gw-{n % group.gateways + 1}" if group.gateways else None
            gateways |= {gateway: None} if gateway else {}
            name = "main" if group.place == "building" else f"{kind}-{n}"
            devices.append(
                DeviceSpec(
                    id=f"b/{name}",
                    profile=group.profile,
                    place=place,
                    gateway=gateway,
                    interval=group.interval,
                )
            )
    written = replace(
        settings,
        places=tuple(PlaceSpec.model_validate({"id": a, "kind": k}) for a, k in places.items()),
        gateways=tuple(GatewaySpec(id=one, url="tcp://127.0.0.1:1502") for one in gateways),
        devices=tuple(devices),
    )
    return build_site(written, lambda ids: {id_: n for n, id_ in enumerate(ids, 1)})


def _said(now_ms: int, row: Row) -> Entry:
    """Return what the hub says about itself: 0 is well, 1 in trouble, 2 cannot wait."""
    said: Mapping[str, object] = {
        "hub": row.point.partition("/")[2],
        "state": "offline" if row.value else "online",
        "urgent": row.value > 1,
        "value": row.value,
        "limit": 0.0,
    }
    return Entry(EntryKind.HEALTH, now_ms, content=dict(said))


def _share(now_ms: int, row: Row) -> Entry:
    """Return what the hub says of a line: which share of its last polls failed."""
    line = row.point.partition("/")[2]
    return Entry(EntryKind.HEALTH, now_ms, content={"line": line, "share": row.value})


def _rows(path: Path) -> Iterator[Row]:
    """Read a story: ``at`` is a time after the start, or ``every PT1M from PT0S to PT1H``.

    A value is a number, ``a..b`` (evenly from first to last) or ``a|b|c`` (in turn); a point is
    that of all devices, or ``meter-3/power`` of one. A row without a point lets time pass.
    """
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(row for row in file if not row.startswith("#")):
            instants = list(_instants(line["at"]))
            for n, at_ms in enumerate(instants):
                value = _value(line["value"] or "", n, len(instants))
                quality = _quality(line.get("quality") or GOOD)
                for point in _points(line["point"] or ""):
                    yield Row(at_ms, point, value, quality)


def _points(written: str) -> Sequence[str]:
    """Return the points that a row is about, several with a blank between them."""
    return written.split() or [""]


def _instants(written: str) -> Iterator[int]:
    if not written.startswith("every "):
        yield _ms(written)
        return
    _, step, _, first, _, last = written.split()
    yield from range(_ms(first), _ms(last) + 1, _ms(step))


def _ms(written: str) -> int:
    return round(DURATION.validate_python(written).total_seconds() * 1000)


def _value(written: str, n: int, count: int) -> float:
    if "|" in written:
        turns = written.split("|")
        return float(turns[n % len(turns)])
    if ".." in written:
        first, last = map(float, written.split(".."))
        return first + (last - first) * n / max(count - 1, 1)
    return float(written) if written else float("nan")


def _quality(written: str) -> int:
    if written == GOOD:
        return int(Quality.GOOD)
    return flag(Quality.BAD, Reason[written.upper()])
