"""Alarms as a crew sees them: one card for each cause, its effects folded away beneath it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.database import records
from hub.model import Alarm, AlarmState
from hub.web.api.alarms import load_between
from hub.web.form import DAY_MS
from hub.web.pages.frame import Frame
from hub.web.parts import Parts
from hub.web.session import Looks

router = APIRouter(include_in_schema=False)
PAGE = 50
MOST_EFFECTS = 10
MOST = 2000
SHOWN: Mapping[str, Sequence[AlarmState]] = {
    "open": (
        AlarmState.UNACKNOWLEDGED,
        AlarmState.ACKNOWLEDGED,
        AlarmState.CLEARED_UNACKNOWLEDGED,
        AlarmState.LATCHED,
    ),
    "held": (
        AlarmState.SHELVED,
        AlarmState.SUPPRESSED,
        AlarmState.OUT_OF_SERVICE,
        AlarmState.INHIBITED,
    ),
    "past": (AlarmState.CLEARED,),
}
URGENCY = {"large": 0, "ordinary": 1, "small": 2}


class Group(NamedTuple):
    """One cause with the first of its effects, and how many there are."""

    alarm: Alarm
    effects: Sequence[Alarm] = ()
    many: int = 0


class Asked(NamedTuple):
    """What of the alarms is shown: a tab, or the effects of one, from the how manieth on."""

    show: str
    root: str
    offset: int


def urgency(alarm: Alarm) -> tuple[int, int, int]:
    """Return the order of open alarms: what is there, grave and unseen stands first."""
    over = alarm.cleared_ms is not None
    seen = alarm.acknowledged_ms is not None
    return (2 * over + seen, URGENCY[alarm.severity], -alarm.raised_ms)


def causes(parts: Parts) -> list[Alarm]:
    """Return the open alarms, which are causes, the most urgent first."""
    wanted = records.Filter(states=SHOWN["open"])
    return sorted(records.alarms(parts.database, wanted, limit=MOST), key=urgency)


def _found(parts: Parts, asked: Asked) -> list[Group]:
    """Return a page of groups, and one more where more follow."""
    end = asked.offset + PAGE + 1
    if asked.show == "open":
        alarms = causes(parts)[asked.offset : end]
    else:
        wanted = records.Filter(states=SHOWN[asked.show], rootless=asked.show == "held")
        if asked.root:
            wanted = records.Filter(root=asked.root)
        alarms = records.alarms(parts.database, wanted, limit=PAGE + 1, offset=asked.offset)
    counts = records.count_effects(parts.database, [alarm.id for alarm in alarms])
    return [
        Group(alarm, effects_of(parts, alarm.id), counts[alarm.id])
        if alarm.id in counts
        else Group(alarm)
        for alarm in alarms
    ]


def effects_of(parts: Parts, root: str) -> list[Alarm]:
    """Return the first effects of an alarm."""
    return records.alarms(parts.database, records.Filter(root=root), limit=MOST_EFFECTS)


def _counts(parts: Parts) -> dict[str, int]:
    """Count what the tabs of standing alarms hold."""
    wanted = {"open": records.Filter(states=SHOWN["open"])}
    wanted["held"] = records.Filter(states=SHOWN["held"], rootless=True)
    return {name: records.count_alarms(parts.database, one) for name, one in wanted.items()}


@router.get("/alarms")
async def alarms(
    request: Request, viewer: Looks, show: str = "open", root: str = "", offset: int = 0
) -> Response:
    """List the alarms by cause: open ones by urgency, others by date."""
    page = Frame.of(request, viewer)
    parts, now_ms = page.parts, page.now_ms
    show = "past" if root else show if show in SHOWN else "open"
    asked = Asked(show, root[:40], min(max(offset, 0), 1_000_000))
    groups, counts, load = await parts.database_worker.run(
        lambda: (
            _found(parts, asked),
            _counts(parts),
            load_between(parts, now_ms + 1 - DAY_MS, now_ms + 1),
        )
    )
    query = {"show": show, "root": root, "offset": asked.offset + PAGE}
    return page.render(
        "alarms.html",
        section="alarms",
        groups=groups[:PAGE],
        show="effects" if root else show,
        counts=counts,
        load=load,
        flood=parts.flood(),
        next_page="?" + urlencode(query) if len(groups) > PAGE else "",
    )
