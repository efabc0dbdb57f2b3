"""A pipeline in virtual time, with channels that do what a test wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hub.clock import VirtualClock, VirtualLoop
from hub.database import effects
from hub.database.connection import Database
from hub.model import Entry, Notification, Text
from hub.notify import Letterhead, Pipeline
from hub.notify.people import DUTY_DESK, Person, Quiet, Way
from hub.ports import ChannelError
from hub.secret import Secret

ZONE = ZoneInfo("Asia/Shanghai")
NOON_MS = 1_800_000_000_000 - 1_800_000_000_000 % 86_400_000 + 4 * 3_600_000
SECRET = Secret("a secret of the tests, long enough")
HEAD = Letterhead(zone=ZONE, url="https://hub.test", secret=SECRET)
LI = Person("li", "Li", (Way("mail", "li@uni.test"), Way("wecom")), "zh")
WANG = Person("wang", "Wang", (Way("mail", "wang@uni.test"),), "en")
NIGHT_OFF = Person("zhao", "Zhao", (Way("mail", "zhao@uni.test"),), "zh", Quiet(time(22), time(7)))


class Heard(NamedTuple):
    """A message that a channel took, and when (s since the run began)."""

    at_s: float
    key: str
    subject: str
    body: str
    address: str


@dataclass
class Phone:
    """Takes what it is sent, after ``takes_s``; fails while it is ``dead``, or for some keys."""

    clock: VirtualClock
    dead: bool = False
    takes_s: float = 0.0
    failing: tuple[str, ...] = ()
    heard: list[Heard] = field(default_factory=list)
    tries: list[float] = field(default_factory=list)

    async def send(self, key: str, subject: str, body: str, address: str = "") -> None:
        self.tries.append(self.clock.monotonic())
        if self.takes_s:
            await self.clock.sleep(self.takes_s)
        if self.dead or any(one in key for one in self.failing):
            raise ChannelError("line is dead")
        self.heard.append(Heard(self.clock.monotonic(), key, subject, body, address))

    @property
    def keys(self) -> list[str]:
        return [one.key for one in self.heard]


@dataclass
class Roster:
    known: Mapping[str, Person]

    def person(self, id_: str) -> Person:
        return self.known.get(id_, Person(id_, id_, ()))


PEOPLE = Roster({one.id: one for one in (LI, WANG, NIGHT_OFF, DUTY_DESK)})


class Scene:
    """One run: its clock, phones, database, and what the pipeline entered into the journal."""

    def __init__(self, database: Database, clock: VirtualClock, seq: int = 0) -> None:
        self.database = database
        self.clock = clock
        self.phones = {name: Phone(clock) for name in ("mail", "wecom", "duty")}
        self.entered: list[Entry] = []
        self._seq = seq
        self.pipeline = self.another()

    def another(self) -> Pipeline:
        return Pipeline(self.database, self.phones, PEOPLE, HEAD, self.clock)

    def note(self, *notifications: Notification) -> None:
        """Keep notifications as the engine does, and say so."""
        self._seq += 1
        assert effects.apply(self.database, self._seq, notifications)
        self.pipeline.wake()


def told(n: int, *to: str, ticket: str = "t1", **more: Any) -> Notification:
    subject, body = Text(f"主题 {n}", f"subject {n}"), Text("正文\n指导", "body\nguidance")
    return Notification(f"{ticket}/{n}", ticket, subject, body, NOON_MS + n, to, **more)


def play(
    database: Database,
    script: Callable[[Scene], Awaitable[None]],
    start_ms: int = NOON_MS,
    seq: int = 0,
) -> Scene:
    """Run a pipeline beside a script, in virtual time, and stop it in order."""
    loop = VirtualLoop()

    async def whole() -> Scene:
        scene = Scene(database, VirtualClock(loop, start_ms, seed=1), seq)
        running = asyncio.create_task(scene.pipeline.run(scene.entered.append))
        await script(scene)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        return scene

    try:
        return loop.run_until_complete(whole())
    finally:
        loop.close()
