"""Golden bytes: what a device, a document or arithmetic by hand says, and what it must decode to.

Their source is named beside them and is never our own encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from math import nan
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from hub.model import Quality, Reason
from hub.ports import ConfigError, NoAnswerError, Refused, Table
from hub.settings.form import fitted
from hub.settings.source import Problem, read_yaml

T = TypeVar("T")
Found = dict[str, tuple[float, Quality, Reason]]
"""What was decoded, by point name."""
NOTHING = (nan, Quality.MISSING, Reason.NONE)
_TABLES: Mapping[int, Table] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
_BITS = ("coil", "discrete")
_HEAD, _CRC = 3, 2


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Case(_Spec):
    """One exchange, a few registers or one message, with the values that it stands for.

    ``request`` and ``answer`` are frames as on a serial line, with or without their check sum.
    ``registers`` are table -> first address -> words in hexadecimal. ``frames`` are question ->
    answer of a meter with an ``address`` of its own. ``bad`` names points that must not be taken
    for values.
    """

    source: str = Field(min_length=10)
    request: str | None = None
    answer: str | None = None
    registers: dict[Table, dict[str, str]] = {}
    address: str | None = None
    frames: dict[str, str] = {}
    topic: str | None = None
    payload: str | None = None
    values: dict[str, float] = {}
    bad: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Case:
        if (self.request is None) != (self.answer is None):
            raise ValueError("request and answer belong together")
        if (self.topic is None) != (self.payload is None):
            raise ValueError("topic and payload belong together")
        if bool(self.frames) != bool(self.address):
            raise ValueError("frames and the address of their meter belong together")
        if not (self.answer or self.registers or self.payload or self.frames):
            known = "request and answer, registers, frames, topic and payload"
            raise ValueError(f"write one of {known}")
        if not (self.values or self.bad):
            raise ValueError("write what this decodes to: values or bad")
        self.image()
        return self

    def image(self) -> dict[tuple[Table, int], int]:
        """Return the registers and bits that this case knows."""
        image = {
            (table, int(first, 0) + n): word
            for table, rows in self.registers.items()
            for first, text in rows.items()
            for n, word in enumerate(_words(bytes.fromhex(text)))
        }
        if self.request and self.answer:
            image.update(_exchanged(bytes.fromhex(self.request), bytes.fromhex(self.answer)))
        return image

    def objections(self, found: Found) -> Iterator[str]:
        """Yield for each point what is wrong with what was decoded, empty when nothing is."""
        for name, printed in self.values.items():
            value, quality, reason = found.get(name, NOTHING)
            right = quality is Quality.GOOD and abs(value - printed) <= _half_digit(printed)
            what = f"{name}: printed {printed:g}, decoded {value:g} {quality.name} {reason.name}"
            yield "" if right else f"{what} ({self.source})"
        for name in self.bad:
            value, quality, _ = found.get(name, NOTHING)
            what = f"{name}: no value, decoded {value:g} {quality.name} ({self.source})"
            yield "" if quality is Quality.BAD else what


def _half_digit(printed: float) -> float:
    """Return half of the last digit that is printed.

    >>> round(_half_digit(230.2), 6)
    0.05
    """
    exponent = Decimal(repr(printed)).as_tuple().exponent
    return 0.5 * 10.0 ** min(int(exponent), 0) + 1e-9


class GoldenFile(_Spec):
    """The golden bytes of one product."""

    version: Literal[1]
    profile: str
    cases: tuple[Case, ...] = Field(min_length=1)


_FILE: TypeAdapter[GoldenFile] = TypeAdapter(GoldenFile)


def load_golden(path: Path) -> tuple[Case, ...]:
    """Read a file of golden bytes; ConfigError names what is wrong with it."""
    problems: list[Problem] = []
    document = read_yaml(path, str(path), problems)
    golden = fitted(document, _FILE, problems) if document is not None else None
    if document is not None and golden is not None and golden.profile != path.stem:
        problems.append(document.problem(("profile",), f"is not {path.stem!r}, the file's name"))
    if problems or golden is None:
        raise ConfigError([str(problem) for problem in problems])
    return golden.cases


class GoldenBus:
    """A register bus that knows one case; registers that the case does not know read as 0."""

    def __init__(self, case: Case) -> None:
        self._image = case.image()

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:  # noqa: ARG002 - the port's
        """Return the golden registers."""
        return [self._image.get((table, at), 0) for at in range(address, address + count)]

    async def write(
        self,
        unit_id: int,  # noqa: ARG002 - the port's
        table: Table,
        address: int,
        values: Sequence[int],  # noqa: ARG002 - the port's
        function: int | None = None,  # noqa: ARG002 - the port's
    ) -> None:
        """Refuse: golden bytes stand."""
        raise Refused(f"{table} {address} is golden")

    async def close(self) -> None:
        """Have nothing to close."""


class GoldenLine:
    """A line with one meter that knows the frames of one case."""

    def __init__(self, case: Case) -> None:
        self._answers = {
            _core(bytes.fromhex(question)): bytes.fromhex(answer)
            for question, answer in case.frames.items()
        }

    async def ask(
        self,
        question: bytes,
        answer: Callable[[bytes], T | None],
        *,
        repeatable: bool = True,  # noqa: ARG002 - the port's
    ) -> T:
        """Return what is made of the golden answer; NoAnswerError where there is none."""
        heard = self._answers.get(_core(question), b"")
        found = answer(heard) if heard else None
        if found is None:
            raise NoAnswerError("no golden answer to this")
        return found

    async def tell(self, octets: bytes) -> None:
        """Hear it."""

    async def close(self) -> None:
        """Have nothing to close."""


def _core(frame: bytes) -> bytes:
    """Return a frame without the octets that wake the line."""
    return frame.lstrip(b"\xfe")


def _words(data: bytes) -> Iterator[int]:
    if len(data) % 2:
        raise ValueError(f"{data.hex()} is no whole number of registers")
    return (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


def _exchanged(request: bytes, answer: bytes) -> dict[tuple[Table, int], int]:
    """Take the registers or bits out of a read and its answer."""
    table = _TABLES.get(request[1])
    address, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
    if table is None or answer[:2] != request[:2]:
        raise ValueError("request and answer must be one read of one unit, functions 1 to 4")
    data = answer[_HEAD : _HEAD + answer[2]]
    if len(data) != answer[2] or len(answer) not in (_HEAD + len(data), _HEAD + len(data) + _CRC):
        raise ValueError(f"the answer has not the {answer[2]} bytes that it says")
    if table in _BITS:
        bits = [data[n // 8] >> n % 8 & 1 for n in range(count)]
        return {(table, address + n): bit for n, bit in enumerate(bits)}
    if len(data) != 2 * count:
        raise ValueError(f"{count} registers were asked for, {len(data) // 2} came")
    return {(table, address + n): word for n, word in enumerate(_words(data))}
