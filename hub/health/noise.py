"""How many polls of a line fail although its devices answer: noise, not silence; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hub.health.record import Recent
from hub.model import Json

_OVER = 50  # polls in a row that went well: what was before them is over
_WORST = 5  # devices that are named


class Noise:
    """The last polls of one line and of each of its devices.

    A poll that failed counts once its device answers again: those of a device that is lost are
    silence, which rules of its own see in the readings.
    """

    def __init__(self, devices: Iterable[str]) -> None:
        self._line = Recent()
        self._devices = {device: Recent() for device in devices}
        self._failed: Counter[str] = Counter()  # since the device answered last
        self._told: float | None = None

    def failed(self, device: str) -> None:
        """Note that a device did not answer."""
        self._failed[device] += 1

    def answered(self, device: str, *, whole: bool, was_lost: bool) -> None:
        """Note an answer; one that is not ``whole`` brought only a part of what was asked."""
        failed = self._failed.pop(device, 0)
        for recent in (self._line, self._devices[device]):
            for _ in range(0 if was_lost else failed):
                recent.note(failed=True)
            recent.note(failed=not whole)

    def news(self) -> dict[str, Json] | None:
        """Return the share of polls that fail, of the line and its worst devices, when it is news.

        Nothing while too few were asked to tell. A device is told of only when it was asked often
        enough itself. A burst is over once many polls in a row went well: on a line that is asked
        seldom it would count for an hour.
        """
        if not self._line.full:
            return None
        of_line = _share(self._line)
        shares = {device: _share(recent) for device, recent in self._devices.items() if recent.full}
        bad = [one for one in shares.items() if one[1]]
        worst = sorted(bad, key=lambda one: (-one[1], one[0]))[:_WORST]
        share = max([of_line, *(share for _, share in worst)])
        if share == self._told:
            return None
        self._told = share
        return {"share": of_line, "devices": [list(one) for one in worst]}


def _share(recent: Recent) -> float:
    return 0.0 if recent.well(_OVER) else recent.share or 0.0
