"""The one door to pymodbus: its asyncio transport over pyserial."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from pymodbus.transport.serialtransport import SerialTransport

from hub.ports import Clock
from hub.site import Line

P = TypeVar("P", bound=asyncio.Protocol)

_BITS = 8
_LETTERS = {"none": "N", "even": "E", "odd": "O"}


def byte_s(line: Line) -> float:
    """Return how long one byte is on the line: start, data, parity and stop bits."""
    return (1 + _BITS + (line.parity != "none") + line.stopbits) / line.baudrate


async def open_serial(path: str, line: Line, make: Callable[[], P], clock: Clock) -> P:
    """Open a serial port for this process alone; OSError when it cannot be had."""
    link = make()
    try:
        transport = SerialTransport(
            asyncio.get_running_loop(),
            link,
            path,
            line.baudrate,
            _BITS,
            _LETTERS[line.parity],
            line.stopbits,
            0,
        )
    except OSError:
        raise
    except Exception as error:  # pyserial lets the terminal's own errors through
        raise OSError(
            f"{path} refuses {line.baudrate} baud, {line.parity} parity: {error}"
        ) from error
    transport.setup()
    await clock.sleep(0)  # the transport tells the link of itself in the next turn of the loop
    return link
