"""A meter is told what its own profile declares and nothing else, whoever asks for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from drivers.dlt645.connection import MeterLine
from drivers.dlt645.frame import command, time_for_everybody
from drivers.profile import Dlt645Profile, MeterCommand
from drivers.wire import StrayWriteError
from hub.site import Device
from tests.drivers.meters import dlt645, meter

FIRST, SECOND = "202300000161", "202300000162"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PROFILE = dlt645()


def without(*names: str) -> Dlt645Profile:
    points = {name: spec for name, spec in PROFILE.points.items() if name not in names}
    return PROFILE.model_copy(update={"points": points})


class Line:
    """A line that takes everything."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.closed = False

    async def ask(
        self, question: bytes, answer: Callable[[bytes], object], *, repeatable: bool = True
    ) -> object:
        self.said.append(question)
        at = question.index(0x68)
        frame = bytearray(question[at : at + 8]) + bytes([0x9C, 0])
        return answer(bytes(frame) + bytes([sum(frame) % 256, 0x16]))

    async def tell(self, octets: bytes) -> None:
        self.said.append(octets)

    async def close(self) -> None:
        self.closed = True


def line_of(*meters: tuple[Device, Dlt645Profile]) -> tuple[Line, MeterLine]:
    line = Line()
    return line, MeterLine(line, meters)


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("trip", "relay_command"), ("close", "relay_command"), ("keep_power", "keep_power"),
        ("permit_reclose", "reclose_permitted"), ("keep_power_off", "keep_power"),
    ],
)  # fmt: skip
async def test_a_relay_command_goes_to_a_meter_whose_profile_declares_it(
    name: MeterCommand, point: str, caplog: pytest.LogCaptureFixture
) -> None:
    frame = command(FIRST, name, "02000000", NOON)
    line, meters = line_of((meter(PROFILE, FIRST), PROFILE))
    await meters.command(frame)
    assert len(line.said) == 1
    other = without(point)
    line, meters = line_of((meter(other, FIRST), other), (meter(PROFILE, SECOND), PROFILE))
    with pytest.raises(StrayWriteError, match="no profile declares command"):
        await meters.command(frame)
    assert line.said == []
    assert line.closed
    assert [one.levelno for one in caplog.records] == [logging.CRITICAL]


async def test_the_time_is_told_where_a_profile_of_the_line_declares_it() -> None:
    other = without("clock_ahead")
    line, meters = line_of((meter(other, FIRST), other))
    with pytest.raises(StrayWriteError, match="no profile declares that the clocks"):
        await meters.tell(time_for_everybody(NOON))
    assert line.said == []
    line, meters = line_of((meter(other, FIRST), other), (meter(PROFILE, SECOND), PROFILE))
    await meters.tell(time_for_everybody(NOON))
    assert len(line.said) == 1
