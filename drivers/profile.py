"""One product as data: its points, registers, limits and quirks.

The same file feeds the driver, the simulated twin, the write whitelist and the labels on screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hub.model import PointKind, Text, written_duration
from hub.ports import Table

RegisterType = Literal[
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"
]
REGISTERS = 0x10000  # in each table
WORDS: Mapping[RegisterType, int] = {
    "bool": 1,
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
}
Duration = Annotated[timedelta, BeforeValidator(written_duration)]
Unit = Literal[
    "", "kWh", "W", "kW", "VA", "var", "kvarh", "V", "A", "Hz", "degC", "m3", "m3/h", "L",
    "L/min", "bar", "%", "s", "h",
]  # fmt: skip


class Spec(BaseModel):
    """A frozen piece of configuration; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Label(Spec):
    """A word for people in both languages."""

    zh: str
    en: str

    def text(self) -> Text:
        """Return the value that travels inside the hub."""
        return Text(self.zh, self.en)


class Write(Spec):
    """What may be written to a point; a point without this is never written."""

    min: float
    max: float
    step: float | None = Field(None, gt=0)
    class_: Literal["normal", "dangerous"] = Field("normal", alias="class")
    lease: Duration | None = None
    safe: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Write:
        if self.min > self.max:
            raise ValueError("min is above max")
        return self


class PointSpec(Spec):
    """What every point has, whatever the protocol."""

    unit: Unit = ""
    kind: PointKind = "gauge"
    label: Label | None = None
    min: float | None = None
    max: float | None = None
    rollover: float | None = Field(None, gt=0)
    write: Write | None = None


class RegisterPoint(PointSpec):
    """A value in the registers or bits of a Modbus device."""

    table: Table
    address: int = Field(ge=0, le=0xFFFF)
    type: RegisterType = "uint16"
    word_order: Literal["big", "little"] = "big"
    byte_order: Literal["big", "little"] = "big"
    bit: int | None = Field(None, ge=0, le=15)
    scale: float = 1.0
    offset: float = 0.0
    invalid: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> RegisterPoint:
        if (self.table in ("coil", "discrete")) != (self.type == "bool" and self.bit is None):
            raise ValueError("coils and discrete inputs are bool; registers are numbers or one bit")
        if self.write and self.table in ("input", "discrete"):
            raise ValueError(f"a point of table {self.table} cannot be written")
        if self.write and self.bit is not None:
            raise ValueError("a single bit of a register cannot be written")
        if self.address + WORDS[self.type] > REGISTERS:
            raise ValueError("the value ends above register 65535")
        return self


class MessagePoint(PointSpec):
    """A value under a key of a device's telemetry message."""

    key: str | None = None


class Limits(Spec):
    """What one request to a Modbus device may be."""

    words: int = Field(125, ge=1, le=125)
    bits: int = Field(2000, ge=1, le=2000)
    align: int = Field(1, ge=1, le=4)
    gap: int = Field(16, ge=0, le=124)
    pause: Duration = timedelta(0)
    write_functions: tuple[Literal[5, 6, 15, 16], ...] = (5, 6, 15, 16)


class Probe(Spec):
    """A point whose plausible range tells whether the device is wired as the profile says."""

    point: str
    min: float
    max: float


class _Product(Spec):
    version: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    maker: str
    model: str
    kind: Literal["meter", "boiler", "shower"]
    verified: Literal["none", "simulated", "captured", "field"] = "none"
    source: str
    probe: Probe | None = None
    checks: tuple[Literal["power_triangle", "phase_sum"], ...] = ()


class ModbusProfile(_Product):
    """A product that is polled over Modbus."""

    protocol: Literal["modbus"]
    limits: Limits = Limits()
    points: dict[str, RegisterPoint] = Field(min_length=1)


class MqttProfile(_Product):
    """A product that publishes over MQTT in our own JSON."""

    protocol: Literal["mqtt"]
    dialect: Literal["own"] = "own"
    points: dict[str, MessagePoint] = Field(min_length=1)


Profile = Annotated[ModbusProfile | MqttProfile, Field(discriminator="protocol")]
