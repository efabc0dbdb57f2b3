"""Check how devices are reached: gateways, unit ids and addresses, as each protocol asks."""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from drivers.profile import Cjt188Profile, Dlt645Profile, ModbusProfile, Profile
from hub.model import Json
from hub.settings.source import Problem, Row
from hub.settings.spec import TLS_PORT, UNIT_ID_MAX, UNIT_ID_MIN

_EVERYBODY = "9" * 12
_ANY = "AA"
_SPEAKS = {"modbus": "Modbus", "mqtt": "MQTT", "dlt645": "DL/T 645", "cjt188": "CJ/T 188"}


@dataclass(frozen=True, slots=True)
class Reached:
    """One device as it was written, with its profile and gateway where these are known."""

    row: Row
    profile: Profile
    gateway: Row | None

    @property
    def who(self) -> str:
        """Return the profile and what it speaks, for people."""
        return f"{self.profile.id} speaks {_SPEAKS[self.profile.protocol]}"

    def has(self, key: str) -> bool:
        """Tell whether a key is written."""
        return self.row.data.get(key) is not None


def wrong_connections(
    devices: Sequence[Row],
    profiles: Mapping[str, Profile],
    gateways: Mapping[str, Row],
    campus: Mapping[str, Json],
) -> Iterator[Problem]:
    """Find devices that cannot be reached as they are written, or only in place of another."""
    known = [
        Reached(row, profiles[name], gateways.get(row.text("gateway") or ""))
        for row in devices
        if (name := row.text("profile") or "") in profiles
    ]
    for one in known:
        if isinstance(one.profile, ModbusProfile):
            yield from _keys(one, ("gateway", "unit_id"), ("address", "password_file", "topic"))
        elif isinstance(one.profile, (Dlt645Profile, Cjt188Profile)):
            yield from _meter(one)
        else:
            yield from _publishing(one, campus)
    yield from _mixed(known)
    yield from _shared_units(devices)
    yield from _shared_addresses(known)
    yield from _shared_topics(known)


def shared_lines(gateways: Sequence[Row]) -> Iterator[Problem]:
    """Find gateways that lead to the same box or serial port, however their URLs are written."""
    first: dict[str, Row] = {}
    for row in gateways:
        url = row.text("url") or ""
        end = _end_of(url)
        if end and (before := first.setdefault(end, row)) is not row:
            names = f"{row.text('id')} and {before.text('id')} {where(before)}"
            what = f"{url} leads to {end}: {names} are one gateway; write it once"
            yield row.problem("url", what)


def _end_of(url: str) -> str | None:
    """Return what a URL leads to, whatever is spoken on the way; None where it is none."""
    scheme, _, rest = url.partition("://")
    if scheme == "serial":
        return posixpath.normpath(rest) if rest else None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    port = TLS_PORT if port is None and scheme == "tcp+tls" else port
    return f"{_host(host)}:{port}" if host and port else None


