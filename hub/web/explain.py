"""Why an alarm rose or did not, in plain sentences: from what a machine held; pure.

What was held comes as JSON of :mod:`hub.engine.why`, of today or of years ago.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from hub.model import Json
from hub.web import form
from hub.web.texts import say, say_code

Why = Mapping[str, Any]
_DURATION = TypeAdapter(timedelta)
_SILENT = ("stale", "never_seen")
_DAILY = ("peers", "balance", "expected", "night", "night_flow", "efficiency", "exposure")
_SHARES = ("spread", "share", "balance", "efficiency", "errors")
_COUNTED = ("cycling", "count", "peers", "expected", "night", "night_flow")
_TIMES = ("times", "changes", "good", "nights", "clear_nights", "members")
_OUTAGE = re.compile(r"outage [0-9a-f]+: (.+)", re.DOTALL)
_OUTSIDE = re.compile(r"outside ([a-z0-9-]+)")
_MODE = re.compile(r"mode ([a-z0-9_]+)=(\S+)")
_KNOWN = ("term", "vacation", "its cause may follow")
"""What the engine says of itself; all else is a person's own words."""


class Named(NamedTuple):
    """How people call a point: its label, its unit, and whether it is simply on or off."""

    label: str
    unit: str = ""
    switch: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: the language, the zone, the instant from which ``name`` a point is named."""

    language: str
    zone: ZoneInfo
    now_ms: int
    name: Callable[[str], Named]

    def say(self, key: str, **names: object) -> str:
        """Say a text."""
        return say(key, self.language, **names)

    def time(self, at_ms: int) -> str:
        """Write an instant, with seconds: a delay may be no longer than some."""
        seconds = f"{form.at(at_ms, self.zone):%S}"
        return f"{form.moment(at_ms, self.now_ms, self.zone, self.language)}:{seconds}"

    def span(self, length: object) -> str:
        """Write a length of time, given in milliseconds or as ISO 8601."""
        if not isinstance(length, int):
            length = round(_DURATION.validate_python(length).total_seconds() * 1000)
        return form.span(length, self.language)

    def delay(self, length: object) -> str:
        """Say for how long something must last."""
        if not length or not _DURATION.validate_python(length):
            return self.say("delay-none")
        return self.say("delay-for", span=self.span(length))

    def value(self, point: str, value: float | None) -> str:
        """Write a value of a point."""
        named = self.name(point)
        if value is None:
            return form.NOTHING
        if named.switch and value in (0, 1):
            return self.say("on" if value else "off")
        places = form.decimals(named.unit)
        if value and abs(value) < 10 ** (1 - places):  # a small one would be rounded away
            places += 2
        text = form.number(value, places)
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return f"{text} {form.symbol(named.unit)}".strip()

    def label(self, point: str) -> str:
        """Write what a point is called."""
        return self.name(point).label


def rule_words(why: Why, reader: Reader) -> str:
    """Say what the rule asks, with its thresholds."""
    kind, given = why["kind"], why["thresholds"]
    names = _plain(why, reader) | _SPECIAL.get(kind, _nothing)(why, reader)
    key = f"rule-{kind}-{given['valve']}" if kind == "session" else f"rule-{kind}"
    return reader.say(key, **names)


def reading_words(why: Why, reader: Reader) -> list[str]:
    """Say what was read, and how far from the limit that is."""
    said: list[str] = []
    if members := why.get("members"):
        named = {name: members[name] for name in ("count", "concerned", "needed")}
        said.append(reader.say("why-members", **named))
    elif why["kind"] == "errors":
        said += _shares(why, reader)
    elif why.get("day"):
        run, needed = why["run"]
        state = say_code("judged", why["state"], reader.language)
        said.append(reader.say("why-judged", day=why["day"], state=state, run=run, needed=needed))
    else:
        said += [_read(why, reader, *row) for row in why["readings"]]
    if not said and why["inputs"]:
        said.append(reader.say("why-unread"))
    return said


def rise_words(why: Why, reader: Reader) -> str:
    """Say since when it was so, when the alarm rose."""
    raised_ms, began_ms = why["at_ms"], why.get("began_ms")
    if began_ms is None or began_ms >= raised_ms:
        return reader.say("why-rose", time=reader.time(raised_ms))
    times = {"since": reader.time(began_ms), "time": reader.time(raised_ms)}
    return reader.say("why-rose-since", **times)


def state_words(why: Why, reader: Reader) -> str:
    """Say whether there is a fault now, and what is on its way."""
    if error := why.get("quarantined"):
        return reader.say("why-failed", error=error)
    since_ms, due_ms, active = why.get("since_ms"), why.get("due_ms"), why["active"]
    waits = active or why["kind"] not in _SILENT  # what is silent was heard last then
    if waits and since_ms is not None and due_ms is not None and due_ms > why["at_ms"]:
        key = "why-clearing" if active else "why-pending"
        return reader.say(key, since=reader.time(since_ms), due=reader.time(due_ms))
    if not active:
        return reader.say("why-calm")
    if (began_ms := why.get("began_ms")) is not None:
        return reader.say("why-active-since", since=reader.time(began_ms))
    return reader.say("why-active")


def next_words(why: Why, reader: Reader) -> str:
    """Say when it is looked at again."""
    due_ms = why.get("due_ms")
    if due_ms is not None and due_ms > why["at_ms"]:  # else it waits for a reading that is late
        return reader.say("why-next-at", time=reader.time(why["due_ms"]))
    if why["kind"] in ("health", "errors"):
        return reader.say("why-next-told")
    if why["kind"] in _DAILY:
        return reader.say("why-next-day")
    return reader.say("why-next-reading", span=reader.span(why["interval_ms"]))


def hold_words(hold: Mapping[str, Json], reader: Reader, root: str = "") -> str:
    """Say what holds an alarm back, and until when; ``root`` names the alarm it is an effect of."""
    waits = hold["event"] == "inhibit" and not hold["root"]
    key = "hold-waits" if waits else f"hold-{hold['event']}"
    words = reader.say(key, reason=root or reason_words(hold["reason"], reader))
    if hold["until_ms"] is not None:
        words += reader.say("hold-until", time=reader.time(hold["until_ms"]))
    return words + ("." if reader.language == "en" else "。")


def reason_words(reason: str, reader: Reader) -> str:
    """Say what holds an alarm back; what a person wrote stays as it is."""
    if found := _OUTAGE.fullmatch(reason):
        return reader.say("reason-outage", reason=found[1])
    if found := _OUTSIDE.fullmatch(reason):
        return reader.say("reason-outside", hours=found[1])
    if found := _MODE.fullmatch(reason):
        value = reader.value(found[1], float(found[2]))
        return reader.say("reason-mode", point=reader.label(found[1]), value=value)
    return say_code("reason", reason, reader.language) if reason in _KNOWN else reason


def drawn(why: Why, point: str) -> list[float]:
    """Return the thresholds that a chart of a point can show as lines, the limit first."""
    given, kind = why["thresholds"], why["kind"]
    if not why["inputs"] or point != why["inputs"][0]:
        return []
    if kind in ("high", "low"):
        return [given["limit"], given["clear"]]
    if kind == "range":
        return [given["low"], given["high"]]
    if kind == "session":
        return [given["limit"]]
    must = given.get("must", {})
    sides = [must.get("above"), must.get("below")] if not must.get("minus") else []
    return [one for one in sides if one is not None]


def _read(why: Why, reader: Reader, point: str, at_ms: int, value: float | None) -> str:
    names = {"point": reader.label(point), "time": reader.time(at_ms)}
    if why["kind"] in _SILENT:
        words = reader.say("why-heard", **names, span=reader.span(why["at_ms"] - at_ms))
    else:
        words = reader.say("why-reading", **names, value=reader.value(point, value))
        found = None if value is None else _nearest(why, point, value)
        if value is not None and found:
            limit, above = found
            over = value > limit if above else value < limit
            key = "why-short" if not over else "why-over" if above else "why-under"
            words += reader.say(key, by=reader.value(point, abs(value - limit)))
    return words + ("." if reader.language == "en" else "。")


def _shares(why: Why, reader: Reader) -> list[str]:
    """Say which share of the polls of a line fails, and of which devices."""
    said = [
        reader.say("why-errors", time=reader.time(at_ms), share=f"{100 * share:.3g} %")
        for _, at_ms, share in why["readings"]
    ]
    for device, share in why.get("devices", ()):
        said.append(reader.say("why-errors-of", device=device, share=f"{100 * share:.3g} %"))
    return said


def _nearest(why: Why, point: str, value: float) -> tuple[float, bool] | None:
    """Return the limit that a value is nearest to, and whether a fault lies above it."""
    limits, given = drawn(why, point), why["thresholds"]
    if not limits or not math.isfinite(value):
        return None
    match why["kind"]:
        case "high":
            return limits[0], True
        case "low":
            return limits[0], False
        case "range":
            low, high = limits
            return (low, False) if value - low < high - value else (high, True)
        case "session":
            return limits[0], given["valve"] == "no_close"
        case _:
            return limits[0], given["must"].get("above") is None


def _plain(why: Why, reader: Reader) -> dict[str, str]:
    """Write the thresholds that are plain numbers or times, each in its unit."""
    kind, given, inputs = why["kind"], why["thresholds"], why["inputs"]
    point = given.get("point") or (inputs[0] if inputs else "")
    names = {"point": reader.label(point) if point else ""}
    for name, one in given.items():
        if isinstance(one, str) and one.startswith("P"):
            names[name] = reader.span(one)
        elif isinstance(one, int | float):
            names[name] = _number(kind, name, one) or reader.value(point, one)
    on, off = given.get("on_delay"), given.get("off_delay")
    return names | {"on": reader.delay(on), "off": reader.delay(off)}


def _number(kind: str, name: str, one: float) -> str:
    """Write a number that is not in the unit of the point; empty for one that is."""
    if kind in _SHARES and name in ("limit", "clear", "at_least"):
        return f"{100 * one:g} %"
    if name in _TIMES or (kind in _COUNTED and name in ("limit", "clear", "at_least")):
        return f"{one:g}"
    return ""


def _condition(asked: Mapping[str, Any], reader: Reader) -> str:
    """Say what is asked of a point, or of what it is more than a second one."""
    point, minus = asked["point"], asked.get("minus")
    key = "less" if minus else "quoted"
    other = reader.label(minus) if minus else ""
    words = reader.say(key, point=reader.label(point), minus=other)
    test = next(name for name in ("equals", "above", "below", "bits") if name in asked)
    value = bin(asked["bits"]) if test == "bits" else reader.value(point, asked[test])
    return reader.say(f"is-{test}", point=words, value=value)


def _nothing(why: Why, reader: Reader) -> dict[str, str]:
    del why, reader
    return {}


def _rate(why: Why, reader: Reader) -> dict[str, str]:
    given, point = why["thresholds"], why["inputs"][0]
    changes = [
        reader.say(f"change-{side}", value=reader.value(point, given[side]))
        for side in ("rise", "fall")
        if side in given
    ]
    return {"change": reader.say("or").join(changes)}


def _jump(why: Why, reader: Reader) -> dict[str, str]:
    given, point = why["thresholds"], why["inputs"][0]
    most = [reader.value(point, given["step"])] if given.get("step") else []
    if "per_hour" in given:
        most.append(reader.say("jump-hour", value=reader.value(point, given["per_hour"])))
    if "rated" in given:
        most.append(reader.say("jump-rated", value=f"{given['rated']:g}"))
    return {"most": reader.say("plus").join(most)}


def _stuck(why: Why, reader: Reader) -> dict[str, str]:
    asked = why["thresholds"].get("while")
    condition = _condition(asked, reader) if asked else ""
    return {"while": reader.say("while-also", condition=condition) if asked else ""}


def _mismatch(why: Why, reader: Reader) -> dict[str, str]:
    given = why["thresholds"]
    asked = given.get("while")
    condition = reader.say("while", condition=_condition(asked, reader)) if asked else ""
    return {"while": condition, "must": _condition(given["must"], reader)}


def _code(why: Why, reader: Reader) -> dict[str, str]:
    given = why["thresholds"]
    if mask := given.get("mask"):
        return {"codes": reader.say("codes-mask", mask=bin(mask))}
    if fine := given.get("except"):
        return {"codes": reader.say("codes-except", codes=", ".join(str(one) for one in fine))}
    return {"codes": reader.say("codes-any")}


def _starts(why: Why, reader: Reader) -> dict[str, str]:
    return {"starts": _condition(why["thresholds"]["starts"], reader)}


def _session(why: Why, reader: Reader) -> dict[str, str]:
    return {"session": _condition(why["thresholds"]["session"], reader)}


def _spread(why: Why, reader: Reader) -> dict[str, str]:
    joint = ", " if reader.language == "en" else "、"
    return {"points": joint.join(reader.label(point) for point in why["inputs"])}


def _members(why: Why, reader: Reader) -> dict[str, str]:
    given, point = why["thresholds"], why["inputs"][0]
    test = next(name for name in ("silent", "above", "below") if name in given)
    names = {"point": reader.label(point)}
    if test == "silent":
        names["span"] = reader.span(given["silent"])
    else:
        names["value"] = reader.value(point, given[test])
    over = say_code("over", given["over"].get("kind") or "device", reader.language)
    return {"over": over, "so": reader.say(f"so-{test}", **names)}


def _health(why: Why, reader: Reader) -> dict[str, str]:
    return {"about": say_code("about", why["about"], reader.language)}


_Special = Callable[[Why, Reader], dict[str, str]]
_SPECIAL: Mapping[str, _Special] = {
    "rate": _rate,
    "jump": _jump,
    "stuck": _stuck,
    "mismatch": _mismatch,
    "code": _code,
    "cycling": _starts,
    "session": _session,
    "spread": _spread,
    **dict.fromkeys(("any", "all", "count", "share"), _members),
    "health": _health,
}
"""What the sentence of a kind needs beside its plain numbers."""


def sentences_now(why: Why, reader: Reader, hold: str = "") -> list[str]:
    """Say why a rule has or has not risen by now: what it asks, what was read, what comes."""
    said = [rule_words(why, reader), *reading_words(why, reader), state_words(why, reader)]
    return [*said, *([hold] if hold else []), next_words(why, reader)]


def sentences_then(why: Why, reader: Reader) -> list[str]:
    """Say why an alarm rose, from what was held at that instant."""
    return [rule_words(why, reader), *reading_words(why, reader), rise_words(why, reader)]


def rows_of(why: Why, reader: Reader) -> Sequence[tuple[str, int, str]]:
    """Return the readings that were used: what, when, and the value in words."""
    point = why["inputs"][0] if why.get("members") and why["inputs"] else ""
    return [
        (name if point else reader.label(name), at_ms, reader.value(point or name, value))
        for name, at_ms, value in why["readings"]
        if isinstance(name, str)
    ]
