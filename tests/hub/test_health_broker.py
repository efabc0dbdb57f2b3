"""The broker, lost and back: said once each, and never for a short break."""

from __future__ import annotations

from hub.health import BrokerWatch
from hub.health.broker import BACK_MS, LOST_MS


class Start:
    def now_ms(self) -> int:
        return 0


class Line:
    there = True

    def connected(self) -> bool:
        return self.there


def watched() -> tuple[Line, BrokerWatch, list[tuple[str, int]]]:
    said: list[tuple[str, int]] = []
    line = Line()
    watch = BrokerWatch(
        line, Start(), lambda entry: said.append((entry.content["state"], entry.at_ms))
    )
    return line, watch, said


def test_lost_and_back_are_said_once_each_back_when_devices_had_time_to_be_heard() -> None:
    line, watch, said = watched()
    watch.check(1000)
    line.there = False
    for at_ms in (2000, LOST_MS + 999, LOST_MS + 1000, LOST_MS + 50_000):
        watch.check(at_ms)
    line.there = True
    back_ms = LOST_MS + 50_000 + BACK_MS
    for at_ms in (LOST_MS + 60_000, back_ms - 1, back_ms, back_ms + 10_000):
        watch.check(at_ms)
    assert said == [("online", 1000), ("offline", LOST_MS + 1000), ("online", back_ms)]


def test_a_broker_that_comes_and_goes_is_lost_until_it_stays() -> None:
    line, watch, said = watched()
    for n in range(20):
        line.there = n % 4 == 3  # of a minute each
        watch.check(LOST_MS + n * 60_000)
    assert [state for state, _ in said] == ["offline"]


def test_a_short_break_is_not_worth_a_word() -> None:
    line, watch, said = watched()
    for n in range(100):
        line.there = n % 2 == 0
        watch.check(n * LOST_MS // 2)
    assert [state for state, _ in said] == ["online"]


def test_a_start_without_a_broker_waits_before_it_says_so() -> None:
    line, watch, said = watched()
    line.there = False
    watch.check(10_000)
    assert said == []
    watch.check(LOST_MS)
    assert said == [("offline", LOST_MS)]
