"""Lives of a process that tells people from an outbox, most of them ended as by kill -9.

``python -m tests.crash.teller DATABASE HTTP_PORT MAIL_PORT`` reads one line per life: a point and
how often it is passed before the kill, or ``none 0``. Each life is a process of its own, forked so
that none has to import everything anew; its exit code is written out.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hub.clock import RealClock
from hub.database import outbox
from hub.database.connection import open_database
from hub.notify import Letterhead, Pipeline, channel, route, words
from hub.notify.channel import AppriseChannel
from hub.notify.people import Person, Way
from hub.secret import Secret

POINTS = ("before-begin", "after-begin", "before-send", "after-send", "before-mark", "after-mark")
ALLOW = ("127.0.0.1", "uni.test")
HEAD = Letterhead(zone=ZoneInfo("UTC"), url="http://hub.test", secret=Secret("x" * 43))


class Roster:
    """``li`` is told by the webhook, ``wang`` by mail."""

    def person(self, id_: str) -> Person:
        return Person(id_, id_, (Way("hook" if id_ == "li" else "mail"),), "en")


class Failpoint:
    """Ends the process before or after the n-th passing of a call."""

    def __init__(self, point: str, count: int) -> None:
        self._when, _, self.what = point.partition("-")
        self._left = count

    def passed(self, when: str) -> None:
        if when == self._when:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            self.passed("before")
            result = call(*arguments)
            self.passed("after")
            return result

        return wrapped


async def life(database: Path, ports: tuple[int, int], point: Failpoint) -> None:
    """Tell until nothing waits, or the end."""
    words.LISTED = words.LONGEST_BODY = 10**6  # so that the test finds every single one
    channel.CONNECT_S = channel.READ_S = route.PATIENCE_S = 90.0  # the machine may be busy
    clock = RealClock()
    urls = {
        "hook": f"json://127.0.0.1:{ports[0]}/hook",
        "mail": f"mailto://127.0.0.1:{ports[1]}?from=hub@uni.test&to=wang@uni.test",
    }
    channels = {
        name: AppriseChannel(url, ALLOW, "site", clock, clock.worker(name))
        for name, url in urls.items()
    }
    targets = {"begin": (outbox, "begin"), "mark": (outbox, "mark_told")}
    if point.what in targets:
        holder, name = targets[point.what]
        setattr(holder, name, point.around(getattr(holder, name)))
    for one in channels.values() if point.what == "send" else ():
        one._hand_over = point.around(one._hand_over)
    opened = open_database(database)
    pipeline = Pipeline(opened, channels, Roster(), HEAD, clock)
    running = asyncio.create_task(pipeline.run(lambda entry: None))
    while outbox.next_ms(opened) is not None:  # noqa: ASYNC110 - what it looks at is a file
        await asyncio.sleep(0.005)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def main() -> None:
    """Lead one life per line."""
    database, ports = Path(sys.argv[1]), (int(sys.argv[2]), int(sys.argv[3]))
    for line in sys.stdin:
        point, count = line.split()
        child = os.fork()
        if child == 0:
            asyncio.run(life(database, ports, Failpoint(point, int(count))))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
