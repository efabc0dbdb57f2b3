"""What a person without an account sends, made fit to be kept and shown."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from hub.ports import Refused

LONGEST_WORDS = 1000
LONGEST_CONTACT = 100
MOST_PHOTOS = 3
# Letters that turn the order of what follows: a name could be made to read as another.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


class TooLongError(Refused):
    """Words that are longer than is kept: ``length`` where at most ``most`` are."""

    def __init__(self, length: int, most: int) -> None:
        super().__init__(f"the text has {length} characters; at most {most} are kept, shorten it")
        self.length = length
        self.most = most


class Said(NamedTuple):
    """One report as it is sent in; ``token`` is the secret of its progress page."""

    token: str
    kind: str
    place: str
    device: str | None
    words: str
    contact: str
    photos: tuple[str, ...]


def cleaned(text: str, most: int) -> str:
    r"""Return a text without control characters; TooLongError when it is longer than ``most``.

    >>> cleaned("  no\x00 water\r\nsince \u202e7\x1b[31m ", 100)
    'no water\nsince 7[31m'
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(one for one in lines if _is_kept(one)).strip()
    if len(kept) > most:
        raise TooLongError(len(kept), most)
    return kept


def _is_kept(letter: str) -> bool:
    if letter in "\n\t":
        return True
    return unicodedata.category(letter) not in ("Cc", "Cs") and letter not in _TURNING
