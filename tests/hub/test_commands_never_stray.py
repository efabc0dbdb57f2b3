"""Whoever asks for whatever: what reaches the wire is declared, in range, and sent once.

Seeded attempts of all users, values, points and broken requests go the whole way: request, right,
command, database, driver, bus, over Modbus, DL/T 645 and MQTT. Every write is noted as the bytes
that would leave. 3,000 attempts; 100,000 with ``--scale full``. Then the guards are taken away: as
long as one stands the test holds, without any it must fail, else it shows nothing.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import pytest

from hub.access import ROLES
from hub.clock import VirtualLoop
from hub.database.connection import Database, open_database
from hub.model import Outcome, Point
from tests.hub.guarded_campus import (
    BOILER,
    GAS,
    HEAT,
    METER,
    PREPAID,
    PUMP,
    Campus,
    stray_write,
)

GUARDS = ("service", "driver", "wire")
DRIVERS = ("modbus", "mqtt", "dlt645")
HOT_DEGC, WARM_DEGC = 88.0, 50.0
DANGEROUS = {
    f"{METER}/relay_command": (0, 1), f"{GAS}/heating_enabled": (0, 1),
    f"{GAS}/hot_water_enabled": (0, 1), f"{PUMP}/power_switch": (0x55, 0xAA),
    f"{PREPAID}/relay_command": (0, 1), f"{PREPAID}/reclose_permitted": (1,),
    f"{PREPAID}/keep_power": (0, 1),
    "dorm-07/plug-7/relay": (0, 1), "dorm-07/lamp/relay": (0, 1),
}  # fmt: skip
STRANGE = ["", "*", "dorm-07", f"{BOILER}/", "dorm-08/boiler-9/setpoint", "4", "\0", "设"]
LIMITS = [40.0, 60.0, 70.0, 100.0, 8000.0, 0.0, 1.0, 2.0, 50.0, float(0x55), float(0xAA)]


class Attempt(NamedTuple):
    """One person's wish, right or wrong in every way that came to mind."""

    role: str
    request: Mapping[str, Any]
    key: str
    age_s: float


def wishes(random_: random.Random, points: Sequence[Point]) -> Iterator[Attempt]:
    """Yield attempts for ever; about every fifth one is in order."""
    orders = fitting(random_)
    every = [point.id for point in points]
    roles = [*ROLES, *ROLES, "admin", "duty", "duty", "", "root", "Admin"]
    n = 0
    while True:
        n += 1
        pick = random_.random()
        source = list(orders) if pick < 0.6 else every if pick < 0.9 else STRANGE
        point = random_.choice(source)
        request: dict[str, Any] = {"point": point, "value": value(random_), "reason": "cold"}
        if random_.random() < 0.1:
            valid = ["PT1S", "PT15M", "PT16M", "PT0S", "-PT1S", 30, {}]
            request |= {"valid": random_.choice(valid)}
        if random_.random() < 0.05:
            key = random_.choice([*request, "force", "address", "function", "toggle"])
            request[key] = random_.choice([None, "", [], {}, "1e3", True, "x" * 600])
        if random_.random() < 0.5 and point in orders:
            orders = fitting(random_)
            request["value"] = orders[point]
        age_s = 1_000.0 if random_.random() < 0.03 else 0.0
        key = f"k{random_.randrange(1, n + 1)}" if random_.random() < 0.05 else f"k{n}"
        yield Attempt(random_.choice(roles), request, key, age_s)


def fitting(random_: random.Random) -> dict[str, float]:
    """Return a value in order for each point that people may write."""
    return {
        f"{BOILER}/setpoint": 40 + random_.randrange(41) / 2,
        f"{METER}/load_limit": 100.0 + 10 * random_.randrange(791),
        f"{GAS}/setpoint": 20 + random_.randrange(121) / 2,
        f"{GAS}/hot_water_setpoint": 40.0 + random_.randrange(21),
        f"{PUMP}/mode": 1.0 + random_.randrange(5),
        f"{PUMP}/disinfection_setpoint": 40.0 + random_.randrange(31),
        f"{PUMP}/setpoint": 40.0 + random_.randrange(31),
        f"{PUMP}/hot_water_difference": 2.0 + random_.randrange(7),
        "dorm-07/shower-1/valve": float(random_.randrange(2)),
        f"{PREPAID}/clock_ahead": 0.0,
    }


def value(random_: random.Random) -> float:
    """Return a value: in order, near a limit, or absurd."""
    near = random_.choice(LIMITS)
    return random_.choice(
        [
            float(random_.randrange(2)),
            near,
            near + random_.choice([-0.5, -0.1, -1e-4, 1e-4, 0.05, 0.1, 0.5, 5]),
            math.nextafter(near, random_.choice([-math.inf, math.inf])),
            random_.uniform(-100, 200),
            float(random_.randrange(-70_000, 70_000)),
            random_.choice([math.nan, math.inf, -math.inf, -0.0, 1e308, -1e308, 5e-324, 2.0**63]),
        ]
    )


