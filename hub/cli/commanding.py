"""The command that writes a point, through the running hub and under the right of a person.

It goes the way of every command: the hub's API asks for the right, its guards look at the value,
and the audit names who it was. Without a running hub nothing is written.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from typing import Any

from hub.cli import asking
from hub.cli.sites import add_config
from hub.clock import RealClock
from hub.model import Json
from hub.settings import load

_PATIENCE_S = 15.0  # of the hub beyond the time that the command is valid


def add_commands(commands: Any) -> None:
    """Add command."""
    one = commands.add_parser("command", help="write one point of a device, through the hub")
    one.add_argument("point", help="for instance dorm-07/boiler-1/setpoint")
    one.add_argument("value", type=_number, help="in the unit of the point")
    one.add_argument("--reason", required=True, help="why; it goes into the audit")
    asking.add_arguments(one, required=True, right="the right to command")
    one.add_argument("--valid", type=int, default=30, metavar="SECONDS", help="then it expires")
    one.add_argument("--key", help="the same key twice is one command (default: a new one)")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    add_config(one)
    one.set_defaults(carry_out=carry_out)


def _number(text: str) -> float:
    """Return a number that can be written to a point; nan and inf are none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; write one like 52 or -0.5")
    return value


def carry_out(arguments: argparse.Namespace) -> int:
    """Send one command and print what became of it; 0 when the device confirms it, else 1."""
    address = arguments.address or asking.address_of(load(arguments.config))
    wish = {
        "point": arguments.point,
        "value": arguments.value,
        "reason": arguments.reason,
        "valid": f"PT{arguments.valid}S",
    }
    key = arguments.key or RealClock().token("command")
    with asking.session(
        arguments,
        address,
        arguments.valid + _PATIENCE_S,
        absent="and only a running hub writes; start it with run",
        broken=f"ask again with --key {key}: nothing runs twice",
    ) as hub:
        result = hub.post("/api/v1/commands", wish, arguments.point, Idempotency_Key=key)
    _show(result, as_json=arguments.json)
    return 0 if result["outcome"] == "done" else 1


def _show(result: Mapping[str, Json], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
        return
    actual = "" if result["actual"] is None else f"; it is now {result['actual']:g}"
    print(
        f"{result['point']} = {result['value']:g}: {result['outcome']}: {result['result']}{actual}"
    )
