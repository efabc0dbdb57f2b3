"""Pages of alarms: one card for each cause, why it rose, and what people may do to it."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

import asyncio
import re

import pytest

from hub.database import records
from hub.model import AlarmState, TicketState
from hub.web.pages import overview
from tests.pages.stage import HOUR_MS, Stage

GATEWAY = "gw-dorm-08-1"
TANK = "dorm-07/boiler-1"
HEATING = "热泵和电加热该启动却没启动"


def played() -> Stage:
    """Two hours with an unheated tank, a lost gateway, a silent meter and a planned outage."""
    stage = Stage()
    asyncio.run(stage.play_day(hours=2, cut=GATEWAY))
    return stage


@pytest.fixture(scope="module")
def troubled() -> Stage:
    """A stage to look at; whoever changes something takes one of their own."""
    return played()


@pytest.fixture(scope="module")
def changing() -> Stage:
    """A stage on which people act, each on an alarm that no other test looks at."""
    return played()


@pytest.fixture
async def person(troubled, sign_in, request):
    async with await sign_in(troubled, "duty", request.node.name[:60]) as person:
        yield person


@pytest.fixture
async def actor(changing, sign_in, request):
    async with await sign_in(changing, "duty", request.node.name[:60]) as person:
        yield person


def alarm_of(stage: Stage, subject: str, rule: str = ""):
    """Return the alarm of a subject that is told, or the one of a rule."""
    over = (AlarmState.CLEARED,) if rule else (AlarmState.CLEARED, AlarmState.INHIBITED)
    return next(
        one
        for one in records.alarms(stage.database, limit=500)
        if one.device == subject and one.state not in over and rule in ("", one.rule)
    )


async def test_a_lost_gateway_is_one_card_with_its_members_folded_beneath_it(person, troubled):
    text = (await person.get("/alarms")).text
    cards = re.findall(r'class="ticket-card alarm [a-z_]+" href="/alarms/([0-9a-f]+)"', text)
    assert alarm_of(troubled, GATEWAY).id in cards
    assert len(cards) == 3  # the gateway, the heating, the meter that is silent alone
    assert "引起另外 12 个报警" in text
    root = alarm_of(troubled, GATEWAY).id
    effects = (await person.get(f"/alarms?root={root}")).text
    assert len(re.findall(r'class="ticket-card alarm inhibited"', effects)) == 12


async def test_what_nobody_saw_yet_stands_first(actor, changing):
    text = (await actor.get("/alarms")).text
    assert text.index("网关或总线中断") < text.index(HEATING)  # the later of two alike
    await actor.send_form(f"/alarms/{alarm_of(changing, GATEWAY).id}/acknowledge", seen="1")
    after = (await actor.get("/alarms")).text
    assert after.index("网关或总线中断") > after.index(HEATING)


async def test_what_is_held_back_stands_apart(person):
    held = (await person.get("/alarms?show=held")).text
    assert "已抑制" in held
    assert "计划停机，更换配电箱" in held
    assert HEATING not in held


async def test_a_tank_that_nobody_heats_is_an_effect_on_the_page_of_its_cause(person, troubled):
    cause, effect = alarm_of(troubled, TANK), alarm_of(troubled, TANK, "tank-cold")
    assert (cause.rule, effect.state) == ("heat-pump-refuses", AlarmState.INHIBITED)
    page = (await person.get(f"/alarms/{cause.id}")).text
    assert HEATING in page
    assert f'href="/alarms/{effect.id}"' in page
    assert f'href="/alarms/{cause.id}"' in (await person.get(f"/alarms/{effect.id}")).text


async def test_the_page_says_why_it_rose_with_chart_limits_and_readings(person, troubled):
    path = f"/alarms/{alarm_of(troubled, TANK, 'tank-cold').id}"
    page = (await person.get(path)).text
    assert "低于 50 °C（持续 10 分）即为故障" in page
    assert "低于限值 1.3 °C" in page
    assert "限值 50 °C" in page
    assert "恢复值 52 °C" in page
    assert "21:01:45 发出报警" in page
    assert "48.7 °C" in page
    assert "加热元件" in page
    english = (await person.get(f"{path}?lang=en")).text
    assert "It was so since 20:51:45, and the alarm rose at 21:01:45." in english
    assert not re.search(r"[\u4e00-\u9fff]", english.replace(">中文<", "><"))


async def test_alarm_and_ticket_lead_to_each_other_and_the_ticket_tells_why(person, troubled):
    alarm = alarm_of(troubled, TANK)
    (ticket,) = [one for one in records.open_tickets(troubled.database) if one.device == TANK]
    assert f'href="/tickets/{ticket.id}"' in (await person.get(f"/alarms/{alarm.id}")).text
    page = (await person.get(f"/tickets/{ticket.id}")).text
    assert f'href="/alarms/{alarm.id}"' in page
    assert "当「热泵命令」为 开时，应当「热泵运行」为 开" in page
    assert "20:33:15 发出报警" in page


async def test_a_press_acknowledges_once_and_a_second_is_the_same(actor, changing):
    alarm = alarm_of(changing, TANK)
    for _ in range(2):
        answer = await actor.send_form(f"/alarms/{alarm.id}/acknowledge", seen="1")
        assert answer.status_code == 303
    assert alarm_of(changing, TANK).state is AlarmState.ACKNOWLEDGED
    kinds = [one.kind for one in records.alarm_history(changing.database, alarm.id)]
    assert kinds.count("acknowledged") == 1
    page = (await actor.get(f"/alarms/{alarm.id}")).text
    assert "/acknowledge" not in page


async def test_an_alarm_is_shelved_with_a_reason_and_a_time_and_taken_back(actor, changing):
    alarm = alarm_of(changing, "dorm-07/meter-311")
    refused = await actor.send_form(f"/alarms/{alarm.id}/shelve", seen="2", reason=" ")
    assert refused.status_code == 409
    form = {"seen": "2", "reason": "备件周一到货", "for": "P1D"}
    assert (await actor.send_form(f"/alarms/{alarm.id}/shelve", **form)).status_code == 303
    shelved = alarm_of(changing, "dorm-07/meter-311")
    assert shelved.state is AlarmState.SHELVED
    assert shelved.until_ms == changing.clock.now_ms() + 24 * HOUR_MS
    page = (await actor.get(f"/alarms/{alarm.id}")).text
    assert "已搁置：备件周一到货，直到 11月21日 21:10:00。" in page
    back = await actor.send_form(f"/alarms/{alarm.id}/back/unshelve", seen="3")
    assert back.status_code == 303
    assert alarm_of(changing, "dorm-07/meter-311").state is AlarmState.UNACKNOWLEDGED


async def test_a_crew_may_acknowledge_but_not_shelve_and_a_reader_neither(troubled, sign_in):
    alarm = alarm_of(troubled, TANK)
    shelf = {"seen": "1", "reason": "x", "for": "PT1H"}
    async with await sign_in(troubled, "energy", "a-reader") as reader:
        page = (await reader.get(f"/alarms/{alarm.id}")).text
        assert "/acknowledge" not in page
        assert "/shelve" not in page
        answer = await reader.send_form(f"/alarms/{alarm.id}/acknowledge", seen="1")
        assert answer.status_code == 403
    async with await sign_in(troubled, "crew", "a-crew") as crew:
        page = (await crew.get(f"/alarms/{alarm.id}")).text
        assert "/acknowledge" in page
        assert "/shelve" not in page
        answer = await crew.send_form(f"/alarms/{alarm.id}/shelve", **shelf)
        assert answer.status_code == 403
    assert alarm_of(troubled, TANK).state is AlarmState.UNACKNOWLEDGED


async def test_a_flood_is_told_at_the_top_and_the_figures_of_the_day_below(actor, changing):
    text = (await actor.get("/alarms")).text
    assert "报警泛滥" not in text
    assert "每小时报警" in text
    for _ in range(11):
        changing.core.flood.tell(changing.clock.now_ms())
    assert "报警泛滥" in (await actor.get("/alarms")).text


async def test_the_overview_counts_causes_and_not_what_they_took_down(person, troubled):
    text = (await person.get("/")).text
    tile = re.search(r'href="/alarms">.*?figures">(\d+)<', text, re.DOTALL)
    assert tile
    assert tile[1] == "3"


def test_the_overview_lists_what_one_alarm_took_down_as_one_row(changing):
    troubled = changing
    troubled.break_lines()
    root = alarm_of(troubled, GATEWAY)
    effects = overview._effects(troubled.parts, [root])
    assert len(effects) == 12
    both = effects | {GATEWAY: root}  # as when the whole building is dark
    rows = overview._weak(troubled.parts, troubled.parts.health.overview(), both)
    assert [(row.id, row.devices) for row in rows if row.devices > 1] == [(GATEWAY, 12)]
    assert rows[0].cause == root
    assert not any(row.id.startswith("dorm-08") for row in rows)


async def test_the_api_explains_an_alarm_in_both_languages(person, troubled):
    alarm = alarm_of(troubled, TANK)
    found = (await person.get(f"/api/v1/alarms/{alarm.id}/why")).json()
    assert found["rose"]["why"]["thresholds"]["must"]["equals"] == 1
    assert found["rose"]["sentences"]["en"][3].endswith("the alarm rose at 20:33:15.")
    assert found["now"]["sentences"]["zh"][1] == "21:10:00「热泵运行」为 关。"
    assert found["state"] == "unacknowledged"
    assert (await person.get("/api/v1/alarms/none/why")).status_code == 404


async def test_the_api_explains_a_rule_that_did_not_rise(person, troubled):
    path = "/api/v1/rules/tank-hot/why"
    found = (await person.get(path, params={"subject": TANK})).json()
    assert found["alarm"] is None
    assert found["rose"] is None
    assert "22.8 °C short of the limit" in found["now"]["sentences"]["en"][1]
    assert (await person.get(path, params={"subject": "dorm-07/meter-311"})).status_code == 404


async def test_what_would_be_held_back_says_by_what(person, troubled):
    path = "/api/v1/rules/meter-silent/why"
    effect = (await person.get(path, params={"subject": "dorm-08/meter-101"})).json()
    assert effect["now"]["hold"]["event"] == "inhibit"
    assert any("Gateway or bus is silent" in one for one in effect["now"]["sentences"]["en"])
    found = (
        await person.get("/api/v1/rules/voltage-high/why", params={"subject": "dorm-07/meter-312"})
    ).json()
    assert any(one.startswith("If it rose now") for one in found["now"]["sentences"]["en"])


async def test_a_closed_alarm_and_one_without_its_rule_still_have_their_page(person, troubled):
    past = (await person.get("/alarms?show=past")).text
    assert "已结束" in past
    assert (await person.get("/alarms/none")).status_code == 404
    assert records.count_tickets(troubled.database, records.Filter(states=[TicketState.OPENED]))
