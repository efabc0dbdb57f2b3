"""The link in a message that acknowledges a ticket: signed, for one person, and not for ever."""

from __future__ import annotations

from typing import NamedTuple

from hub.secret import Secret

PATH = "/a/"
PURPOSE = "acknowledge"
GOOD_FOR_MS = 24 * 3_600_000


class Ask(NamedTuple):
    """Who is asked to acknowledge which ticket, and until when the link is good."""

    ticket: str
    person: str
    until_ms: int


def written(secret: Secret, ask: Ask, language: str = "") -> str:
    """Return the path of a link; its page speaks ``language`` where one is given."""
    token = secret.signed(PURPOSE, f"{ask.ticket} {ask.person} {ask.until_ms}")
    return f"{PATH}{token}?lang={language}" if language else PATH + token


def asked(secret: Secret, token: str) -> Ask | None:
    """Return what a link asks; None when this hub did not write it."""
    text = secret.opened(PURPOSE, token)
    if text is None:
        return None
    ticket, person, until = text.split(" ")
    return Ask(ticket, person, int(until))
