"""One cause, one alarm: what hangs on a lost line or a dark building is listed, not told."""

from __future__ import annotations

import pytest

from hub.model import AlarmState, Batch, Entry, EntryKind
from hub.site import Device
from rules.spec import Pack
from tests.hub.fault_site import MINUTE, START, log, pack
from tests.hub.noisy_site import PACKS, Story, noisy_site, shipped_pack

S = AlarmState


def behind(gateway: str):
    return lambda device: device.gateway != gateway


def outside(*houses: str):
    return lambda device: device.place.split("/")[0] not in houses


def nobody(_: Device) -> bool:
    return False


def cut(story: Story, alive, minutes: int = 30) -> Story:
    story.live(5)
    story.live(minutes, alive)
    return story


def test_a_lost_bus_of_32_meters_is_one_alarm_one_ticket_and_one_message() -> None:
    story = cut(Story(noisy_site(2, 2, 32)), behind("gw-01-1"))
    assert story.told() == [("gw-01-1", "gateway-silent")]
    (ticket,) = story.tickets()
    assert len(story.notified()) == 1
    lost = {d.id for d in story.site.devices.values() if d.gateway == "gw-01-1"}
    assert story.listed(ticket) == lost
    members = [one for one in story.alarms().values() if one.state is S.INHIBITED]
    assert {one.device for one in members} == lost
    assert {one.root for one in members} == {ticket.alarm}


def test_members_that_are_back_with_their_bus_were_never_told() -> None:
    story = cut(Story(noisy_site()), behind("gw-01-1"))
    story.live(20)
    assert story.told() == [("gw-01-1", "gateway-silent")]
    states = {one.state for one in story.alarms().values() if one.rule == "meter-silent"}
    assert states == {S.CLEARED}


def test_a_member_that_stays_when_its_root_has_cleared_follows_within_a_minute() -> None:
    story = cut(Story(noisy_site(2, 2, 32)), behind("gw-01-1"))
    dead = "dorm-01/meter-101"
    story.live(20, lambda device: device.id != dead)
    assert story.told() == [("gw-01-1", "gateway-silent"), (dead, "meter-silent")]
    cleared = next(one for one in story.alarms().values() if one.rule == "gateway-silent")
    opened = story.tickets()[1].opened_ms
    assert 0 <= opened - cleared.cleared_ms <= MINUTE
    assert [ticket.device for ticket in story.tickets()] == ["gw-01-1", dead]


def test_a_dark_building_is_one_alarm_with_its_gateways_meters_and_terminals() -> None:
    story = cut(Story(noisy_site()), outside("dorm-01"))
    assert story.told() == [("dorm-01", "building-dark")]
    (ticket,) = story.tickets()
    house = {d.id for d in story.site.devices.values() if d.place.startswith("dorm-01/")}
    assert story.listed(ticket) == house | {"gw-01-1", "gw-01-2"}


def quick_meters() -> list[Pack]:
    """Return the packs with meters that are silent about when their gateway is."""
    meter = shipped_pack("meter").model_dump(by_alias=True, exclude_none=True, mode="json")
    meter["rules"][0]["on_delay"] = "PT4M30S"
    return [Pack.model_validate(meter), *PACKS[1:]]


def test_a_ticket_lists_the_members_of_its_own_time_only() -> None:
    """A line goes, two minutes later the house; a day later the line without one of its meters."""
    story = Story(noisy_site(), quick_meters())
    story.live(5)
    story.live(2, behind("gw-01-2"))
    story.live(12, outside("dorm-01"))
    story.live(60)
    kept = "dorm-01/meter-201"
    story.live(30, lambda device: device.gateway != "gw-01-2" or device.id == kept)
    dark, line = story.tickets()
    assert (dark.device, line.device) == ("dorm-01", "gw-01-2")
    on_line = {device.id for device in story.site.devices.values() if device.gateway == "gw-01-2"}
    assert story.listed(line) == on_line - {kept}
    assert on_line < story.listed(dark)


def test_of_a_building_with_one_line_the_line_is_the_cause() -> None:
    story = cut(Story(noisy_site(2, 1, 8, terminals=0)), outside("dorm-01"))
    assert story.told() == [("gw-01-1", "gateway-silent")]


def test_two_dark_buildings_are_two_alarms() -> None:
    story = cut(Story(noisy_site(4)), outside("dorm-01", "dorm-03"))
    assert story.told() == [("dorm-01", "building-dark"), ("dorm-03", "building-dark")]


