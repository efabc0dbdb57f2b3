"""A journal, run again, gives the same log; what the database kept is held against it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub import cli
from hub.cli.numbering import numbers_of
from hub.cli.virtual import Played, play_virtual
from hub.database.connection import open_database
from hub.engine import log_line
from hub.journal import Journal, open_beside
from hub.lock import held
from hub.model import Alarm, Batch, Effect, Entry, EntryKind
from hub.replay import Log, Replay, replay
from hub.settings import load
from hub.settings.tree import NumberOf
from simulators.scenario import load as load_scenario
from tests.whole.cold_tank import write_cold_tank
from tests.whole.plant import failing_element, write_plant

SEED = 7
BEGAN, MINUTE = 1_795_000_000_000, 60_000
ONE_MORE = (
    "INSERT INTO ticket_events SELECT ticket, 99, kind, actor, at_ms, received_ms, detail, 9999, ''"
    " FROM ticket_events WHERE n = 0"
)
RAISED_BY = (
    "UPDATE alarm_events SET actor = 'li' WHERE n = 0"
    " AND alarm = (SELECT id FROM alarms WHERE rule = 'heat-pump-refuses')"
)
ENTRIES = 40  # cuts of the small run; every one of them with --scale full


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Played]:
    """Let an element fail and be mended, with a data folder; return that folder."""
    home = tmp_path_factory.mktemp("lived")
    settings = load(write_plant(home / "site"))
    scenario = load_scenario(failing_element(home, "PT150M"))
    return settings.data, play_virtual(settings, scenario, SEED, memory=False)


@pytest.fixture
def data(lived: tuple[Path, Played], tmp_path: Path) -> Path:
    """Return a copy of the data folder, to be changed."""
    return Path(shutil.copytree(lived[0], tmp_path / "var"))


@pytest.fixture
def entries(lived: tuple[Path, Played]) -> list[tuple[int, Entry]]:
    journal = Journal(open_beside(lived[0] / "journal.sqlite"))
    found, after = [], 0
    while some := journal.read(after):
        found += some
        after = some[-1][0]
    journal.close()
    return found


@pytest.fixture
def number_of(lived: tuple[Path, Played]) -> Iterator[NumberOf]:
    database = open_database(lived[0] / "hub.sqlite")
    yield numbers_of(database)
    database.close()


@pytest.fixture
def fixed(entries: list[tuple[int, Entry]]) -> int:
    """Return how many entries come before the report of the fix: the ticket is open there."""
    return next(n for n, (_, entry) in enumerate(entries) if entry.content.get("kind") == "fix")


def replayed(
    capsys: pytest.CaptureFixture[str], data: Path, *options: str
) -> tuple[int, dict[str, Any]]:
    code = cli.run(["replay", str(data / "journal.sqlite"), "--json", *options])
    out, err = capsys.readouterr()
    assert code in (0, 1), err
    return code, json.loads(out)


def change(data: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(data / "hub.sqlite")
    with connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


def test_the_log_is_the_same_byte_for_byte(
    lived: tuple[Path, Played], capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = replayed(capsys, lived[0], "--compare")

    (ticket,) = lived[1].tickets.values()
    assert ticket.closed_ms is not None
    assert (code, report["differences"], report["tickets"]) == (0, 0, 1)
    assert report["log_hash"] == lived[1].log_hash


def test_at_whatever_entry_it_is_cut_the_log_goes_on_the_same(
    entries: list[tuple[int, Entry]],
    number_of: NumberOf,
    lived: tuple[Path, Played],
    full_scale: bool,
) -> None:
    """As after a stop: a new engine loads the state and takes the entries that follow."""
    in_force = next(entry.content for _, entry in entries if "content" in entry.content)
    step = 1 if full_scale else len(entries) // ENTRIES
    lines: list[bytes] = []
    log = Replayed(lines)
    engine = Replay(number_of, log)
    for n, (seq, entry) in enumerate(entries):
        engine.take(seq, entry)
        if n % step == 0:
            state, engine = engine.save(), Replay(number_of, log)
            engine.load(seq, state, in_force)

    assert lines == lived[1].log


class Replayed:
    """Keeps the lines of a log."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    def __call__(self, effect: Effect) -> None:
        self._lines.append(log_line(effect))


