"""Meters of DL/T 645 and CJ/T 188 are probed too: each point once, with its octets."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.cjt188.driver import Cjt188Driver
from drivers.dlt645.driver import Dlt645Driver
from hub.cli.probe_bus import readable
from hub.ports import GarbageAnswerError, NoAnswerError, Refused, Span
from hub.probe import Examined
from hub.probe.meter import examine
from simulators.lines import TwinLine
from tests.drivers.meters import cjt188, cjt188_meters, dlt645, dlt645_meters, meter, virtual

ADDRESS, WATER = "000000000161", "00000000003344"


class Line(TwinLine):
    """A line of twins that can fall silent or say nothing that helps, from one question on."""

    asked = 0
    after = 1 << 30
    error: type[Exception] = NoAnswerError

    async def ask(self, question, answer, *, repeatable=True) -> Any:
        self.asked += 1
        if self.asked > self.after:
            raise self.error("nothing that helps")
        return await super().ask(question, answer, repeatable=repeatable)


def electric(change=lambda line, meter: None) -> tuple[Examined, Line]:
    """Probe a room meter after ``change`` had its way with it."""
    profile, device = dlt645(), meter(dlt645(), ADDRESS)

    async def story(clock) -> tuple[Examined, Line]:
        twins, (one,) = dlt645_meters([device], profile, clock)
        line = Line(twins, clock)
        change(line, one)
        driver = Dlt645Driver(line, [(device, profile)], clock, lambda _: None)
        return await examine(driver.look, device, profile, f"gw address {ADDRESS}"), line

    return virtual(story)


def water() -> Examined:
    profile, device = cjt188(), meter(cjt188(), WATER)

    async def story(clock) -> Examined:
        line = TwinLine(cjt188_meters([device], profile, clock), clock)
        driver = Cjt188Driver(line, [(device, profile)], clock)
        return await examine(driver.look, device, profile, f"gw address {WATER}")

    return virtual(story)


def test_every_point_of_a_meter_is_read_once_with_its_octets() -> None:
    found, line = electric()
    assert (found.fits, found.finding) == (True, "as the profile says")
    points = dlt645().points
    assert [row["point"] for row in found.points] == list(points)
    clocks = sum(spec.type == "clock" for spec in points.values())
    assert line.asked == len(points) + clocks, "a clock is its date and its time"
    (voltage,) = (row for row in found.points if row["point"] == "voltage")
    assert voltage["asked"] == points["voltage"].di
    digits = bytes(voltage["octets"])[::-1].hex()
    assert int(digits) * points["voltage"].scale == pytest.approx(voltage["value"])


def test_a_water_meter_shows_the_octets_of_its_one_answer() -> None:
    found = water()
    assert (found.fits, found.where) == (True, f"gw address {WATER}")
    assert {row["asked"] for row in found.points} >= {"total", "status"}
    assert {len(row["octets"]) for row in found.points} == {22}


def test_the_table_shows_what_was_asked_and_the_octets() -> None:
    found, _ = electric()
    lines = list(readable(found.row()))
    assert lines[0] == f"dorm-01/m-1  dlt645-room-meter  gw address {ADDRESS}"
    (voltage,) = (line for line in lines if line.strip().startswith("voltage "))
    (row,) = (row for row in found.points if row["point"] == "voltage")
    assert f"{row['asked']}  " in voltage
    assert bytes(row["octets"]).hex(" ") in voltage
    assert lines[-1] == "  ok    as the profile says"


def test_what_a_meter_does_not_have_is_named() -> None:
    def without_voltage(line: Line, twin: Any) -> None:
        kept = twin._kept
        twin._kept = lambda di, values: None if di == "02010100" else kept(di, values)

    found, _ = electric(without_voltage)
    assert found.finding == f"1 of {len(found.points)} points give no good value: voltage"
    assert not found.fits
    (voltage,) = (row for row in found.points if row["point"] == "voltage")
    assert (voltage["value"], voltage["octets"]) == (None, [])
    assert "no such data" in voltage["error"]


def test_a_silent_meter_is_said_after_one_question() -> None:
    def silent(line: Line, twin: Any) -> None:
        line.after = 0

    found, line = electric(silent)
    assert (found.fits, found.finding, found.points) == (False, "nothing that helps", ())
    assert line.asked == 1


def test_a_meter_that_falls_silent_costs_its_line_two_questions_more() -> None:
    def falling(line: Line, twin: Any) -> None:
        line.after = 3

    found, line = electric(falling)
    assert not found.fits
    assert line.asked == 5
    assert [row["error"] for row in found.points[5:]] == [
        "not asked: the meter has fallen silent"
    ] * (len(found.points) - 5)


def test_garbage_of_one_point_leaves_the_others() -> None:
    def garbled(line: Line, twin: Any) -> None:
        line.after, line.error = 3, GarbageAnswerError

    found, line = electric(garbled)
    assert line.asked >= len(found.points)
    assert [row["quality"] for row in found.points[:3]] == ["good"] * 3
    assert {row["quality"] for row in found.points[3:]} == {"bad"}


async def test_a_line_is_asked_for_points_of_its_own_meters_only() -> None:
    device, water_meter = meter(dlt645(), ADDRESS), meter(cjt188(), WATER)
    drivers = (
        Dlt645Driver(None, [(device, dlt645())], None, lambda _: None),
        Cjt188Driver(None, [(water_meter, cjt188())], None),
    )
    for driver in drivers:
        for who, what in (("dorm-01/m-1", Span("input", 0, 1)), ("dorm-01/m-1", "pressure")):
            with pytest.raises(Refused, match="can be asked for"):
                await driver.look(who, what)
        with pytest.raises(Refused, match="can be asked for"):
            await driver.look("dorm-09/m-9", "voltage")
