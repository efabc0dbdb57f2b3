"""What goes wrong with a place, a gateway or the broker: it strikes all twins that hang on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hub.ports import Refused
from hub.site import HUB
from simulators.boiler import INDOOR, BoilerTwin
from simulators.shower import ROOM, ShowerTwin
from simulators.twin import Twin

CURES: Mapping[str, str] = {
    "bus_cut": "line",
    "gateway_cut": "gateway",
    "supply_cut": "supply",
    "pipe_leak": "pipe",
    "broker_down": "broker",
    "planned_outage": "supply",
    "door_open": "door",
}
"""The part that ends each of them; outages and open doors are no faults, but alike."""
_OF_A_GATEWAY = ("bus_cut", "gateway_cut", "planned_outage")
_OF_A_BUILDING = ("supply_cut", "pipe_leak", "planned_outage")
_LEAK_KG_S = 0.004  # for each terminal of the building, through all its plants together
_LEAST_LEAK_KG_S = 0.05
_DOOR_OPEN = 9.0  # degC of the air in a room that stands open in winter


class Grounds:
    """The places, gateways and the broker of a fleet, and what is wrong with them now."""

    def __init__(self, twins: Mapping[str, Twin]) -> None:
        self._twins = twins
        self._active: set[tuple[str, str]] = set()
        devices = [twin.device for twin in twins.values()]
        self._possible: dict[str, tuple[str, ...]] = {HUB: ("broker_down",)}
        for device in devices:
            self._possible[device.place.split("/")[0]] = _OF_A_BUILDING
            if device.gateway:
                self._possible[device.gateway] = _OF_A_GATEWAY
            if device.kind in ("boiler", "shower") and "/" in device.place:
                self._possible[device.place] = ("door_open",)

    def possible(self, subject: str) -> tuple[str, ...]:
        """Name what can be wrong with a place, a gateway or the hub's broker; nothing: no such."""
        return () if subject in self._twins else self._possible.get(subject, ())

    def members(self, subject: str, kind: str) -> list[Twin]:
        """Return the twins that it touches, in the order of the site."""
        touched: Callable[[Twin], bool] = {
            "bus_cut": lambda twin: twin.device.gateway == subject,
            "gateway_cut": lambda twin: twin.device.gateway == subject,
            "supply_cut": lambda twin: _below(twin, subject),
            "planned_outage": lambda twin: subject in (twin.device.gateway, _building(twin)),
            "pipe_leak": lambda twin: _below(twin, subject) and isinstance(twin, BoilerTwin),
            "broker_down": lambda twin: twin.device.gateway is None,
            "door_open": lambda twin: twin.device.place == subject,
        }[kind]
        return [twin for twin in self._twins.values() if touched(twin)]

    def begin(self, subject: str, kind: str) -> bool:
        """Start it, all twins standing at this instant; tell whether it was not there already."""
        if kind not in self.possible(subject):
            known = ", ".join(self.possible(subject))
            raise Refused(f"{subject} has no fault {kind}; it has: {known}")
        if (subject, kind) in self._active:
            return False
        self._active.add((subject, kind))
        self._strike(subject, kind, begins=True)
        return True

    def end(self, subject: str, kind: str) -> None:
        """Let it be over."""
        self._active.discard((subject, kind))
        self._strike(subject, kind, begins=False)

    def repair(self, subject: str, part: str) -> list[str]:
        """Mend a part and return what that has ended."""
        cured = sorted(
            kind for whose, kind in self._active if whose == subject and CURES[kind] == part
        )
        for kind in cured:
            self.end(subject, kind)
        return cured

    def _strike(self, subject: str, kind: str, *, begins: bool) -> None:
        members = self.members(subject, kind)
        if kind == "pipe_leak":
            _leak(members, self._terminals(subject) if begins else 0)
        elif kind == "door_open":
            for twin in members:
                _air(twin, open_=begins)
        else:
            of_a_gateway = any(twin.device.gateway == subject for twin in members)
            dark = kind in ("supply_cut", "planned_outage") and not of_a_gateway
            for twin in members:
                if begins:
                    twin.leave(f"{kind} {subject}", dark=dark)
                else:
                    twin.come_back(f"{kind} {subject}")

    def _terminals(self, building: str) -> int:
        return sum(
            twin.device.kind == "shower" and _below(twin, building) for twin in self._twins.values()
        )


def _building(twin: Twin) -> str:
    return twin.device.place.split("/", 1)[0]


def _below(twin: Twin, building: str) -> bool:
    return _building(twin) == building


def _leak(members: list[Twin], terminals: int) -> None:
    """Let a pipe of the building lose water that its plants deliver."""
    lost = max(_LEAK_KG_S * terminals, _LEAST_LEAK_KG_S) if terminals else 0.0
    for twin in members:
        if isinstance(twin, BoilerTwin):
            twin.leaking_kg_s = lost / len(members)


def _air(twin: Twin, *, open_: bool) -> None:
    """Let the air of a tank room or shower room be cold, or as usual again."""
    if isinstance(twin, BoilerTwin):
        twin.indoor = _DOOR_OPEN if open_ else INDOOR
    elif isinstance(twin, ShowerTwin):
        twin.room = _DOOR_OPEN if open_ else ROOM
