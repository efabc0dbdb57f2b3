from __future__ import annotations

import asyncio
import math

import pytest

from drivers.mqtt.driver import topics
from hub.model import Quality, Reason
from hub.ports import DeclinedError, DeviceError, Message, NoAnswerError, Refused
from tests.drivers.mqtt_stage import DEVICE, PROFILE, START_MS, Scene, played


@pytest.fixture
def play():
    """Return the function that plays a story."""
    return played


def test_all_waiting_messages_become_one_batch(play) -> None:
    async def story(scene: Scene) -> None:
        scene.hear(
            {"at": START_MS - 2000, "seq": 1, "values": {"flow": 5.5, "valve": True}},
            {"at": "2023-11-14T22:13:19Z", "values": {"total": 812}},
        )
        assert len(scene.hub.puts) == 1
        good = (Quality.GOOD, Reason.NONE)
        assert scene.hub.rows() == [
            (1, -2000, 5.5, *good),
            (3, -2000, 1.0, *good),
            (2, -1000, 812.0, *good),
        ]
        assert scene.hub.told == [("seen", DEVICE)] * 2

    play(story)


def test_nothing_is_acknowledged_before_it_is_durable(play) -> None:
    async def story(scene: Scene) -> None:
        messages = scene.hear({"at": START_MS, "values": {"flow": 1}}, b"junk")
        assert scene.line.acknowledged == []
        _, durable = scene.hub.puts[0]
        durable()
        assert scene.line.acknowledged == messages

    play(story)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'{"values": {"flow": "\xc3\x28"}}', "not UTF-8"),
        (b'{"values": {"flow": NaN}}', "not JSON"),
        (b"[1, 2]", "no JSON object"),
        (b"[" * 60_000, "not JSON"),
        (b"5", "no JSON object"),
        ({"at": START_MS}, "no values"),
        ({"at": START_MS, "values": [1]}, "no values"),
        ({"at": "yesterday", "values": {"flow": 1}}, "at is no instant"),
        ({"at": "2023-11-14T22:13:19", "values": {"flow": 1}}, "at is no instant"),
        ({"at": True, "values": {"flow": 1}}, "at is no instant"),
        ({"at": -5, "values": {"flow": 1}}, "at is no instant"),
        ({"at": START_MS, "values": {"flow": 1, "x": "y" * 70_000}}, "larger than 64 KiB"),
    ],
)
def test_what_cannot_be_used_is_a_dead_letter_and_the_next_message_is_read(
    play, payload, reason
) -> None:
    async def story(scene: Scene) -> None:
        messages = scene.hear(payload)
        assert scene.hub.told == [("rejected", DEVICE, reason)]
        assert scene.line.acknowledged == messages
        scene.hear({"at": START_MS, "values": {"flow": 2}})
        assert scene.hub.rows() == [(1, 0, 2.0, Quality.GOOD, Reason.NONE)]

    play(story)


def test_undeclared_points_and_devices_are_rejected_and_the_rest_is_kept(play) -> None:
    async def story(scene: Scene) -> None:
        scene.hear({"at": START_MS, "values": {"flow": 1, "boiler_setpoint": 99}})
        assert [row[0] for row in scene.hub.rows()] == [1]
        assert ("rejected", DEVICE, "undeclared point") in scene.hub.told
        scene.line.waiting.append(Message("campus/dorm-01/ghost/telemetry", b"{}", False, START_MS))
        scene.line.wake()
        topic = "campus/dorm-01/ghost/telemetry"
        assert scene.hub.told[-1] == ("rejected", topic, "undeclared device")

    play(story)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (61, Reason.OUT_OF_RANGE),
        (-0.1, Reason.OUT_OF_RANGE),
        ("12", Reason.NOT_A_NUMBER),
        (None, Reason.NOT_A_NUMBER),
        ([1], Reason.NOT_A_NUMBER),
    ],
)
def test_a_value_that_is_none_is_bad_with_its_reason(play, value, reason) -> None:
    async def story(scene: Scene) -> None:
        scene.hear({"at": START_MS, "values": {"flow": value}})
        [(_, _, actual, quality, why)] = scene.hub.rows()
        assert math.isnan(actual)
        assert (quality, why) == (Quality.BAD, reason)

    play(story)


MINUTE = 60_000


@pytest.mark.parametrize(
    ("at", "more", "expected"),
    [
        (None, {}, (0, Quality.GOOD, Reason.RECEIPT_TIME)),
        (START_MS - 5 * MINUTE, {}, (-5 * MINUTE, Quality.GOOD, Reason.NONE)),
        (START_MS - 5 * MINUTE - 1, {}, (0, Quality.GOOD, Reason.RECEIPT_TIME)),
        (START_MS + 5 * MINUTE + 1, {}, (0, Quality.GOOD, Reason.RECEIPT_TIME)),
        (12, {}, (0, Quality.GOOD, Reason.RECEIPT_TIME)),  # a clock that began in 1970
        (START_MS - 60 * MINUTE, {"waited": True}, (-60 * MINUTE, Quality.GOOD, Reason.NONE)),
        (START_MS + 60 * MINUTE, {"waited": True}, (0, Quality.GOOD, Reason.RECEIPT_TIME)),
        (START_MS - 60 * MINUTE, {"retained": True}, (-60 * MINUTE, Quality.GOOD, Reason.NONE)),
    ],
)
def test_the_time_of_a_reading_is_the_device_s_unless_its_clock_is_wrong(
    play, at, more, expected
) -> None:
    async def story(scene: Scene) -> None:
        scene.hear({"at": at, "values": {"flow": 1}}, **more)
        [(_, at_ms, value, quality, reason)] = scene.hub.rows()
        assert (at_ms, quality, reason) == expected
        assert value == 1.0

    play(story)


