"""How a message reads: subject, links and text, one notification or many, in one language or two.

What comes from outside (a title, a report's text) cannot break out of its line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hub.model import Text

TICKET = Text("工单", "Ticket")
ACKNOWLEDGE = Text("确认接单", "Acknowledge")
MANY = Text("{count} 条消息", "{count} messages")
MORE = Text("另有 {count} 条", "and {count} more")
ALL = Text("全部工单", "All tickets")
LISTED = 30
LONGEST_SUBJECT = 150
LONGEST_BODY = 6000
_SPOILT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # control, format, separators


class Words(NamedTuple):
    """A message as people read it."""

    subject: str
    body: str


class Told(NamedTuple):
    """One thing to tell; ``acknowledge`` is a link, empty where nobody is asked."""

    ticket: str
    subject: Text
    body: Text
    acknowledge: str = ""
    urgent: bool = False


def one(told: Told, key: str, language: str, base: str) -> Words:
    """Return the message of one notification."""
    say = _speaker(language)
    lines = [f"{say(TICKET)}: {base}/tickets/{told.ticket}"]
    if told.acknowledge:
        lines.append(f"{say(ACKNOWLEDGE)}: {base}{told.acknowledge}")
    lines += ["", *say_body(told.body, language), "", f"[{key}]"]
    return Words(line(say(told.subject)), text(lines))


def many(tolds: Sequence[Told], key: str, language: str, base: str) -> Words:
    """Return one message of many notifications: the urgent ones first, else in their order."""
    tolds = sorted(tolds, key=lambda told: not told.urgent)
    say = _speaker(language)
    counted = Text(*(form.format(count=len(tolds)) for form in (MANY.zh, MANY.en)))
    rest = len(tolds) - LISTED
    more = Text(*(form.format(count=rest) for form in (MORE.zh, MORE.en)))
    lines = [f"{say(ALL)}: {base}/tickets", ""]
    lines += [f"- {line(say(told.subject))}" for told in tolds[:LISTED]]
    lines += [f"- {say(more)}"] if rest > 0 else []
    first = line(say(tolds[0].subject))
    return Words(line(f"{say(counted)}: {first}"), text([*lines, "", f"[{key}]"]))


def line(words: str) -> str:
    """Return words as one line without anything that a header or a terminal would obey.

    >>> line("too hot" + chr(13) + chr(10) + "Bcc: all")
    'too hot  Bcc: all'
    """
    clean = "".join(" " if unicodedata.category(one) in _SPOILT else one for one in words)
    return clean if len(clean) <= LONGEST_SUBJECT else clean[: LONGEST_SUBJECT - 1] + "…"


def text(lines: Sequence[str]) -> str:
    """Return lines as one text, each of them clean, of bounded length."""
    whole = "\n".join(
        "".join(" " if unicodedata.category(one) in _SPOILT else one for one in part)
        for part in lines
    )
    return whole if len(whole) <= LONGEST_BODY else whole[: LONGEST_BODY - 1] + "…"


def say_body(body: Text, language: str) -> list[str]:
    """Return the lines of a text; of both languages, what they share stands once."""
    if language:
        return body.in_language(language).split("\n")
    zh, en = body.zh.split("\n"), body.en.split("\n")
    return [*zh, *(part for part in en if part not in zh)]


def _speaker(language: str) -> Callable[[Text], str]:
    if language:
        return lambda words: words.in_language(language)
    return lambda words: words.zh if words.zh == words.en else f"{words.zh} / {words.en}"
