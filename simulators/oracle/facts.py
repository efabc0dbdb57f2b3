"""What the deeds of a service item mean for its clocks."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.oracle.ticket import Fact
from simulators.service_year import Item

OPENING = ("open", "high")
_PLAIN = {
    "acknowledge": "responded",
    "pause": "paused",
    "resume": "resumed",
    "reclassify": "reclassified",
    "close": "closed",
    "silence": "closed",
    "unproven": "unproven",
    "reopen": "reopened",
}


def facts_of(item: Item) -> Iterator[tuple[int, Fact]]:
    """Yield the facts in the order in which the hub hears them, with the numbers of their deeds."""
    severity, arrivals = item.cause.severity, 0
    for n, (heard_ms, at_ms, kind, word) in enumerate(item.deeds):
        what = _PLAIN.get(kind, "nothing")
        if kind in OPENING:
            what = "reopened" if n else "opened"
        elif kind == "arrive":
            arrivals += 1
            what = "crew" if arrivals > 1 else "on_site"
        elif kind == "fix":
            what = "fixed"
        if what == "reclassified":
            severity = word
        arrivals = 0 if what == "reopened" else arrivals
        yield n, Fact(what, at_ms, heard_ms, severity if what == "opened" else word)
        if kind == "fix" and _holds(item, n):
            yield n, Fact("closed", heard_ms, heard_ms)


def _holds(item: Item, fix: int) -> bool:
    """Tell whether a fix closes its item at once: its alarm is over."""
    follows = item.deeds[fix + 1].kind if fix + 1 < len(item.deeds) else ""
    return item.cause.source == "alarm" and follows != "unproven"
