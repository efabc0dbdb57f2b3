"""Reports and exports: the same digits beside a running hub and without it, wherever they show."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import stat
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import httpx
import openpyxl
import polars as pl
import pytest

from hub.clock import RealClock
from hub.kept import open_kept
from hub.model import Batch
from hub.settings import Settings, load
from tests.whole.asking import PATIENCE_S, command, hub_of, local, rows
from tests.whole.site import BUILDING, write_site

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
MIDNIGHT_MS = 1_795_104_000_000  # 2026-11-20 there
ROOMS = {"dorm-07/1/101": 0.5, "dorm-07/1/102": 1.0 / 3.0, "dorm-07/1/103": 7.7}
QUESTION = ("--from", "2026-11-20", "--to", "2026-11-21", "--by", "room", "--step", "hour")
ASKED = {"start": "2026-11-20", "end": "2026-11-22", "by": "room", "step": "hour"}
COLUMNS = {
    "Share measured": "measured",
    "Share estimated": "estimated",
    "Share missing": "missing",
    "Low": "low",
    "High": "high",
    "Coverage": "coverage",
    "Findings": "findings",
}


@pytest.fixture
def site(filled: Path, tmp_path: Path) -> Path:
    """Three rooms with a day and a half behind them, one with a gap; their hub does not run."""
    return Path(shutil.copytree(filled, tmp_path / "site"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    floor = {"id": "dorm-07/1", "kind": "floor"}
    rooms = [
        {"id": room, "kind": "room", "name": {"zh": f"={room[-3:]}室", "en": f"Room {room[-3:]}"}}
        for room in ROOMS
    ]
    devices = [
        {
            "id": f"dorm-07/meter-{room[-3:]}",
            "profile": "reference-room-meter",
            "place": room,
            "gateway": "gw",
            "unit_id": n,
            "interval": "PT60S",
        }
        for n, room in enumerate(ROOMS, 1)
    ]
    gateways = [{"id": "gw", "url": "tcp://127.0.0.1:1", "timeout": "PT1S"}]
    places = [BUILDING, floor, *rooms]
    home = tmp_path_factory.mktemp("filled")
    folder = write_site(home, devices, places=places, gateways=gateways)
    asyncio.run(_fill(load(folder)))
    return folder


async def _fill(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        kept = open_kept(settings, RealClock(), stack, memory=False)
        for room, per_h in ROOMS.items():
            number = kept.site.numbers[f"dorm-07/meter-{room[-3:]}/energy"]
            minutes = [n for n in range(36 * 60) if room[-1] != "3" or not 300 < n < 450]
            at = [MIDNIGHT_MS + n * MINUTE_MS for n in minutes]
            values = [100 + per_h * n / 60 for n in minutes]
            if room[-1] == "2":  # a reading that cannot be, and a counter that begins again at 0
                values[100] = 77_777.0
                values[1000:] = [one - values[1000] for one in values[1000:]]
            batch = Batch.of([number] * len(at), at, values, [0] * len(at), at[-1])
            kept.store.append(batch, kept.store.applied() + 1)


async def test_the_report_the_api_and_the_page_say_the_same_to_the_last_digit(
    site: Path, tmp_path: Path
) -> None:
    without, beside = tmp_path / "without.csv", tmp_path / "beside.csv"
    asked = ("report", "use", *QUESTION, "--language", "en", "--config", site)
    assert await command(*asked, without) == 0
    async with hub_of(site):
        assert await command(*asked, beside) == 0
        async with local(site) as http:
            said = (await http.get("/api/v1/consumption", params=ASKED)).json()
            address = "/energy?by=room&step=hour&span=own&from=2026-11-20&to=2026-11-21&lang=en"
            page = (await http.get(address)).text
    assert beside.read_bytes() == without.read_bytes()

    found = rows(beside)
    for row in (*said["rows"], said["total"]):
        mine = [one for one in found if one["Id"] == row["id"]]
        assert [one["Electricity"] for one in mine] == _told(row["values"])
        for title, name in COLUMNS.items():
            assert [one[title] for one in mine] == _told(row[name])
    whole = [one["Electricity"] for one in found if one["Kind"] == "total"]
    shown = re.findall(r'data-step="\d+">([^<]*)<', page)
    assert [_number(one) for one in shown] == [float(one) if one else None for one in whole]
    ranked = dict(re.findall(r'data-row="([^"]+)"><strong>([^<]*)<', page))
    assert {row["id"]: row["total"]["value"] for row in said["rows"]} == {
        id_: _number(one) for id_, one in ranked.items()
    }
    assert any(row["estimated"][6] > 0.9 for row in said["rows"])


async def test_what_was_found_about_the_meters_is_the_same_wherever_it_shows(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("report", "use", *QUESTION, "--language", "en", "--config", site)
    forms = ("csv", "json", "xlsx")
    texts = {}
    for where in ("without", "beside"):
        async with AsyncExitStack() as stack:
            if where == "beside":
                await stack.enter_async_context(hub_of(site))
            for form in forms:
                file = tmp_path / f"{where}.{form}"
                more = ("--findings",) if form == "csv" else ("--format", form)
                assert await command(*asked, *more, file) == 0
            capsys.readouterr()
            assert await command(*asked) == 0
            texts[where] = capsys.readouterr().out
            if where == "beside":
                async with local(site) as http:
                    address = "/energy?by=room&span=own&from=2026-11-20&to=2026-11-21&lang=en"
                    page = (await http.get(address)).text
    said = json.loads((tmp_path / "beside.json").read_text("utf-8"))
    assert json.loads((tmp_path / "without.json").read_text("utf-8")) == said
    reset, glitch = said["findings"]  # first what somebody can do something about
    assert (reset["kind"], reset["device"]) == ("reset", "dorm-07/meter-102")
    assert reset["start"] == "2026-11-20T16:39:00+08:00"
    assert (reset["before"], reset["after"]) == (105.55, 0)
    assert reset["used"] == pytest.approx(1 / 180, abs=1e-3)
    assert reset["low"] <= reset["used"] <= reset["high"]
    assert "--closing 105.55 --opening 0.0" in reset["command"]
    assert (glitch["kind"], glitch["after"], glitch["used"]) == ("glitch", 77_777.0, None)
    room = next(row for row in said["rows"] if row["id"] == "dorm-07/1/102")
    assert room["findings"] == [int(n in (1, 16)) for n in range(48)]
    assert room["total"]["findings"] == said["total"]["total"]["findings"] == said["found"] == 2
    for where in texts:
        found = rows(tmp_path / f"{where}.csv")
        assert [_digits(one) for one in found] == [_said(one) for one in said["findings"]]
        book = openpyxl.load_workbook(tmp_path / f"{where}.xlsx")
        titles, *lines = book["findings"].iter_rows(values_only=True)
        cells = [dict(zip(titles, line, strict=True)) for line in lines]
        assert [_digits(one) for one in cells] == [_said(one) for one in said["findings"]]
        below = texts[where].split("\n\n")[1].splitlines()
        assert below[0].split()[:3] == ["Device", "Finding", "Start"]
        assert [line.split()[:2] for line in below[1:]] == [
            ["dorm-07/meter-102", "Reset"],
            ["dorm-07/meter-102", "Wrong"],
        ]
    assert texts["beside"] == texts["without"]
    assert re.findall(r'data-finding="(\w+)"', page) == ["reset", "glitch"]
    assert f"{reset['before']:.3f} → 0.000 kWh" in page
    assert f"counted {reset['used']:.3f} kWh ({reset['low']:.3f} … {reset['high']:.3f})" in page


_NUMBERS = {"Reading before": "before", "Reading after": "after", "Use counted": "used",
            "Low": "low", "High": "high"}  # fmt: skip


def _digits(line: dict[str, object]) -> list[object]:
    numbers = [float(str(line[key])) if line[key] not in ("", None) else None for key in _NUMBERS]
    return [line["Device"], line["Start"], line["End"], *numbers, line["Command"] or None]


def _said(one: dict[str, object]) -> list[object]:
    names = ("device", "start", "end", *_NUMBERS.values(), "command")
    return [one[name] for name in names]


def _told(values: list[float | None]) -> list[str]:
    return ["" if one is None else repr(one) for one in values]


def _number(text: str) -> float | None:
    return None if text == "-" else float(text.replace(",", ""))


async def test_every_form_holds_the_same_figures(site: Path, tmp_path: Path) -> None:
    asked = ("report", "use", *QUESTION, "--language", "zh", "--config", site)
    files = [tmp_path / f"use.{form}" for form in ("csv", "xlsx", "parquet")]
    for file in files:
        assert await command(*asked, file) == 0
    found = rows(files[0])
    assert [*found[0]] == [
        "编号", "名称", "类别", "开始", "结束", "用电量", "单位", "实测占比", "估算占比",
        "缺失占比", "下限", "上限", "读数覆盖率", "发现条数",
    ]  # fmt: skip
    said = [float(row["用电量"]) if row["用电量"] else None for row in found]
    assert None in said
    frame = pl.read_parquet(files[2])
    assert frame["value"].to_list() == said
    assert frame.schema["start"] == pl.Datetime("us", "UTC")
    begins = [datetime.fromisoformat(row["开始"]) for row in found]
    assert frame["start"].to_list() == begins
    page = openpyxl.load_workbook(files[1]).active
    titles, *lines = page.iter_rows(values_only=True)
    assert list(titles) == [*found[0]]
    assert [line[5] for line in lines] == said
    # A name that begins with = is calculated nowhere, and a program reads it as it is.
    assert {row["名称"] for row in found} == {"'=101室", "'=102室", "'=103室", "试验"}
    assert {line[1] for line in lines} == {name.removeprefix("'") for name in frame["name"]}


async def test_only_who_may_open_the_socket_reads_and_nobody_acts(site: Path) -> None:
    file = load(site).socket_file
    file.write_text("left by a hub that did not end in order")
    async with hub_of(site) as hub, local(site) as http:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert (await http.get("/api/v1/places")).status_code == 200
        for path in ("/api/v1/commands", "/login", "/logout"):
            answer = await http.post(path, json={}, headers={"X-CSRF-Token": ""})
            assert answer.status_code == 405
        assert (await http.get("/api/v1/simulators")).status_code in (403, 404)
        async with httpx.AsyncClient(
            base_url=hub.address or "", trust_env=False, timeout=PATIENCE_S
        ) as other:
            assert (await other.get("/api/v1/places")).status_code == 401
            disguised = {"campus_hub.local": "1", "X-Campus-Hub-Local": "true"}
            assert (await other.get("/api/v1/places", headers=disguised)).status_code == 401
    assert not file.exists()


WRONG = (
    (("report", "use", "--from", "2026-11-21", "--to", "2026-11-20"), "not after"),
    (("report", "use", "--from", "yesterday", "--to", "2026-11-20"), "no time"),
    (("report", "use", "--from", "2026-01", "--to", "2026-02", "--place", "x"), "no place"),
    (("report", "use", "--from", "1026-01", "--to", "2026-02"), "1026-01 is before 1970"),
    (("report", "use", "--from", "2026-01", "--to", "3026-02"), "3026-02 is before 1970 or after"),
    (("report", "use", "--from", "2026-02-02", "--to", "2026-02-01"), "turn them"),
    (("report", "cost", "--from", "2026-01", "--to", "2026-01"), "is one to copy"),
    (("report", "use", "--from", "1971-01", "--to", "2026-11", "--step", "quarter"), "at most"),
    (
        (
            "report",
            "use",
            "--from",
            "2026-01",
            "--to",
            "2026-02",
            "--step",
            "day",
            "--compare",
            "year",
        ),
        "leave out --step",
    ),
    (("export", "--from", "2026-01", "--to", "2026-02"), "nothing is asked for"),
    (("export", "--from", "2026-01", "--to", "2026-02", "--point", "x/y/z"), "no point x/y/z"),
    (("report", "use", "--from", "2026-01", "--to", "2026-02", "--format", "xlsx"), "a FILE"),
)


@pytest.mark.parametrize("running_hub", [True, False])
async def test_a_wrong_question_is_one_clear_line(
    site: Path, capsys: pytest.CaptureFixture[str], *, running_hub: bool
) -> None:
    async with AsyncExitStack() as stack:
        if running_hub:
            await stack.enter_async_context(hub_of(site))
        for words, said in WRONG:
            assert await command(*words, "--config", site) == 2
            lines = [line for line in capsys.readouterr().err.splitlines() if "campus-hub" in line]
            assert len(lines) == 1
            assert said in lines[0]


async def test_a_report_for_people_is_a_table(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("report", "use", "--from", "2026-11", "--to", "2026-11", "--config", site)
    assert await command(*asked, "--language", "zh") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["编号", "名称", "类别"]
    assert lines[3] == ""
    assert "kWh" in lines[1]
    assert lines[4].split()[:2] == ["设备", "发现"]


async def test_an_export_holds_every_reading_once(site: Path, tmp_path: Path) -> None:
    asked = ("export", "--place", "dorm-07/1/103", "--from", "2026-11-20", "--to", "2026-11-21",
             "--config", site)  # fmt: skip
    forms = ("csv", "parquet")
    for form in forms:
        assert await command(*asked, tmp_path / f"without.{form}") == 0
    async with hub_of(site):
        for form in forms:
            assert await command(*asked, tmp_path / f"beside.{form}") == 0
    for form in forms:
        found = _lines(tmp_path / f"beside.{form}")
        assert _lines(tmp_path / f"without.{form}") == found
        assert len(found) == 36 * 60 - 149
        assert found[0][0] == "dorm-07/meter-103/energy"
        assert [str(cell) for cell in found[0][3:6]] == ["100.0", "kWh", "good"]


def _lines(file: Path) -> list[tuple[object, ...]]:
    if file.suffix == ".parquet":
        return pl.read_parquet(file).rows()
    return [tuple(row.values()) for row in rows(file)]


async def test_an_export_per_step_says_how_much_was_read(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "steps.csv"
    asked = ("export", "--point", "dorm-07/meter-103/energy", "--from", "2026-11-20", "--to",
             "2026-11-20", "--step", "PT1H", "--language", "en", "--config", site)  # fmt: skip
    assert await command(*asked, file) == 0
    found = rows(file)
    assert len(found) == 24
    assert [float(row["Coverage"]) for row in found[4:9]] == pytest.approx(
        [1, 1 / 60, 0, 0.5, 1], abs=1e-4
    )
    assert found[6]["Mean"] == ""
