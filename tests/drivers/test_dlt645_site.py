"""Meters with addresses in a site's configuration, and a hub that reads and commands them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from drivers.profile import Cjt188Point, Dlt645Point, Dlt645Profile
from hub.app import Outside, running
from hub.cli.virtual import site_of
from hub.clock import RealClock
from hub.model import Command, Outcome
from hub.ports import ConfigError
from hub.settings import load
from simulators.campus import Fleet
from simulators.lines import LineServers, line_behind
from tests.drivers.meters import dlt645
from tests.ports import free_ports

CAMPUS = """\
version: 1
site: {id: try, name: {zh: 试, en: Try}, timezone: Asia/Shanghai}
store: {kind: memory}
writes: true
places:
  - {id: dorm-07, kind: building}
  - {id: dorm-07/312, kind: room}
gateways:
  - {id: gw-1, url: "tcp://127.0.0.1:4001"}
  - {id: gw-2, url: "tcp://127.0.0.1:4002"}
  - {id: gw-3, url: "tcp://127.0.0.1:4003"}
devices:
  - {id: dorm-07/m-1, profile: dlt645-room-meter, place: dorm-07/312, gateway: gw-1,
     address: "000000000161", password_file: password, interval: PT1S}
  - {id: dorm-07/m-2, profile: dlt645-room-meter, place: dorm-07/312, gateway: gw-1,
     address: "000000000162"}
  - {id: dorm-07/w-1, profile: cjt188-water-meter, place: dorm-07/312, gateway: gw-2,
     address: "AAAAAAAAAA3344", interval: PT1S}
  - {id: dorm-07/r-1, profile: reference-room-meter, place: dorm-07/312, gateway: gw-3, unit_id: 1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "campus.yaml").write_text(CAMPUS, "utf-8")
    (tmp_path / "password").write_text("02000000\n", "utf-8")
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    text = (folder / "campus.yaml").read_text("utf-8")
    assert old in text
    (folder / "campus.yaml").write_text(text.replace(old, new, 1), "utf-8")


def test_addresses_and_password_files_reach_the_devices(folder) -> None:
    devices = site_of(load(folder)).devices
    assert devices["dorm-07/m-1"].address == "000000000161"
    assert devices["dorm-07/m-1"].password_file == "password"
    assert devices["dorm-07/m-1"].unit_id is None
    assert devices["dorm-07/w-1"].address == "AAAAAAAAAA3344"
    assert devices["dorm-07/r-1"].address is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"000000000161"', "161", "devices[0].address: must be a valid string, not 161; put it in"),
        (
            '"000000000161"',
            '"161"',
            "devices[0].address: '161' is no meter address: all the digits",
        ),
        ('"000000000161"', '"00000000A161"', "devices[0].address: '00000000A161' is no meter"),
        ('"000000000161"', '"0000000001AA"', "devices[0].address: '0000000001AA' is no meter"),
        ('"000000000161"', '"00000000000161"', "'00000000000161' has 14 digits, not 12"),
        ('"000000000161"', '"999999999999"', "999999999999 is everybody; write the meter's own"),
        (
            'address: "000000000161",',
            "",
            "devices[0].address: missing; dlt645-room-meter speaks DL/T",
        ),
        ('"AAAAAAAAAA3344"', '"000000000161"', "'000000000161' has 12 digits, not 14"),
        (
            '"000000000162"',
            '"000000000161"',
            "devices[1].address: 000000000161 and 000000000161 by ",
        ),
        ('"000000000162"', '"AAAAAAAAAAAA"', "are answered by the same meter of gw-1; one each"),
        (
            "gateway: gw-1,\n     address",
            "address",
            "devices[0].gateway: missing; dlt645-room-meter speaks",
        ),
        (
            ", gateway: gw-1",
            ", unit_id: 3, gateway: gw-1",
            "devices[0].unit_id: remove it; dlt645-room",
        ),
        ("unit_id: 1}", 'unit_id: 1, address: "000000000163"}', "devices[3].address: remove it;"),
        ("unit_id: 1}", "unit_id: 1, password_file: x}", "devices[3].password_file: remove it;"),
        (
            "gateway: gw-2",
            "gateway: gw-2, password_file: x",
            "devices[2].password_file: remove it;",
        ),
        (
            "gateway: gw-2",
            "gateway: gw-1",
            "cjt188-water-meter speaks CJ/T 188, but gateway gw-1 leads",
        ),
        (
            "gateway: gw-3",
            "gateway: gw-1",
            "reference-room-meter speaks Modbus, but gateway gw-1 leads",
        ),
        (
            '"tcp://127.0.0.1:4001"',
            '"rtu+tcp://127.0.0.1:4001"',
            "gateways[0].url: dlt645-room-meter",
        ),
        ('4001"}', '4001", in_flight: 2}', "gateways[0].in_flight: remove it; dlt645-room-meter"),
        ('4002"}', '4002", close_after_poll: true}', "gateways[1].close_after_poll: remove it;"),
    ],
)
def test_a_mistake_is_named_with_its_place(folder, old, new, problem) -> None:
    change(folder, old, new)
    with pytest.raises(ConfigError) as caught:
        load(folder)
    assert problem in str(caught.value)
    assert all(line.startswith("campus.yaml:") for line in caught.value.problems)