def play(campus: Campus, attempts: int, seed: int, *, past_service: bool = True) -> dict[str, int]:
    """Make the attempts; check after each what must never be, whichever guards stand.

    Every fifth goes to a driver itself, ``past_service``.
    """
    random_ = random.Random(seed)
    seen = set[tuple[str, str]]()
    counts = dict.fromkeys(["sent", "refused", *Outcome], 0)
    source = wishes(random_, campus.points)
    for _ in range(attempts):
        campus.loop.run_until_complete(campus.clock.sleep(0.001))
        hot = random_.random() < 0.1
        campus.measure(HOT_DEGC if hot else WARM_DEGC)
        campus.silence(mute=random_.random() < 0.02)
        if random_.random() < 0.2:
            if past_service:
                push(campus, random_.choice(campus.points), value(random_))
            continue
        attempt = next(source)
        began, writes = len(campus.wire.frames), campus.writes
        outcome = campus.loop.run_until_complete(campus.ask(*attempt))
        sent = campus.writes - writes
        counts[outcome or "refused"] += 1
        counts["sent"] += sent
        if outcome is not None and (attempt.role, attempt.key) in seen:
            assert not sent, "the same key was carried out twice"
        if outcome is not None:
            seen.add((attempt.role, attempt.key))
        assert not sent or outcome in (Outcome.DONE, Outcome.UNKNOWN, Outcome.NOT_CONFIRMED)
        assert sent <= 1, "one command, several writes"
        assert not (sent and attempt.age_s), "sent after it expired"
        for frame in campus.wire.frames[began:]:
            if hot and (frame.unit_id, frame.address) in HEAT and not stray_write(frame):
                assert frame.values[0] <= frame.before, "heated while over temperature"
        if outcome is Outcome.UNKNOWN:
            settle(campus)
    campus.loop.run_until_complete(campus.commands.close())
    assert campus.late == [], "a device was given longer than the command is valid"
    return counts


def push(campus: Campus, point: Point, wished: float) -> None:
    """Ask a driver itself, past the service."""
    device = next(one for one in campus.devices if one.id == point.device)
    driver = campus.drivers.get(str(device.gateway), campus.publishing)
    with contextlib.suppress(Exception):  # whatever it says: what counts is what it sends
        campus.loop.run_until_complete(driver.write(point, wished))


def settle(campus: Campus) -> None:
    """Let the next poll show what became of an unknown outcome."""
    campus.silence(mute=False)
    campus.loop.run_until_complete(campus.clock.sleep(1))
    campus.measure(WARM_DEGC)
    campus.loop.run_until_complete(campus.clock.sleep(20))


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


@pytest.fixture
def database() -> Iterator[Database]:
    database = open_database(":memory:")
    yield database
    database.close()


def without(monkeypatch: pytest.MonkeyPatch, removed: Iterable[str]) -> None:
    """Take guards away; that of Modbus and MQTT on the wire is left out when the bus is made."""
    if "service" in removed:
        monkeypatch.setattr("hub.control.commands.objection", lambda *_: None)
    if "driver" in removed:
        for driver in DRIVERS:
            monkeypatch.setattr(f"drivers.{driver}.driver.check", lambda *_: None)
    if "wire" in removed:
        monkeypatch.setattr("drivers.dlt645.connection.objection", lambda _: None)
        monkeypatch.setattr("drivers.dlt645.connection.MeterLine._undeclared", lambda *_: None)


@pytest.mark.timeout(900)
def test_every_write_on_the_wire_is_declared_and_in_range(
    loop: VirtualLoop, database: Database, full_scale: bool
) -> None:
    campus = Campus(loop, database)
    counts = play(campus, 100_000 if full_scale else 3_000, seed=1)
    wires = [len(campus.wire.frames), len(campus.broker.published), len(campus.told)]
    print(counts, dict(zip(DRIVERS, wires, strict=True)))
    assert campus.strays() == []
    # The attempts are worth something: many went through, over each protocol, and to each end.
    assert counts["sent"] > sum(counts.values()) / 20
    assert all(wires)
    assert all(counts[outcome] for outcome in Outcome if outcome is not Outcome.NOT_CONFIRMED)


def test_no_command_writes_what_needs_a_second_person(
    loop: VirtualLoop, database: Database
) -> None:
    campus = Campus(loop, database)
    campus.measure(WARM_DEGC)
    for point, values in DANGEROUS.items():
        for wished in values:
            request = {"point": point, "value": wished, "reason": "x"}
            asking = campus.ask("admin", request, f"{point}{wished}", 0)
            assert loop.run_until_complete(asking) is Outcome.BLOCKED
    assert campus.writes == 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "removed",
    [pair for size in (1, 2) for pair in combinations(GUARDS, size)],
    ids=lambda removed: "without " + " and ".join(removed),
)
def test_each_guard_alone_still_holds(
    loop: VirtualLoop,
    database: Database,
    removed: tuple[str, ...],
    full_scale: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without(monkeypatch, removed)
    campus = Campus(loop, database, removed)
    # Who asks a driver itself has passed the service: that shows something only while a guard
    # stands behind it.
    past_service = not {"driver", "wire"} <= set(removed)
    play(campus, 20_000 if full_scale else 400, seed=2, past_service=past_service)
    assert campus.strays() == []
    assert campus.writes


def test_without_any_guard_stray_writes_reach_every_wire(
    loop: VirtualLoop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, GUARDS)
    campus = Campus(loop, database, GUARDS)
    play(campus, 400, seed=2, past_service=False)
    strays = campus.strays()
    assert sum(isinstance(one, tuple) and len(one) == 5 for one in strays) > 20  # Modbus
    assert sum(isinstance(one, tuple) and len(one) == 2 for one in strays) > 5  # MQTT
