"""A resident's report without an account, from the label on the door to the rating."""

# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

import re
from io import BytesIO

import httpx
from PIL import Image

from hub.database import audit, records, reports
from hub.labels import Subject
from hub.model import TicketState
from hub.reports.desk import PER_PLACE, PER_SOURCE, digest_of
from hub.reports.said import LONGEST_WORDS
from tests.pages.stage import Stage
from tests.web.conftest import Person, browser

ROOM, SHOWERS = "dorm-07/3/312", "dorm-07/1/shower-1"
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"


def photo(size=(40, 30), form="JPEG") -> bytes:
    out = BytesIO()
    Image.new("RGB", size, (200, 40, 40)).save(out, form)
    return out.getvalue()


async def token_on(person: Person, place=ROOM, kind="light", device="") -> str:
    page = await person.get(
        "/report", params={"place": place, "kind": kind, "device": device, "lang": "zh"}
    )
    assert page.status_code == 200
    return re.search(r'name="token" value="([^"]+)"', page.text)[1]


async def send(person: Person, *, files=(), token="", **fields) -> httpx.Response:
    said = {"place": ROOM, "kind": "light", "device": "", "words": "", "contact": "", **fields}
    about = {name: said[name] for name in ("place", "kind", "device")}
    said["token"] = token or await token_on(person, **about)
    sent = [("photo", (f"{n}.jpg", content, "image/jpeg")) for n, content in enumerate(files)]
    # A browser sends the field of no file, too.
    sent = sent or [("photo", ("", b"", "application/octet-stream"))]
    return await person.post("/report", data=said, files=sent)


