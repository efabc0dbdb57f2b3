"""How the firmwares speak: a table name -> topics and functions that read what is said there.

In a topic ``{}`` stands for the topic of the device. Tasmota may have its prefix elsewhere
(``campus/%prefix%/plug-7``, its own notation of a full topic).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import partial

import orjson

from drivers.mqtt.payload import (
    PayloadError,
    Telemetry,
    instant,
    telemetry,
    thing,
    written_instant,
)
from drivers.profile import MqttProfile
from hub.model import Json

KeyPath = tuple[str | int, ...]
_PREFIX = "%prefix%"
_ABSENT = object()


@dataclass(slots=True)
class Form:
    """What a dialect needs of one device: key -> path, the zone of its clock, what it said last.

    ``known`` holds key -> (instant, value) where messages bring only what has changed.
    """

    paths: Mapping[str, KeyPath]
    zone: tzinfo = UTC
    known: dict[str, tuple[int, Json]] = field(default_factory=dict)

    @classmethod
    def of(cls, profile: MqttProfile, zone: tzinfo = UTC) -> Form:
        """Compile the keys of a profile."""
        if profile.dialect == "own":
            return cls({}, zone)
        keys = [point.key or name for name, point in profile.points.items()]
        return cls({key: compiled(key) for key in keys}, zone)


Told = Sequence[Telemetry | PayloadError]
Reader = Callable[[Form, bytes, int], Told]
"""Read a payload that came in at an instant (ms); PayloadError when nothing in it can be used."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to speak: the topic of a device where the site names none, topics and readers.

    ``online`` reads the status. A command is answered by its id under ``reply``; where there is no
    such topic, ``command`` makes it from topic, key and word of a point, and what the device says
    of the point afterwards is the answer.
    """

    topic: str
    readers: Callable[[MqttProfile], Mapping[str, Reader]]
    status: str
    online: Callable[[bytes], bool]
    command: Callable[[str, str, Json], tuple[str, bytes]] | None = None
    reply: str | None = None


def compiled(key: str) -> KeyPath:
    """Take a path apart.

    >>> compiled("ENERGY.Current[0]")
    ('ENERGY', 'Current', 0)
    """
    parts: list[str | int] = []
    for level in key.split("."):
        name, *places = level.replace("]", "").split("[")
        parts += [name, *map(int, places)]
    return tuple(parts)


def found(content: Json, path: KeyPath) -> Json:
    """Follow a path; ``_ABSENT`` where it leads nowhere."""
    for part in path:
        if isinstance(part, int):
            if not isinstance(content, list) or part >= len(content):
                return _ABSENT
        elif not isinstance(content, dict) or part not in content:
            return _ABSENT
        content = content[part]
    return content


def filled(template: str, topic: str) -> str:
    """Return the topic of a device by a template.

    >>> filled("tele/{}/SENSOR", "plug-7")
    'tele/plug-7/SENSOR'
    >>> filled("tele/{}/SENSOR", "campus/%prefix%/plug-7")
    'campus/tele/plug-7/SENSOR'
    """
    prefix, _, rest = template.partition("/")
    if _PREFIX in topic and prefix != "{}":
        return rest.replace("{}", topic.replace(_PREFIX, prefix))
    return template.replace("{}", topic)


def _values(form: Form, content: Json) -> dict[str, Json]:
    values = ((key, found(content, path)) for key, path in form.paths.items())
    return {key: value for key, value in values if value is not _ABSENT}


def _one_of(words: Mapping[bytes, bool]) -> Callable[[bytes], bool]:
    """Make the reader of a status that is one word."""

    def online(payload: bytes) -> bool:
        if payload not in words:
            raise PayloadError("no status")
        return words[payload]

    return online


def _own(_form: Form, payload: bytes, _received_ms: int) -> Told:
    return telemetry(payload)


def _tasmota(form: Form, payload: bytes, received_ms: int) -> Told:
    """Read SENSOR, STATE and RESULT; ``Time`` is local and has no zone."""
    content = thing(payload)
    time = content.get("Time")
    at_ms = None if time is None else _local(time, form.zone, received_ms)
    return [Telemetry(at_ms, _values(form, content))]


def _local(time: Json, zone: tzinfo, received_ms: int) -> int:
    """Read a time without a zone; in an hour that comes twice, the one nearer to the receipt."""
    told = written_instant(time) if isinstance(time, str) else None
    if told is None:
        raise PayloadError("Time is no instant")
    both = (told.replace(tzinfo=told.tzinfo or zone, fold=n).timestamp() for n in (0, 1))
    return min((round(one * 1000) for one in both), key=lambda at_ms: abs(at_ms - received_ms))


def _shelly(profile: MqttProfile) -> Mapping[str, Reader]:
    """Notifications, and the status of each component that the profile reads."""
    paths = (compiled(point.key or name) for name, point in profile.points.items())
    components = sorted({str(path[0]) for path in paths})
    status = {f"{{}}/status/{name}": partial(_shelly_status, name) for name in components}
    return {"{}/events/rpc": _shelly_notification, **status}


def _shelly_notification(form: Form, payload: bytes, received_ms: int) -> Told:
    """Read NotifyStatus and NotifyFullStatus; events hold no values."""
    content = thing(payload)
    if content.get("method") not in ("NotifyStatus", "NotifyFullStatus"):
        return []
    status = content.get("params")
    if not isinstance(status, dict):
        raise PayloadError("no params")
    return [_overlaid(form, status, _seconds(status.get("ts")), received_ms)]


def _seconds(ts: Json) -> int | None:
    is_number = isinstance(ts, (int, float)) and not isinstance(ts, bool)
    return instant(ts * 1000 if is_number else ts)


def _shelly_status(component: str, form: Form, payload: bytes, received_ms: int) -> Told:
    return [_overlaid(form, {component: thing(payload)}, None, received_ms)]


def _overlaid(
    form: Form, status: Mapping[str, Json], at_ms: int | None, received_ms: int
) -> Telemetry:
    """Lay what has changed over what is known: the rest of a component is as it was before.

    What comes late changes nothing that is known from later on.
    """
    order_ms = received_ms if at_ms is None else min(at_ms, received_ms)
    values: dict[str, Json] = {}
    for key, path in form.paths.items():
        if path[0] not in status:
            continue
        value = found(status, path)
        known_ms, known = form.known.get(key, (order_ms, _ABSENT))
        if value is not _ABSENT:
            values[key] = value
            if known_ms <= order_ms:
                form.known[key] = (order_ms, value)
        elif known is not _ABSENT and known_ms <= order_ms:
            values[key] = known
    return Telemetry(at_ms, values)


def _zigbee2mqtt(form: Form, payload: bytes, _received_ms: int) -> Told:
    """Read the state of a device; ``last_seen`` is there where the bridge is told to add it."""
    content = thing(payload)
    return [Telemetry(instant(content.get("last_seen")), _values(form, content))]


def _available(payload: bytes) -> bool:
    """Read ``{"state": "online"}``, of older bridges the bare word."""
    state = payload.decode("ascii", "replace")
    if payload.startswith(b"{"):
        state = thing(payload).get("state", "")
    if state not in ("online", "offline"):
        raise PayloadError("no status")
    return bool(state == "online")


def _tasmota_command(topic: str, key: str, word: Json) -> tuple[str, bytes]:
    payload = word.encode() if isinstance(word, str) else orjson.dumps(word)
    return filled(f"cmnd/{{}}/{key}", topic), payload


def _zigbee2mqtt_command(topic: str, key: str, word: Json) -> tuple[str, bytes]:
    return f"{topic}/set", orjson.dumps({key: word})


DIALECTS: Mapping[str, Dialect] = {
    "own": Dialect(
        topic="campus/{}",
        readers=lambda _profile: {"{}/telemetry": _own},
        status="{}/status",
        online=_one_of({b"online": True, b"offline": False}),
        reply="{}/reply",
    ),
    "tasmota": Dialect(
        topic="{}",
        readers=lambda _profile: dict.fromkeys(
            ("tele/{}/SENSOR", "tele/{}/STATE", "stat/{}/RESULT"), _tasmota
        ),
        status="tele/{}/LWT",
        online=_one_of({b"Online": True, b"Offline": False}),
        command=_tasmota_command,
    ),
    "shelly": Dialect(
        topic="{}",
        readers=_shelly,
        status="{}/online",
        online=_one_of({b"true": True, b"false": False}),
    ),
    "zigbee2mqtt": Dialect(
        topic="zigbee2mqtt/{}",
        readers=lambda _profile: {"{}": _zigbee2mqtt},
        status="{}/availability",
        online=_available,
        command=_zigbee2mqtt_command,
    ),
}
