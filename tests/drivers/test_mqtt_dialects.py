"""What Tasmota, Shelly and Zigbee2MQTT say becomes readings in the right units, or is refused."""

from __future__ import annotations

import asyncio
import doctest
import json
import math
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from drivers.mqtt import dialects
from drivers.mqtt.dialects import DIALECTS, compiled, found
from drivers.mqtt.driver import MqttDriver, topic_of, topics
from drivers.profile import MqttProfile
from hub.model import Quality, Reason
from hub.ports import ConfigError, NoAnswerError, Refused
from tests.drivers.mqtt_stage import START_MS, Scene, device_of, played, shipped

TASMOTA, SHELLY, ZIGBEE = map(shipped, ("tasmota-plug", "shelly-pro-3em", "zigbee2mqtt-plug"))
SHANGHAI = ZoneInfo("Asia/Shanghai")
CAPTURES = Path(__file__).parents[3] / "shared" / "data" / "mqtt"
ENERGY = {
    "TotalStartTime": "2023-01-01T00:00:00", "Total": 3.185, "Yesterday": 0.2, "Today": 0.123,
    "Period": 0, "Power": 12, "ApparentPower": 20, "ReactivePower": 16, "Factor": 0.6,
    "Voltage": 231, "Current": 0.087,
}  # fmt: skip


def mqtt(points: dict, dialect: str = "tasmota") -> MqttProfile:
    head = {"version": 1, "id": "p", "maker": "m", "model": "m", "kind": "meter", "source": "s"}
    return MqttProfile.model_validate(
        head | {"protocol": "mqtt", "dialect": dialect, "points": points}
    )


def test_tasmota_s_sensor_and_state_are_read_in_the_zone_of_the_site() -> None:
    async def story(scene: Scene) -> None:
        scene.say("tele/plug-7/SENSOR", {"Time": "2023-11-15T06:13:19", "ENERGY": ENERGY})
        scene.say("tele/plug-7/STATE", {"Time": "2023-11-15T06:13:20", "POWER": "ON", "Wifi": {}})
        assert scene.values() == {
            "energy": 3.185, "energy_today": 0.123, "power": 12, "apparent_power": 20,
            "reactive_power": 16, "power_factor": 0.6, "voltage": 231, "current": 0.087, "relay": 1,
        }  # fmt: skip
        assert {at for _, at, *_ in scene.hub.rows()} == {-1000, 0}
        assert {row[3:] for row in scene.hub.rows()} == {(Quality.GOOD, Reason.NONE)}

    played(story, TASMOTA, "plug-7", SHANGHAI)


@pytest.mark.parametrize(
    ("time", "received", "expected"),
    [  # 29 October 2023, 02:00 to 03:00 comes twice in Berlin
        ("2023-10-29T02:30:00", "2023-10-29T00:30:01+00:00", "2023-10-29T00:30:00+00:00"),
        ("2023-10-29T02:30:00", "2023-10-29T01:30:01+00:00", "2023-10-29T01:30:00+00:00"),
        ("2023-07-01T12:00:00", "2023-07-01T10:00:01+00:00", "2023-07-01T10:00:00+00:00"),
        ("2023-07-01T10:00:00Z", "2023-07-01T10:00:01+00:00", "2023-07-01T10:00:00+00:00"),
    ],
)
def test_a_local_time_that_comes_twice_is_the_one_nearer_to_the_receipt(
    time, received, expected
) -> None:
    now_ms, then_ms = (
        int(datetime.fromisoformat(text).timestamp() * 1000) for text in (received, expected)
    )

    async def story(scene: Scene) -> None:
        scene.say("tele/plug-7/SENSOR", {"Time": time, "ENERGY": {"Power": 1}})
        [(_, at_ms, _, _, reason)] = scene.hub.rows()
        assert (at_ms + START_MS, reason) == (then_ms, Reason.NONE)

    played(story, TASMOTA, "plug-7", ZoneInfo("Europe/Berlin"), now_ms)


