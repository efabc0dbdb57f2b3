"""Read each point of devices on a bus once and say whether they are as their profiles say.

A gateway often takes one connection only. Where a hub runs on the site it has that one, so it is
asked to look, between its polls; otherwise the gateways are asked from here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

from drivers import registry
from hub.cli import asking
from hub.cli.loop import run
from hub.cli.virtual import site_of
from hub.clock import RealClock
from hub.lock import is_held
from hub.model import Json
from hub.ports import Clock, ConfigError, Look
from hub.probe import Probe
from hub.settings import Settings, load
from hub.site import Device, Site

_SHOWN = 4  # wirings
_PATIENCE_S = 300.0  # with one device: looks take turns with the polls of a slow line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the command what it takes beside --config."""
    parser.add_argument("device", nargs="?", help="one device (default: all behind gateways)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asking.add_arguments(parser, required=False, right="the right to command; beside a running hub")


def probe(arguments: argparse.Namespace) -> int:
    """Examine one device, or all behind gateways; 1 when one is not as its profile says."""
    settings = load(arguments.config)
    site = site_of(settings)
    devices = _wanted(site, arguments.device)
    if arguments.address or is_held(settings.lock_file):
        found = _asked(arguments, settings, devices)
    else:
        found = run(_looked_at(settings, site, devices))
    fits = all(one["ok"] for one in found)
    if arguments.json:
        print(json.dumps({"ok": fits, "devices": found}, ensure_ascii=False))
    else:
        for one in found:
            print("\n".join(readable(one)))
    return 0 if fits else 1


def _wanted(site: Site, device: str | None) -> list[Device]:
    """Return the device named, or all behind gateways."""
    if device is None:
        return [one for one in site.devices.values() if one.gateway is not None]
    if device not in site.devices:
        raise ConfigError(
            [f"probe: there is no device {device}; campus.yaml or devices.csv has it not"]
        )
    return [site.devices[device]]


def _asked(
    arguments: argparse.Namespace, settings: Settings, devices: Iterable[Device]
) -> list[dict[str, Json]]:
    """Let the running hub look, as the person named."""
    if not arguments.user:
        raise ConfigError(
            ["probe: a hub runs on this site and has its gateways; name who asks it with --user"]
        )
    address = arguments.address or asking.address_of(settings)
    with asking.session(
        arguments,
        address,
        _PATIENCE_S,
        absent="but one is said to run: correct --address, or stop it first",
        broken="look at the hub's log, then try again",
    ) as hub:
        return [hub.post(f"/api/v1/devices/{one.id}/probe", {}, one.id) for one in devices]


async def _looked_at(
    settings: Settings, site: Site, devices: Sequence[Device]
) -> list[dict[str, Json]]:
    """Examine gateway by gateway, over a connection of our own to each."""
    clock = RealClock()
    found = []
    for gateway in dict.fromkeys(one.gateway for one in devices):
        behind = [one for one in devices if one.gateway == gateway]
        async with _opened(settings, site, behind, clock) as looks:
            probe = Probe(site=site, profiles=settings.profiles, looks=looks, clock=clock)
            found += [(await probe.examine(one)).row() for one in behind]
    return found


@contextlib.asynccontextmanager
async def _opened(
    settings: Settings, site: Site, behind: Sequence[Device], clock: Clock
) -> AsyncIterator[dict[str, Look]]:
    """Open the gateway that these devices are behind, if any."""
    gateway = behind[0].gateway
    if gateway is None:
        yield {}
        return
    ways = registry.Ways(settings.secret)
    driver = registry.behind(site.gateways[gateway], behind, settings.profiles, clock, ways)
    try:
        yield {gateway: driver.look}
    finally:
        await driver.close()


def readable(one: Mapping[str, Json]) -> Iterator[str]:
    """Lay out what was found on one device."""
    yield f"{one['device']}  {one['profile']}  {one['where']}"
    for point in one["points"]:
        where, raw = _raw(point)
        value = "bad" if point["value"] is None else f"{point['value']:.6g} {point['unit']}"
        yield f"  {point['point']:24} {where:16} {raw or point['error'] or '-':20} {value}"
    for wiring in one["wirings"][:_SHOWN]:
        but = f"; fails: {', '.join(wiring['fails'][:3])}" if wiring["fails"] else ""
        yield f"  {wiring['score']:5.2f}  {wiring['wiring']}{but}"
    yield f"  {'ok   ' if one['ok'] else 'WRONG'} {one['finding']}"


def _raw(point: Mapping[str, Json]) -> tuple[str, str]:
    """Return where a point was looked for and what came, in the manner of its protocol."""
    if "octets" in point:
        return point["asked"], bytes(point["octets"]).hex(" ")
    words = " ".join(f"{word:04x}" for word in point["words"] or ())
    return f"{point['table']} {point['address']:#06x}", words
