"""The one story that must always work, told over HTTP against a running hub.

A heating element fails; a rule sees it; one ticket with its clocks; the crew acknowledges, arrives
and mends the wrong part, which does not close the ticket; then the right one, and telemetry
proves it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx
import yaml

from hub.model import Json
from hub.ports import Clock, HubError
from hub.settings import shipped

# Physics run fast, and begin at ten in the morning of 2026-11-21 whatever the hour is now: in the
# evening peak a tank that was cold takes hours to stay warm.
PHYSICS: Sequence[str] = ("--pace", "240", "--physics-from-ms", "1795226400000")
INTERVALS: Mapping[str, str] = {"reference-boiler": "PT1S", "reference-room-meter": "PT5S"}
BOILER = "dorm-07/boiler-1"
RULE = "heat-pump-refuses"
SHORT: Mapping[str, str] = {"on_delay": "PT3S", "off_delay": "PT3S"}
PROOF: Mapping[str, str] = {"for": "PT3S", "within": "PT15S"}
PATIENCE_S = 75.0
LOOK_S = 0.5
WARM_DEGC = 52.0  # the limit of the rule's proof


class StoryError(HubError):
    """The story did not go as it must."""


def shorten(folder: Path) -> None:
    """Give a site the boiler rules with delays of seconds."""
    (folder / "rules").mkdir()
    pack = yaml.safe_load((shipped() / "rules" / "boiler.yaml").read_text("utf-8"))
    for rule in pack["rules"]:
        if rule["id"] == RULE:
            rule.update(SHORT)
            rule["proof"].update(PROOF)
    text = yaml.safe_dump(pack, allow_unicode=True, sort_keys=False)
    (folder / "rules" / "boiler.yaml").write_text(text, "utf-8")


async def tell(address: str, password: str, clock: Clock) -> bool:
    """Tell the story; StoryError says where it went wrong."""
    async with httpx.AsyncClient(base_url=address, timeout=10.0) as http:
        teller = _Teller(http, clock)
        await teller.sign_in(password)
        await teller.post(f"simulators/{BOILER}/faults", {"kind": "element_failed"})
        teller.say("the heating element has failed")
        ticket = await teller.ticket("a ticket", lambda one: one["rule"] == RULE)
        teller.say(f"ticket {ticket['id']}: {ticket['title']['en']}")
        await teller.act(ticket, "acknowledge")
        await teller.act(ticket, "arrive")
        await teller.post(f"simulators/{BOILER}/repairs", {"part": "sensor"})
        await teller.act(ticket, "fix", part="sensor")
        await teller.ticket("the wrong fix to come back", lambda one: one["state"] == "on_site")
        teller.say("the sensor was not it: the ticket is open again")
        await teller.post(f"simulators/{BOILER}/repairs", {"part": "heating-element"})
        await teller.warm()
        await teller.act(ticket, "fix", part="heating-element")
        await teller.ticket("the proof", lambda one: one["state"] == "closed")
        teller.say("telemetry proves the new heating element: the ticket is closed")
        return await teller.one_ticket()


class _Teller:
    """A person with a browser, more or less."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._began_s = clock.monotonic()

    def say(self, text: str) -> None:
        """Print a line with the time since the beginning."""
        print(f"selftest: {self._clock.monotonic() - self._began_s:5.1f} s  {text}", flush=True)

    async def sign_in(self, password: str) -> None:
        """Sign in with the one-time password and choose another."""
        await self._http.post("/login", data={"name": "admin", "password": password})
        new = self._clock.token("selftest")
        form = {"old": password, "password": new, "again": new}
        token = await self._form_token("/password")
        await self._http.post("/password", data=form | {"csrf": token})
        self._http.headers["X-CSRF-Token"] = await self._form_token("/")

    async def _form_token(self, page: str) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', (await self._http.get(page)).text)
        if not found:
            raise StoryError(f"the page {page} has no form: signing in did not work")
        return found[1]

    async def post(self, path: str, content: Mapping[str, Json]) -> None:
        """Ask for a change."""
        answer = await self._http.post(f"/api/v1/{path}", json=dict(content))
        if answer.is_error:
            raise StoryError(f"POST {path}: {answer.status_code} {answer.text}")

    async def act(self, ticket: Mapping[str, Json], kind: str, part: str | None = None) -> None:
        """Do something to a ticket."""
        await self.post(f"tickets/{ticket['id']}/{kind}", {"part": part} if part else {})
        self.say(kind)

    async def _tickets(self) -> list[dict[str, Json]]:
        answer = await self._http.get("/api/v1/tickets")
        if answer.is_error:
            raise StoryError(f"GET tickets: {answer.status_code} {answer.text}")
        items: list[dict[str, Json]] = answer.json()["items"]
        return [one for one in items if one["device"] == BOILER]

    async def ticket(
        self, what: str, wanted: Callable[[Mapping[str, Json]], bool]
    ) -> Mapping[str, Json]:
        """Wait for a ticket of the boiler that is as wanted."""
        end_s = self._clock.monotonic() + PATIENCE_S
        while self._clock.monotonic() < end_s:
            for one in await self._tickets():
                if wanted(one):
                    return one
            await self._clock.sleep(LOOK_S)
        raise StoryError(f"waited {PATIENCE_S:.0f} s for {what}; tickets: {await self._tickets()}")

    async def warm(self) -> None:
        """Wait until the tank is warm enough for the proof, as a crew would."""
        end_s = self._clock.monotonic() + PATIENCE_S
        while self._clock.monotonic() < end_s:
            answer = await self._http.get("/api/v1/live", params={"device": BOILER})
            found = [
                one
                for one in answer.json()["items"]
                if one["point"] == f"{BOILER}/tank_temperature"
            ]
            if found and (found[0]["value"] or 0) > WARM_DEGC:
                self.say(f"the tank is at {found[0]['value']:.1f} degC again")
                return
            await self._clock.sleep(LOOK_S)
        raise StoryError("the tank did not become warm again")

    async def one_ticket(self) -> bool:
        """Tell whether the failure made exactly one ticket of its rule."""
        return [one["rule"] for one in await self._tickets()].count(RULE) == 1
