"""The agenda of a labelled month: every episode with its subject and time, drawn beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

from hub.site import HUB, Device
from simulators.climate import DAY_MS, HOUR_MS
from simulators.episode import Episode, What
from simulators.month_life import Calendar
from simulators.month_plan import (
    ALIKE_LIFE,
    ALIKE_PLACES,
    CODED,
    DAYS,
    HOLIDAY,
    LAST_TERM_DAY,
    LONG,
    OF_DEVICES,
    OF_PLACES,
    UNDISTURBED,
    Row,
)
from simulators.noise import Dice
from simulators.weather import Snap

_ATTEMPTS = 2000
_AGAIN = 50  # draws of a whole month; one in a few leaves no room for its last episodes
_GRAIN_MS = 10_000
_OFF_GRAIN_MS = 7_023  # nothing happens at the very instant of a poll
_SILENT = ("silent", "exception_answer", "bus_cut", "gateway_cut", "planned_outage")
_MANY = 3  # devices of a line, of which one may be silent while another is
_SNAPS = 3
_SNAP_H, _SNAP_K = (40, 80), (7, 10)


class _FullError(Exception):
    """What is drawn so far leaves no room for the rest."""


class Subjects:
    """What episodes can befall on a site, and which devices each of them touches."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = devices
        self._lines = _lines(devices)
        self._on_line = Counter(device.gateway for device in devices if device.gateway)
        of_kind = {kind: [one for one in devices if _what(one) == kind] for kind in _KINDS}
        plants = [one.place for one in of_kind["boiler"]]
        self.of: dict[str, list[str]] = {
            kind: [one.id for one in some] for kind, some in of_kind.items()
        } | {
            "room_place": [one.place for one in of_kind["room"]],
            "room_bus": _once(one.gateway or "" for one in of_kind["room"]),
            "gateway": _once(one.gateway for one in devices if one.gateway),
            "building": list(self._lines),
            "large_building": [one for one, lines in self._lines.items() if len(lines) > 1],
            "small_building": [one for one, lines in self._lines.items() if len(lines) == 1],
            "water": _once(map(_building, plants)),
            "plant": _once(plants),
            "shower_room": _once(one.place for one in of_kind["terminal"]),
            "hub": [HUB],
        }

    def touched(self, subject: str, kind: str) -> list[str]:
        """Return the devices that something with a subject touches."""
        if kind == "pipe_leak":
            return [
                one.id for one in self._devices if one.kind == "boiler" and _within(one, subject)
            ]
        if subject == HUB:
            return [one.id for one in self._devices if one.gateway is None]
        return [
            one.id
            for one in self._devices
            if subject in (one.id, one.gateway) or _within(one, subject)
        ]

    def silence(self, subject: str, kind: str) -> list[str]:
        """Return the houses in which nothing else of their lines may fall silent meanwhile.

        Two devices that are all of a line are a lost line when both are silent, and with the other
        line a dark house: nobody could tell what is true.
        """
        if kind not in _SILENT:
            return []
        short = {line for line, count in self._on_line.items() if count < _MANY}
        houses = {_building(one.place) for one in self._devices if one.gateway in short}
        return _once(
            f"silence in {_building(one.place)}"
            for one in self._devices
            if (one.id == subject and one.gateway in short)
            or (one.gateway == subject and _building(one.place) in houses)
        )

    def seen_at(self, subject: str, kind: str) -> list[str]:
        """Return where something is seen that touches no device there.

        A main meter of a wrong scale is seen in the sums of its building; that a building with one
        line only is dark, nobody can tell from that line.
        """
        if kind == "scale_wrong" and subject in self.of["main"]:
            return [_building(subject)]
        lines = self._lines.get(subject, ()) if kind == "supply_cut" else ()
        return [line for line in lines if line] if len(lines) == 1 else []


@dataclass(frozen=True, slots=True)
class Agenda:
    """Everything that will happen in a stretch of time, and its calendar."""

    seed: int
    episodes: Sequence[Episode]
    snaps: Sequence[Snap]
    calendar: Calendar


def drawn(seed: int, start_ms: int, devices: Sequence[Device]) -> Agenda:
    """Draw a month from a local midnight on: at most one fault of a device at a time."""
    for again in range(_AGAIN):
        draw = _Draw(seed << 8 | again, start_ms, devices)
        try:
            return draw.agenda(seed)
        except _FullError:
            if again == _AGAIN - 1:
                raise
    raise AssertionError("unreachable")


