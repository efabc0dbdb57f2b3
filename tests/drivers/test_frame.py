from __future__ import annotations

import pytest

from drivers.modbus.frame import fault_of

ASKED = bytes.fromhex("000700000006 0C 03 0010 0002")
GOOD = bytes.fromhex("000700000007 0C 03 04 00010002")
LATE = bytes.fromhex("000600000007 0C 03 04 AAAABBBB")
WROTE = bytes.fromhex("000700000006 0C 06 0010 0001")


@pytest.mark.parametrize(
    "heard",
    [
        b"",
        GOOD[:5],
        GOOD[:-1],
        GOOD,
        LATE,
        LATE + GOOD,
        LATE + GOOD[:9],
        bytes.fromhex("000700000003 0C 83 02"),
    ],
)
def test_an_answer_a_late_one_or_a_part_of_one_is_no_fault(heard) -> None:
    assert fault_of(ASKED, heard) is None


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "protocol id"),
        (bytes.fromhex("0007000000FF 0C 03 04"), "255 bytes"),
        (bytes.fromhex("000700000001 0C 03 04"), "1 bytes"),
        (bytes.fromhex("000700000007 0D 03 04 00010002"), "unit id 13 answered for 12"),
        (bytes.fromhex("000700000007 0C 04 04 00010002"), "function 4 answered for 3"),
        (bytes.fromhex("000700000005 0C 03 02 0001"), "2 bytes where 4"),
        (bytes.fromhex("000700000007 0C 03 02 00010002"), "4 bytes where 4"),
        (LATE + bytes.fromhex("000700000007 0D 03 04 00010002"), "unit id 13"),
    ],
)
def test_anything_else_is_named(heard, text) -> None:
    assert text in str(fault_of(ASKED, heard))


def test_the_echo_of_a_write_must_name_its_address() -> None:
    assert fault_of(WROTE, WROTE) is None
    assert fault_of(WROTE, bytes.fromhex("000700000006 0C 06 0011 0001"))
