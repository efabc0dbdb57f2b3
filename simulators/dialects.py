"""How products publish over MQTT: topics and messages as their firmwares write them.

The driver has its own reading of all of this; the two sides check each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from drivers.profile import MessagePoint, MqttProfile
from hub.model import Json
from hub.site import Device

_PREFIX = "%prefix%"


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a device."""

    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """The topics of a firmware, ``{}`` standing for that of the device, and its words.

    ``home`` is the topic of a device whose site names none, ``{}`` standing for its id; ``command``
    and ``answer`` have a ``{key}`` where each point has a topic of its own.
    """

    home: str
    telemetry: str
    status: str
    online: bytes
    offline: bytes
    command: str | None = None
    answer: str | None = None


DIALECTS: Mapping[str, Dialect] = {
    "own": Dialect(
        "campus/{}", "{}/telemetry", "{}/status", b"online", b"offline", "{}/command", "{}/reply"
    ),
    "tasmota": Dialect(
        "{}", "tele/{}/SENSOR", "tele/{}/LWT", b"Online", b"Offline",
        "cmnd/{}/{key}", "stat/{}/RESULT",
    ),
    "shelly": Dialect("{}", "{}/events/rpc", "{}/online", b"true", b"false"),
    "zigbee2mqtt": Dialect(
        "zigbee2mqtt/{}", "{}", "{}/availability",
        b'{"state":"online"}', b'{"state":"offline"}', "{}/set", "{}",
    ),
}  # fmt: skip


class Speaker:
    """One device that publishes; ``zone`` is that of a clock whose time names none."""

    def __init__(self, device: Device, profile: MqttProfile, zone: tzinfo = UTC) -> None:
        self.device = device
        self._profile = profile
        self._zone = zone
        self._dialect = DIALECTS[profile.dialect]
        self._home = device.topic or self._dialect.home.replace("{}", device.id)

    @property
    def listens(self) -> Mapping[str, str | None]:
        """Return the topics of commands, and the point that each is for where it says that."""
        template = self._dialect.command
        if template is None:
            return {}
        if "{key}" not in template:
            return {self._topic(template): None}
        return {
            self._topic(template.replace("{key}", spec.key or name)): name
            for name, spec in self._profile.points.items()
            if spec.write
        }

    def status(self, *, online: bool) -> Said:
        """Say that the device is there, or its will."""
        word = self._dialect.online if online else self._dialect.offline
        return Said(self._topic(self._dialect.status), word, retained=True)

    def telemetry(
        self, values: Mapping[str, float], at_ms: int, seq: int, instead: Mapping[str, Json]
    ) -> Said:
        """Say every value; some points may show something else ``instead``."""
        raws = {
            spec.key or name: instead.get(name, _raw(spec, values[name]))
            for name, spec in self._profile.points.items()
        }
        content = _CONTENTS[self._profile.dialect](raws, at_ms, seq, self)
        return Said(self._topic(self._dialect.telemetry), _bytes(content))

    def wishes(self, topic: str, payload: bytes) -> list[tuple[str, float]]:
        """Return what a command of another maker's kind asks for: points and values."""
        point = self.listens.get(topic)
        content = _thing(payload)
        words = {point: content} if point else content if isinstance(content, dict) else {}
        found = []
        for name, spec in self._profile.points.items():
            word = words.get(name if point else spec.key or name)
            value = spec.words.get(word) if isinstance(word, str) else word
            if spec.write and isinstance(value, (int, float)):
                found.append((name, float(value)))
        return found

    def obeyed(self, values: Mapping[str, float], points: Sequence[str]) -> Said:
        """Say what has become of the points of such a command."""
        specs = self._profile.points
        content: dict[str, Json] = {}
        for name in points:
            content[specs[name].key or name] = _raw(specs[name], values[name])
        return Said(self._topic(self._dialect.answer or ""), _bytes(content))

    def replied(self, content: Json) -> Said:
        """Answer a command that has an id."""
        return Said(self._topic(self._dialect.answer or ""), _bytes(content))

    def local(self, at_ms: int) -> datetime:
        """Return an instant as the device's own clock shows it."""
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone)

    def _topic(self, template: str) -> str:
        prefix, _, rest = template.partition("/")
        if _PREFIX in self._home and prefix != "{}":
            return rest.replace("{}", self._home.replace(_PREFIX, prefix))
        return template.replace("{}", self._home)


def _own(raws: Mapping[str, Json], at_ms: int, seq: int, _: Speaker) -> Json:
    return {"at": at_ms, "seq": seq, "values": dict(raws)}


def _tasmota(raws: Mapping[str, Json], at_ms: int, _seq: int, speaker: Speaker) -> Json:
    return {"Time": speaker.local(at_ms).strftime("%Y-%m-%dT%H:%M:%S"), **_laid(raws)}


def _shelly(raws: Mapping[str, Json], at_ms: int, _seq: int, speaker: Speaker) -> Json:
    params = {"ts": at_ms / 1000, **_laid(raws)}
    return {"src": speaker.device.id, "method": "NotifyFullStatus", "params": params}


def _zigbee2mqtt(raws: Mapping[str, Json], at_ms: int, _seq: int, _: Speaker) -> Json:
    return {**_laid(raws), "last_seen": datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()}


_CONTENTS: Mapping[str, Callable[[Mapping[str, Json], int, int, Speaker], Json]] = {
    "own": _own, "tasmota": _tasmota, "shelly": _shelly, "zigbee2mqtt": _zigbee2mqtt,
}  # fmt: skip


def _raw(spec: MessagePoint, value: float) -> Json:
    """Return what the device writes for a value: a word where it has one."""
    for word, meaning in spec.words.items():
        if meaning == value:
            return word
    if (spec.scale, spec.offset) == (1, 0):
        return value
    return (value - spec.offset) / spec.scale


def _laid(raws: Mapping[str, Json]) -> dict[str, Json]:
    content: dict[str, Json] = {}
    for key, raw in raws.items():
        _lay(content, re.findall(r"[^.\[\]]+", key), raw)
    return content


def _lay(content: Json, path: Sequence[str], raw: Json) -> None:
    """Put a value at the end of a path, making objects and lists on the way."""
    for step, following in zip(path, [*path[1:], None], strict=True):
        inner: Json = raw if following is None else [] if following.isdigit() else {}
        if isinstance(content, list):
            content.extend([None] * (int(step) + 1 - len(content)))
            if content[int(step)] is None or following is None:
                content[int(step)] = inner
            content = content[int(step)]
        else:
            content = content.setdefault(step, inner)


def _thing(payload: bytes) -> Json:
    """Read JSON, or a bare word."""
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode("utf-8", "replace")


def _bytes(content: Json) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
