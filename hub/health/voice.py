"""What the log says of devices, buses and gateways: the first few of a minute by name, then a sum.

One cause may take thousands with it; a line for each would hide it, and everything else.
"""

from __future__ import annotations

import logging
from collections import Counter

log = logging.getLogger(__name__)

BY_NAME = 3  # of each kind in a minute
_PLACES = 10
_MINUTE_MS = 60_000


class Voice:
    """Says that something is lost or back; :meth:`pass_time` says what was only counted."""

    def __init__(self) -> None:
        self._minute = 0
        self._said: Counter[str] = Counter()
        self._more: dict[str, Counter[str]] = {}  # by what is said, how many of which building

    def say(self, at_ms: int, what: str, name: str, place: str, error: str = "") -> None:
        """Say ``what`` (``device lost``) of a name in a place, or count it."""
        self.pass_time(at_ms)
        self._said[what] += 1
        if self._said[what] <= BY_NAME:
            log.warning("%s: %s%s", what, name, f": {error}" if error else "")
        else:
            self._more.setdefault(what, Counter())[place.partition("/")[0]] += 1

    def pass_time(self, now_ms: int) -> None:
        """Say, once a minute is over, how much more there was of it."""
        if now_ms // _MINUTE_MS <= self._minute:
            return
        for what, places in self._more.items():
            named = [f"{place} {count}" for place, count in places.most_common(_PLACES)]
            more = [f"{len(places) - _PLACES} more places"] if len(places) > _PLACES else []
            where = ", ".join(named + more)
            log.warning("%s: %d more within a minute: %s", what, places.total(), where)
        self._minute = now_ms // _MINUTE_MS
        self._said.clear()
        self._more.clear()
