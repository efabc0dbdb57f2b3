"""Fault codes and fault bits."""

from __future__ import annotations

from tests.rules.making import each_minute, make, run


def test_a_code_that_stays_is_a_fault_and_none_ends_it() -> None:
    one = make("code", on_delay="PT1M", off_delay="PT1M")
    assert run(one, each_minute(0, 7, 7, 7, 0, 0)) == [(3, True), (6, False)]


def test_another_code_is_the_same_fault() -> None:
    assert run(make("code", on_delay="PT1M"), each_minute(7, 8, 9)) == [(2, True)]


def test_codes_that_are_none_are_left_out() -> None:
    one = make("code", **{"except": [3]})
    assert run(one, each_minute(3, 3, 4, 3)) == [(3, True), (4, False)]


def test_a_mask_asks_for_its_bits_only() -> None:
    one = make("code", mask=0b110)
    assert run(one, each_minute(1, 8, 9, 2, 1)) == [(4, True), (5, False)]


def test_bad_readings_neither_raise_nor_clear() -> None:
    assert run(make("code"), each_minute(None, 7, None, None)) == [(2, True)]
