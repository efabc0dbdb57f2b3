"""``campus-hub journal status`` and ``dump``: beside a running hub, and without one."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.app import Outside, running
from hub.cli import run
from hub.clock import RealClock
from hub.database import effects, numbers, records
from hub.database.connection import open_database
from hub.engine import Core
from hub.journal import Journal, open_connection
from hub.model import Batch, Entry, EntryKind, Quality, Reason, flag
from hub.settings import build_site, load
from tests.hub.fault_site import PROMISE
from tests.ports import free_ports
from tests.whole.site import terminal, write_site

DEVICE = "dorm-07/shower-1-01"
FLOW = f"{DEVICE}/flow"
NOON_MS = 1_795_233_600_000  # 2026-11-21 12:00 in Wuhan
HOUR_MS = 3_600_000


def site(tmp_path: Path) -> Path:
    mqtt = {"url": f"mqtt://127.0.0.1:{free_ports(1)[0]}"}  # where no broker is
    return write_site(tmp_path / "site", [terminal(DEVICE)], mqtt=mqtt)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site whose hub has stopped: five hourly readings, ticks between, cursors noted."""
    folder = site(tmp_path)
    (folder / "var").mkdir()
    database = open_database(folder / "var" / "hub.sqlite")
    number = numbers.number_points(database, [FLOW])[FLOW]
    database.close()
    journal = Journal(open_connection(folder / "var" / "journal.sqlite"))
    for n in range(5):
        at_ms = NOON_MS + n * HOUR_MS
        quality = flag(Quality.BAD, Reason.INVALID_MARKER) if n == 4 else 0
        value = float("nan") if n == 4 else n / 2
        batch = Batch.of([number], [at_ms], [value], [quality], at_ms + 7)
        journal.append([Entry(EntryKind.READINGS, at_ms, batch), Entry(EntryKind.TICK, at_ms)])
    journal.note_cursor("store", 10)
    journal.note_cursor("engine", 5)
    journal.close()
    return folder


def command(folder: Path, *words: str) -> int:
    return run(["journal", *words, "--config", str(folder)])


def damage(folder: Path, seq: int) -> None:
    connection = sqlite3.connect(folder / "var" / "journal.sqlite")
    connection.execute("UPDATE journal SET crc = crc + 1 WHERE seq = ?", (seq,))
    connection.commit()
    connection.close()