class _Draw:
    """One attempt at a month."""

    def __init__(self, seed: int, start_ms: int, devices: Sequence[Device]) -> None:
        self._seed = seed
        self._start_ms = start_ms
        self._subjects = Subjects(devices)
        self._episodes: list[Episode] = []
        self._snaps: list[Snap] = []
        self._taken: dict[str, list[tuple[int, int]]] = {}

    def agenda(self, seed: int) -> Agenda:
        """Draw the episodes: those of days, those of whole places, then of devices and people."""
        for row in LONG:
            self._lay(row, "fault")
        of_days, self._taken = self._taken, {}
        for row in (*UNDISTURBED, *OF_PLACES):
            self._lay(row, "fault")
        for row in ALIKE_PLACES:
            self._lay(row, "look_alike")
        for subject, spans in of_days.items():
            self._taken.setdefault(subject, []).extend(spans)
        for row in OF_DEVICES:
            self._lay(row, "fault")
        for row in ALIKE_LIFE:
            self._lay(row, "look_alike")
        self._lay_snaps()
        first, last, leave, end = (
            self._start_ms + day * DAY_MS for day in (*HOLIDAY, LAST_TERM_DAY, DAYS)
        )
        self._alike("vacation", leave, end, "")
        ordered = sorted(self._episodes, key=lambda one: (one.start_ms, one.id))
        return Agenda(seed, ordered, self._snaps, Calendar([(first, last)], (leave, end)))

    def _lay(self, row: Row, what: What) -> None:
        """Draw all episodes of one kind."""
        dice = Dice(crc32(f"{row.kind}/{row.of}".encode()) + (self._seed << 32))
        subjects = self._subjects.of[row.of]
        first = dice.throw() < 0.5  # noqa: PLR2004
        for n in range(row.count):
            subject, start_ms, end_ms = self._room_for(row, subjects, dice)
            coded = row.kind in CODED.get(row.of, ())
            members = self._subjects.touched(subject, row.kind)
            members += self._subjects.seen_at(subject, row.kind)
            episode = Episode(
                id=f"{row.kind}-{row.of}-{n + 1}".replace("_", "-"),
                what=what,
                kind=row.kind,
                subject=subject,
                start_ms=start_ms,
                end_ms=end_ms,
                code_silent=not coded or (n % 2 == 0) == first,
                members=[one for one in members if one != subject],
            )
            self._episodes.append(episode)

    def _room_for(self, row: Row, subjects: Sequence[str], dice: Dice) -> tuple[str, int, int]:
        """Find a subject and a time at which nothing else happens there."""
        for _ in range(_ATTEMPTS):
            subject = dice.pick(subjects)
            length_ms = round(dice.between(*row.hours) * HOUR_MS)
            day = int(dice.between(row.first, row.last))
            start_ms = round(DAY_MS * day + HOUR_MS * dice.between(row.from_h, row.to_h))
            start_ms = start_ms // _GRAIN_MS * _GRAIN_MS + _OFF_GRAIN_MS
            end_ms = start_ms + length_ms // _GRAIN_MS * _GRAIN_MS
            if start_ms < row.first * DAY_MS or end_ms > row.last * DAY_MS:
                continue
            rest_ms = round(row.rest_h * HOUR_MS)
            keys = self._keys(row, subject)
            if all(self._free(key, start_ms - rest_ms, end_ms + rest_ms) for key in keys):
                for key in keys:
                    self._taken.setdefault(key, []).append((start_ms - rest_ms, end_ms + rest_ms))
                return subject, self._start_ms + start_ms, self._start_ms + end_ms
        raise _FullError(f"no room for {row.count} x {row.kind} of {row.of}")

    def _keys(self, row: Row, subject: str) -> list[str]:
        """Return what is taken while it lasts: its devices; a building's water is one thing."""
        if row.kind == "pipe_leak":
            return [f"water of {subject}"]
        keys = [subject, *self._subjects.touched(subject, row.kind)]
        keys += self._subjects.silence(subject, row.kind)
        if row.of == "boiler" and row.kind in ("leak", "counter_reset"):
            keys.append(f"water of {_building(subject)}")
        return keys

    def _free(self, key: str, start_ms: int, end_ms: int) -> bool:
        return all(end_ms <= start or end <= start_ms for start, end in self._taken.get(key, ()))

    def _lay_snaps(self) -> None:
        """Draw the cold snaps, one in each part of the month; every building feels them."""
        dice = Dice(crc32(b"cold_snap") + (self._seed << 32))
        part_ms = DAYS * DAY_MS // _SNAPS
        for n in range(_SNAPS):
            length_ms = round(dice.between(*_SNAP_H) * HOUR_MS)
            start_ms = self._start_ms + n * part_ms + round(dice.throw() * (part_ms - length_ms))
            self._snaps.append(Snap(start_ms, start_ms + length_ms, dice.between(*_SNAP_K)))
            self._alike("cold_snap", start_ms, start_ms + length_ms, f"{n + 1}")

    def _alike(self, kind: str, start_ms: int, end_ms: int, n: str) -> None:
        for building in self._subjects.of["building"]:
            name = "-".join(part for part in (kind, n, building) if part).replace("_", "-")
            self._episodes.append(Episode(name, "look_alike", kind, building, start_ms, end_ms))


_KINDS = ("room", "main", "boiler", "terminal")


def _what(device: Device) -> str:
    if device.kind != "meter":
        return "terminal" if device.kind == "shower" else device.kind
    return "room" if device.place.count("/") > 1 else "main"


def _building(place: str) -> str:
    return place.split("/", 1)[0]


def _lines(devices: Sequence[Device]) -> dict[str, list[str | None]]:
    """Return the gateways of each building; None stands for the broker."""
    found: dict[str, list[str | None]] = {}
    for device in devices:
        lines = found.setdefault(_building(device.place), [])
        if device.gateway not in lines:
            lines.append(device.gateway)
    return found


def _within(device: Device, place: str) -> bool:
    return device.place == place or device.place.startswith(f"{place}/")


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
