"""``campus-hub rules why``: of an alarm and of a rule that did not rise, with a hub and without."""

import asyncio
import json
from pathlib import Path

import pytest

from hub.cli import run
from hub.database import effects, numbers, records
from hub.database.connection import open_database
from hub.engine import Core
from hub.journal import Journal, open_connection
from hub.model import Batch, Entry, EntryKind
from hub.settings import build_site, load
from tests.ports import free_ports
from tests.whole.asking import hub_of
from tests.whole.site import terminal, write_site

DEVICE = "dorm-07/shower-1-01"
RULE = "outlet-too-hot"
NOON_MS = 1_795_233_600_000  # 2026-11-21 12:00 in Wuhan

WORDS = "title: {zh: 过热, en: Too hot}, guidance: {zh: 关, en: Close it}"
PACK = f"""\
version: 1
pack: shower
applies_to: {{kind: shower}}
rules:
  - {{id: {RULE}, kind: high, point: outlet_temperature, limit: 48, clear: 46, severity: large,
     {WORDS}}}
  - {{id: terminal-silent, kind: stale, point: state, on_delay: PT15M, severity: small,
     {WORDS}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site whose hub stopped just after it had a shower too hot: one reading came after all."""
    mqtt = {"url": f"mqtt://127.0.0.1:{free_ports(1)[0]}"}  # where no broker is
    folder = write_site(tmp_path / "site", [terminal(DEVICE)], mqtt=mqtt)
    (folder / "rules").mkdir()
    (folder / "rules" / "shower.yaml").write_text(PACK, "utf-8")
    settings = load(folder)
    settings.data.mkdir()
    database = open_database(str(settings.database_file))
    site = build_site(settings, lambda ids: numbers.number_points(database, ids))
    number = site.numbers[f"{DEVICE}/outlet_temperature"]
    journal = Journal(open_connection(settings.journal_file))
    core = Core(site, settings.packs, settings.promise)
    configured = {"hash": settings.content_hash, "content": {}}
    entries = [Entry(EntryKind.CONFIGURATION, NOON_MS, content=configured)]
    for n, value in enumerate((38.0, 49.5, 51.0)):
        at_ms = NOON_MS + n * 1000
        batch = Batch.of([number], [at_ms], [value], [0], at_ms)
        entries.append(Entry(EntryKind.READINGS, at_ms, batch))
    journal.append(entries)
    for seq, entry in enumerate(entries[:3], 1):
        effects.apply(database, seq, core.step(seq, entry))
    effects.save_snapshot(database, 3, core.save())
    journal.close()
    database.close()
    return folder


def alarm_id(folder: Path) -> str:
    database = open_database(str(load(folder).database_file))
    (alarm,) = [one for one in records.alarms(database) if one.device == DEVICE]
    database.close()
    return alarm.id


def command(folder: Path, *words: str) -> int:
    return run(["rules", "why", *words, "--config", str(folder)])


def test_why_an_alarm_rose_is_told_from_the_files(folder, capsys):
    assert command(folder, alarm_id(folder), "--lang", "en") == 0
    said = capsys.readouterr().out
    assert "49.5 °C at " in said
    assert "12:00:01, 1.5 °C above the limit." in said
    assert "The alarm rose at " in said
    assert "51 °C at " in said  # the journal goes on after the snapshot
    assert "The fault has been there" in said or "The fault is still there." in said


def test_why_a_rule_did_not_rise_is_told_in_both_languages_and_as_json(folder, capsys):
    assert command(folder, DEVICE, "terminal-silent", "--lang", "zh") == 0
    said = capsys.readouterr().out
    assert "目前没有故障。" in said
    assert "再次判断" in said
    assert command(folder, DEVICE, RULE, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["now"]["why"]["thresholds"]["limit"] == 48
    assert found["now"]["why"]["active"] is True


def test_what_is_not_there_is_named_with_exit_code_2(folder, capsys):
    assert command(folder, "no-such-alarm") == 2
    assert "there is no alarm no-such-alarm" in capsys.readouterr().err
    assert command(folder, DEVICE, "no-such-rule") == 2
    assert f"there is no rule no-such-rule on {DEVICE}" in capsys.readouterr().err


async def test_beside_a_running_hub_it_asks_that_hub(folder, capsys):
    id_ = alarm_id(folder)
    async with hub_of(folder) as hub:
        await hub.engine.settle()
        assert await asyncio.to_thread(command, folder, id_, "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["rose"]["why"]["readings"] == [["outlet_temperature", NOON_MS + 1000, 49.5]]
        assert found["now"]["why"]["readings"] == [["outlet_temperature", NOON_MS + 2000, 51.0]]
        assert await asyncio.to_thread(command, folder, DEVICE, "nothing") == 2
        assert "There is no rule nothing" in capsys.readouterr().err
