"""Alarms, their history, and planned outages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hub.model.word import Json, Severity, Text


class AlarmState(StrEnum):
    """States of an alarm after ISA-18.2; ``inhibited`` is by another alarm, its root."""

    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    CLEARED_UNACKNOWLEDGED = "cleared_unacknowledged"
    CLEARED = "cleared"
    LATCHED = "latched"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    INHIBITED = "inhibited"
    OUT_OF_SERVICE = "out_of_service"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A condition that needs a person. ``id`` derives from rule, device and the raising instant.

    While it is held back ``reason`` says why, ``owner`` by whom and ``until_ms`` until when;
    ``root`` is the alarm that it is an effect of. ``chattering``: it comes and goes, and is taken
    for one alarm until it is quiet. ``cleared_ms`` is None while the fault is there.
    """

    id: str
    rule: str
    device: str
    place: str
    severity: Severity
    title: Text
    state: AlarmState
    raised_ms: int
    value: float
    limit: float
    acknowledged_ms: int | None = None
    cleared_ms: int | None = None
    reason: str = ""
    owner: str = ""
    until_ms: int | None = None
    root: str | None = None
    chattering: bool = False


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """One line of an alarm's history; ``n`` counts from 0 within the alarm."""

    alarm: str
    n: int
    kind: str
    actor: str
    at_ms: int
    detail: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outage:
    """A planned outage: what is expected to be off in an area for a while.

    ``area`` is a place, a gateway or a device; of ``rules`` alarms are expected. ``ended_ms`` is
    when a person or the time ended it.
    """

    id: str
    area: str
    start_ms: int
    end_ms: int
    reason: str
    rules: tuple[str, ...]
    actor: str
    entered_ms: int
    ended_ms: int | None = None
