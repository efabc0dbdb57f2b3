"""The history and the truth that a scenario makes for the rules to be judged on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from hub.backtest.history import Apart, History, of_entries, of_maker
from hub.cli import campus_month
from hub.cli.virtual import play_virtual, site_of
from hub.health.broker import BACK_MS, LOST_MS
from hub.model import Batch, Entry, EntryKind
from hub.ports import Refused
from hub.settings import Settings
from hub.site import Site
from rules.backtest import Label, Span
from simulators.episode import Episode
from simulators.scenario import Scenario

NOTICE_MS = 3_600_000  # so long before it a planned outage is entered
PLANNED = "planned_outage"
BROKER = "broker_down"


class Ground(NamedTuple):
    """What rules are judged on.

    ``known`` tells what is true of it, once it is over; None: nobody knows.
    """

    site: Site
    history: History
    known: Callable[[], list[Label]] | None


def of_scenario(
    scenario: Scenario, seed: int | None, settings: Settings, days: int | None = None
) -> Ground:
    """Return what a scenario makes; Refused for one in which nothing is labelled.

    ``days``: only the first of them, of a labelled month.
    """
    seed = scenario.seed if seed is None else seed
    if scenario.labelled is not None:
        return _of_month(scenario, seed, settings, days)
    if scenario.metering or scenario.hot_water:
        raise Refused(f"scenario {scenario.id} has no faults that rules find; name another one")
    played = play_virtual(settings, scenario, seed)
    labels = [
        Label(f"e{n}", one.kind, one.device, one.start_ms, one.end_ms)
        for n, one in enumerate(played.labels, 1)
    ]
    span = Span(scenario.start_ms, scenario.end_ms)
    history = of_entries(_named(scenario, seed), played.entries, span)
    return Ground(site_of(settings), history, lambda: labels)


def _of_month(scenario: Scenario, seed: int, settings: Settings, days: int | None) -> Ground:
    """Return a month, made while it is judged, with what people announce and the hub notices."""
    site = site_of(settings)
    month = campus_month.month_of(scenario, seed, settings, site, days)
    maker = Apart(partial(_made, scenario, seed, settings, days))
    span = Span(month.start_ms, month.end_ms)
    history = of_maker(_named(scenario, seed), maker, span, beside(month.truth))
    return Ground(site, history, lambda: [_label(one) for one in maker.returned])


def _named(scenario: Scenario, seed: int) -> str:
    return f"scenario {scenario.id}, seed {seed}"


def _made(
    scenario: Scenario, seed: int, settings: Settings, days: int | None
) -> Generator[Batch, None, list[Episode]]:
    """Yield the readings of a month, and return its truth: what was evident is known then."""
    month = campus_month.month_of(scenario, seed, settings, site_of(settings), days)
    yield from month.history()
    return month.truth


def beside(truth: Sequence[Episode]) -> list[Entry]:
    """Return what stands in a journal beside the readings of a month, in order of time."""
    return sorted((*_announced(truth), *_noticed(truth)), key=lambda entry: entry.at_ms)


def _announced(truth: Iterable[Episode]) -> Iterator[Entry]:
    """Yield what people enter of the outages that are planned."""
    for one in truth:
        if one.kind == PLANNED:
            at_ms = one.start_ms - NOTICE_MS
            planned = {"area": one.subject, "start_ms": one.start_ms, "end_ms": one.end_ms}
            wish = {"planned": {**planned, "reason": PLANNED, "rules": []}}
            action = {"id": one.id, "kind": "plan_outage", "actor": "duty", "at_ms": at_ms}
            yield Entry(EntryKind.ACTION, at_ms, content=action | wish)


def _noticed(truth: Iterable[Episode]) -> Iterator[Entry]:
    """Yield what a hub says of its own connection to the broker."""
    for one in truth:
        if one.kind == BROKER:
            lost = {"hub": "broker", "state": "offline", "limit": LOST_MS / 1000}
            yield Entry(EntryKind.HEALTH, one.start_ms + LOST_MS, content=lost)
            back = {"hub": "broker", "state": "online"}
            yield Entry(EntryKind.HEALTH, one.end_ms + BACK_MS, content=back)


def _label(one: Episode) -> Label:
    return Label(
        one.id,
        one.kind,
        one.subject,
        one.start_ms,
        one.end_ms,
        look_alike=one.what == "look_alike",
        members=frozenset(one.members),
        evident_ms=one.evident_ms,
    )
