"""Takes reports of people without an account, and tells each of them how theirs goes."""

from __future__ import annotations

import hashlib
import statistics
import string
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from hub.access import Tries
from hub.database import records, reports
from hub.database.connection import Database
from hub.database.reports import Report
from hub.model import Json, Ticket, TicketEvent
from hub.ports import Clock, Refused, Worker
from hub.reports.kind import Kind, ReportsFile
from hub.reports.said import Said
from hub.site import Site

Act = Callable[[Mapping[str, Json]], Awaitable[object]]
ACTOR = "reporter"
PER_SOURCE, PER_PLACE = 12, 6
"""Reports at once from one address, and of one place; each comes back after a minute."""
DAY_MS = 86_400_000
MEASURED_DAYS = 30
LEAST_MEASURED = 5
CONTACT_KEPT_DAYS = 30  # after the closing
_TOKEN_LENGTH = 43
_TOKEN = frozenset(string.ascii_letters + string.digits + "-_")


class TooManyError(Refused):
    """Too many reports from one address or of one place; ``wait_s`` until the next is taken."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many reports in a short time; try again in {wait_s} s")
        self.wait_s = wait_s


class Progress(NamedTuple):
    """How a report goes: its ticket, what its reporter has said of it since, how long it takes.

    ``usual_ms`` is the median of what was fixed of its kind in the last 30 days, from the report
    to the fix; None when there are too few. ``measured`` counts them.
    """

    report: Report
    ticket: Ticket
    said: Sequence[TicketEvent]
    usual_ms: int | None
    measured: int


class Answer(NamedTuple):
    """What a reporter says afterwards: rate, complain, close or reopen, with the words to it."""

    kind: str
    words: str
    stars: int | None = None


class ReportDesk:
    """The reports of a site. Its work on tables runs in the worker."""

    def __init__(
        self,
        site: Site,
        file: ReportsFile,
        database: Database,
        worker: Worker,
        act: Act,
        clock: Clock,
    ) -> None:
        self._file = file
        self._site = site
        self._database = database
        self._worker = worker
        self._act = act
        self._clock = clock
        self._tries = Tries()

    def new_token(self) -> str:
        """Return the secret of a progress page: whoever has it sees and answers for its report."""
        return self._clock.token("report")

    def take_turn(self, source: str, place: str = "") -> None:
        """Count a report that is sent; TooManyError when its address or its place had too many."""
        allowances = {f"from {source}": PER_SOURCE} if not place else {f"of {place}": PER_PLACE}
        now_ms = self._clock.now_ms()
        if wait_ms := self._tries.wait_ms(allowances, now_ms):
            raise TooManyError(-(-wait_ms // 1000))
        self._tries.take(allowances, now_ms)

    async def send(self, said: Said) -> None:
        """Enter a report; the same token again is the same report."""
        kind, digest = self._checked(said), digest_of(said.token)
        if before := await self._worker.run(lambda: reports.get(self._database, digest)):
            if (before.kind, before.place, before.words) != (kind.id, said.place, said.words):
                raise Refused("this page was sent before, with other words; begin a new report")
            return
        self.take_turn("", said.place)
        opening = {
            "source": "report",
            "kind": kind.id,
            "title": {"zh": kind.name.zh, "en": kind.name.en},
            "place": said.place,
            "severity": kind.severity,
            "skill": kind.skill,
            "rules": list(kind.rules),
            "areas": areas_of(self._site, said.place, said.device),
        }
        await self._act({
            "id": f"report/{digest}",
            "kind": "open",
            "actor": ACTOR,
            "at_ms": self._clock.now_ms(),
            "reporter": digest,
            "note": said.words,
            "photos": list(said.photos),
            "opening": opening | ({"device": said.device} if said.device else {}),
        })  # fmt: skip
        if said.contact:
            await self._worker.run(lambda: self._keep_contact(digest, said.contact))

    async def progress(self, token: str) -> Progress | None:
        """Return how the report of a token goes; None when there is none."""
        return await self._worker.run(lambda: self._progress(digest_of(token)))

    async def answer(self, token: str, answer: Answer, seen: int) -> None:
        """Rate, complain, confirm a fix (close) or say that it does not hold (reopen).

        ``seen`` counts the events that the page showed: a second press is the same answer.
        """
        digest, (kind, words, stars) = digest_of(token), answer
        report = await self._worker.run(lambda: reports.get(self._database, digest))
        if report is None:
            raise Refused("there is no such report")
        rating = {"rating": {"stars": stars}} if stars is not None else {}
        told = hashlib.sha256(f"{digest}/{seen}/{stars}/{words}".encode()).hexdigest()
        await self._act({
            "id": f"{kind}/{told}",
            "kind": kind,
            "ticket": report.ticket,
            "actor": ACTOR,
            "at_ms": self._clock.now_ms(),
            "reporter": digest,
            "note": words,
            **rating,
        })  # fmt: skip

    def _checked(self, said: Said) -> Kind:
        kind = self._file.kind(said.kind)
        device = self._site.devices.get(said.device) if said.device else None
        if kind is None:
            raise Refused(f"{said.kind!r} is nothing that can be reported; choose from the list")
        if said.place not in self._site.places:
            raise Refused(f"there is no place {said.place!r}; choose from the list")
        if said.device and (device is None or device.place != said.place):
            raise Refused(f"there is no device {said.device!r} at {said.place}; scan its label")
        if len(said.token) != _TOKEN_LENGTH or not set(said.token) <= _TOKEN:
            raise Refused("the page is out of date; open it again")
        return kind

    def _progress(self, digest: str) -> Progress | None:
        report = reports.get(self._database, digest)
        ticket = records.ticket(self._database, report.ticket) if report else None
        if report is None or ticket is None:
            return None
        events = records.events(self._database, ticket.id)
        since_ms = self._clock.now_ms() - MEASURED_DAYS * DAY_MS
        lengths = reports.lengths_ms(self._database, report.kind, since_ms)
        usual = round(statistics.median(lengths)) if len(lengths) >= LEAST_MEASURED else None
        said = [one for one in events if one.detail.get("reporter") == digest]
        return Progress(report, ticket, said, usual, len(lengths))

    def _keep_contact(self, digest: str, contact: str) -> None:
        reports.set_contact(self._database, digest, contact)
        before_ms = self._clock.now_ms() - CONTACT_KEPT_DAYS * DAY_MS
        reports.erase_contacts(self._database, before_ms)


def digest_of(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def areas_of(site: Site, place: str, device: str | None) -> list[str]:
    """Return at which places the cause of what is reported at one may lie.

    What holds the place, and the plants of its building; the place itself, unless one device in it
    is meant: the neighbour's fault is another one.
    """
    holding = [one.id for one in site.path(place) if one.id != place or device is None]
    building = site.building_of(place)
    plants = (one for one in site.places.values() if one.kind == "plant")
    return holding + [
        one.id for one in plants if site.building_of(one.id) == building and one.id not in holding
    ]
