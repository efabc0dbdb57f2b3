"""Ranges: outside is a fault, a deadband inside again ends it."""

from __future__ import annotations

import pytest

from tests.rules.making import each_minute, make, run


def one(**keys: object):
    keys = {"low": 198, "high": 242, "deadband": 5, "on_delay": "PT2M", "off_delay": "PT1M"} | keys
    return make("range", **keys)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((243, 243, 243), [(3, True)]),
        ((197, 197, 197), [(3, True)]),
        ((197, 243, 197), [(3, True)]),  # outside is outside
        ((198, 242, 198, 242), []),  # at the limits is inside
        ((243, 243, 220, 243, 243), []),
        ((243, 243, 243, 238, 238, 238), [(3, True)]),  # inside, but not by the deadband
        ((243, 243, 243, 237, 203), [(3, True), (5, False)]),
        ((243, 243, 243, None, None), [(3, True)]),
        ((None, None, None), []),
    ],
)
def test_a_range_has_two_limits_and_a_deadband(values, expected) -> None:
    assert run(one(), each_minute(*values)) == expected


def test_a_gap_starts_a_running_delay_again() -> None:
    assert run(one(on_delay="PT5M"), [(1, 250), (5, 250), (8, 250)]) == []
    assert run(one(on_delay="PT5M"), [(1, 250), (4, 250), (6, 250)]) == [(6, True)]
