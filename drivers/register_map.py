"""The profile of a product that is polled over Modbus: its registers, limits and quirks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from drivers.product import Duration, Label, PointSpec, Product, Spec, listed
from hub.model import Json
from hub.ports import Table

RegisterType = Literal[
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float32", "float64", "bcd16", "bcd32", "bcd64",
]  # fmt: skip
WriteFunction = Literal[5, 6, 15, 16]
REGISTERS = 0x10000  # in each table
WORDS: Mapping[RegisterType, int] = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 1,
    "uint16": 1,
    "bcd16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "bcd32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
    "bcd64": 4,
}


class ScaleFrom(Spec):
    """A multiplier that the device itself holds in another point, as that point reads.

    ``power_of_ten``: times 10 to the power of it (SunSpec). ``factor``: times it (CT and PT
    ratios). ``choice``: times what ``factors`` gives for it (a k/M prefix).
    """

    point: str
    kind: Literal["power_of_ten", "factor", "choice"]
    factors: dict[int, float] = Field({})

    @model_validator(mode="after")
    def _complete(self) -> ScaleFrom:
        if (self.kind == "choice") != bool(self.factors):
            raise ValueError("kind choice, and no other, has factors: {value: factor}")
        return self


class WordOrderFrom(Spec):
    """A word order that depends on another point, such as the firmware.

    From ``at_least`` on it is ``order``, below it is the point's own ``word_order``.
    """

    point: str
    at_least: float
    order: Literal["big", "little"]


class RegisterPoint(PointSpec):
    """A value in the registers or bits of a Modbus device.

    ``byte`` says where an 8-bit value lies in its register; ``bit`` is the lowest bit of a field of
    ``bits`` bits, counted from the least significant. ``invalid`` lists bit patterns, before any
    scaling, that mean "no value". The value is (raw x ``scale`` + ``offset``) x ``scale_from``.
    """

    table: Table
    address: int = Field(ge=0, le=0xFFFF)
    type: RegisterType = "uint16"
    word_order: Literal["big", "little"] = "big"
    word_order_from: WordOrderFrom | None = None
    byte_order: Literal["big", "little"] = "big"
    byte: Literal["high", "low"] | None = None
    bit: int | None = Field(None, ge=0, le=63)
    bits: int = Field(1, ge=1, le=32)
    scale: float = 1.0
    scale_from: Annotated[
        tuple[ScaleFrom, ...],
        BeforeValidator(listed, json_schema_input_type=ScaleFrom | tuple[ScaleFrom, ...]),
    ] = ()
    offset: float = 0.0
    invalid: tuple[int, ...] = ()

    @property
    def words(self) -> int:
        """Return how many registers (or bits of a bit table) the value takes."""
        return WORDS[self.type]

    @property
    def digit(self) -> float | None:
        """Return the step of a whole number; None of a floating one or of a scale that is read."""
        return None if self.scale_from or self.type.startswith("float") else abs(self.scale)

    @property
    def partial(self) -> bool:
        """Tell whether the value is only a part of its register: a write must keep the rest."""
        return self.bit is not None or self.byte is not None

    @property
    def follows(self) -> tuple[str, ...]:
        """Return the points without which this one cannot be told."""
        order = (self.word_order_from.point,) if self.word_order_from else ()
        return (*order, *(source.point for source in self.scale_from))

    @model_validator(mode="after")
    def _fits(self) -> RegisterPoint:
        if (self.table in ("coil", "discrete")) != (self.type == "bool" and self.bit is None):
            raise ValueError("coils and discrete inputs are bool; registers are numbers or bits")
        if self.scale == 0:
            raise ValueError("scale 0 makes every value 0")
        if self.write and self.table in ("input", "discrete"):
            raise ValueError(f"a point of table {self.table} cannot be written")
        if self.write and self.scale_from:
            raise ValueError("a point with scale_from cannot be written")
        if self.address + self.words > REGISTERS:
            raise ValueError("the value ends above register 65535")
        return self

    @model_validator(mode="after")
    def _part_of_register(self) -> RegisterPoint:
        if (self.type in ("int8", "uint8")) != (self.byte is not None):
            raise ValueError("types int8 and uint8, and no others, need byte: high or low")
        if self.bit is None:
            if self.bits != 1:
                raise ValueError("bits needs bit, the lowest bit of the field")
        elif self.byte or self.type.startswith(("float", "bcd")):
            raise ValueError(f"there are no bits to take from a {self.type}")
        elif self.bit + self.bits > 16 * self.words:
            raise ValueError(f"{self.type} has {16 * self.words} bits; the field ends above them")
        return self


class Attribute(Spec):
    """A text in the registers, such as a serial number: known, but no reading and not polled."""

    table: Literal["holding", "input"]
    address: int = Field(ge=0, le=0xFFFF)
    words: int = Field(ge=1, le=125)
    byte_order: Literal["big", "little"] = "big"
    label: Label | None = None


class Limits(Spec):
    """What one request to a Modbus device may be."""

    words: int = Field(125, ge=1, le=125)
    bits: int = Field(2000, ge=1, le=2000)
    align: int = Field(1, ge=1, le=4)
    gap: int = Field(16, ge=0, le=124)
    pause: Duration = timedelta(0)
    write_functions: tuple[WriteFunction, ...] = (5, 6, 15, 16)


class ModbusProfile(Product):
    """A product that is polled over Modbus.

    ``addressing: one_based`` is for documents that count registers from 1; inside, addresses are
    always those on the wire.
    """

    protocol: Literal["modbus"]
    addressing: Literal["zero_based", "one_based"] = "zero_based"
    limits: Limits = Limits()
    points: dict[str, RegisterPoint] = Field(min_length=1)
    attributes: dict[str, Attribute] = Field({})

    @model_validator(mode="before")
    @classmethod
    def _from_zero(cls, data: Json) -> Json:
        if not isinstance(data, dict) or data.get("addressing") != "one_based":
            return data
        tables = {key: _lowered(data[key]) for key in ("points", "attributes") if key in data}
        return data | tables | {"addressing": "zero_based"}

    @model_validator(mode="after")
    def _consistent(self) -> ModbusProfile:
        problems = [
            f"{name}: {problem}"
            for name, point in self.points.items()
            for problem in (*_references(point, self.points), *_beyond(point, self.limits))
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _lowered(rows: Json) -> Json:
    """Return points or attributes with each address one lower; what is no address stays wrong."""
    if not isinstance(rows, dict):
        return rows
    return {
        name: row | {"address": row["address"] - 1}
        if isinstance(row, dict) and isinstance(row.get("address"), int)
        else row
        for name, row in rows.items()
    }


def _references(point: RegisterPoint, points: Mapping[str, RegisterPoint]) -> Iterator[str]:
    for name in point.follows:
        if name not in points:
            yield f"it depends on {name!r}, which is no point"
        elif points[name].follows:
            yield f"it depends on {name!r}, which itself depends on another point"
    for condition in point.write.only_while if point.write else ():
        if condition.point not in points:
            yield f"only_while names {condition.point!r}, which is no point"


def _beyond(point: RegisterPoint, limits: Limits) -> Iterator[str]:
    if point.words > limits.words:
        yield f"it takes {point.words} registers; limits.words is {limits.words}"
    if point.write and write_function(point, limits) is None:
        known = ", ".join(str(function) for function in limits.write_functions)
        yield f"none of the write functions {known} can write {point.words} of table {point.table}"


def write_function(point: RegisterPoint, limits: Limits) -> WriteFunction | None:
    """Return the Modbus function that writes a point to this device, None when there is none.

    One value goes by the single function (5, 6) where the device knows it.
    """
    single: WriteFunction = 5 if point.table == "coil" else 6
    several: WriteFunction = 15 if point.table == "coil" else 16
    if point.words == 1 and single in limits.write_functions:
        return single
    return several if several in limits.write_functions else None
