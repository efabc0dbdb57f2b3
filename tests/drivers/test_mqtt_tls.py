"""TLS, users and passwords against a real Mosquitto, with certificates made here."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Callable, Iterator

import pytest

from drivers.mqtt.connection import Broker
from hub.ports import ConfigError, Credentials
from tests.drivers.certificates import Authority
from tests.drivers.mqtt_line import Ear, Mosquitto, ear, publish, until

# paho leaves a socket whose handshake has failed to the garbage collector.
LEFT_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def authority(binary, tmp_path_factory) -> Authority:
    made = Authority(binary("openssl"), tmp_path_factory.mktemp("certificates"))
    made.make("ca")
    made.make("broker", "IP:127.0.0.1")
    made.make("elsewhere", "DNS:broker.example.edu")
    made.make("hub", "DNS:hub")
    return made


@pytest.fixture
def secured(authority, binary, tmp_path) -> Iterator[Callable[..., Mosquitto]]:
    running: list[Mosquitto] = []

    def start(certificate: str = "broker", *more: str) -> Mosquitto:
        files = [
            f"cafile {authority.folder / 'ca.pem'}",
            f"certfile {authority.folder / certificate}.pem",
            f"keyfile {authority.folder / certificate}.key",
        ]
        program = binary("mosquitto", "/usr/sbin")
        made = Mosquitto(program, tmp_path, ["allow_anonymous true", *files, *more])
        made.start()
        running.append(made)
        return made

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def plain(binary, tmp_path) -> Iterator[Mosquitto]:
    made = Mosquitto(binary("mosquitto", "/usr/sbin"), tmp_path)
    made.start()
    yield made
    made.stop()


def over_tls(broker: Mosquitto) -> str:
    return broker.url.replace("mqtt:", "mqtts:")


async def says(caplog, url: str, credentials: Credentials, wanted: str) -> None:
    """Let a hub try to connect until it says why it cannot."""
    caplog.clear()
    hub = Ear(url, credentials=credentials)
    await hub.start()
    try:
        await until(lambda: wanted in caplog.text)
        assert not hub.line.connected()
    finally:
        await hub.line.close()
        gc.collect()  # so that what paho left is found here and not in a later test


async def test_messages_come_over_tls_from_a_broker_whose_ca_is_known(secured, authority) -> None:
    broker = secured()
    async with ear(over_tls(broker), credentials=authority.known()) as hub:
        device = Ear(over_tls(broker), "device", [], authority.known())
        await device.start()
        await until(device.line.connected)
        await device.line.publish("campus/dorm-01/shower-1/telemetry", b"safe")
        await until(lambda: hub.payloads() == [b"safe"])
        assert hub.line._link.client._sock.version() in ("TLSv1.2", "TLSv1.3")
        await device.line.close()


@LEFT_OPEN
async def test_a_broker_with_another_ca_or_another_name_is_not_trusted(
    secured, authority, caplog
) -> None:
    broker = secured()
    await says(caplog, over_tls(broker), Credentials(), "certificate verify failed")
    broker.stop()
    other = secured("elsewhere")
    await says(caplog, over_tls(other), authority.known(), "not valid for '127.0.0.1'")


async def test_a_broker_that_asks_for_our_certificate_gets_it(secured, authority, caplog) -> None:
    broker = secured("broker", "require_certificate true", "use_identity_as_username true")
    async with ear(over_tls(broker), credentials=authority.known("hub")) as hub:
        assert hub.line.connected()
    await says(caplog, over_tls(broker), authority.known(), "certificate of ours (cert_file)")


async def test_tls_on_one_side_only_is_said(secured, authority, caplog) -> None:
    broker = secured()
    await says(caplog, broker.url, Credentials(), "perhaps it wants TLS (mqtts://)")
    broker.stop()


@LEFT_OPEN
async def test_a_plain_broker_is_no_broker_over_tls(plain, authority, caplog) -> None:
    await says(caplog, over_tls(plain), authority.known(), "broker not reached")
    assert "unreachable" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ca": "nowhere.pem"}, r"ca_file .*nowhere\.pem: is no certificate in PEM"),
        ({"ca": "hub.key"}, r"ca_file .*hub\.key: is no certificate in PEM"),
        ({"certificate": "hub.pem", "key": "nowhere.key"}, r"cert_file .*hub\.pem, key_file"),
        ({"certificate": "hub.pem", "key": "broker.key"}, "KEY_VALUES_MISMATCH"),
        ({"certificate": "hub.pem", "key": "locked.key"}, "without a password"),
    ],
)
def test_a_file_that_is_no_certificate_or_no_key_is_one_clear_line(
    authority, change, message
) -> None:
    locked = ["ec", "-in", str(authority.folder / "hub.key"), "-aes128", "-passout", "pass:secret"]
    out = ["-out", str(authority.folder / "locked.key")]
    subprocess.run([authority.program, *locked, *out], check=True, capture_output=True)
    files = {name: authority.folder / file for name, file in change.items()}
    with pytest.raises(ConfigError, match=message) as caught:
        Broker.of("mqtts://127.0.0.1", "hub", Credentials(**files))
    assert len(caught.value.problems) == 1


@pytest.fixture
def guarded(binary, tmp_path) -> Iterator[Mosquitto]:
    """Return a broker that lets nobody in but the hub with its password."""
    passwords = tmp_path / "passwords"
    program = binary("mosquitto_passwd")
    subprocess.run([program, "-c", "-b", str(passwords), "hub", "steam"], check=True)
    passwords.chmod(0o644)  # the broker may run as a user of its own
    settings = ["allow_anonymous false", f"password_file {passwords}"]
    made = Mosquitto(binary("mosquitto", "/usr/sbin"), tmp_path, settings)
    made.start()
    yield made
    made.stop()


async def test_the_right_password_opens_and_a_wrong_one_is_refused_in_words(
    guarded, caplog
) -> None:
    for wrong in (Credentials(), Credentials("hub", "water-pipe"), Credentials("boiler", "steam")):
        await says(caplog, guarded.url, wrong, "look at username and password_file")
        assert "water-pipe" not in caplog.text
    async with ear(guarded.url, credentials=Credentials("hub", "steam")) as hub:
        await hub.line.publish("campus/dorm-01/shower-1/telemetry", b"1")
        await until(lambda: hub.payloads() == [b"1"])


def test_a_password_is_never_shown() -> None:
    who = Credentials("hub", "steam")
    broker = Broker.of("mqtt://10.0.7.2", "hub", who)
    assert "steam" not in f"{who} {who!r} {broker} {broker!r}"


async def test_over_3_1_1_a_broker_s_small_window_is_kept_moving(plain) -> None:
    """Mosquitto sends 20 messages and waits; they are handed on one by one, not as one."""
    hub = Ear(f"{plain.url}?version=3.1.1")
    together: list[int] = []

    def take() -> None:
        taken = hub.line.drain()
        together.append(len(taken))
        hub.heard.extend(taken)
        hub.line.acknowledge(taken)

    await hub.line.start(take)
    await until(hub.subscribed)
    await publish(plain.url, *(b"%d" % n for n in range(100)))
    await until(lambda: len(hub.heard) == 100)
    assert max(together) == 1
    await hub.line.close()
