"""Devices that never said anything, and silence that is only for those that did."""

from __future__ import annotations

from tests.rules.making import MINUTE, make, run


def test_what_never_said_anything_is_a_fault_after_a_while() -> None:
    one = make("never_seen", on_delay="PT1H", off_delay="PT1M")
    one.listen(10 * MINUTE)
    run(one, [(minute, None) for minute in range(11, 60)])
    assert one.due_ms() == 70 * MINUTE
    assert one.tick(99 * MINUTE).at_ms == 70 * MINUTE
    assert run(one, [(100, 1.0), (101, 1.0)]) == [(101, False)]
    assert one.due_ms() is None


def test_what_was_heard_once_is_never_that_fault() -> None:
    one = make("never_seen", on_delay="PT1H")
    one.listen(10 * MINUTE)
    run(one, [(12, 1.0)])
    assert one.due_ms() is None
    assert one.tick(9999 * MINUTE) is None


def test_silence_may_be_about_those_that_were_heard_only() -> None:
    one = make("stale", on_delay="PT10M", once_heard=True)
    one.listen(5 * MINUTE)
    assert one.tick(15 * MINUTE) is None
    assert one.due_ms() == 25 * MINUTE  # asked again
    run(one, [(20, 1.0)])
    assert one.tick(25 * MINUTE) is None
    assert one.tick(30 * MINUTE).at_ms == 30 * MINUTE
