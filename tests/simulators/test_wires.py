"""What is wrong with a line: by script and on demand, on real sockets and in virtual time."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from drivers import registry
from hub.clock import RealClock
from hub.ports import ConfigError, ExceptionAnswerError, NoAnswerError, Refused
from hub.site import Gateway
from hub.web.texts import TEXTS
from simulators.campus import Fleet
from simulators.faults import EXCEPTIONS, KINDS
from simulators.faulty_bus import FaultyBus
from simulators.modbus_server import ModbusServers
from simulators.scenario import Scenario
from simulators.virtual import TwinBus
from tests.ports import free_ports
from tests.whole.program import started, wait_for
from tests.whole.site import BUILDING, write_site

METER, OTHER = "dorm-07/meter-301", "dorm-07/meter-302"
TIMEOUT_S = 0.4


def script(**fault) -> Scenario:
    content = {
        "version": 1,
        "id": "test",
        "title": {"zh": "试验", "en": "Test"},
        "start": "2026-11-21T00:00:00+08:00",
        "length": "PT1H",
        "protocol_faults": [fault],
    }
    return Scenario.model_validate(content)


@asynccontextmanager
async def asked_by_both(fleet: Fleet):
    """Give two ways to ask a unit of the rooms: over a socket and in place."""
    port = free_ports(1)[0]
    gateway = Gateway("gw-rooms", f"tcp://127.0.0.1:{port}", timedelta(seconds=TIMEOUT_S))
    servers = ModbusServers(fleet, [gateway])
    await servers.start()
    real = registry.open_bus(gateway, RealClock(1))
    behind = [one for one in fleet.devices.values() if one.gateway == "gw-rooms"]
    twins = TwinBus(fleet, behind, TIMEOUT_S)
    in_place = FaultyBus(twins, fleet.wires.of("gw-rooms"), fleet.clock, TIMEOUT_S)

    async def asked(bus, unit_id: int) -> str:
        try:
            await bus.read(unit_id, "input", 0, 2)
        except ExceptionAnswerError as error:
            return f"exception {error.code}"
        except NoAnswerError:
            return "silence"
        return "right"

    try:
        yield [lambda unit_id, bus=bus: asked(bus, unit_id) for bus in (real, in_place)]
    finally:
        await real.close()
        await servers.stop()


async def test_a_fault_on_demand_strikes_one_unit_until_the_line_is_mended(fleet):
    async with asked_by_both(fleet) as ways:
        await fleet.fault(METER, "exception_4")
        for ask in ways:
            assert await ask(1) == "exception 4"
            assert await ask(2) == "right"
        await fleet.repair(METER, "line")
        for ask in ways:
            assert await ask(1) == "right"
        await fleet.fault(METER, "timeout")
        for ask in ways:
            assert await ask(1) == "silence"
            assert await ask(2) == "right"


async def test_a_script_strikes_in_its_own_time(fleet, midnight_ms):
    fault = {"kind": "exception", "code": 6, "at": "PT10M", "for": "PT5M", "device": METER}
    assert list(fleet.wires.lay(script(**fault), midnight_ms)) == ["gw-rooms"]
    async with asked_by_both(fleet) as ways:
        for minute, expected in ((9.9, "right"), (10, "exception 6"), (15, "right")):
            for ask in ways:
                fleet.clock.now = midnight_ms + round(minute * 60_000)
                assert await ask(1) == expected, minute


async def test_every_fault_of_a_line_can_be_started_listed_and_ended(fleet):
    names = fleet.wires.possible(fleet.devices[METER])
    codes = {f"exception_{code}" for code in EXCEPTIONS}
    assert set(names) == {*KINDS} - {"exception"} | codes
    assert {f"fault-{name}" for name in names} | {"part-line"} <= TEXTS.keys()
    for name in names:
        await fleet.fault(METER, name)
        await fleet.fault(METER, name)
        seen = {one["device"]: one for one in await fleet.overview()}
        assert seen[METER]["active"] == [name]
        whole = name in ("one_connection_only", "link_cut")
        assert seen[OTHER]["active"] == ([name] if whole else [])
        assert name in seen[METER]["faults"]
        await fleet.repair(OTHER if whole else METER, "line")
        seen = {one["device"]: one for one in await fleet.overview()}
        assert seen[METER]["active"] == []
    assert [label.kind for label in fleet.labels] == list(names)
    assert all(label.end_ms is not None for label in fleet.labels)


async def test_what_is_not_modbus_has_no_line_to_break(fleet):
    seen = {one["device"]: one for one in await fleet.overview()}
    assert "line" in seen[METER]["parts"]
    assert "line" not in seen["dorm-07/shower-1-01"]["parts"]
    with pytest.raises(Refused, match="has no fault crc_error"):
        await fleet.fault("dorm-07/shower-1-01", "crc_error")
    wrong = {"kind": "crc_error", "at": "PT0S", "for": "PT1S", "device": "dorm-07/shower-1-01"}
    with pytest.raises(ConfigError, match="no Modbus device"):
        fleet.wires.lay(script(**wrong), 0)


def test_simulate_lets_the_protocol_faults_of_a_scenario_happen(tmp_path):
    """A process of its own; its first answer must already be the scenario's."""
    port = free_ports(1)[0]
    room = {"id": "dorm-07/1/101", "kind": "room"}
    meter = {"id": "dorm-07/m", "profile": "reference-room-meter", "place": room["id"]}
    folder = write_site(
        tmp_path / "site",
        [meter | {"gateway": "gw", "unit_id": 1}],
        places=[BUILDING, room],
        gateways=[{"id": "gw", "url": f"tcp://127.0.0.1:{port}"}],
    )
    fault = {"kind": "exception", "code": 4, "at": "PT0S", "for": "PT1H", "gateway": "gw"}
    content = json.loads(script(**fault).model_dump_json(by_alias=True, exclude_none=True))
    (folder / "test.yaml").write_text(json.dumps(content), "utf-8")
    control = tmp_path / "twins.sock"
    options = ("--scenario", folder / "test.yaml", "--control", control)

    async def asked() -> int:
        gateway = Gateway("gw", f"tcp://127.0.0.1:{port}", timedelta(seconds=5))
        bus = registry.open_bus(gateway, RealClock(1))
        try:
            await bus.read(1, "input", 0, 2)
        except ExceptionAnswerError as error:
            return error.code
        finally:
            await bus.close()
        return 0

    with started("simulate", "--config", folder, *options, folder=tmp_path):
        wait_for("the simulators", control.is_socket)
        assert asyncio.run(asked()) == 4