def test_the_values_of_a_list_are_told_apart_by_their_place() -> None:
    profile = mqtt({f"current_l{n + 1}": {"key": f"ENERGY.Current[{n}]"} for n in range(3)})

    async def story(scene: Scene) -> None:
        scene.say("tele/plug-7/SENSOR", {"ENERGY": {"Current": [1.5, 2.5]}})
        assert scene.values() == {"current_l1": 1.5, "current_l2": 2.5}
        scene.say("tele/plug-7/SENSOR", {"ENERGY": {"Current": 7}})
        scene.say("tele/plug-7/SENSOR", {"ENERGY": {"Current": "789"}})
        assert len(scene.hub.rows()) == 2

    played(story, profile, "plug-7")


def test_a_list_where_one_number_belongs_is_no_value() -> None:
    async def story(scene: Scene) -> None:
        scene.say("tele/plug-7/SENSOR", {"ENERGY": {"Power": [1, 2, 3]}})
        [(_, _, value, quality, reason)] = scene.hub.rows()
        assert math.isnan(value)
        assert (quality, reason) == (Quality.BAD, Reason.NOT_A_NUMBER)

    played(story, TASMOTA, "plug-7")


def test_a_path_leads_to_a_value_or_nowhere() -> None:
    content = {"a": [{"b": 1}], "em:0": {"x": 2}}
    assert found(content, compiled("a[0].b")) == 1
    assert found(content, compiled("em:0.x")) == 2
    nowhere = found(content, compiled("nothing"))
    for key in ("a[1]", "a.b", "em:0[0]", "a[0].b.c", "em:0.x.y"):
        assert found(content, compiled(key)) is nowhere


def test_a_prefix_may_stand_anywhere_in_tasmota_s_topic() -> None:
    async def story(scene: Scene) -> None:
        scene.say("campus/tele/plug-7/SENSOR", {"ENERGY": {"Power": 3}})
        assert scene.values() == {"power": 3}
        writing = asyncio.create_task(scene.driver.write(scene.points["relay"], 1))
        await scene.clock.sleep(0)
        assert scene.line.published == [("campus/cmnd/plug-7/POWER", b"ON")]
        scene.say("campus/stat/plug-7/RESULT", {"POWER": "ON"})
        assert await writing == 1

    played(story, TASMOTA, "campus/%prefix%/plug-7")


@pytest.mark.parametrize(
    ("profile", "topic", "online", "offline", "wrong"),
    [
        (TASMOTA, "tele/x/LWT", b"Online", b"Offline", b"online"),
        (SHELLY, "x/online", b"true", b"false", b"1"),
        (ZIGBEE, "x/availability", b'{"state":"online"}', b'{"state":"offline"}', b'{"state":1}'),
        (ZIGBEE, "x/availability", b"online", b"offline", b"\xff"),
    ],
)
def test_each_dialect_s_will_is_heard_and_a_retained_greeting_proves_nothing(
    profile, topic, online, offline, wrong
) -> None:
    async def story(scene: Scene) -> None:
        scene.say(topic, online, retained=True)
        scene.say(topic, offline, retained=True)
        scene.say(topic, online)
        scene.say(topic, offline)
        scene.say(topic, wrong)
        assert [told[0] for told in scene.hub.told] == ["failed", "seen", "failed", "rejected"]
        assert len(scene.line.acknowledged) == 5

    played(story, profile, "x")


def notify(ts: float | None, method: str = "NotifyStatus", **status) -> dict:
    params = {"ts": ts} | {name.replace("_0", ":0"): content for name, content in status.items()}
    return {"src": "shelly", "dst": "shelly/events", "method": method, "params": params}


