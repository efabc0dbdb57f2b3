"""Who tells people is killed between its steps, again and again: nothing is lost or told anew."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from hub.database import effects, outbox
from hub.database.connection import open_database
from hub.model import Notification, Text
from tests.crash.teller import POINTS
from tests.hub.sinks import HttpSink, MailSink, http_sink, mail_sink

CHECKOUT = Path(__file__).parents[2]
KILLS, FEW = 200, 10
TO = ("li", "wang")


def told(ticket: int, n: int) -> Notification:
    subject = f"subject {ticket}/{n};"
    key = f"20270110-{ticket:06}"
    return Notification(f"{key}/{n}", key, Text(subject, subject), Text("b", "b"), n, TO)


def messages(http: HttpSink, mail: MailSink) -> list[tuple[str, str, str]]:
    """Return person, key and words of every message that came, in its order."""
    posts = [
        ("li", one.headers["Idempotency-Key"], one.content["title"] + one.content["message"])
        for one in http.posts
    ]
    return posts + [
        (
            "wang",
            str(mail["Message-ID"]).strip("<>").rpartition("@")[0],
            f"{mail['Subject']} {mail.get_body(('plain',)).get_content()}",
        )
        for _, mail in mail.mails
    ]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_kill_between_send_and_log_tells_at_most_once_more_and_with_the_same_key(
    tmp_path: Path, full_scale: bool
) -> None:
    seed = int(os.environ.get("CAMPUS_HUB_CRASH_SEED") or time.time_ns() % 2**32)
    print(f"crash seed: {seed} (CAMPUS_HUB_CRASH_SEED={seed} repeats the passings)")
    chance = random.Random(seed)
    file = tmp_path / "hub.sqlite"
    database = open_database(file)
    wanted: list[Notification] = []
    kills = KILLS if full_scale else FEW
    with http_sink() as http, mail_sink() as mail:
        program = [sys.executable, "-m", "tests.crash.teller", file, str(http.port), str(mail.port)]
        teller = subprocess.Popen(
            program, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with teller:
            for ticket in range(kills):
                several = chance.choice((1, 2, 3, 6))  # six are one message
                new = [told(ticket, n) for n in range(several)]
                wanted += new
                assert effects.apply(database, ticket + 1, new)
                point = POINTS[ticket % len(POINTS)] if ticket % 2 else "after-send"
                assert _life(teller, f"{point} {chance.randint(1, 2)}") == -signal.SIGKILL, point
            assert _life(teller, "none 0") == 0
            teller.stdin.close()
        assert outbox.due(database, 2**53) == []
        database.close()
        came = messages(http, mail)

    for person in TO:
        mine = [(key, words) for to, key, words in came if to == person]
        under = {one.key: {key for key, words in mine if one.subject.en in words} for one in wanted}
        assert [key for key, keys in under.items() if not keys] == [], "lost"
        assert [key for key, keys in under.items() if len(keys) > 1] == [], "told anew"
        again = Counter(key for key, _ in mine)
        assert sum(again.values()) - len(again) <= kills, "more than one for each kill"
        firsts = list(dict.fromkeys(key for key, _ in mine))
        for ticket in {one.ticket for one in wanted}:
            numbers = [int(k.split("/")[1].split("+")[0]) for k in firsts if k.startswith(ticket)]
            assert numbers == sorted(numbers), "out of order"
    doubled = len(came) - len({(to, key) for to, key, _ in came})
    print(f"{kills} kills, {len(wanted) * 2} to tell, {len(came)} messages, {doubled} came twice")
    assert doubled, "no kill met a message between its send and its mark"


def _life(teller: subprocess.Popen[str], said: str) -> int:
    teller.stdin.write(said + "\n")
    teller.stdin.flush()
    return int(teller.stdout.readline())