def _host(name: str) -> str:
    """Return a host name or address in the one form that all its spellings have."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name.rstrip(".")
    return f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - its number


def where(row: Row) -> str:
    """Say where a row stands."""
    return f"by {row.document.file}:{row.document.line(row.key)}"


def _keys(one: Reached, needed: Sequence[str], strange: Sequence[str]) -> Iterator[Problem]:
    for key in needed:
        if not one.has(key):
            yield one.row.problem(key, f"missing; {one.who} through a gateway")
    for key in strange:
        if one.has(key):
            yield one.row.problem(key, f"remove it; {one.who} and has no {key}")


def _publishing(one: Reached, campus: Mapping[str, Json]) -> Iterator[Problem]:
    for key in ("gateway", "unit_id", "address", "password_file"):
        if one.has(key):
            what = "no gateway" if key in ("gateway", "unit_id") else f"no {key}"
            yield one.row.problem(key, f"remove it; {one.who} and has {what}")
    if campus.get("mqtt") is None:
        yield one.row.problem("profile", f"{one.who}; add mqtt: {{url: ...}} to campus.yaml")


def _meter(one: Reached) -> Iterator[Problem]:
    """Find what does not fit a protocol whose frames name the meter."""
    digits = 12 if isinstance(one.profile, Dlt645Profile) else 14
    strange = () if isinstance(one.profile, Dlt645Profile) else ("password_file",)
    yield from _keys(one, ("gateway", "address"), ("unit_id", "topic", *strange))
    address = one.row.text("address")
    if address is not None and len(address) != digits:
        yield one.row.problem("address", f"{address!r} has {len(address)} digits, not {digits}")
    if address == _EVERYBODY:
        yield one.row.problem("address", f"{address} is everybody; write the meter's own")
    if one.gateway is not None:
        yield from _line(one, one.gateway)


def _line(one: Reached, gateway: Row) -> Iterator[Problem]:
    url = gateway.text("url") or ""
    if url.startswith(("rtu+tcp:", "tcp+tls:")):
        what = f"{one.who}, which goes over tcp:// (a transparent gateway) or serial://"
        yield gateway.problem("url", what)
    for key in ("in_flight", "close_after_poll", "transaction_ids"):
        if key in gateway.data:
            yield gateway.problem(key, f"remove it; {one.who}, and this is for Modbus")


def _mixed(known: Sequence[Reached]) -> Iterator[Problem]:
    """Find gateways whose devices do not all speak alike: a line has one protocol."""
    first: dict[str, Reached] = {}
    for one in known:
        id_ = one.gateway.text("id") if one.gateway is not None else None
        if id_ is None or one.profile.protocol == "mqtt":
            continue
        before = first.setdefault(id_, one)
        if before.profile.protocol != one.profile.protocol:
            what = f"{one.who}, but gateway {id_} leads to {_SPEAKS[before.profile.protocol]}"
            yield one.row.problem("profile", f"{what} {where(before.row)}; one protocol each")


def _shared_units(devices: Sequence[Row]) -> Iterator[Problem]:
    first: dict[tuple[str, int], Row] = {}
    for row in devices:
        gateway, unit_id = row.text("gateway"), _unit_id(row.data.get("unit_id"))
        if gateway is None or unit_id is None or not UNIT_ID_MIN <= unit_id <= UNIT_ID_MAX:
            continue
        before = first.setdefault((gateway, unit_id), row)
        if before is not row:
            yield row.problem(
                "unit_id", f"unit {unit_id} of {gateway} is taken {where(before)}; one each"
            )


def _unit_id(value: Json) -> int | None:
    """Return the number, which a CSV file holds as a text."""
    if isinstance(value, str) and value.isdecimal():
        return int(value[:9])
    return value if isinstance(value, int) else None


def _shared_addresses(known: Sequence[Reached]) -> Iterator[Problem]:
    """Find addresses that two meters of a gateway would answer to."""
    behind: dict[str, list[tuple[str, Row]]] = {}
    for one in known:
        gateway, address = one.row.text("gateway"), one.row.text("address")
        if gateway is None or address is None or one.gateway is None:
            continue
        for other, row in behind.setdefault(gateway, []):
            if _meet(address, other):
                what = f"{address} and {other} {where(row)} are answered by the same meter"
                yield one.row.problem("address", f"{what} of {gateway}; one each")
                break
        behind[gateway].append((address, one.row))


def _shared_topics(known: Sequence[Reached]) -> Iterator[Problem]:
    """Find topics that two devices would be heard by."""
    first: dict[str, Row] = {}
    for one in known:
        topic = one.row.text("topic")
        if topic and (before := first.setdefault(topic, one.row)) is not one.row:
            yield one.row.problem("topic", f"{topic!r} is taken {where(before)}; one each")


def _meet(one: str, other: str) -> bool:
    pairs = zip(_pairs(one), _pairs(other), strict=False)
    return all(a == b or _ANY in (a, b) for a, b in pairs)


def _pairs(address: str) -> list[str]:
    return [address[at : at + 2] for at in range(0, len(address), 2)]
