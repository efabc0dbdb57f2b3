"""Step a journal again, each entry under the configuration that was in force."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from hub.engine import Core
from hub.model import Effect, Entry, EntryKind, Json
from hub.ports import Refused
from hub.settings import build_site
from hub.settings.recorded import recorded
from hub.settings.tree import NumberOf
from rules.calendar import Calendar

Heard = Callable[[Effect], None]


class Replay:
    """An engine that acts on no database and tells nobody.

    ``number_of`` gives the points the numbers under which the journal knows them. A journal whose
    beginning is not kept any more is heard from its first entry on.
    """

    def __init__(self, number_of: NumberOf, heard: Heard) -> None:
        self.seq = self.entries = self.readings = 0
        self.heard_from_ms: int | None = None  # what stood before it is forgotten
        self._number_of = number_of
        self._heard = heard
        self._core: Core | None = None

    @property
    def now_ms(self) -> int:
        """Return how far the time has come."""
        return self._core.now_ms if self._core else 0

    def load(self, seq: int, state: bytes, configuration: Mapping[str, Json]) -> None:
        """Go on from a snapshot under the configuration that was in force."""
        self._core = self._core_of(configuration)
        self._core.load(state)
        self.seq = seq

    def save(self) -> bytes:
        """Return the state as the engine snapshots it; Refused before any configuration."""
        if self._core is None:
            raise Refused("the journal has no configuration before its first entries")
        return self._core.save()

    def take(self, seq: int, entry: Entry) -> None:
        """Take one entry; Refused when nothing says what was in force."""
        if entry.kind is EntryKind.CONFIGURATION:
            self._change(entry)
        if self._core is None:
            raise Refused(f"entry {seq} stands before any configuration: this is no whole journal")
        if self.seq and seq > self.seq + 1:
            self._skip(entry)
        for effect in self._core.step(seq, entry):
            self._heard(effect)
        self.seq = seq
        self.entries += 1
        self.readings += len(entry.batch or ())

    def _change(self, entry: Entry) -> None:
        """Put a new configuration in force, as a hub does that starts with it."""
        before, self._core = self._core, self._core_of(entry.content)
        if before is not None:
            self._core.load(before.save())

    def _skip(self, entry: Entry) -> None:
        """Listen from this entry on: what stood before it is forgotten."""
        if self.entries == 1 and self._core is not None:  # only the configuration is left of it
            self.heard_from_ms = entry.at_ms
            self._core.step(0, Entry(EntryKind.TICK, entry.at_ms, content={"listening": True}))

    def _core_of(self, configuration: Mapping[str, Json]) -> Core:
        settings = recorded(configuration["content"], Path())
        site = build_site(settings, self._number_of)
        calendar = Calendar(settings.calendar, site.zone)
        return Core(site, settings.packs, settings.promise, calendar, settings.duty_roster())


def replay(engine: Replay, entries: Iterable[tuple[int, Entry]], until: int | None = None) -> None:
    """Lead entries through, up to a sequence where one is given."""
    for seq, entry in entries:
        if until is not None and seq > until:
            return
        if seq > engine.seq:
            engine.take(seq, entry)
