"""What the profile of any product has, whatever protocol it speaks."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from hub.model import PointKind, Text, written_duration

Duration = Annotated[timedelta, BeforeValidator(written_duration)]
Unit = Literal[
    "", "kWh", "W", "kW", "VA", "var", "kvarh", "V", "A", "Hz", "degC", "m3", "m3/h", "L",
    "L/min", "bar", "%", "s", "h", "min", "K", "kPa", "rpm", "uA", "CNY",
]  # fmt: skip


class Spec(BaseModel):
    """A frozen piece of configuration; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


RECORDED = {"recorded": True}
"""The context in which a configuration is read back that was checked before."""


def written_keys(spec: BaseModel, info: ValidationInfo) -> set[str]:
    """Return the keys that people wrote; none of what was recorded, defaults and all."""
    return set() if info.context == RECORDED else spec.model_fields_set


class Label(Spec):
    """A word for people in both languages."""

    zh: str
    en: str

    def text(self) -> Text:
        """Return the value that travels inside the hub."""
        return Text(self.zh, self.en)


def listed(value: object) -> object:
    """Let one thing be written without the brackets of a list."""
    return value if isinstance(value, (list, tuple)) else (value,)


class Condition(Spec):
    """What another point of the device must be at the moment of a write."""

    point: str
    equals: Annotated[
        tuple[float, ...],
        BeforeValidator(listed, json_schema_input_type=float | tuple[float, ...]),
        Field(min_length=1),
    ]


class Write(Spec):
    """What may be written to a point; a point without this is never written.

    ``one_of`` lists the only values where there is no even step. ``only_while`` is read from the
    device just before the write.
    """

    min: float
    max: float
    step: float | None = Field(None, gt=0)
    one_of: tuple[float, ...] = ()
    class_: Literal["normal", "dangerous"] = Field("normal", alias="class")
    lease: Duration | None = None
    safe: float | None = None
    only_while: Annotated[
        tuple[Condition, ...],
        BeforeValidator(listed, json_schema_input_type=Condition | tuple[Condition, ...]),
    ] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Write:
        if self.min > self.max:
            raise ValueError("min is above max")
        if not all(self.min <= value <= self.max for value in self.one_of):
            raise ValueError("a value of one_of is outside min..max")
        return self


class PointSpec(Spec):
    """What every point has, whatever the protocol; ``values`` are the names of states.

    A counter starts again from 0 at ``rollover`` and never counts more than ``most_per_h``.
    """

    unit: Unit = ""
    kind: PointKind = "gauge"
    label: Label | None = None
    values: dict[int, Label] = {}
    min: float | None = None
    max: float | None = None
    rollover: float | None = Field(None, gt=0)
    most_per_h: float | None = Field(None, gt=0)
    write: Write | None = None

    @property
    def digit(self) -> float | None:
        """Return the smallest step that the value is told in, None where that is not known."""
        return None


class Probe(Spec):
    """A point whose plausible range tells whether the device is wired as the profile says."""

    point: str
    min: float
    max: float


class Restless(Spec):
    """Points that always move a little in a device that works.

    When it answers, but none of them has moved for so long, it is frozen.
    """

    points: tuple[str, ...] = Field(min_length=1)
    for_: Duration = Field(alias="for", gt=timedelta(0))


class Product(Spec):
    """Who makes it, what it is, and how far the profile can be trusted."""

    version: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    maker: str
    model: str
    kind: Literal["meter", "boiler", "shower"]
    verified: Literal["none", "simulated", "captured", "field"] = "none"
    verified_on: date | None = None
    source: str
    probe: Probe | None = None
    checks: tuple[Literal["power_triangle", "phase_sum"], ...] = ()
    restless: Restless | None = None
