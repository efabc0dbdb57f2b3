"""The log names the first few of a minute and sums up the others: one cause may take thousands."""

from __future__ import annotations

import pytest

from hub.clock import VirtualClock, VirtualLoop
from hub.health import Health
from hub.health.voice import BY_NAME, Voice
from hub.model import Entry
from hub.site import Device
from tests.hub.test_health import START_MS, device

MINUTE = 60_000
MIDST = START_MS - START_MS % MINUTE + 10_000


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_few_are_named_at_once_and_the_others_summed_when_the_minute_is_over(caplog) -> None:
    voice = Voice()
    for n in range(40):
        place = f"dorm-{n % 2}/3/{n}"
        voice.say(MIDST + n, "device lost", f"d/{n}", place, "no answer")
    assert said(caplog) == [f"device lost: d/{n}: no answer" for n in range(BY_NAME)]
    voice.pass_time(MIDST + 20_000)
    assert len(caplog.records) == BY_NAME
    voice.pass_time(MIDST + MINUTE)
    assert said(caplog)[BY_NAME:] == ["device lost: 37 more within a minute: dorm-1 19, dorm-0 18"]
    voice.say(MIDST + MINUTE, "device lost", "d/41", "dorm-0", "no answer")
    assert said(caplog)[-1] == "device lost: d/41: no answer"


def test_what_is_back_is_counted_apart_and_many_places_are_summed_too(caplog) -> None:
    voice = Voice()
    for n in range(BY_NAME + 12):
        voice.say(MIDST, "device lost", f"d/{n}", f"b-{n:02}")
    voice.say(MIDST, "device back", "d/0", "b-00")
    assert said(caplog)[-1] == "device back: d/0"
    voice.pass_time(MIDST + MINUTE)
    assert said(caplog)[-1].startswith("device lost: 12 more within a minute: b-03 1, ")
    assert said(caplog)[-1].endswith(", b-12 1, 2 more places")


def test_a_thousand_that_fall_silent_are_few_lines_and_a_thousand_entries(caplog) -> None:
    loop, entries = VirtualLoop(), list[Entry]()
    try:
        many: list[Device] = [device(f"d/{n}", None) for n in range(1000)]
        health = Health(many, VirtualClock(loop, MIDST, 1), entries.append)
        for one in many:
            health.seen(one.id, MIDST)
        for second in range(10, 400, 10):
            health.check(MIDST + second * 1000)
    finally:
        loop.close()
    assert len(entries) == 1000
    assert said(caplog)[-1] == "device lost: 997 more within a minute: d 997"
    assert len(said(caplog)) == BY_NAME + 1