def test_status_shows_the_hubs_own_alarms_in_force(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(folder, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["alarms"] == []
    core = Core(
        build_site(load(folder), lambda ids: dict.fromkeys(ids, 1)), load(folder).packs, PROMISE
    )
    database = open_database(folder / "var" / "hub.sqlite")
    word = {"hub": "disk", "state": "degraded", "value": 20.0, "limit": 24.0}
    effects.keep(database, core.step(1, Entry(EntryKind.HEALTH, NOON_MS, content=word)))
    database.close()
    assert command(folder, "status", "--json") == 0
    (alarm,) = json.loads(capsys.readouterr().out)["alarms"]
    assert (alarm["rule"], alarm["severity"]) == ("disk-filling", "ordinary")
    assert command(folder, "status") == 0
    said = "alarm      The disk is filling up (ordinary, unacknowledged), since 2026-11-21T12:00:00"
    assert said in capsys.readouterr().out
    word = {"hub": "disk", "state": "online"}
    database = open_database(folder / "var" / "hub.sqlite")
    effects.keep(database, core.step(2, Entry(EntryKind.HEALTH, NOON_MS + 1, content=word)))
    acknowledge = {"id": "1", "kind": "acknowledge_alarm", "actor": "li", "at_ms": NOON_MS + 2}
    acknowledge["alarm"] = records.alarms(database)[0].id
    effects.keep(database, core.step(3, Entry(EntryKind.ACTION, NOON_MS + 2, content=acknowledge)))
    database.close()
    assert command(folder, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["alarms"] == []


def test_status_says_what_is_there_and_who_is_how_far(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(folder, "status", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["entries"], said["damaged"], said["hub_running"]) == (10, 0, False)
    assert said["oldest"] == {"seq": 1, "at": "2026-11-21T04:00:00.000+00:00"}
    assert said["newest"] == {"seq": 10, "at": "2026-11-21T08:00:00.000+00:00"}
    assert said["cursors"] == {
        "engine": {"seq": 5, "entries": 5, "lag_ms": 2 * HOUR_MS},
        "store": {"seq": 10, "entries": 0, "lag_ms": 0},
    }
    assert said["limit_bytes"] == 8_000_000_000
    assert 0 < said["bytes"] < 100_000 < said["disk_free_bytes"]
    assert said["seconds_to_full"] is None

    assert command(folder, "status") == 0
    text = capsys.readouterr().out
    assert "oldest     2026-11-21T12:00:00+08:00, entry 1" in text
    assert "engine     at entry 5, 5 entries, 7200 s behind" in text
    assert "damaged    none" in text


def test_status_is_1_when_an_entry_is_damaged_and_names_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(folder, 3)
    assert command(folder, "status") == 1
    assert "damaged    1 entries, skipped wherever they are read: 3" in capsys.readouterr().out
    assert command(folder, "status", "--quick", "--json") == 0
    assert json.loads(capsys.readouterr().out)["checked"] is False


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_dump_prints_every_entry_as_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(folder, "dump") == 0
    found = lines(capsys)
    assert [line["seq"] for line in found] == list(range(1, 11))
    assert found[2] == {
        "seq": 3,
        "kind": "readings",
        "at": "2026-11-21T13:00:00.000+08:00",
        "received": "2026-11-21T13:00:00.007+08:00",
        "readings": [
            {
                "point": FLOW,
                "at": "2026-11-21T13:00:00.000+08:00",
                "value": 0.5,
                "quality": "good",
                "reason": "none",
            }
        ],
    }
    assert found[3] == {"seq": 4, "kind": "tick", "at": found[2]["at"], "content": {}}
    last = found[8]["readings"][0]
    assert (last["value"], last["quality"], last["reason"]) == (None, "bad", "invalid_marker")


@pytest.mark.parametrize(
    ("words", "seqs"),
    [
        (["--kind", "tick"], [2, 4, 6, 8, 10]),
        (["--kind", "tick", "--kind", "readings", "--limit", "3"], [1, 2, 3]),
        (["--from", "2026-11-21T14:00", "--to", "2026-11-21T15:00"], [5, 6]),
        (["--from", "2026-11-21T07:00:00Z"], [7, 8, 9, 10]),
        (["--to", "2026-11-21T12:00:00.001"], [1, 2]),
        (["--from", "2026-11-22"], []),
    ],
)
def test_dump_prints_what_is_wanted(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], seqs: list[int]
) -> None:
    assert command(folder, "dump", *words) == 0
    assert [line["seq"] for line in lines(capsys)] == seqs


def test_dump_leaves_out_what_is_damaged_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(folder, 3)
    assert command(folder, "dump", "--kind", "readings") == 1
    said = capsys.readouterr()
    assert [json.loads(line)["seq"] for line in said.out.splitlines()] == [1, 5, 7, 9]
    assert said.err.count("entry 3 is damaged") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "yesterday"], "--from 'yesterday' is no instant; write it like"),
        (["--from", "2026-11-22", "--to", "2026-11-21"], "is not before --to"),
        (["--from", "2026-11-22", "--to", "2026-11-22"], "is not before --to"),
    ],
)
def test_what_makes_no_sense_is_refused_with_2(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert command(folder, "dump", *words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--kind", "rubbish"], ["--limit", "0"], ["--limit", "x"]])
def test_an_argument_of_no_sense_ends_with_2(folder: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command(folder, "dump", *words)
    assert ended.value.code == 2


def test_without_a_journal_it_says_so_and_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = site(tmp_path)
    assert command(folder, "status") == 2
    assert "there is no journal" in capsys.readouterr().err
    assert not (folder / "var").exists()
    (folder / "var").mkdir()
    (folder / "var" / "journal.sqlite").write_bytes(b"something else" * 100)
    assert command(folder, "dump") == 2
    assert "cannot be read" in capsys.readouterr().err


async def test_beside_a_running_hub_it_reads_what_the_hub_has_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = site(tmp_path)
    async with running(load(folder), RealClock(), Outside(web=False)) as hub:
        await until(lambda: len(hub.kept.journal.cursors()) == 2)
        assert await asyncio.to_thread(command, folder, "status", "--json") == 0
        said = json.loads(capsys.readouterr().out)
        assert said["hub_running"]
        assert set(said["cursors"]) == {"engine", "store"}
        before = hub.kept.journal.last()
        assert await asyncio.to_thread(command, folder, "dump", "--kind", "configuration") == 0
        (line,) = lines(capsys)
        assert line["content"]["hash"] == load(folder).content_hash
        await until(lambda: hub.kept.journal.last() > before)  # nothing stands in its way


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not look():  # noqa: ASYNC110 - it looks at what threads do
            await asyncio.sleep(0.05)
