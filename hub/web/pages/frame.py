"""What every page shares: templates, language, the signed-in person, the instant it shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hub.access import Right, Viewer, may
from hub.model import Text, Ticket
from hub.site import HUB
from hub.web import charts, explain, form, own, promise
from hub.web.explain import Named, Reader
from hub.web.language import COOKIE, YEAR_S, asked_language, language_of
from hub.web.parts import Parts, parts_of
from hub.web.promise import ServiceClock
from hub.web.texts import say, say_code
from hub.web.value import device_words, place_words

HOME = Path(__file__).parent.parent

environment = Environment(
    loader=FileSystemLoader(HOME / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.globals.update(form=form, charts=charts)


@dataclass(frozen=True, slots=True)
class Frame:
    """One page being made: words and numbers in the reader's language and the site's zone."""

    request: Request
    parts: Parts
    language: str
    now_ms: int
    viewer: Viewer | None

    @classmethod
    def of(cls, request: Request, viewer: Viewer | None) -> Frame:
        """Begin a page for a request."""
        parts = parts_of(request)
        return cls(request, parts, language_of(request), parts.clock.now_ms(), viewer)

    def t(self, key: str, **names: object) -> str:
        """Say a text."""
        return say(key, self.language, **names)

    def code(self, prefix: str, code: str) -> str:
        """Say a code of another part."""
        return say_code(prefix, code, self.language)

    def words(self, text: Text) -> str:
        """Say a text of the site, a profile or a rule."""
        return text.in_language(self.language)

    def moment(self, instant_ms: int) -> str:
        """Write an instant for people."""
        return form.moment(instant_ms, self.now_ms, self.parts.site.zone, self.language)

    def full_moment(self, instant_ms: int) -> str:
        """Write an instant for a tooltip and for programs."""
        return form.iso(instant_ms, self.parts.site.zone) or ""

    def span(self, length_ms: int) -> str:
        """Write a length of time."""
        return form.span(length_ms, self.language)

    def ago(self, age_ms: int) -> str:
        """Write an age."""
        return form.ago(age_ms, self.language)

    def short_day(self, day: str) -> str:
        """Write a civil day, given as YYYY-MM-DD, in a narrow column."""
        return form.short_day(day)

    def percent(self, share: float | None) -> str:
        """Write a share."""
        return form.percent(share)

    def milliseconds(self, length_s: float | None) -> str:
        """Write a short time."""
        return form.NOTHING if length_s is None else f"{form.number(1000 * length_s, 0)} ms"

    def may(self, right: Right) -> bool:
        """Tell whether the person's role has a right."""
        return self.viewer is not None and may(self.viewer.role, right)

    def works(self) -> bool:
        """Tell whether the person mends things."""
        return self.viewer is not None and own.works(self.viewer)

    def has_jobs(self) -> bool:
        """Tell whether the person has a page of jobs: who mends things and is in the roster."""
        viewer = self.viewer
        return viewer is not None and self.works() and bool(own.person_of(self.parts, viewer))

    def place(self, place: str) -> list[tuple[str, str]]:
        """Return a place and what holds it, outermost first."""
        return place_words(self.parts.site, place, self.language)

    def where(self, place: str) -> str:
        """Write a place with what holds it."""
        return " · ".join(words for _, words in self.place(place))

    def device(self, device: str) -> str:
        """Write the short name of a device, or of the hub."""
        return self.t("system") if device == HUB else device_words(device)

    def building_of(self, device: str) -> str:
        """Return the building that a device stands in."""
        site = self.parts.site
        return site.building_of(site.devices[device].place)

    def reason(self, reason: str) -> str:
        """Write what holds an alarm back."""
        zone = self.parts.site.zone
        return explain.reason_words(reason, Reader(self.language, zone, self.now_ms, Named))

    def pause(self, reason: str) -> str:
        """Write why a clock stands."""
        form_ = self.parts.pauses.get(reason)
        return self.words(form_.name.text()) if form_ else reason

    def unit(self, unit: str) -> str:
        """Write a unit."""
        return form.symbol(unit)

    def clock_face(self) -> str:
        """Write the instant of the page with its seconds."""
        return f"{form.at(self.now_ms, self.parts.site.zone):%H:%M:%S}"

    def running(self, ticket: Ticket) -> ServiceClock | None:
        """Return the clock that runs on a ticket."""
        return promise.running(ticket, self.now_ms)

    def mood(self, ticket: Ticket) -> str:
        """Return how pressing a ticket is."""
        return promise.mood(ticket, self.now_ms)

    def left(self, clock: ServiceClock) -> tuple[str, str]:
        """Return the text key and the span of what is left on a clock."""
        return promise.left_words(clock, self.now_ms, self.language)

    def other_language(self) -> str:
        """Return the address of this page in the other language."""
        query = dict(self.request.query_params)
        query["lang"] = "zh" if self.language == "en" else "en"
        return "?" + urlencode(query)

    def render(self, template: str, status: int = 200, **names: object) -> Response:
        """Write the page."""
        names.setdefault("stream", "")
        names.setdefault("section", "")
        names.setdefault("home", own.home_of(self.parts, self.viewer) if self.viewer else "/")
        html = environment.get_template(template).render(page=self, t=self.t, **names)
        response = HTMLResponse(html, status)
        if asked := asked_language(self.request):
            response.set_cookie(COOKIE, asked, max_age=YEAR_S, samesite="lax", httponly=True)
        return response
