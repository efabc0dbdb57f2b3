"""What campus.yaml says of the broker and of topics is checked with file and line."""

from pathlib import Path

import pytest

from hub.ports import ConfigError
from hub.settings import build_site, load

CAMPUS = """\
version: 1
site: {id: try, name: {zh: 试, en: Try}, timezone: Asia/Shanghai}
mqtt: MQTT
places:
  - {id: dorm-07, kind: building}
gateways:
  - {id: gw, url: "tcp://10.0.7.10:502"}
devices:
  - {id: dorm-07/plug-1, profile: tasmota-plug, place: dorm-07, topic: TOPIC}
  - {id: dorm-07/plug-2, profile: tasmota-plug, place: dorm-07, topic: plug-2}
"""
PLAIN = '{url: "mqtt://10.0.7.2"}'


def loaded(folder: Path, mqtt: str = PLAIN, topic: str = "plug-1", more: str = ""):
    text = CAMPUS.replace("MQTT", mqtt).replace("TOPIC", topic) + more
    (folder / "campus.yaml").write_text(text, "utf-8")
    return load(folder)


def test_a_topic_comes_as_far_as_the_device(tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text(
        "id,profile,place,topic\ndorm-07/plug-3,zigbee2mqtt-plug,dorm-07,zigbee2mqtt/床头灯\n",
        "utf-8",
    )
    settings = loaded(tmp_path, topic='"campus/%prefix%/plug 1"')
    site = build_site(settings, lambda ids: {id_: n for n, id_ in enumerate(ids)})
    topics = [device.topic for device in site.devices.values()]
    assert topics == ["campus/%prefix%/plug 1", "plug-2", "zigbee2mqtt/床头灯"]


def test_credentials_are_files_beside_campus_yaml(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("steam\n", "utf-8")
    settings = loaded(
        tmp_path,
        '{url: "mqtts://10.0.7.2", username: hub, password_file: password, ca_file: ca.pem, '
        "cert_file: hub.pem, key_file: hub.key}",
    )
    assert settings.mqtt is not None
    who = settings.credentials(settings.mqtt)
    assert (who.username, who.password) == ("hub", "steam")
    names = ("ca.pem", "hub.pem", "hub.key")
    assert (who.ca, who.certificate, who.key) == tuple(tmp_path.resolve() / name for name in names)


@pytest.mark.parametrize(
    ("mqtt", "problem"),
    [
        ('{url: "mqtt://a", ca_file: ca.pem}', "ca_file is for TLS; write the url as mqtts://"),
        ("{embedded: true, cert_file: a, key_file: b}", "cert_file is for TLS"),
        ('{url: "mqtts://a", key_file: b}', "cert_file and key_file belong together"),
        ('{url: "wss://a"}', "the scheme 'wss' is not known"),
        ('{url: "mqtts://hub:steam@a"}', "a password does not belong in this file"),
    ],
)
def test_what_does_not_fit_together_is_named(tmp_path: Path, mqtt: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, mqtt)
    [line] = caught.value.problems
    assert line.startswith("campus.yaml:3: mqtt")
    assert problem in line
    assert "steam" not in line


@pytest.mark.parametrize(
    ("topic", "problem"),
    [
        ('"tele/+/SENSOR"', "is no topic of a device"),
        ('"plug/#"', "is no topic of a device"),
        ('"plug-1/"', "is no topic of a device"),
        ('"$SYS/broker"', "is no topic of a device"),
        ('" plug"', "is no topic of a device"),
        ("plug-2", "'plug-2' is taken by campus.yaml:9"),
    ],
)
def test_a_topic_that_no_device_or_another_one_has_is_refused(
    tmp_path: Path, topic: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, topic=topic)
    assert [problem in line for line in caught.value.problems] == [True]


def test_a_device_behind_a_gateway_has_no_topic(tmp_path: Path) -> None:
    meter = "{id: dorm-07/m, profile: eastron-sdm120, place: dorm-07, gateway: gw, unit_id: 1"
    with pytest.raises(ConfigError, match=r"campus\.yaml:11: devices\[2\]\.topic: remove it"):
        loaded(tmp_path, more=f"  - {meter}, topic: m}}\n")
