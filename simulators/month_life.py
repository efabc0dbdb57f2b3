"""How people live in a month: rooms with habits, days away, a holiday, the vacation, visitors."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from simulators.climate import DAY_MS, HOUR_MS, Climate, local_hour
from simulators.episode import Episode
from simulators.life import Life, RoomLife
from simulators.load import STANDBY_W, Load
from simulators.noise import uniform

_ZONE_MS = 8 * HOUR_MS
_MOST_W = 1300.0  # of what people have on together; their room's breaker taught them that
_STAY, _STAY_SHARE = 0.08, 0.9
_AWAY = 0.02  # of a room's usual use while nobody is there
_DAY_AWAY = 0.03
_HOLIDAY_AWAY = 0.4
_VACATION_SHOWERS, _HOLIDAY_SHOWERS = 0.08, 0.6
_HEAVY_W, _HEAVY_FROM_H, _HEAVY_TO_H = 450.0, 17.0, 24.0
_VISITORS = 1.6
_COOLER_W, _COOLER_ON = 700.0, (0, 1)  # slots of three in which the machine runs
_BUSY_SHOWERS = 1.6
_COLD, _HEATED = 2.0, 1.2  # below so many degC people stay in and have more on
_EXTRA = ("heavy_use", "visitors", "air_conditioner")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of the month on which life differs, as spans of instants (ms)."""

    holidays: Sequence[tuple[int, int]]
    vacation: tuple[int, int]

    def holiday(self, at_ms: int) -> bool:
        """Tell whether it is a public holiday."""
        return any(start <= at_ms < end for start, end in self.holidays)


class MonthLife(Life):
    """The life of one month, seeded; ``episodes`` say what is unusual where and when."""

    def __init__(
        self, seed: int, climate: Climate, calendar: Calendar, episodes: Sequence[Episode]
    ) -> None:
        super().__init__(climate)
        self._seed = seed
        self._calendar = calendar
        self._extra: dict[str, list[Episode]] = {}
        for one in sorted(episodes, key=lambda one: one.start_ms):
            if one.kind in _EXTRA:
                self._extra.setdefault(one.subject, []).append(one)

    def room(self, place: str) -> RoomLife:
        """Return how a room is lived in."""
        own = crc32(place.encode()) + (self._seed << 32)
        return _Room(own, self.climate, self._calendar, self._extra.get(place, ())).load

    def demand(self, place: str, usual: float) -> Callable[[int], float]:
        """Return how many people come to a shower room, for each of a usual day."""
        own = crc32(place.encode()) + (self._seed << 32)
        busy = self._extra.get(place, ())
        calendar = self._calendar

        def demand(at_ms: int) -> float:
            people = usual * (0.85 + 0.3 * uniform(own, (at_ms + _ZONE_MS) // DAY_MS))
            if calendar.vacation[0] <= at_ms < calendar.vacation[1]:
                people *= _VACATION_SHOWERS
            elif calendar.holiday(at_ms):
                people *= _HOLIDAY_SHOWERS
            if any(one.start_ms <= at_ms < one.end_ms for one in busy):
                people *= _BUSY_SHOWERS
            return people

        return demand


class _Room:
    """One room: who lives there and what is unusual."""

    def __init__(
        self, seed: int, climate: Climate, calendar: Calendar, extra: Sequence[Episode]
    ) -> None:
        self._seed = seed
        self._climate = climate
        self._calendar = calendar
        self._extra = extra
        self._starts = [one.start_ms for one in extra]
        self._habit = 0.7 + 0.5 * uniform(seed, 1)
        start_ms, end_ms = calendar.vacation
        # the last exams are on different days; some stay all winter
        self._leaves_ms = start_ms + round(DAY_MS * (2 * uniform(seed, 2) - 1))
        self._away_until_ms = end_ms if uniform(seed, 3) >= _STAY else self._leaves_ms
        self._day: tuple[int, float] = (-1, 0.0)

    def load(self, at_ms: int, people_w: float) -> Load:
        """Return what is on at the start of a slot."""
        mixed, motor = people_w * self._present(at_ms), 0.0
        if self._climate.outdoor(at_ms) < _COLD:
            mixed *= _HEATED
        n = bisect_right(self._starts, at_ms) - 1
        if n >= 0 and at_ms < self._extra[n].end_ms:
            mixed, motor = _UNUSUAL[self._extra[n].kind](at_ms, mixed)
        return Load(min(STANDBY_W + mixed, _MOST_W), motor_w=motor)

    def _present(self, at_ms: int) -> float:
        if self._leaves_ms <= at_ms < self._away_until_ms:
            return _AWAY
        day = (at_ms + _ZONE_MS) // DAY_MS
        if self._day[0] != day:
            away = _HOLIDAY_AWAY if self._calendar.holiday(at_ms) else _DAY_AWAY
            gone = uniform(self._seed, 10 + day) < away
            self._day = day, _AWAY if gone else self._habit
        return self._day[1]


def _heavy(at_ms: int, mixed_w: float) -> tuple[float, float]:
    evening = _HEAVY_FROM_H <= local_hour(at_ms) < _HEAVY_TO_H
    return mixed_w + _HEAVY_W * evening, 0.0


def _visited(_: int, mixed_w: float) -> tuple[float, float]:
    return _VISITORS * mixed_w, 0.0


def _cooled(at_ms: int, mixed_w: float) -> tuple[float, float]:
    """Let a machine with a compressor run in two slots of three."""
    return mixed_w / 2, _COOLER_W if at_ms // 600_000 % 3 in _COOLER_ON else 0.0


_UNUSUAL: Mapping[str, Callable[[int, float], tuple[float, float]]] = {
    "heavy_use": _heavy,
    "visitors": _visited,
    "air_conditioner": _cooled,
}
