"""Lines: who does not answer, since when, what to do about it, and how the days went."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

import re

import pytest

from hub.database import availability
from hub.database.availability import Availability
from hub.web.operation import Figure, written

LOST, WEAK, PLANT = "gw-dorm-08-1", "gw-dorm-07-1", "gw-dorm-07-plant"
FROZEN = "answers, but voltage_l1 and frequency have not changed for 10 minutes: frozen"
HOUR_MS = 3_600_000


@pytest.fixture
def troubled(stage):
    """A campus that was well for an hour, of which then much is not."""
    now_ms = stage.clock.now_ms()
    devices = list(stage.site.devices.values())
    stage.read(devices, now_ms - HOUR_MS)
    for at_ms in range(now_ms - HOUR_MS // 2, now_ms, HOUR_MS // 12):
        stage.health.failed("dorm-07/meter-311", at_ms, "no answer")
    stage.read([one for one in devices if one.id != "dorm-07/meter-311"], now_ms)
    stage.keep_days(7)
    stage.break_lines()
    return stage


@pytest.fixture
async def person(troubled, sign_in):
    async with await sign_in(troubled, "crew") as person:
        yield person


async def test_a_device_tells_how_it_stands_and_how_its_days_went(person, troubled):
    sound = (await person.get("/api/v1/devices/dorm-07/meter-101")).json()
    assert (sound["health"], sound["error"], sound["frozen"]) == ("online", "", False)
    assert sound["since"] == "2026-11-20T20:10:00.000+08:00"
    assert sound["last_answer"] == "2026-11-20T21:10:00.000+08:00"
    assert (sound["latency_s"], sound["error_share"]) == (0.02, 0)
    assert sound["availability_today"] == pytest.approx(60 / (21 * 60 + 10))
    days = {row["day"]: row for row in sound["availability"]}
    assert list(days) == [f"2026-11-{day}" for day in range(14, 21)]
    assert (days["2026-11-14"]["share"], days["2026-11-14"]["answers"]) == (1, 1440)
    assert days["2026-11-20"]["answers"] == 2
    frozen = (await person.get("/api/v1/devices/dorm-07/main")).json()
    assert (frozen["health"], frozen["error"], frozen["frozen"]) == ("degraded", FROZEN, True)
    rows = (await person.get("/api/v1/devices?place=dorm-07&limit=100")).json()["items"]
    by_id = {row["id"]: row for row in rows}
    assert by_id["dorm-07/shower-1-03"]["clock_ahead_s"] == -93 * 60
    assert by_id["dorm-07/meter-203"]["health"] == "offline"
    assert by_id["dorm-07/meter-203"]["error"].endswith("exception answer")


async def test_only_the_last_thirty_days_are_told_today_last(person, troubled):
    for n, day in enumerate(("2026-10-21", "2026-10-22", "2026-10-23")):
        row = Availability(day, "device", "dorm-07/main", HOUR_MS, 2 * HOUR_MS, n, 0, None)
        availability.put(troubled.database, [row])
    days = (await person.get("/api/v1/devices/dorm-07/main")).json()["availability"]
    assert days[0] == {
        "day": "2026-10-22", "share": 0.5, "online_s": 3600, "observed_s": 7200,
        "answers": 1, "failures": 0, "latency_s": None,
    }  # fmt: skip
    assert days[-1]["day"] == "2026-11-20"


async def test_gateways_are_listed_with_their_bus(person):
    answer = (await person.get("/api/v1/gateways")).json()
    assert answer["total"] == 3
    rows = {row["id"]: row for row in answer["items"]}
    lost = rows[LOST]
    assert (lost["health"], lost["bus"]["health"], lost["error"]) == (
        "offline", "offline", "cannot connect",
    )  # fmt: skip
    assert (lost["devices"], lost["devices_lost"]) == (12, 12)
    assert (rows[WEAK]["health"], rows[WEAK]["bus"]["health"]) == ("online", "degraded")
    chosen = (await person.get("/api/v1/gateways?health=offline")).json()["items"]
    assert [row["id"] for row in chosen] == [LOST]
    assert (await person.get("/api/v1/gateways?health=odd")).status_code == 422


async def test_one_gateway_has_its_devices_and_days(person):
    one = (await person.get(f"/api/v1/gateways/{WEAK}")).json()
    assert [row["unit_id"] for row in one["device_list"]] == list(range(1, 13))
    for days in (one["availability"], one["bus_availability"]):
        assert [row["day"][-2:] for row in days] == ["14", "15", "16", "18", "19", "20"]
    missing = await person.get("/api/v1/gateways/gw-nowhere")
    assert (missing.status_code, missing.json()["detail"]) == (
        404, "GET /api/v1/gateways lists them.",
    )  # fmt: skip


async def test_health_is_for_those_who_signed_in(visitor):
    for path in ("/api/v1/gateways", f"/api/v1/gateways/{WEAK}"):
        assert (await visitor.get(path)).status_code == 401
    assert (await visitor.get("/lines")).status_code in (303, 401)


async def test_metrics_tell_states_lines_clocks_and_dead_letters(person, troubled):
    troubled.health.rejected("dorm-07/shower-1-01", troubled.clock.now_ms(), "no JSON object", b"{")
    text = (await person.get("/metrics")).text
    for line in (
        'campus_hub_devices{state="offline"} 15',
        'campus_hub_buses{state="degraded"} 1',
        'campus_hub_gateways{state="online"} 2',
        f'campus_hub_gateway_up{{gateway="{LOST}"}} 0',
        f'campus_hub_gateway_bus_up{{gateway="{PLANT}"}} 1',
        f'campus_hub_gateway_polls_late_total{{gateway="{LOST}"}} 3',
        f'campus_hub_gateway_breaker_open{{gateway="{LOST}"}} 1.0',
        f'campus_hub_gateway_latency_seconds{{gateway="{PLANT}"}} 0.031',
        'campus_hub_dead_letters_total{reason="no JSON object"} 1',
        "campus_hub_frozen_devices 1",
        "campus_hub_clocks_wrong 1",
        "campus_hub_clock_skew_worst_seconds 5580.0",
        "# TYPE campus_hub_dead_letters_total counter",
    ):
        assert line in text.splitlines(), line
    assert f'campus_hub_gateway_error_share{{gateway="{LOST}"}} ' in text
    assert "shower-1-03" not in text, "no label per device"
    types = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))


def test_a_label_cannot_break_out_of_its_line():
    odd = Figure("x", 1, (("reason", 'a"b\\c\nd'),))
    assert "".join(written([odd])).splitlines()[1] == 'campus_hub_x{reason="a\\"b\\\\c\\nd"} 1'


async def test_the_page_says_what_to_do_worst_first(person):
    text = (await person.get("/lines")).text
    assert text.index(f'href="/lines/{LOST}"') < text.index(f'href="/lines/{WEAK}"')
    assert "网关连不上：检查网关的电源、网线和地址（tcp://127.0.0.1:15022）。" in text
    assert "网关有应答，但 11 号设备没有：检查接线、供电或单元号。" in text
    assert "但「电压L1、频率」已 10 分以上没有变化" in text
    assert "它的时钟慢 1 小时 33 分" in text
    assert "没有消息：检查设备的供电和网络" in text
    assert "自 21:10 起" in text
    lost = text[text.index(f'href="/lines/{LOST}"') : text.index(f'href="/lines/{WEAK}"')]
    assert "meter-" not in lost, "the twelve devices of a lost line say nothing new"
    assert "▲ 75.0%" in text
    assert "的请求失败" not in text, "what single devices do not answer is no fault of their bus"


async def test_a_line_leads_to_its_devices(person):
    text = (await person.get(f"/lines/{WEAK}?lang=en")).text
    assert "The gateway answers, but unit 11 does not: check its wiring, power or address." in text
    assert "It answers, but with nothing that can be used: check the model" in text
    assert 'href="/places/dorm-07/3/311"' in text
    assert text.index("need a look") < text.index("Availability, last 7 days")
    lost = (await person.get(f"/lines/{LOST}?lang=en")).text
    assert "resting after failures" in lost
    assert "but unit 1 does not" not in lost
    assert (await person.get("/lines/gw-nowhere")).status_code == 404


async def test_when_a_gateway_is_back_its_devices_wait_for_their_next_poll(person, troubled):
    troubled.health.seen("dorm-08/meter-101", troubled.clock.now_ms() + 10, 0.02)
    text = (await person.get(f"/lines/{LOST}?lang=en")).text
    assert "wait for the next poll" in text
    assert "but unit 2 does not" not in text


async def test_a_lost_bus_is_the_matter_of_its_wiring(person, troubled):
    now_ms = troubled.clock.now_ms()
    for at_ms in (now_ms + 10, now_ms + 20, now_ms + 30):
        for device in troubled.site.devices.values():
            if device.gateway == PLANT:
                troubled.health.failed(device.id, at_ms, "no answer")
    assert "后面没有一台设备应答：检查 RS-485 接线" in (await person.get("/lines")).text


async def test_many_errors_of_devices_that_do_answer_are_the_matter_of_the_bus(person, troubled):
    for n in range(400):
        at_ms = troubled.clock.now_ms() + n
        if n % 5 == 4:
            troubled.health.failed("dorm-07/boiler-1", at_ms, "garbage")
        else:
            troubled.health.seen("dorm-07/boiler-1", at_ms, 0.02)
    text = (await person.get(f"/lines/{PLANT}")).text
    assert re.search(r"20% 的请求失败：检查接头、屏蔽和终端电阻", text)


async def test_nothing_to_do_is_said_too(stage, sign_in):
    person = await sign_in(stage, "energy")
    stage.read(list(stage.site.devices.values()), stage.clock.now_ms())
    text = (await person.get("/lines")).text
    assert "全部正常" in text
    assert "需要查看的线路" not in text
    assert "一切正常，不用处理。" in (await person.get(f"/lines/{WEAK}")).text


async def test_the_english_pages_hold_no_chinese(person):
    for path in ("/lines", f"/lines/{LOST}", f"/lines/{WEAK}", f"/lines/{PLANT}"):
        page = await person.get(path + "?lang=en")
        text = re.sub(r">中文<", "><", page.text)
        assert not re.search(r"[\u4e00-\u9fff]", text), path


async def test_the_overview_shows_a_lost_line_as_one_row(person, troubled):
    text = (await person.get("/?lang=en")).text
    attention = text.split('id="attention"')[1]
    behind = [one.id for one in troubled.site.devices.values() if one.gateway == LOST]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>', attention)
    line = f'<a class="row-link" href="/lines/{LOST}">Line {LOST}: {len(behind)} devices</a>'
    assert rows[0] == line
    assert {"dorm-07/meter-311", "dorm-07/meter-203"} <= {*rows}
    assert not {*behind} & {*rows}
    states = [row["state"] for row in troubled.health.overview()]
    answering = states.count("online") + states.count("degraded")
    assert f"{answering}<small> / {len(states)}" in text
    per_building = re.findall(r'"nowrap">(\d+) / \d+', text)
    assert sum(map(int, per_building)) == answering  # the tile says what its rows add up to
    troubled.health.seen(behind[0], troubled.clock.now_ms() + 10, 0.02)
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>', (await person.get("/?lang=en")).text)
    assert line not in rows
    assert {*behind[1:]} <= {*rows}  # the gateway answers: each for itself
