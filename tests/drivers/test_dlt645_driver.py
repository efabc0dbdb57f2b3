"""Driver and twin write frames and values each on their own: what they agree on is right."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from drivers import registry
from drivers.dlt645.driver import Dlt645Driver
from drivers.dlt645.frame import Frame, frames_in, octets_of
from hub.clock import VirtualClock
from hub.model import Reason
from hub.ports import (
    ConfigError,
    DeviceError,
    ExceptionAnswerError,
    GarbageAnswerError,
    NoAnswerError,
    Refused,
)
from hub.site import Device
from simulators.dlt645_meter import PASSWORD, Dlt645Meter
from simulators.lines import TwinLine
from tests.drivers.meters import (
    PASSWORD_FILE,
    START_MS,
    Recorded,
    by_name,
    cjt188,
    dlt645,
    dlt645_meters,
    meter,
)
from tests.drivers.meters import virtual as in_time

ADDRESS = "202300000161"
PROFILE = dlt645()


class Bench:
    """One meter on a line, and what was said on it."""

    def __init__(
        self,
        clock: VirtualClock,
        address: str = ADDRESS,
        secret: Callable[[str | None], str | None] = lambda file: PASSWORD,
        password_file: str | None = PASSWORD_FILE,
        profile=PROFILE,
    ) -> None:
        self.device: Device = meter(profile, address, password_file=password_file)
        self.line, (self.meter,) = dlt645_meters([self.device], profile, clock)
        self.meter: Dlt645Meter
        self.meter.digits = ADDRESS
        self.bus = Recorded(TwinLine(self.line, clock), [])
        self.driver = Dlt645Driver(self.bus, [(self.device, profile)], clock, secret)
        self.clock = clock

    async def poll(self):
        return by_name(self.device, await self.driver.poll(self.device.id))

    async def write(self, name: str, value: float) -> float:
        point = next(point for point in self.device.points if point.name == name)
        return await self.driver.write(point, value)

    @property
    def commands(self) -> list[Frame]:
        return [one for said in self.bus.said for one in frames_in(said) if one.control == 0x1C]


def virtual(story) -> None:
    async def told(clock: VirtualClock) -> None:
        await story(Bench(clock))

    in_time(told)


def test_every_point_is_read_within_its_resolution() -> None:
    async def story(bench: Bench) -> None:
        for _ in range(20):
            await bench.clock.sleep(1800)
            shown = bench.meter._twin().values() | {"energy_sharp": 0, "remaining_energy": 120}
            found = await bench.poll()
            assert sorted(found) == sorted(PROFILE.points)
            for name, (value, reason) in found.items():
                assert reason is Reason.NONE, name
                if name in shown and name != "status":
                    step = PROFILE.points[name].scale
                    assert value == pytest.approx(shown[name], abs=step / 2 + 1e-9), name

    virtual(story)


def test_points_of_one_identification_are_one_question() -> None:
    async def story(bench: Bench) -> None:
        await bench.poll()
        asked = [frames_in(said)[0].data[3::-1].hex() for said in bench.bus.said]
        assert len(asked) == len(set(asked)) == 14
        assert asked.count("04000503") == 1

    virtual(story)


def test_a_negative_power_stays_negative() -> None:
    async def story(bench: Bench) -> None:
        bench.meter._twin().values = lambda: {"power": -123.4, "current": -0.561}
        found = await bench.poll()
        assert found["power"][0] == pytest.approx(-123.4)
        assert found["current"][0] == pytest.approx(-0.561)

    virtual(story)


def test_trip_and_direct_close_are_sent_once_and_read_back() -> None:
    async def story(bench: Bench) -> None:
        assert (await bench.poll())["relay"] == (1, Reason.NONE)
        assert await bench.write("relay_command", 0) == 0
        assert (await bench.poll())["relay"] == (0, Reason.NONE)
        assert await bench.write("relay_command", 1) == 1
        assert bench.meter.commands == [0x1A, 0x1C]
        trip = bench.commands[0]
        assert trip.address == ADDRESS
        # level and password, operator, command, 00, valid for ten minutes of the meter's own time
        assert trip.data.hex() == "02000000" + "00000000" + "1a00" + "001008211126"

    virtual(story)


def test_reclose_permitted_leaves_it_to_who_lives_there() -> None:
    async def story(bench: Bench) -> None:
        await bench.write("relay_command", 0)
        assert (await bench.poll())["reclose_permitted"] == (0, Reason.NONE)
        assert await bench.write("reclose_permitted", 1) == 1
        assert (await bench.poll())["relay"] == (0, Reason.NONE)
        bench.meter.press()
        assert (await bench.poll())["relay"] == (1, Reason.NONE)

    virtual(story)


def test_keep_power_holds_against_a_trip_until_it_is_taken_back() -> None:
    async def story(bench: Bench) -> None:
        assert await bench.write("keep_power", 1) == 1
        with pytest.raises(ExceptionAnswerError, match="other error"):
            await bench.write("relay_command", 0)
        assert (await bench.poll())["relay"] == (1, Reason.NONE)
        assert await bench.write("keep_power", 0) == 0
        assert await bench.write("relay_command", 0) == 0
        assert bench.meter.commands == [0x3A, 0x3B, 0x1A]

    virtual(story)


def test_a_relay_that_does_not_move_is_not_said_to_have_moved() -> None:
    async def story(bench: Bench) -> None:
        bench.meter._twin().write = lambda name, value: None
        began = bench.clock.monotonic()
        assert await bench.write("relay_command", 0) == 1
        assert bench.clock.monotonic() - began >= PROFILE.settle.total_seconds()
        assert len(bench.commands) == 1

    virtual(story)


def test_a_slow_relay_is_waited_for() -> None:
    async def story(bench: Bench) -> None:
        twin, due = bench.meter._twin(), []
        write, values = twin.write, twin.values

        def later(name: str, value: float) -> None:
            due.append(bench.clock.monotonic() + 1.2)

        def shown() -> dict[str, float]:
            if due and bench.clock.monotonic() >= due[0]:
                write("relay_command", 0)
            return values()

        twin.write, twin.values = later, shown
        assert await bench.write("relay_command", 0) == 0

    virtual(story)


def test_a_wrong_password_is_refused_by_the_meter_and_changes_nothing() -> None:
    async def story(clock: VirtualClock) -> None:
        bench = Bench(clock, secret=lambda file: "02999999")
        with pytest.raises(ExceptionAnswerError, match="wrong password") as caught:
            await bench.write("relay_command", 0)
        assert caught.value.code == 4
        assert (await bench.poll())["relay"] == (1, Reason.NONE)

    in_time(story)


@pytest.mark.parametrize("secret", [None, "", "123456", "02 00000", "0200000x", "٠٢٠٠٠٠٠٠"])
def test_without_eight_digits_of_password_nothing_is_sent(secret) -> None:
    async def story(clock: VirtualClock) -> None:
        bench = Bench(clock, secret=lambda file: secret)
        with pytest.raises(Refused, match="password"):
            await bench.write("relay_command", 0)
        assert bench.commands == []

    in_time(story)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("power", 1),
        ("relay", 0),
        ("relay_command", 2),
        ("relay_command", 0.5),
        ("relay_command", math.nan),
        ("reclose_permitted", 0),
        ("clock_ahead", 60),
    ],
)
def test_what_is_not_declared_is_not_sent(name, value) -> None:
    async def story(bench: Bench) -> None:
        with pytest.raises(Refused):
            await bench.write(name, value)
        assert bench.bus.said == []

    virtual(story)


def test_a_meter_with_a_wildcard_is_read_but_never_commanded() -> None:
    async def story(clock: VirtualClock) -> None:
        bench = Bench(clock, address="AAAAAAAA0161")
        found = await bench.poll()
        assert {reason for _, reason in found.values()} == {Reason.NONE}
        with pytest.raises(Refused, match="all its 12 digits"):
            await bench.write("relay_command", 0)
        assert bench.commands == []
        assert (await bench.poll())["relay"] == (1, Reason.NONE)

    in_time(story)


def test_a_command_is_refused_while_another_point_forbids_it() -> None:
    write = {"min": 0, "max": 1, "step": 1, "only_while": {"point": "keep_power", "equals": 0}}
    changed = PROFILE.model_dump(by_alias=True, exclude_unset=True)
    changed["points"]["relay_command"]["write"] = write
    profile = type(PROFILE).model_validate(changed)

    async def story(clock: VirtualClock) -> None:
        bench = Bench(clock, profile=profile)
        await bench.write("keep_power", 1)
        with pytest.raises(Refused, match="not while keep_power is 1"):
            await bench.write("relay_command", 0)
        assert [one.data[8] for one in bench.commands] == [0x3A]

    in_time(story)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_an_answer_in_several_frames_is_one_answer(most) -> None:
    async def story(bench: Bench) -> None:
        bench.meter._most = most
        found = await bench.poll()
        shown = bench.meter._twin().values()
        assert {reason for _, reason in found.values()} == {Reason.NONE}
        assert found["energy"][0] == pytest.approx(shown["energy"], abs=0.006)

    virtual(story)


def test_an_answer_that_goes_on_for_ever_is_garbage() -> None:
    async def story(bench: Bench) -> None:
        reply = bench.meter._reply

        def endless(control, data, twin):
            code, said = reply(control, data, twin)
            return code | 0x20, said

        bench.meter._reply = endless
        found = await bench.poll()
        assert found["energy"][1] is Reason.GARBAGE_ANSWER
        assert len(bench.bus.said) < 40

    virtual(story)


def test_what_a_meter_does_not_have_is_bad_and_asked_for_again_next_day() -> None:
    async def story(bench: Bench) -> None:
        values = bench.meter._twin().values
        bench.meter._twin().values = lambda: {
            name: value for name, value in values().items() if name != "frequency"
        }
        found = await bench.poll()
        assert found["frequency"][1] is Reason.EXCEPTION_ANSWER
        assert found["voltage"][1] is Reason.NONE
        bench.bus.said.clear()
        assert (await bench.poll())["frequency"][1] is Reason.EXCEPTION_ANSWER
        assert len(bench.bus.said) == 13
        del bench.meter._twin().values
        await bench.clock.sleep(86_401)
        assert (await bench.poll())["frequency"][1] is Reason.NONE

    virtual(story)


def test_a_meter_that_says_nothing_costs_the_line_one_deadline() -> None:
    async def story(bench: Bench) -> None:
        bench.meter._twin().fault("silent")
        with pytest.raises(NoAnswerError):
            await bench.poll()
        assert len(bench.bus.said) == 1

    virtual(story)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(NoAnswerError, Reason.NO_ANSWER), (GarbageAnswerError, Reason.GARBAGE_ANSWER)],
)
def test_a_meter_that_falls_silent_in_between_costs_two_deadlines(trouble, reason) -> None:
    async def story(bench: Bench) -> None:
        ask = bench.bus.bus.ask

        async def failing(question, answer, *, repeatable=True):
            if len(bench.bus.said) > 3:
                raise trouble("x")
            return await ask(question, answer, repeatable=repeatable)

        bench.bus.bus.ask = failing
        found = await bench.poll()
        assert len(bench.bus.said) == 5
        reasons = [found[name][1] for name in PROFILE.points]
        assert reasons[:5] == [Reason.NONE] * 3 + [reason] * 2
        assert set(reasons[5:]) == {Reason.NO_ANSWER}

    virtual(story)


@pytest.mark.parametrize("wrong", ["voltage", "energy"])
def test_an_answer_of_another_length_is_no_value(wrong) -> None:
    async def story(bench: Bench) -> None:
        kept, di = bench.meter._kept, PROFILE.points[wrong].di
        bench.meter._kept = lambda asked, twin: (
            kept(asked, twin) + b"\x00" if asked == di else kept(asked, twin)
        )
        found = await bench.poll()
        assert found[wrong][1] is Reason.GARBAGE_ANSWER
        assert found["power"][1] is Reason.NONE

    virtual(story)


def test_a_command_that_was_taken_but_cannot_be_read_back_is_no_refusal() -> None:
    async def story(bench: Bench) -> None:
        kept = bench.meter._kept
        bench.meter._kept = lambda di, twin: None if bench.meter.commands else kept(di, twin)
        with pytest.raises(DeviceError) as caught:
            await bench.write("relay_command", 0)
        assert not isinstance(caught.value, ExceptionAnswerError)
        assert bench.meter.commands == [0x1A]

    virtual(story)


@pytest.mark.parametrize(("ahead_s", "shown"), [(0, 0), (4, 0), (-4, 0), (7, 5), (-301, -300)])
def test_the_clock_is_told_in_whole_five_seconds(ahead_s, shown) -> None:
    async def story(bench: Bench) -> None:
        bench.meter.ahead_s = ahead_s
        assert (await bench.poll())["clock_ahead"] == (shown, Reason.NONE)

    virtual(story)


def test_telling_the_time_sets_the_clocks_of_the_line() -> None:
    async def story(bench: Bench) -> None:
        bench.meter.ahead_s = 120
        assert await bench.write("clock_ahead", 0) == 0
        told = frames_in(bench.bus.said[0])[0]
        assert (told.address, told.control) == ("9" * 12, 0x08)
        assert told.data.hex() == "000008211126"
        assert abs(bench.meter.ahead_s) < 1

    virtual(story)


def test_midnight_between_date_and_time_is_not_a_day() -> None:
    async def story(clock: VirtualClock) -> None:
        bench = Bench(clock)
        kept = bench.meter._kept

        def slow(di: str, twin: object) -> bytes | None:
            said = kept(di, twin)
            if di == "04000101" and bench.bus.said[-2:].count(bench.bus.said[-1]) == 1:
                bench.meter.ahead_s += 2  # midnight passes on the meter after the date was said
            return said

        bench.meter._kept = slow
        for _ in range(3):
            assert abs((await bench.poll())["clock_ahead"][0]) <= 5

    midnight_ms = START_MS + 16 * 3_600_000
    for before_ms in range(200, 2_400, 100):
        in_time(story, midnight_ms - before_ms)


def test_a_date_that_is_none_is_no_value() -> None:
    async def story(bench: Bench) -> None:
        bench.meter._calendar = lambda di: b"\x00\x45\x13\x26"[: 4 if di == "04000101" else 3]
        assert (await bench.poll())["clock_ahead"][1] is Reason.NOT_A_NUMBER

    virtual(story)


def test_a_frame_that_may_not_go_out_closes_the_link() -> None:
    async def story(bench: Bench) -> None:
        closed = []
        bench.bus.bus.close = lambda: closed.append(1) or _nothing()
        with pytest.raises(Refused, match="1AH is never sent"):
            await bench.driver._line.command(Frame(ADDRESS, 0x1A, bytes(8)))
        assert closed == [1]
        assert bench.bus.said == []

    virtual(story)


async def _nothing() -> None:
    return None


def test_two_meters_of_a_line_are_kept_apart() -> None:
    async def story(clock: VirtualClock) -> None:
        devices = [
            meter(PROFILE, "000000000001", id_="dorm-01/m-1"),
            meter(PROFILE, "000000000002", id_="dorm-01/m-2", first=100),
        ]
        line, (one, other) = dlt645_meters(devices, PROFILE, clock)
        pairs = [(device, PROFILE) for device in devices]
        driver = Dlt645Driver(TwinLine(line, clock), pairs, clock, lambda file: PASSWORD)
        point = next(point for point in devices[1].points if point.name == "relay_command")
        assert await driver.write(point, 0) == 0
        assert (one.commands, other.commands) == ([], [0x1A])
        found = [by_name(device, await driver.poll(device.id)) for device in devices]
        assert [values["relay"][0] for values in found] == [1, 0]
        assert found[0]["energy"] != found[1]["energy"]

    in_time(story)


def test_a_meter_without_address_is_refused() -> None:
    async def story(clock: VirtualClock) -> None:
        device = meter(PROFILE, None)
        with pytest.raises(Refused, match="no address"):
            Dlt645Driver(None, [(device, PROFILE)], clock, lambda file: None)

    in_time(story)


def test_a_gateway_with_meters_of_another_protocol_is_refused() -> None:
    async def story(clock: VirtualClock) -> None:
        one, other = meter(PROFILE, ADDRESS), meter(cjt188(), "78330011223344", id_="dorm-01/m-2")
        profiles = {PROFILE.id: PROFILE, cjt188().id: cjt188()}
        ways = registry.Ways(lambda file: None, line_of=lambda gateway, clock: None)
        with pytest.raises(
            ConfigError, match="m-2: profile cjt188-water-meter does not speak DL/T"
        ):
            registry.behind(None, [one, other], profiles, clock, ways)
        with pytest.raises(ConfigError, match="m-1: profile dlt645-room-meter does not speak CJ/T"):
            registry.behind(None, [other, one], profiles, clock, ways)

    in_time(story)


def test_octets_of_the_twin_are_octets_of_the_driver() -> None:
    async def story(bench: Bench) -> None:
        await bench.poll()
        for said in bench.bus.said:
            (frame,) = frames_in(bench.line.hear(said))
            assert octets_of(frame) == bench.meter._frame(frame.control, frame.data)

    virtual(story)
