"""Look at every page in a real browser: draw it, and count what is wrong with it."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from hub.database import records
from hub.notify import link
from hub.web import build
from tests.pages import residents
from tests.pages.stage import Stage

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDTHS = (1280, 360)
ON_DUTY = "zhaomin"  # who has jobs
LANGUAGES = ("zh", "en")
LOST = ("missing", "report-forged", "progress-unknown")  # where a 404 is the page
MEASURE = """() => {
  const tall = (e) => { const r = e.getBoundingClientRect(); return [r.width, r.height]; };
  const seen = (e) => { const [w, h] = tall(e); return w > 1 && h > 1 && e.checkVisibility(); };
  const controls = [...document.querySelectorAll("a, button, select, textarea, summary, input")];
  const small = controls.filter((e) => e.type !== "hidden" && !e.matches(".skip") && seen(e))
    .filter((e) => { const [w, h] = tall(e); return h < 43.9 || w < 43.9; })
    .map((e) => `${e.tagName} ${e.textContent.trim().slice(0, 30)} ${tall(e).map(Math.round)}`);
  return { overflow: document.documentElement.scrollWidth - innerWidth, small };
}"""


def chromium() -> str | None:
    """Return where Chromium is installed, if it is."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


View = tuple[str, str]


class House(NamedTuple):
    """Where the hub is served, the session to look at it with, and the pages that need none."""

    home: str
    token: str
    public: Mapping[str, str]


@dataclass
class Look:
    """What one page looked like."""

    name: str
    overflow: int
    small: Sequence[str]
    errors: Sequence[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Return what is wrong, in words."""
        found = [f"{self.name}: {error}" for error in self.errors]
        found += [f"{self.name}: smaller than 44 px: {control}" for control in self.small]
        if self.overflow > 0:
            found.append(f"{self.name}: {self.overflow} px wider than the screen")
        return found


@contextmanager
def served(stage: Stage) -> Iterator[str]:
    """Serve a stage on a free port of the loopback and return its address."""
    config = uvicorn.Config(
        build(stage.parts), host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    waited = threading.Event()
    while not server.started:
        waited.wait(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def addresses(stage: Stage) -> dict[str, str]:
    """Return the pages to look at, by the name of their picture."""
    tickets = {
        f"ticket-{ticket.state}": f"/tickets/{ticket.id}"
        for ticket in records.tickets(stage.database)
    }
    links = {
        "message-link" + ("" if ticket.responded_ms is None else "-done"): link.written(
            stage.parts.secret, link.Ask(ticket.id, "li", stage.clock.now_ms() + 1)
        )
        for ticket in records.tickets(stage.database)
    }
    alarms: dict[str, str] = {}
    for alarm in records.alarms(stage.database, limit=1000):
        name = f"{alarm.rule}-{alarm.state}"
        alarms.setdefault(f"alarm-{name}", f"/alarms/{alarm.id}")
    return {
        "overview": "/",
        "building": "/places/dorm-07",
        "building-gap": "/places/dorm-08",
        "energy": "/energy",
        "energy-week": "/energy?span=week&by=kind&per=student",
        "energy-gap": "/energy?place=dorm-08&by=room",
        "energy-building": "/energy?place=dorm-07&step=quarter",
        "energy-none": "/energy?utility=gas",
        "hot-water": "/hot-water",
        "hot-water-building": "/hot-water?place=dorm-07&by=terminal",
        "hot-water-week": "/hot-water?span=last-week&by=building",
        "hot-water-none": "/hot-water?place=dorm-08",
        "jobs": "/jobs",
        "tickets": "/tickets",
        "tickets-closed": "/tickets?show=closed",
        "service": "/service?by=severity",
        "service-tickets": "/service/tickets",
        **tickets,
        **links,
        "alarms": "/alarms",
        "alarms-held": "/alarms?show=held",
        "alarms-past": "/alarms?show=past",
        **alarms,
        "lines": "/lines",
        "line-lost": "/lines/gw-dorm-08-1",
        "line-weak": "/lines/gw-dorm-07-1",
        "simulators": "/simulators",
        "simulators-meters": "/simulators?show=meter",
        "scan": stage.public.get("report-label", "/tickets"),
        "missing": "/nothing-here",
    }


def look(page: Page, name: str, address: str, out: Path | None) -> list[Look]:
    """Open a page, and at every width measure it and draw it."""
    errors: list[str] = []

    def console(line: ConsoleMessage) -> None:
        if line.type == "error":
            errors.append(line.text)

    def broken(error: Error) -> None:
        errors.append(str(error))

    page.on("console", console)
    page.on("pageerror", broken)
    page.goto(address)
    page.wait_for_timeout(60)  # the first live values
    looks = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        measured = page.evaluate(MEASURE)
        if out:
            page.screenshot(path=out / f"{name}-{width}.png", full_page=True)
        looks.append(Look(f"{name}-{width}", measured["overflow"], measured["small"]))
    page.remove_listener("console", console)
    page.remove_listener("pageerror", broken)
    if name.startswith(LOST):
        errors = [error for error in errors if "404" not in error]
    looks[0].errors = errors
    return looks


def look_at_all(
    stage: Stage, token: str, out: Path | None, schemes: Sequence[str] = ("light",)
) -> list[Look]:
    """Look at every page at every width, in both languages."""
    looks: list[Look] = []
    paths = addresses(stage)
    with served(stage) as home, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        for scheme in schemes:
            for language in LANGUAGES:
                house = House(home, token, stage.public)
                looks += _tour(browser, paths, house, (language, scheme), out)
        browser.close()
    return looks


def _tour(
    browser: Browser, paths: Mapping[str, str], house: House, view: View, out: Path | None
) -> list[Look]:
    (language, scheme), (home, token, public) = view, house
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type] - one of the words it knows
        locale="zh-CN",
    )
    page = context.new_page()
    looks: list[Look] = []

    def one(name: str, path: str) -> None:
        address = f"{home}{path}{'&' if '?' in path else '?'}lang={language}"
        looks.extend(look(page, f"{name}-{language}-{scheme}", address, out))

    one("login", "/login")
    for name, path in public.items():
        one(name, path)
    context.add_cookies([{"name": "campus_hub", "value": token, "url": home}])
    one("password", "/password")
    for name, path in paths.items():
        one(name, path)
    context.close()
    return looks


def played() -> tuple[Stage, str]:
    """Return a stage with its day behind it, and a signed-in session."""

    async def play() -> tuple[Stage, str]:
        stage = Stage(on_duty=True)
        await stage.play_day(cut="gw-dorm-08-1")
        await stage.handle_alarms()
        stage.public = await residents.pages_of(stage)
        stage.keep_days(7)
        stage.muddle_meters()
        stage.break_lines()
        token, _ = await stage.cookie(ON_DUTY)
        return stage, token

    return asyncio.run(play())
