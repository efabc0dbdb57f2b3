"""campus-hub probe --mqtt: what captured messages would become, without a broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.cli import run

CAMPUS = """\
version: 1
site: {id: try, name: {zh: 试, en: Try}, timezone: Asia/Shanghai}
mqtt: {url: "mqtt://127.0.0.1:1"}
places:
  - {id: dorm-07, kind: building}
devices:
  - {id: dorm-07/plug-7, profile: tasmota-plug, place: dorm-07, topic: plug-7}
  - {id: dorm-07/shower-1-01, profile: reference-shower-terminal, place: dorm-07}
"""
CAPTURED = b"""\
tele/plug-7/SENSOR {"Time":"2026-11-21T10:00:00","ENERGY":{"Total":3.185,"Power":12}}

tele/plug-7/SENSOR {"Time":"2026-11-21T10:00:00","ENERGY":{"Total":3.185,"Power":12}}
tele/plug-7/LWT Offline
tele/other/SENSOR {"ENERGY":{"Power":12}}
campus/dorm-07/shower-1-01/telemetry {"at":1795226400000,"values":{"flow":99,"colour":1}}
stat/plug-7/RESULT nonsense
{"topic":"stat/plug-7/RESULT","payload":{"POWER":"ON"},"tst":"2026-11-21T10:00:05.000000+0800"}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "campus.yaml").write_text(CAMPUS, "utf-8")
    return tmp_path


def probed(capsys, tmp_path: Path, content: bytes, *more: str) -> tuple[int, str]:
    file = tmp_path / "captured.txt"
    file.write_bytes(content)
    code = run(["probe", "--mqtt", str(file), *more])
    said = capsys.readouterr()
    return code, said.out or said.err


def test_each_message_says_what_it_would_become_or_why_not(site, capsys) -> None:
    code, text = probed(capsys, site, CAPTURED, "--config", str(site))
    assert code == 1
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "line 1 tele/plug-7/SENSOR dorm-07/plug-7",
        "energy 3.185 kWh 2026-11-21T10:00:00+08:00",
        "power 12 W 2026-11-21T10:00:00+08:00",
        "line 3 tele/plug-7/SENSOR dorm-07/plug-7",
        "no reading: all of it was said before",
        "line 4 tele/plug-7/LWT dorm-07/plug-7",
        "no reading: says that it is offline",
        "line 5 tele/other/SENSOR",
        "no reading: no device publishes here",
        "line 6 campus/dorm-07/shower-1-01/telemetry dorm-07/shower-1-01",
        "flow bad 2026-11-21T10:00:00+08:00 out of range",
        "NOT USED: undeclared point",
        "line 7 stat/plug-7/RESULT dorm-07/plug-7",
        "NOT USED: not JSON",
        "line 8 stat/plug-7/RESULT dorm-07/plug-7",
        "relay 1 2026-11-21T10:00:05+08:00 receipt time",
        "7 messages: 3 became 4 readings, 2 with something wrong",
    ]


def test_the_same_as_one_json_object(site, capsys) -> None:
    first = CAPTURED.splitlines()[0]
    code, text = probed(capsys, site, first, "--config", str(site), "--json")
    content = json.loads(text)
    assert (code, content["ok"]) == (0, True)
    [message] = content["messages"]
    assert message["device"] == "dorm-07/plug-7"
    assert message["readings"][0] == {
        "point": "energy", "value": 3.185, "unit": "kWh", "quality": "good", "reason": "none",
        "at_ms": 1795226400000,
    }  # fmt: skip


def test_without_a_site_whoever_could_be_of_the_product_is_one(tmp_path, capsys) -> None:
    lines = b"".join(
        b'zigbee2mqtt/%s {"power": %d}\n' % (name, n) for n, name in enumerate((b"lamp", b"bath"))
    )
    code, text = probed(capsys, tmp_path, lines, "--profile", "zigbee2mqtt-plug", "--json")
    assert code == 0
    told = [(one["device"], one["readings"][0]["value"]) for one in json.loads(text)["messages"]]
    assert told == [("zigbee2mqtt/lamp", 0.0), ("zigbee2mqtt/bath", 1.0)]


def test_a_capture_of_which_nothing_is_of_use_is_a_failure(tmp_path, capsys) -> None:
    code, text = probed(capsys, tmp_path, b"a/b 5\n", "--profile", "tasmota-plug")
    assert code == 1
    assert "1 messages: 0 became 0 readings, 0 with something wrong" in text


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        (b"{not json}", ("--profile", "tasmota-plug"), "captured.txt:1: is no message"),
        (b'{"topic": "a"}', ("--profile", "tasmota-plug"), "captured.txt:1: is no message"),
        (b"", ("--profile", "tasmota-plgu"), "did you mean 'tasmota-plug'?"),
        (b"", ("--profile", "eastron-sdm120"), "speaks modbus, not MQTT"),
        (b"", ("dorm-07/plug-8",), "no device dorm-07/plug-8 of this site publishes"),
    ],
)
def test_a_mistake_is_one_clear_line(site, capsys, content, more, message) -> None:
    code, text = probed(capsys, site, content, "--config", str(site), *more)
    assert code == 2
    assert message in text
    assert len(text.splitlines()) == 1


def test_a_file_that_is_not_there_and_a_profile_without_messages(site, capsys) -> None:
    assert run(["probe", "--mqtt", str(site / "nothing.txt"), "--config", str(site)]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert run(["probe", "--profile", "tasmota-plug", "--config", str(site)]) == 2
    assert "--profile goes with --mqtt" in capsys.readouterr().err