def test_shelly_s_notification_changes_only_what_it_names_and_energies_are_kwh() -> None:
    at = START_MS / 1000

    async def story(scene: Scene) -> None:
        whole = notify(
            at - 60,
            "NotifyFullStatus",
            em_0={"a_voltage": 229.0, "a_current": 2.4, "total_act_power": 558.9},
            emdata_0={"total_act": 2589773.0, "total_act_ret": 1026.0},
        )
        scene.say("shelly/events/rpc", whole)
        assert scene.latest() == {
            "voltage_l1": 229.0, "current_l1": 2.4, "power": 558.9,
            "energy": pytest.approx(2589.773), "export_energy": pytest.approx(1.026),
        }  # fmt: skip
        scene.say("shelly/events/rpc", notify(at - 30, em_0={"a_current": 3.0}))
        assert scene.latest() == {"voltage_l1": 229.0, "current_l1": 3.0, "power": 558.9}
        scene.say("shelly/events/rpc", notify(at - 90, em_0={"a_current": 2.7}))  # late
        assert scene.latest() == {"current_l1": 2.7}
        scene.say("shelly/events/rpc", notify(at, em_0={"a_voltage": 230.0}))
        assert scene.latest() == {"voltage_l1": 230.0, "current_l1": 3.0, "power": 558.9}
        scene.say("shelly/events/rpc", notify(at, sys={"uptime": 5}))
        assert scene.latest() == {}

    played(story, SHELLY, "shelly")


def test_what_a_shelly_said_before_it_went_is_not_told_again_after() -> None:
    async def story(scene: Scene) -> None:
        at = START_MS / 1000
        scene.say("shelly/events/rpc", notify(at - 9, em_0={"a_voltage": 229.0}))
        scene.say("shelly/online", b"false")
        scene.hub.puts.clear()
        scene.say("shelly/events/rpc", notify(at - 1, em_0={"a_current": 1.0}))
        assert scene.values() == {"current_l1": 1.0}

    played(story, SHELLY, "shelly")


def test_shelly_s_status_of_one_component_and_its_events() -> None:
    async def story(scene: Scene) -> None:
        scene.say("shelly/status/em:0", {"id": 0, "b_voltage": 231.0, "c_voltage": None})
        assert scene.values() == {"voltage_l2": 231.0}
        assert {row[4] for row in scene.hub.rows()} == {Reason.RECEIPT_TIME, Reason.NOT_A_NUMBER}
        scene.say("shelly/events/rpc", {"method": "NotifyEvent", "params": {"events": []}})
        assert scene.hub.told[-1] == ("seen", "dorm-01/shower-1")
        for params in ([], {"ts": True}, {"ts": "soon"}, {"ts": [1]}):
            scene.say("shelly/events/rpc", {"method": "NotifyStatus", "params": params})
        reasons = [told[2] for told in scene.hub.told if told[0] == "rejected"]
        assert reasons == ["no params", *["at is no instant"] * 3]

    played(story, SHELLY, "shelly")


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"there are no captures in {CAPTURES}")
def test_the_status_of_a_real_pro_3em_is_read_whole() -> None:
    status = json.loads((CAPTURES / "shelly_pro3em_full.json").read_text("utf-8"))["status"]

    async def story(scene: Scene) -> None:
        content = {"method": "NotifyFullStatus", "params": {"ts": 1707326927.1} | status}
        scene.say("shelly/events/rpc", content)
        values = scene.values()
        assert {*values} == {*SHELLY.points}
        assert values["power"] == 558.965
        assert values["energy"] == pytest.approx(2589.77339)
        phases = sum(values[f"power_l{n}"] for n in (1, 2, 3))
        assert phases == pytest.approx(values["power"], abs=0.1)
        assert sum(values[f"energy_l{n}"] for n in (1, 2, 3)) == pytest.approx(values["energy"])
        assert {row[4] for row in scene.hub.rows()} == {Reason.NONE}

    played(story, SHELLY, "shelly", start_ms=1_707_326_928_000)


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"there are no captures in {CAPTURES}")
def test_a_real_pro_4pm_is_mapped_by_a_profile_alone() -> None:
    points = {
        f"{name}_{n}": {"key": f"switch:{n}.{key}", "scale": scale}
        for n in range(4)
        for name, key, scale in (("power", "apower", 1), ("energy", "aenergy.total", 0.001))
    }
    status = json.loads((CAPTURES / "shelly_pro4pm_full.json").read_text("utf-8"))["status"]

    async def story(scene: Scene) -> None:
        scene.say("shelly/events/rpc", {"method": "NotifyFullStatus", "params": status})
        values = scene.values()
        assert {*values} == {*points}
        for n in range(4):
            told = status[f"switch:{n}"]
            assert values[f"power_{n}"] == told["apower"]
            assert values[f"energy_{n}"] == pytest.approx(told["aenergy"]["total"] / 1000)

    played(story, mqtt(points, "shelly"), "shelly")