def test_all_lines_at_once_are_one_alarm_of_the_hub() -> None:
    story = cut(Story(noisy_site(4, terminals=0)), nobody)
    assert story.told() == [("hub", "uplink-lost")]
    (ticket,) = story.tickets()
    roots = {*story.site.gateways, *story.site.places}
    assert story.listed(ticket) == roots | set(story.site.devices)


def broker(minute: int, state: str) -> Entry:
    content = {"hub": "broker", "state": state}
    return Entry(EntryKind.HEALTH, START + minute * MINUTE, content=content)


def test_a_lost_broker_is_one_alarm_with_all_that_publish() -> None:
    story = Story(noisy_site())
    story.live(5)
    story.take(broker(6, "offline"))
    story.live(30, lambda device: device.gateway is not None)
    assert story.told() == [("hub", "broker-lost")]
    (ticket,) = story.tickets()
    assert story.listed(ticket) == {d.id for d in story.site.devices.values() if not d.gateway}


def test_with_the_uplink_the_broker_is_lost_and_both_are_one_alarm() -> None:
    story = Story(noisy_site())
    story.live(5)
    story.live(6, nobody)
    story.take(broker(11, "offline"))
    story.live(30, nobody)
    assert story.told() == [("hub", "uplink-lost")]
    assert "hub" in story.listed(story.tickets()[0])  # the broker, by what it is about


def test_what_was_told_before_its_cause_stays_told() -> None:
    story = Story(noisy_site())
    story.live(30, lambda device: device.id != "dorm-01/meter-101")
    story.live(30, behind("gw-01-1"))
    assert story.told() == [("dorm-01/meter-101", "meter-silent"), ("gw-01-1", "gateway-silent")]


def test_what_rises_shortly_before_its_cause_is_gathered_under_it() -> None:
    """Its meters are silent half a minute before the gateway is: two minutes are waited for it."""
    story = Story(noisy_site(), quick_meters())
    cut(story, behind("gw-01-1"))
    assert story.told() == [("gw-01-1", "gateway-silent")]
    first = min(story.alarms().values(), key=lambda one: one.raised_ms)
    assert first.rule == "meter-silent"


def test_danger_is_told_whatever_it_hangs_on() -> None:
    hot = {
        "id": "too-hot", "kind": "high", "point": "state", "limit": 48, "clear": 46,
        "suppressible": False,
    }  # fmt: skip
    packs = [*PACKS, pack(hot, kind="shower")]
    story = cut(Story(noisy_site(), packs), outside("dorm-01"))
    shower = story.site.devices["dorm-01/shower-1"]
    at_ms = START + (story.minute + 1) * MINUTE
    batch = Batch.of([shower.points[0].number], [at_ms], [80.0], [0], at_ms)
    story.take(Entry(EntryKind.READINGS, at_ms, batch))
    assert story.told()[-1] == ("dorm-01/shower-1", "too-hot")


def test_the_same_readings_in_other_batches_give_the_same_log() -> None:
    logs = []
    for rows in (10_000, 7, 1):
        story = Story(noisy_site(2, 2, 4, 1), rows=rows)
        story.live(3)
        story.live(16, outside("dorm-01"))
        story.live(12)
        logs.append(log(story.effects))
    assert logs[0] == logs[1] == logs[2]


def test_a_saved_state_goes_on_in_the_middle_of_a_cut() -> None:
    whole, broken = Story(noisy_site()), Story(noisy_site())
    for story in (whole, broken):
        cut(story, outside("dorm-01"), 12)
    saved = broken.core.save()
    again = Story(noisy_site())
    again.core.load(saved)
    assert again.core.save() == saved
    again.minute, again.effects = broken.minute, []
    ends = [story.live(10, outside("dorm-01")) + story.live(20) for story in (whole, again)]
    assert ends[0] == ends[1]


@pytest.mark.parametrize(("cut_off", "roots"), [(1, 1), (2, 2), (27, 1), (0, 1)])
def test_all_devices_at_once_are_one_alarm_per_cause(cut_off, roots, full_scale) -> None:
    """The switches of 1, 2 and all buildings, and (0) the hub's own uplink."""
    size = (27, 5, 32, 30) if full_scale else (27, 2, 6, 2)
    story = Story(noisy_site(*size))
    houses = [place.id for place in story.site.buildings()][:cut_off]
    alive = outside(*houses) if cut_off else nobody
    story.live(2)
    story.live(20, alive)
    assert len(story.told()) == roots
    assert len(story.tickets()) == roots
    lost = {device.id for device in story.site.devices.values() if not alive(device)}
    listed = set().union(*(story.listed(ticket) for ticket in story.tickets()))
    assert lost <= listed
    assert story.core.flood.since_ms is None
