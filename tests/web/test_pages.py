"""What people see: the right words in both languages, and never an old value as a live one."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.database import records
from hub.web.texts import TEXTS, say
from tests.pages.stage import BOILER_STEP_MS, MINUTE_MS

WEB = Path(__file__).parents[2] / "hub/web"
BOILER = "dorm-07/boiler-1"
HEATING = "热泵和电加热该启动却没启动"


@pytest.fixture
async def person(played, sign_in):
    async with await sign_in(played) as person:
        yield person


def of_device(played, device: str):
    return next(t for t in records.open_tickets(played.database) if t.device == device)


def test_every_text_stands_in_both_languages_with_the_same_names():
    for key, text in TEXTS.items():
        assert text.zh.strip(), key
        assert text.en.strip(), key
        assert re.findall(r"\{\w+\}", text.zh) != [] or "{" not in text.en, key
        assert sorted(re.findall(r"\{\w+\}", text.zh)) == sorted(re.findall(r"\{\w+\}", text.en)), (
            key
        )


def test_no_chinese_stands_in_an_english_text():
    for key, text in TEXTS.items():
        if key != "other-language":
            assert not re.search(r"[\u4e00-\u9fff]", text.en), key


def test_every_word_that_a_page_asks_for_exists():
    asked = set()
    for file in [*(WEB / "templates").glob("*.html"), *WEB.rglob("*.py")]:
        asked |= set(re.findall(r"""\bt\(["']([a-z0-9_-]+[a-z0-9])["']""", file.read_text("utf-8")))
    assert len(asked) > 80
    assert asked <= TEXTS.keys(), sorted(asked - TEXTS.keys())


def test_no_text_is_left_over():
    code = "".join(
        file.read_text("utf-8")
        for file in [*(WEB / "templates").glob("*.html"), *WEB.rglob("*.py")]
        if file.parent.name != "texts"
    )
    made = ("part-", "fault-", "event-", "problem-", "state-", "health-", "clock-", "kind-")
    made += ("one-", "next-", "hint-", "proof-", "done-", "trouble-", "against-", "by-")
    made += ("rule-", "alarm-", "is-", "so-", "over-", "about-", "hold-", "judged-", "for-")
    made += (
        "reason-",
        "service-by-",
        "no-alarms-",
        "change-",
        "demand-",
        "per-",
        "source-",
        "span-",
        "step-",
        "utility-",
        "actor-",
        "label-unknown",
        "photo-",
        "public-",
        "scan-",
        "shift-",
        "stands-",
        "stars-",
        "whose-",
    )
    verdicts = {"met", "missed", "running", "unproved", "small", "ordinary", "large"}
    left = [
        key
        for key in TEXTS.keys() - verdicts
        if not key.startswith(made) and f'"{key}"' not in code and f"'{key}'" not in code
    ]
    assert sorted(left) == []


def test_every_fault_and_part_of_the_twins_has_words(stage):
    for twin in (stage.fleet.twin(device) for device in stage.site.devices):
        for fault in twin.faults_possible:
            assert f"fault-{fault}" in TEXTS, fault
        for part in twin.parts:
            assert f"part-{part}" in TEXTS, part
    for pack in stage.settings.packs:
        for rule in pack.rules:
            for part in rule.parts:
                assert f"part-{part}" in TEXTS, part


async def test_chinese_comes_first_and_english_is_remembered(person):
    page = await person.get("/")
    assert '<html lang="zh-CN">' in page.text
    assert "总览" in page.text
    english = await person.get("/?lang=en")
    assert '<html lang="en">' in english.text
    assert '<html lang="en">' in (await person.get("/tickets")).text
    text = re.sub(r">中文<", "><", english.text)
    assert not re.search(r"[\u4e00-\u9fff]", text)


async def test_english_pages_hold_no_chinese(person, played):
    ticket = of_device(played, BOILER)
    for path in ("/places/dorm-07", "/tickets", f"/tickets/{ticket.id}", "/simulators", "/none"):
        page = await person.get(path + "?lang=en")
        text = re.sub(r">中文<", "><", page.text)
        assert not re.search(r"[\u4e00-\u9fff]", text), path


async def test_the_overview_leads_with_what_is_wrong(person):
    text = (await person.get("/")).text
    assert text.index(HEATING) < text.index("楼栋</h2>")
    assert "dorm-07/meter-311" in text
    assert "离线" in text
    assert 'data-point="dorm-07/boiler-1/tank_temperature"' in text


async def test_an_old_value_is_marked_and_tells_its_age(person):
    text = (await person.get("/places/dorm-07")).text
    old = re.search(
        r'<span class="value old"[^>]*data-point="dorm-07/meter-311/power".*?</span>\n</span>',
        text,
        re.DOTALL,
    )
    assert old is not None
    assert "分钟前" in old[0]
    assert "旧值" in old[0]
    fresh = re.search(r'<span class="value"[^>]*data-point="dorm-07/meter-312/power"', text)
    assert fresh is not None


async def test_the_ticket_page_leads_with_what_where_clock_and_button(person, played):
    ticket = of_device(played, BOILER)
    text = (await person.get(f"/tickets/{ticket.id}")).text
    order = [
        f"<h1>{HEATING}",
        "热水机房",
        "clock-face",
        "我来处理",
        "怎么处理",
        "证据",
        "服务承诺",
    ]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert text.count('class="primary next"') == 1
    assert "当「热泵命令」为 开时，应当「热泵运行」为 开" in text


async def test_a_ticket_is_worked_by_forms_alone_until_telemetry_closes_it(person, played, sign_in):
    ticket = of_device(played, BOILER)
    path = f"/tickets/{ticket.id}"

    async def press(button: str, kind: str, **fields: str) -> None:
        page = (await person.get(path)).text
        assert button in page
        seen = re.search(r'name="seen" value="(\d+)"', page)[1]
        answer = await person.send_form(f"{path}/{kind}", seen=seen, **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, path)

    await press("我来处理", "acknowledge")
    await press("我已到场", "arrive")
    await press("报告已修复", "fix", part="heating-element", note="换了2号元件")
    page = (await person.get(path)).text
    assert "已报修复，待验证" in page
    assert "高于 52 °C" in page
    assert "换了2号元件" in page
    assert "部件：加热元件" in page
    assert "primary next" not in page
    await played.fleet.repair(BOILER, "heating-element")
    boiler = [played.site.devices[BOILER]]
    start_ms = played.clock.now_ms()
    for at_ms in range(start_ms, start_ms + 120 * MINUTE_MS, BOILER_STEP_MS):
        played.read(boiler, at_ms)
    person = await sign_in(played, "crew")  # the first session was idle for too long
    page = (await person.get(path)).text
    assert "修复已由遥测证实" in page
    assert "遥测验证通过，工单关闭" in page
    assert ticket.id in (await person.get("/tickets?show=closed")).text
    assert ticket.id not in (await person.get("/tickets")).text


async def test_a_second_press_of_a_button_does_nothing_more(person, played):
    ticket = of_device(played, BOILER)
    for _ in range(2):
        answer = await person.send_form(f"/tickets/{ticket.id}/note", seen="1", note="once")
        assert answer.status_code == 303
    assert (await person.get(f"/tickets/{ticket.id}")).text.count("once") == 1


async def test_a_refused_report_is_explained_on_the_ticket(person, played):
    ticket = of_device(played, BOILER)
    await person.send_form(f"/tickets/{ticket.id}/acknowledge", seen="1")
    answer = await person.send_form(f"/tickets/{ticket.id}/acknowledge", seen="9")
    assert answer.status_code == 409
    assert "没有执行" in answer.text
    assert "acknowledged before" in answer.text


async def test_a_silent_device_is_told_by_the_length_of_its_silence(person, played):
    ticket = of_device(played, "dorm-07/meter-311")
    text = (await person.get(f"/tickets/{ticket.id}")).text
    assert "已 10 分 没有数据" in text
    assert 'class="gap"' in text


async def test_the_crew_sees_no_button_for_what_it_may_not_do(played, sign_in):
    ticket = of_device(played, BOILER)
    energy = await sign_in(played, "energy")
    page = (await energy.get(f"/tickets/{ticket.id}")).text
    assert "我来处理" not in page
    assert "/simulators" not in page
    answer = await energy.send_form(f"/tickets/{ticket.id}/acknowledge", seen="1")
    assert answer.status_code == 403
    assert "不能这样做" in answer.text


async def test_a_fault_and_a_repair_are_pressed(stage, sign_in):
    person = await sign_in(stage)
    path = f"/simulators/{BOILER}"
    answer = await person.send_form(f"{path}/faults", fault="element_failed")
    assert answer.status_code == 303
    page = (await person.get(answer.headers["location"])).text
    assert "已制造故障" in page
    assert "故障：加热元件损坏" in page
    answer = await person.send_form(f"{path}/repairs", part="heating-element")
    assert "已更换部件" in (await person.get(answer.headers["location"])).text
    assert stage.fleet.twin(BOILER).faults == []
    refused = await person.send_form(f"{path}/repairs", part="warp-core")
    assert (refused.status_code, "没有执行" in refused.text) == (409, True)


async def test_a_fresh_hub_without_a_single_reading_shows_its_pages(stage, sign_in):
    person = await sign_in(stage)
    for path in ("/", "/places/dorm-07", "/places/dorm-07/3/312", "/tickets", "/simulators"):
        page = await person.get(path)
        assert page.status_code == 200, path
    assert "从未读到" in (await person.get("/places/dorm-07")).text


def test_a_text_takes_its_names():
    assert say("due", "zh", time="19:35") == "19:35 前"