@pytest.mark.parametrize(
    ("last_seen", "expected"),
    [
        ({"last_seen": "2023-11-14T22:13:18.000Z"}, (-2000, Reason.NONE)),
        ({"last_seen": "2023-11-15T06:13:18+08:00"}, (-2000, Reason.NONE)),
        ({"last_seen": START_MS - 2000}, (-2000, Reason.NONE)),
        ({}, (0, Reason.RECEIPT_TIME)),
    ],
)
def test_zigbee2mqtt_s_state_is_read(last_seen, expected) -> None:
    state = {"state": "ON", "power": 12.3, "energy": 1.25, "voltage": 230, "current": 0.05}

    async def story(scene: Scene) -> None:
        content = state | {"linkquality": 120, "update": {"state": "idle"}} | last_seen
        scene.say("zigbee2mqtt/dorm-01/shower-1", content)
        assert scene.values() == {
            "relay": 1, "power": 12.3, "energy": 1.25, "voltage": 230, "current": 0.05,
            "link_quality": 120,
        }  # fmt: skip
        assert {(row[1], row[4]) for row in scene.hub.rows()} == {expected}

    played(story, ZIGBEE)


def test_a_cached_message_that_says_no_time_is_not_taken_for_new() -> None:
    async def story(scene: Scene) -> None:
        scene.say("zigbee2mqtt/dorm-01/shower-1", {"state": "ON", "power": 5}, retained=True)
        assert scene.hub.puts == []
        assert scene.hub.told == [("rejected", "dorm-01/shower-1", "retained without at")]

    played(story, ZIGBEE)


@pytest.mark.parametrize(
    ("profile", "topic", "sent", "answer"),
    [
        (
            TASMOTA,
            "x",
            ("cmnd/x/POWER", b"ON"),
            ("stat/x/RESULT", b'{"Time": "2023-11-14T22:13:20", "POWER": "ON"}'),
        ),
        (
            ZIGBEE,
            "z/x",
            ("z/x/set", b'{"state":"ON"}'),
            ("z/x", b'{"state": "ON", "last_seen": "2023-11-14T22:13:20Z"}'),
        ),
    ],
)
def test_a_command_is_done_when_the_device_says_so(profile, topic, sent, answer) -> None:
    where, told = answer

    async def story(scene: Scene) -> None:
        scene.say(where, told.replace(b"ON", b"OFF"))
        writing = asyncio.create_task(scene.driver.write(scene.points["relay"], 1))
        await scene.clock.sleep(1)
        assert scene.line.published == [sent]
        # F15: what was retained says nothing of now, and it may speak before it obeys.
        scene.say(where, told, retained=True)
        scene.say(where, told.replace(b"ON", b"OFF").replace(b":20", b":21"))
        await scene.clock.sleep(0.1)
        assert not writing.done()
        scene.say(where, told.replace(b":20", b":22"))
        assert await writing == 1

    played(story, profile, topic)


def test_a_device_that_does_not_obey_is_asked_what_it_is_and_a_silent_one_is_silent() -> None:
    async def story(scene: Scene) -> None:
        writing = asyncio.create_task(scene.driver.write(scene.points["relay"], 1))
        await scene.clock.sleep(1)
        scene.say("stat/x/RESULT", {"POWER": "OFF"})
        assert await writing == 0  # what the hub calls not confirmed
        with pytest.raises(NoAnswerError, match="no reply within 5 s"):
            await scene.driver.write(scene.points["relay"], 0)
        with pytest.raises(Refused):
            await scene.driver.write(scene.points["relay"], 2)
        with pytest.raises(Refused):
            await scene.driver.write(scene.points["power"], 1)
        assert len(scene.line.published) == 2

    played(story, TASMOTA, "x")


