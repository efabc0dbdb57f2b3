"""`campus-hub alarms audit` and `campus-hub outage`: gates, and the way through the hub."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from hub.cli import run
from hub.clock import RealClock
from hub.database import effects as kept
from hub.database.connection import open_database
from hub.model import Alarm, AlarmEvent, AlarmState, Text
from tests.ports import free_ports
from tests.whole.asking import command, hub_of
from tests.whole.program import PASSWORD, signed_in
from tests.whole.site import BUILDING, write_site

METER = "dorm-07/meter-101"


ROSTER = """\
version: 1
skills: [{id: power, name: {zh: 电, en: Power}, kinds: [meter]}]
people: [{id: anna, name: Anna}]
crews:
  - {id: duty, name: {zh: 值, en: Duty}, members: [anna]}
  - {id: electric, name: {zh: 电, en: Power}, members: [anna], skills: [power]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (web_port,) = free_ports(1)
    return write_site(
        tmp_path,
        [
            {
                "id": METER, "profile": "reference-room-meter", "place": BUILDING["id"],
                "gateway": "gw", "unit_id": 1, "interval": "PT60S",
            }
        ],
        places=[BUILDING],
        gateways=[{"id": "gw", "url": "tcp://127.0.0.1:9", "timeout": "PT1S"}],
        web={"port": web_port},
    )  # fmt: skip


def keep(folder: Path, alarms: int, chattering: int = 0) -> None:
    """Keep alarms of the last hour."""
    (folder / "var").mkdir(exist_ok=True)
    database = open_database(str(folder / "var" / "hub.sqlite"))
    now_ms, words = RealClock().now_ms() - 3_600_000, Text("x", "x")
    effects = []
    for n in range(alarms):
        id_ = f"a{n}"
        effects += [
            Alarm(id_, "r", METER, "dorm-07", "small", words, AlarmState.CLEARED, now_ms, 1.0, 0.0),
            AlarmEvent(id_, 0, "raised", "hub", now_ms + n),
        ]
        if n < chattering:
            effects.append(AlarmEvent(id_, 1, "chattering", "hub", now_ms + n))
    kept.keep(database, effects)
    database.close()


def test_an_audit_of_a_hub_is_a_gate(folder: Path, capsys) -> None:
    asked = ["alarms", "audit", "--config", str(folder)]
    assert run(asked) == 2
    assert "start the hub once with run" in capsys.readouterr().err
    keep(folder, 7 * 24 * 6)  # six an hour
    assert run([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["per_hour"] == pytest.approx(6.0)
    assert found["top"][0] == {
        "device": METER, "rule": "r", "alarms": found["alarms"], "share": 1.0,
    }  # fmt: skip
    keep(folder, 7 * 24 * 6 + 1)
    assert run(asked) == 1
    assert "NOT bearable" in capsys.readouterr().out


def test_an_audit_tells_what_each_crew_had(folder: Path, capsys) -> None:
    keep(folder, 3)
    asked = ["alarms", "audit", "--config", str(folder)]
    assert run([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["crews"] == []  # no roster, no crews
    (folder / "roster.yaml").write_text(ROSTER, "utf-8")
    assert run([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["crew"], one["alarms"]) for one in found["crews"]] == [("electric", 3)]
    assert found["alarms"] == 3
    assert run(asked) == 0
    assert "of electric: 3 alarms" in capsys.readouterr().out


def test_one_alarm_that_chatters_fails_the_audit(folder: Path, capsys) -> None:
    keep(folder, 2, chattering=1)
    assert run(["alarms", "audit", "--config", str(folder)]) == 1
    assert "chattering: 1" in capsys.readouterr().out


def test_the_first_day_of_a_labelled_month_can_be_audited(capsys) -> None:
    asked = ["alarms", "audit", "--scenario", "campus_month", "--seed", "1", "--days", "1"]
    assert run([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["alarms"] >= found["top"][0]["alarms"] > 0
    assert found["per_hour"] == pytest.approx(found["alarms"] / 24, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "2026-11-01"], "belong together"),
        (["--scenario", "no_such"], "there is none of this name"),
        (["--scenario", "dirty_month"], "plays no rules"),
        (["--scenario", "normal_day", "--from", "2026-11-01"], "its own time"),
        (["--scenario", "normal_day", "--days", "1"], "played to its end"),
        (["--days", "1"], "--days is for a labelled month"),
        (["--scenario", "campus_month", "--config", "config"], "a site of its own"),
    ],
)
def test_a_wrong_audit_is_told(folder: Path, capsys, arguments, said) -> None:
    assert run(["alarms", "audit", "--config", str(folder), *arguments]) == 2
    assert said in capsys.readouterr().err


async def test_an_outage_goes_through_the_hub(folder: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("CAMPUS_HUB_PASSWORD", PASSWORD)
    config = ["--config", folder]
    add = ["outage", "add", "dorm-07", "--from", "2035-01-05T08:00", "--to", "2035-01-05T12:00",
           "--reason", "new cable", "--expect", "meter-silent", "--user", "admin"]  # fmt: skip
    assert await command(*add, *config) == 2
    assert "no hub answers" in capsys.readouterr().err
    async with hub_of(folder) as hub:
        await asyncio.to_thread(_sign_in, hub.address, hub.one_time_password)
        assert await command(*add, *config, "--json") == 0
        planned = json.loads(capsys.readouterr().out)
        assert (planned["area"], planned["rules"]) == ("dorm-07", ["meter-silent"])
        assert planned["start"] == "2035-01-05T08:00:00.000+08:00"
        assert await command("outage", "list", *config) == 0
        assert "new cable; expected: meter-silent" in capsys.readouterr().out
        assert await command("outage", "end", planned["id"], "--user", "admin", *config) == 0
        assert "ended" in capsys.readouterr().out
    assert await command("outage", "list", *config) == 0
    assert capsys.readouterr().out == "no planned outage\n"
    assert await command("outage", "list", "--past", "--json", *config) == 0
    assert json.loads(capsys.readouterr().out)["total"] == 1


def _sign_in(address: str, password: str) -> None:
    with signed_in(address, password):
        pass
