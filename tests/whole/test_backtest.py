"""A change of a rule is judged on history by one command, and a spoiled one does not pass."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub import cli
from hub.backtest import history
from hub.cli.backtest_ground import beside
from hub.cli.beside import from_files
from hub.cli.numbering import numbers_beside
from hub.desk.action import action_of
from hub.health.broker import BACK_MS
from hub.journal import Journal, open_connection
from hub.lock import held
from hub.model import Batch, Entry, EntryKind
from hub.settings import load
from simulators.episode import Episode
from tests.whole.asking import hub_of
from tests.whole.cold_tank import write_cold_tank
from tests.whole.plant import failing_element, write_plant
from tests.whole.site import write_site

PLANT = {"id": "dorm-07/boiler-1", "profile": "reference-boiler", "place": "dorm-07"}
BOILER = PLANT | {"gateway": "gw", "unit_id": 1, "interval": "PT5M"}
GATEWAY = {"id": "gw", "url": "tcp://127.0.0.1:1502"}
POINT = "dorm-07/boiler-1/tank_temperature"
ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 21
FIRST = datetime(2026, 11, 1, tzinfo=ZONE)
DAY_MS, MINUTE = 86_400_000, 60_000
START = round(FIRST.timestamp() * 1000)
TIME = ("--from", "2026-11-01", "--to", "2026-11-21")
GATE = ("--min-precision", "0.9", "--min-recall", "0.9")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a site whose boiler was cold for an hour on each of twenty-one days, from noon."""
    folder = write_site(tmp_path_factory.mktemp("site"), [BOILER], gateways=[GATEWAY])
    write_cold_tank(folder / "rules")
    settings = load(folder)
    settings.data.mkdir()
    at = range(START, START + DAYS * DAY_MS, 5 * MINUTE)
    cold = [cold_at(one) for one in at]

    def fill(kept: Any) -> None:
        number = kept.site.numbers[POINT]
        kept.store.append(Batch.of([number] * len(cold), [*at], cold, [0] * len(cold), 0), 1)

    from_files(settings, fill)
    faults = [f"2026-11-{n:02}T12:00,2026-11-{n:02}T13:00" for n in range(1, DAYS + 1)]
    write_labels(folder / "faults.csv", [f"{one},dorm-07/boiler-1,tank-cold" for one in faults])
    return folder


def cold_at(at_ms: int) -> float:
    """Return how warm the tank is: cold from noon to one."""
    return 45.0 if 720 <= (at_ms - START) // MINUTE % 1440 < 780 else 55.0


def write_labels(file: Path, lines: Sequence[str]) -> Path:
    file.write_text("\n".join(("start,end,subject,rule", *lines)) + "\n", "utf-8")
    return file


def backtest(capsys: pytest.CaptureFixture[str], *options: str | Path) -> tuple[int, str, str]:
    code = cli.run(["rules", "backtest", *map(str, options)])
    out, err = capsys.readouterr()
    return code, out, err


def judged(capsys: pytest.CaptureFixture[str], *options: str | Path) -> tuple[int, dict[str, Any]]:
    code, out, err = backtest(capsys, "--json", *options)
    assert code in (0, 1), err
    return code, json.loads(out)


def on_history(stored: Path) -> tuple[str | Path, ...]:
    labels = stored / "faults.csv"
    return ("--pack", "boiler", "--config", stored, *TIME, "--labels", labels, *GATE)