def test_every_device_is_subscribed_by_its_own_topic_and_our_own_by_their_depth() -> None:
    own = mqtt({"x": {}}, "own")
    wanted = topics(
        [
            (device_of(own, "dorm-01/a"), own),
            (device_of(own, "dorm-01/b", "campus/south/7/c"), own),
            (device_of(own, "dorm-01/c", "lab/c"), own),
            (device_of(TASMOTA, "dorm-01/d", "plug-7"), TASMOTA),
            (device_of(ZIGBEE, "dorm-01/e"), ZIGBEE),
            (device_of(mqtt({"x": {"key": "em:0.x"}}, "shelly"), "dorm-01/f", "s"), SHELLY),
        ]
    )
    assert wanted == [
        "campus/+/+/telemetry", "campus/+/+/status", "campus/+/+/reply",
        "campus/+/+/+/telemetry", "campus/+/+/+/status", "campus/+/+/+/reply",
        "lab/c/telemetry", "lab/c/status", "lab/c/reply",
        "tele/plug-7/SENSOR", "tele/plug-7/STATE", "stat/plug-7/RESULT", "tele/plug-7/LWT",
        "zigbee2mqtt/dorm-01/e", "zigbee2mqtt/dorm-01/e/availability",
        "s/events/rpc", "s/status/em:0", "s/status/emdata:0", "s/status/temperature:0", "s/online",
    ]  # fmt: skip


def test_two_devices_on_one_topic_are_refused() -> None:
    pairs = [(device_of(TASMOTA, f"dorm-01/{name}", "plug-7"), TASMOTA) for name in "ab"]
    with pytest.raises(
        ConfigError, match="dorm-01/b: tele/plug-7/SENSOR is the topic of dorm-01/a"
    ):
        MqttDriver(None, pairs, None)


@pytest.mark.parametrize(
    ("profile", "heard", "expected"),
    [
        (TASMOTA, "tele/plug-7/SENSOR", "plug-7"),
        (TASMOTA, "stat/plug-7/RESULT", "plug-7"),
        (TASMOTA, "tele/plug-7/INFO1", None),
        (SHELLY, "shellypro3em-1/events/rpc", "shellypro3em-1"),
        (ZIGBEE, "zigbee2mqtt/plug/availability", "zigbee2mqtt/plug"),
        (ZIGBEE, "zigbee2mqtt/plug", "zigbee2mqtt/plug"),
    ],
)
def test_the_device_that_spoke_is_known_by_its_topic(profile, heard, expected) -> None:
    assert topic_of(profile, heard) == expected


@pytest.mark.parametrize(
    ("points", "dialect", "message"),
    [
        ({"x": {}}, "tasmota", "needs a key like"),
        ({"x": {"key": "a..b"}}, "tasmota", "needs a key like"),
        ({"x": {"key": "a[b]"}}, "zigbee2mqtt", "needs a key like"),
        ({"x": {"key": "a"}, "y": {"key": "a"}}, "tasmota", "key of another point too"),
        ({"x": {}, "y": {"key": "x"}}, "own", "key of another point too"),
        ({"x": {"key": "a.b", "write": {"min": 0, "max": 1}}}, "tasmota", "cannot write a.b"),
        ({"x": {"key": "a", "write": {"min": 0, "max": 1}}}, "shelly", "cannot write a"),
        ({"x": {"key": "a", "words": {"ON": 1}, "scale": 2}}, "tasmota", "are for numbers"),
        (
            {"x": {"key": "a", "words": {"ON": 1}, "write": {"min": 0, "max": 1}}},
            "tasmota",
            r"no word means \[0.0\]",
        ),
        ({"x": {"key": "a", "scale": 0}}, "tasmota", "scale 0"),
        ({"x": {"key": "a"}}, "espurna", "own"),
        (
            {"x": {"write": {"min": 0, "max": 1, "only_while": {"point": "x", "equals": 0}}}},
            "own",
            "only_while is for devices that are polled",
        ),
    ],
)
def test_a_profile_that_cannot_work_is_refused_in_words(points, dialect, message) -> None:
    with pytest.raises(ValidationError, match=message):
        mqtt(points, dialect)


def test_every_dialect_of_a_profile_is_in_the_table() -> None:
    dialect = MqttProfile.model_fields["dialect"].annotation
    assert {*DIALECTS} == {*dialect.__args__}


def test_the_examples_in_the_docstrings_hold() -> None:
    results = doctest.testmod(dialects)
    assert results.attempted > 0
    assert results.failed == 0
