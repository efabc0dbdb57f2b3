"""One product as data: its points, registers, limits and quirks.

The same file feeds the driver, the simulated twin, the write whitelist and the labels on screen.
Registers stand in :mod:`drivers.register_map`, what all products share in :mod:`drivers.product`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, model_validator

from drivers.product import (
    Condition,
    Duration,
    Label,
    PointSpec,
    Probe,
    Product,
    Spec,
    Unit,
    Write,
    written_keys,
)
from drivers.register_map import (
    REGISTERS,
    WORDS,
    Attribute,
    Limits,
    ModbusProfile,
    RegisterPoint,
    RegisterType,
    ScaleFrom,
    WordOrderFrom,
    WriteFunction,
    write_function,
)

__all__ = [
    "REGISTERS", "WORDS", "Attribute", "Cjt188Point", "Cjt188Profile", "Condition", "Dlt645Point",
    "Dlt645Profile", "Label", "Limits", "MessagePoint", "MeterCommand", "ModbusProfile",
    "MqttProfile", "PointSpec", "Probe", "Profile", "RegisterPoint", "RegisterType", "ScaleFrom",
    "Spec", "Unit", "WordOrderFrom", "Write", "WriteFunction", "write_function",
]  # fmt: skip

MeterCommand = Literal["trip", "permit_reclose", "close", "keep_power", "keep_power_off"]
KEY_PATH = r"[^.\[\]]+(\[[0-9]{1,3}\])*(\.[^.\[\]]+(\[[0-9]{1,3}\])*)*"


class MessagePoint(PointSpec):
    """A value in what a device publishes.

    ``key`` is its name in our own JSON, a path like ``ENERGY.Current[0]`` in the other dialects.
    A number is told as number x ``scale`` + ``offset``, a text as ``words`` says.
    """

    key: str | None = Field(None, min_length=1)
    scale: float = 1.0
    offset: float = 0.0
    words: dict[str, float] = Field({})

    @model_validator(mode="after")
    def _readable(self, info: ValidationInfo) -> MessagePoint:
        if self.scale == 0:
            raise ValueError("scale 0 makes every value 0")
        if self.words and {"scale", "offset"} & written_keys(self, info):
            raise ValueError("words are told as they are; scale and offset are for numbers")
        if self.write and self.words:
            missing = {self.write.min, self.write.max} - {*self.words.values()}
            if missing:
                raise ValueError(f"no word means {sorted(missing)}, which may be written")
        return self


class MqttProfile(Product):
    """A product that publishes over MQTT, in our own JSON or the way of its firmware."""

    protocol: Literal["mqtt"]
    dialect: Literal["own", "tasmota", "shelly", "zigbee2mqtt"] = "own"
    points: dict[str, MessagePoint] = Field(min_length=1)

    @model_validator(mode="after")
    def _mapped(self) -> MqttProfile:
        keys = [point.key or name for name, point in self.points.items()]
        problems = [
            f"{name}: {problem}"
            for name, point in self.points.items()
            for problem in _unmapped(point, self.dialect, keys.count(point.key or name))
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _unmapped(point: MessagePoint, dialect: str, times: int) -> Iterator[str]:
    if times > 1:
        yield f"{point.key} is the key of another point too"
    if point.write and point.write.only_while:
        yield "only_while is for devices that are polled"
    if dialect == "own":
        return
    if point.key is None or not re.fullmatch(KEY_PATH, point.key):
        yield f"dialect {dialect} needs a key like power or ENERGY.Current[0]"
    elif point.write and (dialect == "shelly" or not re.fullmatch(r"\w+", point.key)):
        yield f"dialect {dialect} cannot write {point.key}"


class Dlt645Point(PointSpec):
    """A value that a DL/T 645-2007 meter keeps under a data identification (``di``).

    ``bcd``: ``digits`` decimal digits from octet ``at`` of the answer on; with ``signed`` the top
    bit is the sign. ``word``: 16 bits, or the one ``bit``, with ``invert`` the other way round.
    ``clock``: how far the meter's clock is ahead, in whole 5 s towards zero; writing 0 sets it.
    ``control`` names the command that brings about each value that may be written.
    """

    di: str = Field(pattern=r"^[0-9A-F]{8}$")
    type: Literal["bcd", "word", "clock"] = "bcd"
    at: int = Field(0, ge=0, le=190)
    digits: int = Field(8, ge=2, le=16, multiple_of=2)
    signed: bool = False
    scale: float = 1.0
    bit: int | None = Field(None, ge=0, le=15)
    invert: bool = False
    control: dict[int, MeterCommand] = Field({})

    @property
    def digit(self) -> float | None:
        """Return the worth of the last decimal digit."""
        return abs(self.scale)

    @property
    def octets(self) -> int:
        """Return how many octets of the answer the value takes."""
        return self.digits // 2 if self.type == "bcd" else 2

    @model_validator(mode="after")
    def _whole(self, info: ValidationInfo) -> Dlt645Point:
        if self.type != "bcd" and {"digits", "signed"} & written_keys(self, info):
            raise ValueError(f"digits and signed are for type bcd, not for {self.type}")
        if self.type != "word" and {"bit", "invert"} & written_keys(self, info):
            raise ValueError(f"bit and invert are for type word, not for {self.type}")
        if self.invert and self.bit is None:
            raise ValueError("invert needs bit")
        if self.type == "clock" and (self.di != "04000102" or self.unit != "s"):
            raise ValueError('a clock is read from di "04000102" and has unit s')
        return self

    @model_validator(mode="after")
    def _commanded(self) -> Dlt645Point:
        write = self.write
        if write is None:
            if self.control:
                raise ValueError("control needs write")
        elif self.type == "clock":
            if (write.min, write.max) != (0, 0) or self.control:
                raise ValueError("a clock is written only to 0 (min: 0, max: 0), without control")
        elif self.bit is None:
            raise ValueError("only a bit, which its control changes, or the clock can be written")
        elif sorted(self.control) != list(range(round(write.min), round(write.max) + 1)):
            raise ValueError("control needs a command for each value from write.min to write.max")
        return self


class Dlt645Profile(Product):
    """A meter that is polled over DL/T 645-2007, one question per data identification.

    ``zone`` is the time that its clock shows. After a command it is read back until it says what
    was asked for, at most for ``settle``.
    """

    protocol: Literal["dlt645"]
    zone: str = Field("Asia/Shanghai", pattern=r"^[A-Za-z_]+(/[A-Za-z_+-]+)*$")
    pause: Duration = timedelta(milliseconds=20)
    settle: Duration = timedelta(seconds=3)
    points: dict[str, Dlt645Point] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Dlt645Profile:
        missing = [
            f"{name}: only_while names {condition.point!r}, which is no point"
            for name, point in self.points.items()
            for condition in (point.write.only_while if point.write else ())
            if condition.point not in self.points
        ]
        if missing:
            raise ValueError("; ".join(missing))
        return self


class Cjt188Point(PointSpec):
    """A part of a CJ/T 188 meter's answer to 901F.

    ``total`` and ``settled`` (the total at the last settlement day) come with their unit and are
    told in m3; ``status`` is the whole word, ``valve`` its two lowest bits, ``battery_low`` its
    third.
    """

    part: Literal["total", "settled", "status", "valve", "battery_low"]

    @model_validator(mode="after")
    def _measured(self) -> Cjt188Point:
        if (self.part in ("total", "settled")) != (self.unit == "m3"):
            raise ValueError("total and settled, and nothing else, have unit m3")
        if self.write:
            raise ValueError("CJ/T 188 meters are only read")
        return self


class Cjt188Profile(Product):
    """A water meter that is polled over CJ/T 188.

    ``meter_type`` is its type code (0x10 cold, 0x11 hot water); ``di`` the order in which the data
    identification 901F goes over the line: ``901F`` in the edition of 2004, ``1F90`` in 2018.
    """

    protocol: Literal["cjt188"]
    meter_type: int = Field(0x10, ge=0x10, le=0x19)
    di: Literal["901F", "1F90"] = "1F90"
    points: dict[str, Cjt188Point] = Field(min_length=1)


Profile = Annotated[
    ModbusProfile | MqttProfile | Dlt645Profile | Cjt188Profile, Field(discriminator="protocol")
]
