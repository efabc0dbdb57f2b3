"""A script: what breaks, who does what, and what must have happened at the end."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol, get_args

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub.ports import Clock, ConfigError, Twins
from simulators.faults import EXCEPTIONS, Kind

TicketAct = Literal["acknowledge", "arrive", "fix", "note", "close"]
MeterFault = Literal["counter_rollover", "counter_reset", "counter_glitch", "meter_swapped"]
_LOOK_S = 5.0  # how often people look for the ticket they wait for


class Spec(BaseModel):
    """A frozen piece of a script; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Title(Spec):
    """What the scenario is called."""

    zh: str
    en: str


class Step(Spec):
    """One thing that happens: a fault or repair of a twin, or a person's act on its ticket.

    ``report`` is the kind of fault that a person reports of it, as reports.yaml names it. It
    happens ``at`` so long after the start, or so long ``after`` the device's ticket opened.
    """

    at: timedelta | None = None
    after: timedelta | None = None
    device: str
    fault: str | None = None
    repair: str | None = None
    ticket: TicketAct | None = None
    report: str | None = None
    actor: str = "crew"
    part: str | None = None
    note: str = ""

    @model_validator(mode="after")
    def _one_of_each(self) -> Step:
        if (self.at is None) == (self.after is None):
            raise ValueError("a step has one of at and after")
        happens = (self.fault, self.repair, self.ticket, self.report)
        if sum(one is not None for one in happens) != 1:
            raise ValueError("a step has one of fault, repair, ticket and report")
        return self