def test_retained_telemetry_without_a_believable_instant_is_rejected(play) -> None:
    async def story(scene: Scene) -> None:
        scene.hear({"values": {"flow": 1}}, retained=True)
        scene.hear({"at": START_MS + 6 * MINUTE, "values": {"flow": 1}}, retained=True)
        assert scene.hub.puts == []
        assert [told[0] for told in scene.hub.told] == ["rejected"] * 2

    play(story)


def test_status_tells_of_going_and_coming_but_a_retained_online_proves_nothing(play) -> None:
    async def story(scene: Scene) -> None:
        scene.hear(b"online", kind="status", retained=True)
        scene.hear(b"offline", kind="status", retained=True)
        scene.hear(b"online", kind="status")
        scene.hear(b"perhaps", kind="status")
        assert [told[0] for told in scene.hub.told] == ["failed", "seen", "rejected"]
        assert len(scene.line.acknowledged) == 4

    play(story)


def test_a_command_is_sent_with_its_expiry_and_ends_with_its_reply(play) -> None:
    async def story(scene: Scene) -> None:
        writing = asyncio.create_task(scene.driver.write(scene.points["valve"], 1))
        await scene.clock.sleep(1)
        [(topic, command)] = scene.commands()
        assert topic == f"campus/{DEVICE}/command"
        assert command["point"] == "valve"
        assert command["value"] == 1
        assert command["expires_at"] == START_MS + 5000
        scene.hear({"id": "another", "outcome": "done", "value": 0}, kind="reply")
        scene.hear(
            {"id": command["id"], "outcome": "done", "value": 0}, kind="reply", retained=True
        )
        scene.hear({"id": command["id"], "outcome": "done", "value": 1}, kind="reply")
        assert await writing == 1.0
        scene.hear({"id": command["id"], "outcome": "done", "value": 1}, kind="reply")

    play(story)


def test_no_reply_in_time_is_said(play) -> None:
    async def story(scene: Scene) -> None:
        with pytest.raises(NoAnswerError, match="no reply within 5 s"):
            await scene.driver.write(scene.points["valve"], 1)
        assert scene.clock.now_ms() == START_MS + 5000

    play(story)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"outcome": "refused"}, DeclinedError),
        ({"outcome": "expired"}, DeclinedError),
        ({"outcome": "broken"}, DeviceError),
        ({"outcome": "done"}, DeviceError),
    ],
)
def test_a_reply_that_is_no_success_is_an_error(play, reply, error) -> None:
    async def story(scene: Scene) -> None:
        writing = asyncio.create_task(scene.driver.write(scene.points["valve"], 1))
        await scene.clock.sleep(0)
        [(_, command)] = scene.commands()
        scene.hear({"id": command["id"]} | reply, kind="reply")
        with pytest.raises(error):
            await writing

    play(story)


@pytest.mark.parametrize(("name", "value"), [("flow", 1), ("valve", 2), ("valve", 0.5)])
def test_nothing_undeclared_is_published(play, name, value) -> None:
    async def story(scene: Scene) -> None:
        with pytest.raises(Refused):
            await scene.driver.write(scene.points[name], value)
        assert scene.line.published == []

    play(story)


def test_a_fault_inside_the_hub_does_not_stop_the_messages(play) -> None:
    async def story(scene: Scene) -> None:
        def seen(device: str, at_ms: int, latency_s: float | None = None) -> None:
            raise ZeroDivisionError

        scene.hub.seen = seen  # type: ignore[method-assign]
        scene.hear(b"online", kind="status")
        assert scene.hub.told == [("rejected", DEVICE, "internal error")]
        del scene.hub.seen
        scene.hear(b"online", kind="status")
        assert scene.hub.told[-1] == ("seen", DEVICE)

    play(story)


def test_closing_closes_the_connection(play) -> None:
    async def story(scene: Scene) -> None:
        await scene.driver.close()
        assert scene.line.closed

    play(story)


def test_one_subscription_serves_all_devices_of_a_depth(device) -> None:
    devices = [device("dorm-01/a"), device("dorm-02/b"), device("gate")]
    assert topics([(one, PROFILE) for one in devices]) == [
        "campus/+/+/telemetry", "campus/+/+/status", "campus/+/+/reply",
        "campus/+/telemetry", "campus/+/status", "campus/+/reply",
    ]  # fmt: skip
