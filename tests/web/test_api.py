"""The JSON API: lists in pages, errors that help, every action once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace

import pytest

from hub.database import records
from hub.model import Batch, Entry, EntryKind, Quality, Reason, flag
from hub.ports import StoreError
from hub.web import use
from hub.web.api import stream
from tests.pages.stage import Stage
from tests.web.conftest import browser

BOILER = "dorm-07/boiler-1"
POWER = f"point={BOILER}/power"


@pytest.fixture
async def person(played, sign_in):
    async with await sign_in(played) as person:
        yield person


async def test_lists_come_in_pages_that_fit_together(person, played):
    seen, offset = [], 0
    while offset is not None:
        answer = (await person.get(f"/api/v1/points?limit=100&offset={offset}")).json()
        seen += [item["id"] for item in answer["items"]]
        offset = answer["next_offset"]
        assert answer["total"] == len(played.site.points)
    assert seen == list(dict.fromkeys(seen))
    assert len(seen) == len(played.site.points)


async def test_devices_are_found_by_place_and_kind(person):
    answer = (await person.get("/api/v1/devices?place=dorm-07/plant")).json()
    assert [(item["id"], item["health"]) for item in answer["items"]] == [(BOILER, "online")]
    meters = (await person.get("/api/v1/devices?kind=meter&limit=1")).json()
    assert (meters["total"], meters["next_offset"]) == (25, 1)
    rooms = (await person.get("/api/v1/places?kind=building")).json()
    assert [item["name"]["zh"] for item in rooms["items"]] == ["北苑7栋", "北苑8栋"]


async def test_a_device_shows_its_points_with_their_last_values(person):
    device = (await person.get(f"/api/v1/devices/{BOILER}")).json()
    tank = next(point for point in device["points"] if point["name"] == "tank_temperature")
    assert tank["last"]["value"] < 50
    assert tank["last"]["at"] == "2026-11-20T21:10:00.000+08:00"
    assert (tank["last"]["quality"], tank["last"]["old"]) == ("good", False)


async def test_old_bad_and_missing_values_say_so(person, played):
    silent = (await person.get("/api/v1/live?point=dorm-07/meter-311/power")).json()["items"][0]
    assert silent["old"] is True
    assert silent["age_s"] > 1800
    number = played.site.numbers[f"{BOILER}/power"]
    bad = flag(Quality.BAD, Reason.INVALID_MARKER)
    now_ms = played.clock.now_ms()
    batch = Batch.of([number], [now_ms], [float("nan")], [bad], now_ms)
    played.enter(Entry(EntryKind.READINGS, now_ms, batch))
    row = (await person.get(f"/api/v1/live?point={BOILER}/power")).json()["items"][0]
    assert (row["value"], row["quality"], row["reason"], row["old"]) == (
        None,
        "bad",
        "invalid_marker",
        True,
    )


async def test_a_point_never_read_has_no_value_and_no_age(sign_in):
    stage = Stage()
    person = await sign_in(stage)
    row = (await person.get(f"/api/v1/live?point={BOILER}/power")).json()["items"][0]
    assert (row["value"], row["at"], row["quality"], row["old"]) == (None, None, "missing", True)


async def test_series_and_consumption_leave_gaps_empty(person):
    hour = "start=2026-11-20T16:00&end=2026-11-20T21:00"
    series = await person.get(
        f"/api/v1/series?point={BOILER}/power&aggregate=mean&{hour}&step=PT1H"
    )
    series = series.json()
    assert series["start"] == "2026-11-20T16:00:00.000+08:00"
    values = series["series"][0]["mean"]
    assert values[0] is None
    assert values[3] > 0
    asked = f"/api/v1/consumption?place=dorm-07&by=device&{hour}&step=hour&balance=true"
    used = (await person.get(asked)).json()
    assert used["steps"][0] == "2026-11-20T16:00:00+08:00"
    assert used["total"]["values"][0] is None
    assert used["total"]["missing"][0] == 1
    below = sum(row["total"]["value"] for row in used["rows"])
    (balance,) = used["balances"]
    assert balance["below"]["value"] == pytest.approx(below, abs=0.02)
    assert balance["meter"]["value"] == used["total"]["total"]["value"] > 0


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("places?limit=0", 422, "limit"),
        ("devices?place=nowhere", 404, "no place nowhere"),
        ("devices/nothing", 404, "no device nothing"),
        ("live", 422, "Nothing is asked for"),
        ("series?point=x/y&start=2026-11-20&end=2026-11-21", 404, "no point x/y"),
        (f"series?point={BOILER}/power&start=2026-11-21&end=2026-11-20", 422, "before end"),
        (f"series?point={BOILER}/power&start=yesterday&end=2026-11-20", 422, "start"),
        (f"series?{POWER}&start=2026-01-01&end=2026-11-20&step=PT1S", 422, "More than"),
        (f"series?{POWER}&start=1960-01-01&end=2026-11-20", 422, "after 1970"),
        ("consumption?place=nowhere&start=2026-11-20&end=2026-11-21", 404, "no place"),
        ("consumption?device=nowhere&start=2026-11-20&end=2026-11-21", 404, "no device"),
        ("consumption?start=2026-11-21&end=2026-11-20", 422, "before end"),
        ("consumption?start=2026-11-20&end=2026-11-20", 422, "before end"),
        ("consumption?start=2026-11-20&end=2026-11-21&step=0", 422, "query.step"),
        ("consumption?start=2026-11-20&end=2026-11-21&step=PT0S", 422, "query.step"),
        ("consumption?start=1971-01-01&end=2026-11-21&step=hour", 422, "at most 100,000"),
        ("consumption?start=1971-01-01&end=9999-11-21", 422, "9998"),
        ("consumption?start=0001-01-01&end=9999-12-31", 422, "1970"),
        ("consumption?start=2026-11-20&end=2026-11-21&format=pdf", 422, "format"),
        ("export?start=2026-11-20&end=2026-11-21", 422, "Nothing is asked for"),
        ("export?point=x/y&start=2026-11-20&end=2026-11-21", 404, "no point x/y"),
        (f"export?{POWER}&start=2026-11-21&end=2026-11-20", 422, "before end"),
        (f"export?{POWER}&start=2026-11-20&end=2026-11-21&step=PT0S", 422, "above zero"),
        ("tickets/nothing", 404, "no ticket nothing"),
        ("tickets?state=odd", 422, "state"),
        ("commands/nothing", 404, "no command"),
        ("nothing", 404, "Not Found"),
    ],
)
async def test_errors_are_problems_that_say_what_and_where(stage, sign_in, path, status, word):
    person = await sign_in(stage)
    answer = await person.get(f"/api/v1/{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert word in problem["title"]
    assert problem["instance"].startswith("/api/v1/")


async def test_a_ticket_goes_its_way_by_the_api(person, played):
    (ticket,) = (await person.get("/api/v1/tickets?state=opened")).json()["items"]
    path = f"/api/v1/tickets/{ticket['id']}"
    assert (await person.send_json(path + "/acknowledge")).json()["state"] == "responded"
    assert (await person.send_json(path + "/arrive")).json()["state"] == "on_site"
    note = {"note": "水已放空", "part": None}
    assert (await person.send_json(path + "/note", note)).status_code == 200
    fixed = (await person.send_json(path + "/fix", {"part": "heating-element"})).json()
    assert fixed["state"] == "fixed"
    assert fixed["prove_by"] is not None
    kinds = [event["kind"] for event in fixed["events"]]
    assert kinds[-4:] == ["acknowledged", "arrived", "note", "fix_reported"]
    assert fixed["events"][-1]["actor"] == "admin-one"
    played.clock.instant_ms += 1000
    again = await person.send_json(path + "/acknowledge")
    assert again.status_code == 409
    assert "acknowledged before" in again.json()["title"]


async def test_the_same_key_does_a_thing_once(person, played):
    (ticket,) = (await person.get("/api/v1/tickets?state=opened")).json()["items"]
    path = f"/api/v1/tickets/{ticket['id']}/note"
    for _ in range(3):
        played.clock.instant_ms += 1000
        answer = await person.send_json(path, {"note": "same"}, Idempotency_Key="k1")
        assert answer.status_code == 200
    assert [event["kind"] for event in answer.json()["events"]].count("note") == 1


async def test_an_alarm_is_acknowledged(person):
    rows = (await person.get("/api/v1/alarms?state=unacknowledged")).json()["items"]
    answer = await person.send_json(f"/api/v1/alarms/{rows[0]['id']}/acknowledge")
    assert answer.json()["state"] == "acknowledged"
    assert (await person.send_json("/api/v1/alarms/none/acknowledge")).status_code == 404


async def test_unknown_keys_and_long_notes_are_refused(person):
    (ticket,) = (await person.get("/api/v1/tickets?state=opened")).json()["items"]
    path = f"/api/v1/tickets/{ticket['id']}/note"
    assert (await person.send_json(path, {"note": "x" * 2001})).status_code == 422
    assert (await person.send_json(path, {"remark": "x"})).status_code == 422
    assert (await person.send_json(path, {"note": " "})).status_code == 409


async def test_a_command_is_carried_out_once_per_key(stage, sign_in):
    person = await sign_in(stage)
    stage.read([stage.site.devices[BOILER]], stage.clock.now_ms())  # interlocks want to see
    wish = {"point": f"{BOILER}/setpoint", "value": 52.5, "reason": "trial"}
    first = await person.send_json("/api/v1/commands", wish, Idempotency_Key="k")
    assert first.json()["outcome"] == "done", first.text
    second = await person.send_json("/api/v1/commands", wish, Idempotency_Key="k")
    assert second.json()["id"] == first.json()["id"]
    assert stage.written == [(f"{BOILER}/setpoint", 52.5)]
    kept = (await person.get(f"/api/v1/commands/{first.json()['id']}")).json()
    assert kept["actual"] == 52.5


async def test_a_command_outside_what_the_profile_declares_is_blocked(stage, sign_in):
    person = await sign_in(stage)
    for point, value in (("setpoint", 90), ("tank_top", 50), ("setpoint", 52.3)):
        wish = {"point": f"{BOILER}/{point}", "value": value, "reason": "trial"}
        answer = await person.send_json("/api/v1/commands", wish, Idempotency_Key=f"{point}{value}")
        assert answer.json()["outcome"] == "blocked", answer.text
    wish = {"point": f"{BOILER}/setpoint", "value": 50, "reason": "x"}
    assert (await person.send_json("/api/v1/commands", wish)).status_code == 422  # no key
    assert stage.written == []


async def test_a_hub_without_writes_refuses_commands(sign_in):
    stage = Stage(writes=False)
    person = await sign_in(stage)
    wish = {"point": f"{BOILER}/setpoint", "value": 50, "reason": "x"}
    answer = await person.send_json("/api/v1/commands", wish, Idempotency_Key="k")
    assert answer.status_code == 409
    assert "writes: true" in answer.json()["detail"]


async def test_twins_are_broken_and_mended(stage, sign_in):
    person = await sign_in(stage)
    path = "/api/v1/simulators/dorm-08/meter-101"
    assert (await person.send_json(path + "/faults", {"kind": "silent"})).status_code == 200
    assert stage.fleet.twin("dorm-08/meter-101").silent
    assert (await person.send_json(path + "/repairs", {"part": "comms-module"})).status_code == 200
    assert not stage.fleet.twin("dorm-08/meter-101").silent
    assert (await person.send_json(path + "/faults", {"kind": "odd"})).status_code == 409
    assert (await person.get("/api/v1/simulators")).json()["total"] == 34


async def test_without_twins_there_are_no_simulators(sign_in):
    stage = Stage(twins=False)
    person = await sign_in(stage)
    assert (await person.get("/api/v1/simulators")).status_code == 404
    assert (await person.get("/simulators")).status_code == 404
    fault = {"kind": "silent"}
    answer = await person.send_json(f"/api/v1/simulators/{BOILER}/faults", fault)
    assert answer.status_code == 404
    assert "/simulators" not in (await person.get("/")).text


async def test_health_and_metrics_answer_without_signing_in(visitor, stage):
    assert (await visitor.get("/healthz")).json() == {"status": "ok"}
    assert (await visitor.get("/readyz")).json() == {"status": "ready", "problems": []}
    assert "campus_hub_readings_total 12" in (await visitor.get("/metrics")).text


async def test_a_store_that_fails_is_a_problem_and_not_a_crash(person, played, monkeypatch):
    def fail(*_: object) -> None:
        raise StoreError("the store is locked")

    for question in ("series", "raw", "rollups", "edges"):
        monkeypatch.setattr(played.store, question, fail)
    span = "start=2026-11-20&end=2026-11-21"
    answer = await person.get(f"/api/v1/series?point={BOILER}/power&{span}")
    assert (answer.status_code, answer.json()["title"]) == (503, "the store is locked")
    building = await person.get("/places/dorm-07")
    assert (building.status_code, "用电量还没有算好" in building.text) == (200, True)
    # the tickets and the overview still work: a slow store never hides a fault
    assert (await person.get("/tickets")).status_code == 200
    ticket = records.open_tickets(played.database)[0]
    page = await person.get(f"/tickets/{ticket.id}")
    assert page.status_code == 200
    assert (await person.get("/")).status_code == 200


async def test_a_slow_store_does_not_keep_the_overview_waiting(stage, sign_in, monkeypatch):
    person = await sign_in(stage)
    gate = asyncio.Event()

    class Slow:
        async def run(self, job):
            await gate.wait()
            return job()

    monkeypatch.setattr(use, "PATIENCE_S", 0.05)
    slow = browser(replace(stage.parts, store_worker=Slow()))
    slow.cookies = person.cookies
    assert "用电量还没有算好" in (await slow.get("/")).text
    gate.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "用电量还没有算好" not in (await slow.get("/")).text


async def test_a_file_in_the_making_keeps_no_chart_waiting(stage, sign_in):
    person = await sign_in(stage)
    gate, begun = asyncio.Event(), asyncio.Event()

    class Slow:
        async def run(self, job):
            begun.set()
            await gate.wait()
            return job()

    busy = browser(replace(stage.parts, file_worker=Slow()))
    busy.cookies = person.cookies
    asked = f"{POWER}&start=2026-11-20&end=2026-11-21"
    download = asyncio.create_task(busy.get(f"/api/v1/export?{asked}&format=parquet"))
    await begun.wait()
    assert (await busy.get(f"/api/v1/series?{asked}&step=PT1H")).status_code == 200
    assert not download.done()
    gate.set()
    assert (await download).status_code == 200


async def test_an_unforeseen_error_tells_nothing_of_the_inside(stage, sign_in, monkeypatch):
    person = await sign_in(stage)

    def fail() -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(stage.health, "overview", fail)
    answer = await person.get("/")
    assert answer.status_code == 500
    assert "secret" not in answer.text


async def test_the_openapi_document_names_every_path_of_the_api(person):
    paths = (await person.get("/api/openapi.json")).json()["paths"]
    assert "/api/v1/tickets/{id_}/{kind}" in paths
    others = {path for path in paths if not path.startswith("/api/")}
    assert others == {"/healthz", "/readyz", "/metrics"}


def received(chunk: bytes) -> dict:
    line = next(line for line in chunk.decode().splitlines() if line.startswith("data: "))
    return json.loads(line.removeprefix("data: "))


class Hurry:
    """Seconds that pass at once."""

    def __init__(self, stage: Stage) -> None:
        self.seconds = 0.0
        stage.clock.sleep = self.sleep
        stage.clock.monotonic = lambda: self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


async def test_the_stream_begins_with_everything_and_then_tells_what_changed(stage, sign_in):
    await sign_in(stage)
    Hurry(stage)
    stage.read([stage.site.devices[BOILER]], stage.clock.now_ms())
    numbers = [stage.site.numbers[f"{BOILER}/{name}"] for name in ("power", "flow")]
    points = [stage.site.points[number] for number in numbers]
    events = stream.events(stage.parts, points, "token-admin-one")
    assert b"retry" in await anext(events)
    first = received(await anext(events))
    assert [row[0] for row in first["readings"]] == [f"{BOILER}/power", f"{BOILER}/flow"]
    now_ms = stage.clock.now_ms() + 1000
    other = stage.site.numbers["dorm-08/meter-101/power"]
    batch = Batch.of([points[0].number, other], [now_ms] * 2, [777.0, 1.0], [0, 0], now_ms)
    stage.live.update(batch)
    assert received(await anext(events))["readings"] == [[points[0].id, now_ms, 777.0, "good"]]
    await events.aclose()


async def test_a_stream_of_many_points_comes_in_pieces(stage, sign_in, monkeypatch):
    await sign_in(stage)
    Hurry(stage)
    device = stage.site.devices[BOILER]
    stage.read([device], stage.clock.now_ms())
    monkeypatch.setattr(stream, "MOST_READINGS", 5)
    events = stream.events(stage.parts, device.points, "token-admin-one")
    await anext(events)
    pieces = []
    while sum(map(len, pieces)) < len(device.points):
        pieces.append(received(await anext(events))["readings"])
        assert 0 < len(pieces[-1]) <= 5
    assert [row[0] for piece in pieces for row in piece] == [point.id for point in device.points]
    await events.aclose()


async def test_the_stream_ends_with_its_session(stage, sign_in):
    await sign_in(stage)
    hurry = Hurry(stage)
    points = [stage.site.points[1]]
    events = stream.events(stage.parts, points, "token-admin-one")
    await anext(events)
    await anext(events)
    await stage.access.sign_out("token-admin-one")
    with contextlib.suppress(StopAsyncIteration):
        for _ in range(60):
            assert received(await anext(events))["readings"] == []
        pytest.fail("the stream outlived its session")
    assert hurry.seconds <= stream.HEARTBEAT_S + 1


async def test_too_many_streams_are_refused(stage, sign_in):
    person = await sign_in(stage)
    person._transport.app.state.viewers = stream.MOST_VIEWERS
    answer = await person.get(f"/api/v1/stream?device={BOILER}")
    assert answer.status_code == 503
    assert (await person.get("/api/v1/stream")).status_code == 422