async def reported(person: Person, **fields) -> str:
    """Send a report and return the address of its page."""
    answer = await send(person, **fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def crew_does(stage: Stage, ticket: str, *kinds: str) -> None:
    for kind in kinds:
        stage.clock.instant_ms += MINUTE_MS
        await stage.act({
            "id": f"{kind}/{stage.clock.instant_ms}", "kind": kind, "ticket": ticket,
            "actor": "wang", "at_ms": stage.clock.instant_ms,
        })  # fmt: skip


def code_of(stage: Stage, kind: str, id_: str) -> str:
    return stage.parts.labels.of(Subject(kind, id_)).code


async def test_a_report_opens_a_ticket_and_its_page_tells_how_it_goes(stage, visitor):
    address = await reported(visitor, words="靠窗那盏", contact="13800000000", files=[photo()])
    (ticket,) = records.open_tickets(stage.database)
    assert (ticket.source, ticket.place, ticket.rule) == ("report", ROOM, "light")
    assert (ticket.title.en, ticket.severity) == ("A light does not work", "small")
    page = await visitor.get(address)
    assert "靠窗那盏" in page.text
    assert "已收到，正在派人" in page.text
    assert "13800000000" not in page.text
    await crew_does(stage, ticket.id, "acknowledge", "arrive")
    assert "师傅已到场" in (await visitor.get(address)).text
    assert "wang" not in (await visitor.get(address)).text
    await crew_does(stage, ticket.id, "fix")
    seen = {"seen": "0"}
    assert (await visitor.post(address + "/close", data=seen)).status_code == 303
    assert records.ticket(stage.database, ticket.id).closing == "confirmed"
    answer = await visitor.post(address + "/rate", data={**seen, "stars": "4", "words": "很快"})
    assert answer.status_code == 303
    page = (await visitor.get(address)).text
    assert "★★★★☆ 谢谢" in page
    rated = [one for one in records.events(stage.database, ticket.id) if one.kind == "rated"]
    assert rated[0].detail["stars"] == 4
    assert rated[0].actor == "reporter"


async def test_what_is_kept_of_a_token_is_its_hash(stage, visitor):
    address = await reported(visitor)
    token = address.rpartition("/")[2]
    (row,) = reports.of_ticket(stage.database, records.open_tickets(stage.database)[0].id)
    assert row.hash == digest_of(token)
    for event in records.events(stage.database, row.ticket):
        assert token not in str(event.detail)


async def test_the_same_page_sent_twice_is_one_report(stage, visitor):
    token = await token_on(visitor)
    first = await send(visitor, token=token)
    assert first.headers["location"] == (await send(visitor, token=token)).headers["location"]
    (ticket,) = records.open_tickets(stage.database)
    assert ticket.reports == 1
    again = await send(visitor, token=token, words="something else")
    assert again.status_code == 409
    assert "something else" in again.text


async def test_reports_of_one_thing_join_and_each_reporter_has_a_page_of_its_own(stage, visitor):
    one = await reported(visitor, words="第一个人")
    stage.clock.instant_ms += 5 * MINUTE_MS
    two = await reported(visitor, words="第二个人", files=[photo()])
    (ticket,) = records.open_tickets(stage.database)
    assert ticket.reports == 2
    page = (await visitor.get(two)).text
    assert "第二个人" in page
    assert "第一个人" not in page
    assert "已有人报过" in page
    assert "第二个人" not in (await visitor.get(one)).text


async def test_a_report_joins_the_ticket_of_the_alarm_that_it_plausibly_is(played):
    (alarm,) = [
        one for one in records.open_tickets(played.database) if one.place == "dorm-07/plant"
    ]
    async with browser(played) as person:
        # The tank stands in the plant of the building; the shower room is a floor above.
        address = await reported(person, place=SHOWERS, kind="no-hot-water")
        await reported(person, place=SHOWERS, kind="light")
        await reported(person, place="dorm-08/1/101", kind="no-water")
        assert records.ticket(played.database, alarm.id).reports == 1
        opened = [one for one in records.open_tickets(played.database) if one.source == "report"]
        assert {one.rule for one in opened} == {"light", "no-water"}
        # Telemetry proves an alarm's fix: a resident cannot close it.
        assert "/close" not in (await person.get(address)).text
        answer = await person.post(address + "/close", data={"seen": "0", "words": "it works"})
        assert answer.status_code == 422
        assert records.ticket(played.database, alarm.id).closed_ms is None
        # At its door a room's own readings are nobody's business.
        (silent,) = [
            one for one in records.open_tickets(played.database) if one.rule == "meter-silent"
        ]
        door = await person.get("/q/" + code_of(played, "place", silent.place))
        assert "这里已经报过的问题" not in door.text
        plant = await person.get("/q/" + code_of(played, "place", "dorm-07/plant"))
        assert "这里已经报过的问题" in plant.text


async def test_one_terminal_is_not_the_other(stage, visitor):
    for n in (1, 2):
        device = f"dorm-07/shower-1-0{n}"
        await reported(visitor, place=SHOWERS, device=device, kind="shower-no-start")
    assert len(records.open_tickets(stage.database)) == 2


async def test_an_unknown_link_is_404_and_always_the_same(stage, visitor):
    address = await reported(visitor)
    token = address.rpartition("/")[2]
    wrong = [token[:-1], token + "A", token.swapcase(), "x" * 43, digest_of(token), "%00"]
    pages = [await visitor.get(f"/report/{one}") for one in wrong]
    assert {page.status_code for page in pages} == {404}
    body = {re.sub(r"/report/[^\"?]*", "", page.text) for page in pages}
    assert len(body) == 1
    for one in wrong[:3]:
        for what in ("rate", "close", "reopen", "complain"):
            answer = await visitor.post(f"/report/{one}/{what}", data={"seen": "0", "words": "x"})
            assert answer.status_code == 404
    (ticket,) = records.open_tickets(stage.database)
    assert [one.kind for one in records.events(stage.database, ticket.id)] == ["opened"]


async def test_a_reporter_brings_it_back_when_it_is_not_mended(stage, visitor):
    address = await reported(visitor)
    (ticket,) = records.open_tickets(stage.database)
    await crew_does(stage, ticket.id, "acknowledge", "arrive", "fix")
    silent = await visitor.post(address + "/reopen", data={"seen": "0", "words": " "})
    assert silent.status_code == 422
    answer = await visitor.post(address + "/reopen", data={"seen": "0", "words": "还是不亮"})
    assert answer.status_code == 303
    again = records.ticket(stage.database, ticket.id)
    assert (again.state, again.reopened, again.fixed_ms) == (TicketState.OPENED, 1, None)
    await crew_does(stage, ticket.id, "acknowledge", "arrive", "fix", "close")
    await visitor.post(address + "/reopen", data={"seen": "1", "words": "又坏了"})
    assert records.ticket(stage.database, ticket.id).reopened == 2


async def test_a_complaint_is_in_the_history_and_tells_the_duty_desk(stage, visitor):
    address = await reported(visitor)
    answer = await visitor.post(address + "/complain", data={"seen": "0", "words": "没人来"})
    assert answer.status_code == 303
    (ticket,) = records.open_tickets(stage.database)
    events = records.events(stage.database, ticket.id)
    assert events[-1].kind == "complained"
    assert events[-1].detail["note"] == "没人来"
    page = (await visitor.get(address)).text
    assert "没人来" in page
    assert "值班台已收到通知" in page


async def test_a_rating_needs_stars_and_an_end(stage, visitor):
    address = await reported(visitor)
    early = await visitor.post(address + "/rate", data={"seen": "0", "stars": "5"})
    assert early.status_code == 422
    (ticket,) = records.open_tickets(stage.database)
    await crew_does(stage, ticket.id, "acknowledge", "arrive", "fix", "close")
    none = await visitor.post(address + "/rate", data={"seen": "0", "words": "good"})
    assert none.status_code == 422
    for stars in ("0", "6", "many"):
        answer = await visitor.post(address + "/rate", data={"seen": "0", "stars": stars})
        assert answer.status_code == 422
    kinds = [one.kind for one in records.events(stage.database, ticket.id)]
    assert "rated" not in kinds  # silence is not praise


async def test_hostile_words_stay_words_and_control_characters_are_dropped(stage, sign_in):
    async with browser(stage) as person:
        address = await reported(person, words=HOSTILE + "\x00\x1b[31m\u202ea", contact=HOSTILE)
        pages = [await person.get(address)]
    (ticket,) = records.open_tickets(stage.database)
    crew = await sign_in(stage, "crew")
    pages.append(await crew.get(f"/tickets/{ticket.id}"))
    for page in pages:
        assert page.status_code == 200
        assert "&lt;script&gt;alert(1)" in page.text
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "\x1b" not in page.text
        assert "\u202e" not in page.text


async def test_words_that_are_too_long_are_refused_in_words_and_not_lost(stage, visitor):
    long = "长" * (LONGEST_WORDS + 1)
    answer = await send(visitor, words=long)
    assert answer.status_code == 422
    assert f"文字有 {LONGEST_WORDS + 1} 字" in answer.text
    assert long in answer.text
    assert records.open_tickets(stage.database) == []
    await reported(visitor, words=long[1:])


async def test_what_the_form_does_not_offer_is_refused(stage, visitor):
    token = await token_on(visitor)
    for fields, status in (
        ({"place": "dorm-99"}, 422),
        ({"kind": "no-such"}, 422),
        ({"device": "dorm-07/shower-1-01"}, 422),  # stands elsewhere
        ({"token": "short"}, 409),
        ({"token": "\u202e" * 43}, 409),
        ({"token": "x" * 101}, 422),
        ({"words": "x" * 2_000_000}, 400),
    ):
        answer = await send(visitor, **{"token": token, **fields})
        assert answer.status_code == status, fields
    assert records.open_tickets(stage.database) == []


async def test_what_is_no_photo_is_said_on_the_page_with_the_words_kept(visitor):
    for files, said in (
        ([b"%PDF-1.7"], "不是能读的照片"),
        ([bytes(8_000_001)], "照片超过 8 MB"),
        ([photo()] * 4, "send at most 3"),
    ):
        answer = await send(visitor, files=files, words="我的说明")
        assert answer.status_code in (409, 422)
        assert said in answer.text
        assert "我的说明" in answer.text


async def test_a_body_of_100_mb_is_refused_by_its_head_and_in_the_middle(visitor):
    told = await visitor.post("/report", content=b"", headers={"Content-Length": "100000000"})
    assert told.status_code == 413
    assert "最多 3 张" in told.text
    taken = 0

    async def endless():
        nonlocal taken
        yield b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
        while True:
            taken += 1
            yield bytes(1_000_000)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await visitor.post("/report", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert taken < 30
    other = await visitor.post("/login", content=b"", headers={"Content-Length": "100000"})
    assert other.status_code == 413


async def test_photos_are_shown_to_who_may_see_them_and_as_nothing_but_pictures(stage, sign_in):
    sent = photo() + b"<script>alert(1)</script>"
    async with browser(stage) as one:
        mine = await reported(one, files=[sent])
        theirs = await reported(one, place="dorm-07/3/311")
        id_ = re.search(r'/photos/([0-9a-f]{64})"', (await one.get(mine)).text)[1]
        shown = await one.get(f"{mine}/photos/{id_}")
        assert shown.status_code == 200
        assert shown.headers["content-type"] == "image/jpeg"
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert b"script" not in shown.content
        (ticket,) = [one for one in records.open_tickets(stage.database) if one.place == ROOM]
        for path in (f"{theirs}/photos/{id_}", f"{mine}/photos/{'0' * 64}"):
            assert (await one.get(path)).status_code == 404
        assert (await one.get(f"/tickets/{ticket.id}/photos/{id_}")).status_code == 303
    crew = await sign_in(stage, "crew")
    page = await crew.get(f"/tickets/{ticket.id}")
    assert f"/tickets/{ticket.id}/photos/{id_}" in page.text
    shown = await crew.get(f"/tickets/{ticket.id}/photos/{id_}")
    assert shown.status_code == 200
    assert shown.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert (await crew.get(f"/tickets/no-such/photos/{id_}")).status_code == 404


async def test_too_many_reports_of_a_place_or_from_one_address_have_to_wait(stage, visitor):
    for _ in range(PER_PLACE):
        await reported(visitor)
    answer = await send(visitor, words="still")
    assert answer.status_code == 429
    assert "still" in answer.text
    for n in range(PER_SOURCE - PER_PLACE - 1):
        await reported(visitor, place=f"dorm-08/{n % 3 + 1}/{(101, 201, 309)[n % 3]}")
    assert (await send(visitor, place="dorm-08")).status_code == 429
    stage.clock.instant_ms += MINUTE_MS
    await reported(visitor, place="dorm-08")


async def test_a_contact_is_seen_by_the_crew_alone_and_erased_in_time(stage, sign_in):
    async with browser(stage) as person:
        await reported(person, contact="宿舍 312 小李")
        (ticket,) = records.open_tickets(stage.database)
        crew, energy = await sign_in(stage, "crew"), await sign_in(stage, "energy")
        assert "小李" in (await crew.get(f"/tickets/{ticket.id}")).text
        assert "小李" not in (await energy.get(f"/tickets/{ticket.id}")).text
        assert "小李" not in str(records.events(stage.database, ticket.id))
        await crew_does(stage, ticket.id, "acknowledge", "arrive", "fix", "close")
        stage.clock.instant_ms += 31 * 24 * HOUR_MS
        await reported(person, place="dorm-08", contact="somebody else")
    (row,) = reports.of_ticket(stage.database, ticket.id)
    assert row.contact == ""


async def test_how_long_it_takes_is_said_only_where_enough_is_known(stage, visitor):
    for n in range(5):
        address = await reported(visitor, place="dorm-08")
        assert "同类报修还太少" in (await visitor.get(address)).text
        (ticket,) = [one for one in records.open_tickets(stage.database) if one.rule == "light"]
        stage.clock.instant_ms += (n + 1) * HOUR_MS
        await crew_does(stage, ticket.id, "acknowledge", "arrive", "fix", "close")
        stage.clock.instant_ms += 4 * 24 * HOUR_MS  # beyond a relapse
    address = await reported(visitor, place="dorm-08")
    assert "一般 3 小时 3 分 修好（5 件的中位数）" in (await visitor.get(address)).text


async def test_a_label_leads_a_resident_to_what_is_known_there_and_to_a_report(stage, visitor):
    await reported(visitor, kind="window", words="我家的窗")
    page = await visitor.get("/q/" + code_of(stage, "place", ROOM))
    assert page.status_code == 200
    assert "这里已经报过的问题" in page.text
    assert "窗户或玻璃" in page.text
    assert "我家的窗" not in page.text
    assert f"/report?place={ROOM.replace('/', '%2F')}&amp;kind=light" in page.text or (
        "kind=light" in page.text
    )
    terminal = await visitor.get("/q/" + code_of(stage, "device", "dorm-07/shower-1-01"))
    assert "刷卡后不出水" in terminal.text
    assert "门或门锁" not in terminal.text


async def test_a_forged_label_is_said_to_be_none_noted_and_tried_only_so_often(stage, visitor):
    code = code_of(stage, "place", ROOM)
    forged = code.replace("312", "311")
    page = await visitor.get("/q/" + forged)
    assert page.status_code == 404
    assert "这不是本校的报修码" in page.text
    line = audit.latest(stage.database)[0]
    assert (line.action, line.subject) == ("label refused", forged)
    for _ in range(9):
        assert (await visitor.get("/q/" + forged)).status_code == 404
    assert (await visitor.get("/q/" + forged)).status_code == 429
    assert len([one for one in audit.latest(stage.database) if one.action == "label refused"]) == 10
    assert (await visitor.get("/q/" + code)).status_code == 200  # a true one still works


async def scan(crew: Person, code: str) -> tuple[str, str]:
    """Open a label's page and return the ticket and the secret of this showing."""
    page = (await crew.get("/q/" + code)).text
    once = re.search(r'name="once" value="([^"]+)"', page)
    ticket = re.search(r'name="ticket" value="([^"]+)"', page)
    assert once, page
    return ticket[1], once[1]


async def test_a_scan_of_the_label_proves_the_arrival(stage, visitor, sign_in):
    await reported(visitor)
    crew, code = await sign_in(stage, "crew"), code_of(stage, "place", ROOM)
    ticket, once = await scan(crew, code)
    answer = await crew.send_form("/q/" + code, ticket=ticket, once=once)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/tickets/{ticket}")
    arrived = records.ticket(stage.database, ticket)
    assert arrived.on_site_proof == "scan"
    assert arrived.on_site_ms == stage.clock.now_ms()


async def test_an_arrival_without_a_scan_is_not_proven(stage, visitor, sign_in):
    await reported(visitor)
    crew = await sign_in(stage, "crew")
    (ticket,) = records.open_tickets(stage.database)
    await crew.send_form(f"/tickets/{ticket.id}/acknowledge", seen="1")
    proof = {"seen": "2", "proof": ROOM, "on_site_proof": "scan"}
    await crew.send_form(f"/tickets/{ticket.id}/arrive", **proof)
    assert records.ticket(stage.database, ticket.id).on_site_proof == ""
    answer = await crew.send_json(f"/api/v1/tickets/{ticket.id}/note", {"note": "x", "proof": ROOM})
    assert answer.status_code == 422


async def test_a_scan_that_is_replayed_stale_anothers_or_of_elsewhere_proves_nothing(
    stage, visitor, sign_in
):
    await reported(visitor)
    await reported(visitor, place="dorm-08/3/312")
    crew, other = await sign_in(stage, "crew"), await sign_in(stage, "crew", "li")
    here, there = code_of(stage, "place", ROOM), code_of(stage, "place", "dorm-08/3/312")
    ticket, once = await scan(crew, here)
    elsewhere, _ = await scan(crew, there)
    refused = [
        await other.send_form("/q/" + here, ticket=ticket, once=once),  # another's
        await crew.send_form("/q/" + there, ticket=ticket, once=once),  # of elsewhere
        await crew.send_form("/q/" + here, ticket=elsewhere, once=once),
        await crew.send_form("/q/" + here, ticket=ticket, once=once[:-1]),
        await crew.send_form("/q/" + here, ticket=ticket, once="."),
        await crew.send_form("/q/" + here, ticket="none", once=once),
    ]
    stage.clock.instant_ms += 15 * MINUTE_MS + 1
    refused.append(await crew.send_form("/q/" + here, ticket=ticket, once=once))
    assert {one.status_code for one in refused} == {409}
    assert "扫码已过 15 分钟" in refused[-1].text
    assert records.ticket(stage.database, ticket).on_site_ms is None
    assert {one.action for one in audit.latest(stage.database, 7)} == {"scan refused"}
    ticket, once = await scan(crew, here)
    for _ in range(2):  # the same showing again is the same arrival
        answer = await crew.send_form("/q/" + here, ticket=ticket, once=once)
        assert answer.status_code == 303
    events = [one.kind for one in records.events(stage.database, ticket)]
    assert events.count("arrived") == 1


async def test_who_may_not_work_sees_the_residents_page_and_cannot_arrive(stage, sign_in):
    async with browser(stage) as person:
        await reported(person)
    code = code_of(stage, "place", ROOM)
    energy = await sign_in(stage, "energy")
    assert "once" not in (await energy.get("/q/" + code)).text
    (ticket,) = records.open_tickets(stage.database)
    answer = await energy.send_form("/q/" + code, ticket=ticket.id, once="x")
    assert answer.status_code == 403


async def test_a_place_is_chosen_step_by_step(stage, visitor):
    first = (await visitor.get("/report")).text
    assert "北苑7栋" in first
    second = (await visitor.get("/report?place=dorm-07")).text
    assert "/report?place=dorm-07/3/312" in second
    third = (await visitor.get("/report?place=dorm-07/3/312")).text
    assert "床、桌、椅、柜" in third
    assert "刷卡后不出水" not in third
    for odd in ("place=nowhere", "place=dorm-07&device=none", "place=" + HOSTILE):
        assert "哪栋楼？" in (await visitor.get("/report?" + odd)).text