def test_meters_may_stand_in_a_table(folder) -> None:
    (folder / "devices.csv").write_text(
        "id,profile,place,gateway,address,password_file\n"
        "dorm-07/m-3,dlt645-room-meter,dorm-07/312,gw-1,000000000163,password\n",
        "utf-8",
    )
    device = site_of(load(folder)).devices["dorm-07/m-3"]
    assert (device.address, device.password_file) == ("000000000163", "password")


async def test_a_hub_reads_and_commands_meters_behind_gateways(folder) -> None:
    ports = free_ports(2)
    change(folder, "4001", str(ports[0]))
    change(folder, "4002", str(ports[1]))
    settings, clock = load(folder), RealClock()
    site = site_of(settings)
    fleet = Fleet(list(site.devices.values()), settings.profiles, clock)
    lines = [(site.gateways[gateway], line_behind(fleet, gateway)) for gateway in ("gw-1", "gw-2")]
    servers = LineServers(lines)
    await servers.start()
    try:
        async with running(settings, clock, Outside(memory=True, web=False)) as hub:
            numbers = hub.kept.site.numbers
            wanted = [numbers["dorm-07/m-1/energy"], numbers["dorm-07/w-1/total"]]
            async with asyncio.timeout(10):
                while any(hub.live.value(number) is None for number in wanted):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            now_ms = clock.now_ms()
            command = Command(
                "c-1", "dorm-07/m-1/clock_ahead", 0, "anna", "drift", now_ms, now_ms + 60_000
            )
            lines[0][1].meters["dorm-07/m-1"].ahead_s = 90
            result = await hub.commands.submit(command, "k-1")
            assert (result.outcome, result.actual) == (Outcome.DONE, 0)
            assert hub.health.of("dorm-07/m-1")["state"] == "online"
    finally:
        await servers.stop()


def profile(**point: object) -> dict[str, object]:
    return {
        "version": 1,
        "id": "x",
        "maker": "m",
        "model": "m",
        "kind": "meter",
        "protocol": "dlt645",
        "source": "s",
        "points": {"x": point},
    }


@pytest.mark.parametrize(
    ("point", "problem"),
    [
        ({"di": "0001"}, "should match pattern"),
        ({"di": "00010000", "digits": 3}, "multiple of 2"),
        ({"di": "04000503", "type": "word", "digits": 4}, "digits and signed are for type bcd"),
        ({"di": "00010000", "bit": 4}, "bit and invert are for type word"),
        ({"di": "04000503", "type": "word", "invert": True}, "invert needs bit"),
        ({"di": "04000101", "type": "clock", "unit": "s"}, "a clock is read from di"),
        ({"di": "00010000", "write": {"min": 0, "max": 1}}, "only a bit"),
        (
            {"di": "04000503", "type": "word", "bit": 4, "write": {"min": 0, "max": 1}},
            "a command for each value",
        ),
        (
            {"di": "04000503", "type": "word", "bit": 4, "control": {0: "trip"}},
            "control needs write",
        ),
        (
            {
                "di": "04000503",
                "type": "word",
                "bit": 4,
                "control": {0: "clear"},
                "write": {"min": 0, "max": 0},
            },
            "Input should be 'trip'",
        ),
        (
            {"di": "04000102", "type": "clock", "unit": "s", "write": {"min": 0, "max": 60}},
            "a clock is written only to 0",
        ),
        (
            {
                "di": "04000503",
                "type": "word",
                "bit": 4,
                "control": {0: "trip"},
                "write": {"min": 0, "max": 0, "only_while": {"point": "y", "equals": 0}},
            },
            "only_while names 'y', which is no point",
        ),
    ],
)
def test_a_profile_that_means_nothing_is_refused(point, problem) -> None:
    with pytest.raises(ValidationError, match=problem):
        Dlt645Profile.model_validate(profile(**point))


@pytest.mark.parametrize(
    ("point", "problem"),
    [
        ({"part": "total"}, "have unit m3"),
        ({"part": "valve", "unit": "m3"}, "have unit m3"),
        ({"part": "valve", "write": {"min": 0, "max": 1}}, "only read"),
    ],
)
def test_a_water_meter_is_only_read_and_tells_cubic_metres(point, problem) -> None:
    with pytest.raises(ValidationError, match=problem):
        Cjt188Point.model_validate(point)


def test_every_command_of_the_shipped_profile_is_dangerous() -> None:
    for name, spec in dlt645().points.items():
        if spec.control:
            assert spec.write.class_ == "dangerous", name


def test_a_point_is_as_yaml_has_it() -> None:
    text = '{di: "02030000", digits: 6, signed: true, scale: 0.1, unit: W}'
    assert Dlt645Point.model_validate(yaml.safe_load(text)).octets == 3