def test_a_pack_that_finds_what_people_saw_passes(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = judged(capsys, *on_history(stored))

    (pack,) = report["packs"]
    assert (code, report["gate"]) == (0, {"passed": True, "short": [], "left_out": []})
    assert (pack["labels"], pack["hits"], pack["false"], pack["missed"]) == (DAYS, DAYS, 0, 0)
    assert pack["median_delay_s"] == 600
    assert report["readings"] == DAYS * 288


def test_a_spoiled_threshold_does_not_pass(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blind = write_cold_tank(tmp_path / "blind", limit=40, clear=42)

    code, report = judged(capsys, *on_history(stored), "--packs-from", blind)

    assert (code, report["gate"]["passed"]) == (1, False)
    assert report["comparison"]["gone"]["by_rule"] == {"boiler/tank-cold": DAYS}
    assert report["comparison"]["gone"]["alarms"][0]["verdict"] == "hit"
    assert report["comparison"]["risen"]["count"] == 0


def test_a_threshold_that_cries_wolf_does_not_pass(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nervous = write_cold_tank(tmp_path / "nervous", on_delay="PT0S", limit=60, clear=61)

    code, report = judged(capsys, *on_history(stored), "--packs-from", nervous)

    assert code == 1
    assert report["comparison"]["risen"]["count"] + report["comparison"]["kept"] == 1


def test_a_version_that_changes_nothing_differs_in_nothing(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = write_cold_tank(tmp_path / "same")

    code, report = judged(capsys, *on_history(stored), "--packs-from", same)

    assert code == 0
    assert report["comparison"]["kept"] == DAYS
    assert report["comparison"]["risen"]["count"] == report["comparison"]["gone"]["count"] == 0


def test_the_table_names_pack_rule_and_figures(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = backtest(capsys, *on_history(stored))

    (line,) = (line for line in out.splitlines() if "tank-cold" in line)
    assert code == 0
    assert line.split()[:8] == ["boiler", "tank-cold", "21", "21", "0", "0", "0", "0"]
    assert "readings in" in err


def test_without_labels_it_says_how_many_alarms_there_would_be(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = judged(capsys, "--pack", "all", "--config", stored, *TIME)

    packs = {pack["pack"]: pack for pack in report["packs"]}
    assert code == 0
    assert (packs["boiler"]["alarms"], packs["meter"]["alarms"]) == (DAYS, 0)
    assert "recall" not in packs["boiler"]


def test_too_few_labels_fail_the_gate(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (stored / "faults.csv").read_text("utf-8").splitlines()[1:20]
    few = write_labels(tmp_path / "few.csv", lines)

    code, report = judged(capsys, *on_history(stored)[:-5], few, *GATE)

    assert code == 1
    assert "boiler: labels: 19, and a verdict wants 20 or more" in report["gate"]["short"]


def test_mistakes_in_labels_are_named_with_file_and_line(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        "yesterday,2026-11-01T13:00,dorm-07/boiler-1,tank-cold",
        "2026-11-02T12:00,2026-11-02T11:00,dorm-07/boiler-1,tank-cold",
        "2026-11-03T12:00,,dorm-07/boiler-9,tank-cold",
        "2026-11-04T12:00,,dorm-07/boiler-1,tank-could",
        ",,dorm-07/boiler-1,",
    ]
    wrong = write_labels(tmp_path / "wrong.csv", lines)

    code, _, err = backtest(capsys, "--pack", "all", "--config", stored, *TIME, "--labels", wrong)

    assert code == 2
    said = [line.split(": ", 2) for line in err.splitlines()]
    assert [(where, key) for where, key, _ in said] == [
        ("wrong.csv:2", "start"),
        ("wrong.csv:3", "end"),
        ("wrong.csv:4", "subject"),
        ("wrong.csv:5", "rule"),
        ("wrong.csv:6", "start"),
        ("wrong.csv:6", "rule"),
    ]
    assert "did you mean 'tank-cold'?" in err


def test_a_truth_file_is_read_line_by_line(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = START + 720 * MINUTE
    episode = {"what": "fault", "kind": "element_failed", "subject": "dorm-07/boiler-1"}
    times = {"start_ms": begin, "end_ms": begin + 60 * MINUTE, "code_silent": True}
    door = {"id": "e2", "what": "look_alike", "kind": "door_open", "subject": "dorm-07/boiler-1"}
    next_day = {"start_ms": begin + DAY_MS, "end_ms": begin + DAY_MS + 60 * MINUTE}
    lines = [{"scenario": "x", "seed": 1}, {"id": "e1"} | episode | times, door | next_day]
    truth = tmp_path / "truth.jsonl"
    truth.write_text("\n".join(map(json.dumps, lines)), "utf-8")

    code, report = judged(capsys, "--pack", "boiler", "--config", stored, *TIME, "--labels", truth)
    (pack,) = report["packs"]
    assert code == 0
    assert (pack["labels"], pack["hits"], pack["false"], pack["look_alike"]) == (1, 1, 20, 1)

    truth.write_text("\n".join((*map(json.dumps, lines), '{"id": 3}', "{")), "utf-8")
    code, _, err = backtest(capsys, "--pack", "all", "--config", stored, *TIME, "--labels", truth)
    assert code == 2
    assert "truth.jsonl:4: id: Input should be a valid string" in err
    assert "truth.jsonl:5: line: is not JSON" in err


async def test_beside_a_running_hub_it_reads_the_store_through_that_hub(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr(history, "FETCHED_ROWS", 500)  # what the hub has is more than one answer
    folder = Path(shutil.copytree(stored, tmp_path / "site"))
    asked = on_history(folder)
    without = await asyncio.to_thread(judged, capsys, *asked)

    async with hub_of(folder):
        beside_it = await asyncio.to_thread(judged, capsys, *asked)

    assert beside_it == without
    assert without[1]["readings"] == DAYS * 288


def test_a_hub_that_runs_but_does_not_answer_is_named(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with held(load(stored).lock_file):
        code, _, err = backtest(capsys, *on_history(stored))

    assert code == 2
    assert "does not answer" in err


@pytest.mark.parametrize("beside", [True, False])
def test_a_recorded_journal_is_history_too_also_beside_a_running_hub(
    stored: Path, tmp_path: Path, beside: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load(stored)
    if beside:
        shutil.copy(settings.database_file, tmp_path)
    number = numbers_beside(settings.journal_file, None)([POINT])[POINT]
    journal = Journal(open_connection(tmp_path / "journal.sqlite"))
    at = range(START, START + DAY_MS, 5 * MINUTE)
    journal.append([Entry(EntryKind.TICK, START, content={"listening": True})])
    cold = [Batch.of([number], [one], [cold_at(one)], [0], one) for one in at]
    journal.append([Entry(EntryKind.READINGS, one.received_ms, one) for one in cold])
    journal.close()

    with held(settings.lock_file):
        recorded = ("--journal", tmp_path / "journal.sqlite", "--labels", stored / "faults.csv")
        code, report = judged(capsys, "--pack", "boiler", "--config", stored, *recorded)

    (pack,) = report["packs"]
    assert code == 0
    assert (pack["labels"], pack["hits"], pack["false"]) == (1, 1, 0)


def test_a_pack_that_there_is_not_is_one_clear_line(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = backtest(capsys, "--pack", "boilers", "--config", stored, *TIME)

    assert code == 2
    assert "there is no pack boilers; there are: boiler, " in err


def test_a_scenario_makes_its_own_history_and_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant, script = write_plant(tmp_path / "plant"), failing_element(tmp_path, "PT90M")
    scenario = ("--pack", "boiler", "--scenario", script, "--seed", "7", "--config", plant)

    code, report = judged(capsys, *scenario)

    (pack,) = report["packs"]
    assert code == 0
    assert (pack["labels"], pack["hits"], pack["false"]) == (1, 1, 0)


def test_a_month_has_a_site_of_its_own(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    month = ("--pack", "all", "--scenario", "campus_month", "--config", stored)

    code, _, err = backtest(capsys, *month)

    assert code == 2
    assert "try other rules with --packs-from" in err


def test_a_month_comes_with_what_people_announce_and_the_hub_notices() -> None:
    hour = 60 * MINUTE
    truth = [
        Episode("e1", "fault", "broker_down", "hub", START + 2 * hour, START + 3 * hour),
        Episode("e2", "look_alike", "planned_outage", "dorm-07", START + hour, START + 2 * hour),
        Episode("e3", "fault", "element_failed", "dorm-07/boiler-1", START, START + hour),
    ]

    announced, lost, back = beside(truth)

    action = action_of(announced.content)
    assert (announced.kind, announced.at_ms) == (EntryKind.ACTION, START)
    assert action.planned is not None
    assert (action.planned.area, action.planned.start_ms) == ("dorm-07", START + hour)
    assert START + 2 * hour < lost.at_ms < back.at_ms == START + 3 * hour + BACK_MS
    assert [entry.content["state"] for entry in (lost, back)] == ["offline", "online"]


def test_a_scenario_leaves_no_room_for_other_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = failing_element(tmp_path, "PT90M")

    code, _, err = backtest(
        capsys, "--pack", "all", "--scenario", script, "--journal", tmp_path / "x.sqlite"
    )

    assert code == 2
    assert "leave --journal and --labels" in err
