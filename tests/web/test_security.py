"""Nobody sees or does what is not theirs; every answer carries its protection."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.access import MAY
from hub.web import build
from hub.web.security import HEADERS, LONGEST_BODY
from tests.pages.stage import PASSWORD, Stage
from tests.web.conftest import browser

BACKUP = "/api/v1/backup"  # for the socket of the hub's own account only
LINKS = {"/a/{token}"}  # the link itself is the right: test_message_link
OPEN = {"/healthz", "/readyz", "/metrics", "/login", "/logout", "/password", *LINKS}
PUBLIC = {  # what a resident without an account may do
    ("GET", "/report"),
    ("POST", "/report"),
    ("GET", "/report/{token}"),
    ("POST", "/report/{token}/{what}"),
    ("GET", "/report/{token}/photos/{id_}"),
    ("GET", "/q/{code:path}"),
}
RIGHTS = {"GET": "look", "/api/v1/commands": "command", "simulators": "simulate"}
WEB = Path(__file__).parents[2] / "hub/web"


def routes(stage: Stage) -> list[tuple[str, str]]:
    """Every method and path that the application answers, with the names in it filled in."""
    found = []

    def collect(entries) -> None:
        for route in entries:
            if inner := getattr(getattr(route, "original_router", None), "routes", None):
                collect(inner)
            elif getattr(route, "endpoint", None) is not None and route.methods:
                found.extend((method, route.path) for method in sorted(route.methods))

    collect(build(stage.parts).routes)
    return [(method, path) for method, path in found if method in {"GET", "POST"}]


def filled(path: str) -> str:
    path = path.replace("{device:path}", "dorm-07/boiler-1").replace("{kind}", "note")
    return re.sub(r"\{[^}]*\}", "dorm-07", path)


def right_of(method: str, path: str) -> str:
    if "simulators" in path:
        return "simulate"
    jobs = path.startswith("/jobs")
    # Everybody may say that something is wrong.
    if (method == "GET" and not jobs) or path == "/api/v1/tickets":
        return "look"
    if path.endswith("/swaps"):
        return "roster"
    if path.endswith("/meter-changes"):
        return "meters"
    if "outage" in path or path.endswith(("/shelve", "/out-of-service", "{what}", "/back/{kind}")):
        return "shelve"
    return "command" if path == "/api/v1/commands" or path.endswith("/probe") else "work"


def is_of_tickets(method: str, path: str) -> bool:
    """Whether a contractor gets so far, to be shown its own."""
    opens = (method, path) == ("POST", "/api/v1/tickets")
    return path.startswith(("/tickets", "/jobs", "/api/v1/tickets", "/q/")) and not opens


async def test_nobody_gets_anywhere_without_signing_in(stage, visitor):
    tried = 0
    for method, path in routes(stage):
        if path in OPEN or path in {"/api/openapi.json", BACKUP} or (method, path) in PUBLIC:
            continue
        answer = await visitor.request(method, filled(path))
        expected = 401 if path.startswith("/api/") else 303
        assert answer.status_code == expected, (method, path)
        if expected == 303:
            assert answer.headers["location"].startswith("/login?next=")
        tried += 1
    assert tried >= 25


async def test_nobody_gets_a_backup_over_the_network(stage, visitor, sign_in):
    admin = await sign_in(stage, "admin")
    assert (await visitor.get(BACKUP)).status_code == 404
    assert (await admin.get(BACKUP)).status_code == 404


async def test_every_route_obeys_the_rights_of_every_role(stage, sign_in):
    """The matrix: 403 exactly where the role lacks the right that the route asks for."""
    for role, rights in MAY.items():
        person = await sign_in(stage, role)
        for method, path in routes(stage):
            if path in OPEN or path in {"/api/openapi.json", "/api/v1/stream", BACKUP}:
                continue
            if (method, path) in PUBLIC:
                continue
            if method == "GET":
                answer = await person.get(filled(path))
            else:
                answer = await person.post(filled(path), headers={"X-CSRF-Token": person.csrf})
            forbidden = answer.status_code == 403
            wanted = right_of(method, path)
            own = "own" in rights and wanted in ("look", "work") and is_of_tickets(method, path)
            assert forbidden == (wanted not in rights and not own), (role, method, path)


async def test_nothing_is_done_without_the_token_of_the_session(played, sign_in):
    person = await sign_in(played)
    other = await sign_in(played, "duty")
    for method, path in routes(played):
        if method != "POST" or path == "/login" or path in LINKS or (method, path) in PUBLIC:
            continue
        for token in ("", "wrong", other.csrf):
            fields = {"csrf": token, "old": "x", "password": "x", "again": "x"}
            answer = await person.post(filled(path), data=fields)
            assert answer.status_code == 403, (path, token)
    assert await played.access.viewer(person.cookies["campus_hub"]) is not None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Content-Length": str(LONGEST_BODY + 1)},
        {"Content-Length": "many"},
    ],
)
async def test_a_request_from_elsewhere_or_too_large_is_refused(visitor, headers):
    answer = await visitor.post("/login", data={"name": "a", "password": "b"}, headers=headers)
    assert answer.status_code in {403, 413}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_without_a_declared_length_is_cut_off(visitor):
    async def drops():
        for _ in range(100):
            yield b"x" * 1024

    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await visitor.post("/login", content=drops(), headers=form)
    assert answer.status_code == 413


async def test_the_own_origin_may_post(visitor):
    answer = await visitor.post(
        "/login", data={"name": "a", "password": "b"}, headers={"Origin": "http://hub"}
    )
    assert answer.status_code == 401


async def test_every_answer_carries_the_headers(stage, visitor):
    for path in ("/login", "/static/hub.css", "/healthz", "/api/v1/places", "/nothing", "/"):
        answer = await visitor.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (path, name)
        cached = answer.headers.get("cache-control", "")
        assert ("no-store" in cached) != path.startswith("/static/"), path
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


async def test_over_tls_the_cookie_is_bound_and_the_transport_kept():
    stage = Stage(secure=True)
    async with browser(stage) as person:
        answer = await person.post(
            "/login", data={"name": "admin", "password": stage.one_time_password}
        )
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-campus_hub=")
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert word in cookie
    assert "max-age" in answer.headers["strict-transport-security"]


def test_no_template_has_a_script_or_a_style_inside():
    for file in (WEB / "templates").glob("*.html"):
        text = file.read_text("utf-8")
        assert not re.search(r"<style|style=|\bon[a-z]+=\"|javascript:|\|safe", text), file.name
        assert not re.search(r"<script(?![^>]*src=)", text), file.name


async def test_the_one_time_password_opens_nothing_but_its_change(stage, visitor):
    answer = await visitor.post(
        "/login", data={"name": "admin", "password": stage.one_time_password, "next": "/tickets"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/password")
    assert (await visitor.get("/")).headers["location"] == "/password"
    assert (await visitor.get("/api/v1/places")).status_code == 403
    page = await visitor.get("/password")
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
    before = visitor.cookies["campus_hub"]
    fields = {"csrf": csrf, "old": stage.one_time_password}
    answer = await visitor.post("/password", data={**fields, "password": PASSWORD, "again": "no"})
    assert answer.status_code == 422
    answer = await visitor.post(
        "/password", data={**fields, "password": PASSWORD, "again": PASSWORD}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert visitor.cookies["campus_hub"] != before
    assert (await visitor.get("/")).status_code == 200


async def test_a_wrong_password_says_nothing_about_the_name(stage, visitor):
    unknown = await visitor.post("/login", data={"name": "nobody", "password": "x"})
    wrong = await visitor.post("/login", data={"name": "admin", "password": "x"})
    assert unknown.status_code == wrong.status_code == 401
    assert unknown.text.replace("nobody", "admin") == wrong.text


async def test_guessing_is_slowed_down(stage, visitor):
    for _ in range(6):
        await visitor.post("/login", data={"name": "admin", "password": "x"})
    right = {"name": "admin", "password": stage.one_time_password}
    assert (await visitor.post("/login", data=right)).status_code == 401
    stage.clock.instant_ms += 10 * 60_000
    assert (await visitor.post("/login", data=right)).status_code == 303


@pytest.mark.parametrize("wish", ["https://evil.example", "//evil.example", "/\\evil", "evil"])
async def test_signing_in_leads_nowhere_outside(stage, sign_in, visitor, wish):
    await sign_in(stage, "crew", "li")
    answer = await visitor.post("/login", data={"name": "li", "password": PASSWORD, "next": wish})
    assert answer.headers["location"] == "/"


async def test_signing_out_ends_the_session(stage, sign_in):
    person = await sign_in(stage)
    token = person.cookies["campus_hub"]
    assert (await person.send_form("/logout")).headers["location"] == "/login"
    again = browser(stage)
    again.cookies.set("campus_hub", token)
    assert (await again.get("/api/v1/places")).status_code == 401


async def test_hostile_words_stay_words(played, sign_in):
    person = await sign_in(played)
    tickets = (await person.get("/api/v1/tickets?state=opened")).json()["items"]
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
    answer = await person.send_form(f"/tickets/{tickets[0]['id']}/note", seen="1", note=hostile)
    assert answer.status_code == 303
    page = await person.get(f"/tickets/{tickets[0]['id']}")
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert "{{7*7}}" in page.text
    for path in ("/simulators?find=", "/places/", "/tickets?show=", "/login?next=/"):
        text = (await person.get(path + hostile)).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