class ProtocolFault(Spec):
    """Something wrong on the line of a gateway, for all its devices or for one of them.

    ``code`` is that of an exception, ``by`` the length of a delay, ``share`` how many of the
    transactions are struck.
    """

    kind: Kind
    at: timedelta
    for_: timedelta = Field(alias="for", gt=timedelta(0))
    gateway: str | None = None
    device: str | None = None
    code: int | None = None
    by: timedelta | None = None
    share: float = Field(1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _complete(self) -> ProtocolFault:
        if (self.gateway is None) == (self.device is None):
            raise ValueError("a protocol fault has one of gateway and device")
        if (self.kind == "exception") != (self.code is not None):
            raise ValueError("an exception, and no other fault, has a code")
        if self.code is not None and self.code not in EXCEPTIONS:
            raise ValueError(f"code is one of {', '.join(map(str, EXCEPTIONS))}")
        if (self.kind == "delay") != (self.by is not None):
            raise ValueError("a delay, and no other fault, says by how much")
        if self.device and self.kind in ("one_connection_only", "link_cut"):
            raise ValueError(f"{self.kind} concerns a gateway, not one device")
        return self


class Delivery(Spec):
    """How the readings of meters come to the hub; shares are of all readings.

    Those in a gap never come; those that are late come up to ``latest`` after their time. Every
    clock is wrong by up to ``clock``; ``wrong_clocks`` of the meters have for some days one that
    nobody can believe.
    """

    missing: float = Field(ge=0, lt=1)
    longest_gap: timedelta = Field(gt=timedelta(0))
    late: float = Field(ge=0, lt=1)
    latest: timedelta = Field(gt=timedelta(0))
    repeated: float = Field(ge=0, lt=1)
    clock: timedelta
    wrong_clocks: float = Field(ge=0, le=1)


class Metering(Spec):
    """Buildings of room meters that publish, whose delivery and counters are all but clean.

    Every ``faulty``-th meter has one of each of ``faults``; ``recorded`` of the exchanges are
    entered at the hub by a person.
    """

    buildings: int = Field(ge=1, le=99)
    rooms: int = Field(ge=1, le=400)
    interval: timedelta = Field(gt=timedelta(0))
    delivery: Delivery
    faulty: int = Field(10, ge=1)
    faults: tuple[MeterFault, ...] = get_args(MeterFault)
    recorded: float = Field(0.5, ge=0, le=1)


class HotWaterDay(Spec):
    """The plants and shower terminals of the reference campus, without its rooms.

    ``demand`` is how many sessions begin for each of a usual day: so many that the plants deliver
    ``tonnes`` in the whole time. ``plants`` and ``terminals`` are how often each are read.
    """

    buildings: int = Field(27, ge=1, le=27)
    demand: float = Field(gt=0, le=10)
    tonnes: float = Field(gt=0)
    plants: timedelta = Field(gt=timedelta(0))
    terminals: timedelta = Field(gt=timedelta(0))


class LabelledMonth(Spec):
    """The small campus and one reference building with every fault, as columns and with its truth.

    ``tolerance`` is what the hub's energy of sound meters may be out by.
    """

    tolerance: float = Field(0.001, gt=0, lt=1)


class ColdSnap(Spec):
    """A time that is colder by ``depth`` K than the season."""

    at: timedelta
    for_: timedelta = Field(alias="for", gt=timedelta(0))
    depth: float = Field(gt=0, le=40)


class Expect(Spec):
    """What must hold at the end; what is not named is not judged.

    ``told`` are the causes (`subject#rule`) of which people were told, as often as they were;
    ``listed`` is how many devices, gateways and places the tickets list as effects. ``response``
    and ``fix`` are how long after its opening the one ticket was answered and mended.
    """

    tickets: int | None = None
    open: int | None = None
    closed: int | None = None
    alarms: int | None = None
    told: tuple[str, ...] | None = None
    listed: int | None = None
    breaches: int | None = None
    response: timedelta | None = None
    fix: timedelta | None = None
    rules: tuple[str, ...] | None = None


class Scenario(Spec):
    """One script; ``campus`` names the config folder or the built-in campus it plays on.

    Those are ``small``, ``reference`` and, its first building, ``reference_building``. Heat pumps
    start ``start_lag`` after they are told to.
    """

    version: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$")
    title: Title
    campus: str = "small"
    start: AwareDatetime
    length: timedelta = Field(gt=timedelta(0))
    seed: int = 1
    steps: tuple[Step, ...] = ()
    start_lag: timedelta = Field(timedelta(0), ge=timedelta(0))
    protocol_faults: tuple[ProtocolFault, ...] = ()
    snaps: tuple[ColdSnap, ...] = ()
    metering: Metering | None = None
    hot_water: HotWaterDay | None = None
    labelled: LabelledMonth | None = None
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _one_kind(self) -> Scenario:
        special = [
            name
            for name in ("metering", "hot_water", "labelled")
            if getattr(self, name) is not None
        ]
        if len(special) > 1 or (special and (self.steps or self.protocol_faults or self.snaps)):
            raise ValueError(f"a scenario of {special[0]} has nothing else that happens")
        return self

    @property
    def start_ms(self) -> int:
        """Return the instant at which the script begins."""
        return _milliseconds(self.start)

    @property
    def end_ms(self) -> int:
        """Return the instant at which the script is over."""
        return self.start_ms + _span(self.length)


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def load(path: Path) -> Scenario:
    """Read a script, or raise ConfigError that says what is wrong with it."""
    try:
        scenario = Scenario.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    except ValidationError as error:
        problems = [
            f"{path}: {'.'.join(str(key) for key in one['loc']) or 'file'}: {one['msg']}"
            for one in error.errors()
        ]
        raise ConfigError(problems) from error
    if scenario.id != path.stem:
        raise ConfigError([f"{path}: id: is {scenario.id}; it must be the file's name"])
    return scenario


class People(Protocol):
    """What a script asks of the hub's tickets."""

    async def opened_ms(self, device: str) -> int | None:
        """Return when the latest ticket of a device opened; None when it has none."""

    async def act(self, step: Step) -> None:
        """Carry out a person's step: a report, or an act on the latest ticket of its device."""


async def play(scenario: Scenario, twins: Twins, people: People, clock: Clock) -> None:
    """Carry out the steps in order; return after the last one, or when the time is over."""
    began_ms = clock.now_ms()
    end_ms = began_ms + _span(scenario.length)
    for step in scenario.steps:
        due_ms = await _due_ms(step, people, clock, began_ms, end_ms)
        if due_ms is None:
            return
        await clock.sleep((due_ms - clock.now_ms()) / 1000)
        if step.fault is not None:
            await twins.fault(step.device, step.fault)
        elif step.repair is not None:
            await twins.repair(step.device, step.repair)
        else:
            await people.act(step)


async def _due_ms(
    step: Step, people: People, clock: Clock, began_ms: int, end_ms: int
) -> int | None:
    """Return when a step is due; None when that is not before the end."""
    if step.at is not None:
        due_ms = began_ms + _span(step.at)
        return due_ms if due_ms < end_ms else None
    while (opened_ms := await people.opened_ms(step.device)) is None:
        if clock.now_ms() + _LOOK_S * 1000 >= end_ms:
            return None
        await clock.sleep(_LOOK_S)
    due_ms = opened_ms + _span(step.after or timedelta(0))
    return due_ms if due_ms < end_ms else None


def _span(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