def test_the_first_entries_give_the_first_lines(
    entries: list[tuple[int, Entry]], number_of: NumberOf, lived: tuple[Path, Played]
) -> None:
    for share in (0.3, 0.5, 0.7, 0.9):
        lines: list[bytes] = []
        replay(Replay(number_of, Replayed(lines)), entries[: int(len(entries) * share)])
        assert lines == lived[1].log[: len(lines)]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE alarms SET cleared_ms = cleared_ms + 1 WHERE rule = 'heat-pump-refuses'", "alarm"),
        ("UPDATE tickets SET state = 'on_site'", "state is 'on_site', replayed 'closed'"),
        ("UPDATE ticket_events SET actor = 'li' WHERE n = 0", "actor is 'li', replayed 'hub'"),
        ("DELETE FROM ticket_events WHERE n = 1", "only in the replay"),
        (RAISED_BY, "actor is 'li', replayed 'hub'"),
        (ONE_MORE, "only in the database"),
    ],
)
def test_one_record_that_is_altered_is_found(
    data: Path, statement: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(data, statement)

    code, report = replayed(capsys, data, "--compare")

    assert (code, report["differences"]) == (1, 1)
    assert said in report["first"][0]


def test_one_entry_that_is_lost_is_found(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    connection = sqlite3.connect(data / "journal.sqlite")
    with connection:  # the report that it was mended
        connection.execute("DELETE FROM journal WHERE kind = 3 AND instr(body, '\"fix\"') > 0")
    connection.close()

    code, report = replayed(capsys, data, "--compare")

    assert code == 1
    assert any("ticket" in line for line in report["first"])


def test_it_goes_on_from_the_snapshot_of_a_hub_that_was_killed(
    data: Path,
    entries: list[tuple[int, Entry]],
    fixed: int,
    number_of: NumberOf,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = Replay(number_of, Log().hear)
    replay(engine, entries[:fixed])
    statement = "UPDATE engine_state SET seq = ?, state = ? WHERE name = 'snapshot'"
    change(data, statement, entries[fixed - 1][0], engine.save())

    code, report = replayed(capsys, data, "--compare", "--from-snapshot")
    assert (code, report["differences"]) == (0, 0)
    assert report["entries"] == len(entries) - fixed
    assert report["tickets"] == 1  # what happened after the snapshot

    change(data, "UPDATE ticket_events SET actor = 'li' WHERE kind = 'closed'")
    code, report = replayed(capsys, data, "--compare", "--from-snapshot")
    assert (code, report["differences"]) == (1, 1)


def test_a_journal_whose_beginning_is_forgotten_is_judged_on_what_it_knows(
    data: Path,
    entries: list[tuple[int, Entry]],
    fixed: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The ticket was open when the kept entries begin: a replay cannot know of it."""
    first = entries[fixed + 1][0]
    connection = sqlite3.connect(data / "journal.sqlite")
    with connection:
        connection.execute("DELETE FROM journal WHERE seq < ? AND kind <> 6", (first,))
    connection.close()

    code, report = replayed(capsys, data, "--compare")

    assert (code, report["differences"]) == (0, 0)
    assert report["from_ms"] == dict(entries)[first].at_ms


def test_what_a_crash_left_unapplied_is_no_difference(
    data: Path, entries: list[tuple[int, Entry]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The hub applies it at its next start; until then its database lacks it."""
    connection = sqlite3.connect(data / "hub.sqlite")
    with connection:
        for table in ("alarm_events", "ticket_events", "tickets", "alarms"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE engine_state SET seq = ?", (entries[100][0],))
    connection.close()

    code, report = replayed(capsys, data, "--compare")

    assert (code, report["differences"], report["entries"]) == (0, 0, 101)


def test_two_lives_under_two_configurations_are_one_log(
    lived: tuple[Path, Played], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In its second life the hub calls another temperature cold: the ticket is of that rule."""
    folder = data.parent
    shutil.copy(lived[0].parent / "campus.yaml", folder)
    write_cold_tank(folder / "rules", limit=69, clear=70, on_delay="PT1M")
    scenario = load_scenario(failing_element(folder, "PT10M"))
    later = scenario.model_copy(update={"start": scenario.start + timedelta(hours=3), "steps": ()})

    second = play_virtual(load(folder), later, SEED, memory=False)

    code, report = replayed(capsys, data, "--compare")
    assert (code, report["differences"]) == (0, 0)
    boilers = [one.rule for one in second.alarms.values() if "boiler" in one.device]
    assert boilers == ["tank-cold"]  # beside it the showers, whose counters begin again
    assert report["alarms"] == len(lived[1].alarms) + len(second.alarms)
    assert report["log_lines"] == len(lived[1].log) + len(second.log)


def test_what_is_at_work_goes_on_under_a_new_configuration(tmp_path: Path) -> None:
    """As at a restart: the alarm of before is still there, and clears under the new rules."""
    folder = write_plant(tmp_path / "site")
    write_cold_tank(folder / "rules")
    settings = load(folder)
    content = {"content": json.loads(settings.content)}
    ids = [f"dorm-07/boiler-1/{name}" for name in settings.profiles["reference-boiler"].points]
    tank = ids.index("dorm-07/boiler-1/tank_temperature") + 1

    def number_of(wanted: Sequence[str]) -> dict[str, int]:
        others = [one for one in wanted if one not in ids]
        return {one: n for n, one in enumerate([*ids, *others], 1)}

    def reading(half: int, value: float) -> Entry:
        at_ms = BEGAN + half * MINUTE // 2
        return Entry(EntryKind.READINGS, at_ms, Batch.of([tank], [at_ms], [value], [0], at_ms))

    begins = Entry(EntryKind.CONFIGURATION, BEGAN, content=content)
    changed = Entry(EntryKind.CONFIGURATION, BEGAN + 31 * MINUTE, content=content)
    cold, warm = ([reading(n, t) for n in range(f, f + 60)] for f, t in ((1, 45.0), (64, 60.0)))
    log = Log()

    replay(Replay(number_of, log.hear), enumerate([begins, *cold, changed, *warm], 1))

    (alarm,) = (one for one in log.records.values() if isinstance(one, Alarm))
    assert alarm.cleared_ms == BEGAN + 42 * MINUTE


def test_beside_a_running_hub_it_compares_nothing(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with held(data / "lock"):
        code = cli.run(["replay", str(data / "journal.sqlite"), "--compare"])

    assert code == 2
    assert "stop it" in capsys.readouterr().err


def test_without_its_database_it_says_what_is_missing(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "hub.sqlite").unlink()

    code = cli.run(["replay", str(data / "journal.sqlite")])

    assert code == 2
    assert "put it beside the journal, or name it with --database" in capsys.readouterr().err
