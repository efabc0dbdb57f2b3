"""Reports of cost and saving: the same digits beside a running hub and from its files."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from contextlib import AsyncExitStack
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hub.clock import RealClock
from hub.kept import open_kept
from hub.model import Batch
from hub.settings import Settings, load
from tests.whole.asking import command, hub_of, local
from tests.whole.site import BUILDING, write_site

HOUR_MS = 3_600_000
HOURS = 2 * 365 * 24
METER = "dorm-07/main"
TARIFFS = """\
version: 1
standard: {electricity: tou}
tariffs:
  - id: tou
    name: {zh: 分时, en: TOU}
    versions:
      - id: "2025"
        from: 2025-01-01
        source: a test
        prices: {peak: 1.08, valley: 0.27}
        hours: [{rates: {peak: ["08:00-22:00"], valley: ["22:00-08:00"]}}]
      - {id: "2026", from: 2026-01-01, source: a test, prices: {flat: 0.5}}
"""
BASELINE = ("--baseline", "2025-01-01/2025-12-31")
REPORTING = ("--reporting", "2026-01-01/2026-12-31")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A building with two years behind it: the second uses a tenth less for the same weather."""
    home = tmp_path_factory.mktemp("two-years")
    device = {
        "id": METER,
        "profile": "reference-room-meter",
        "place": BUILDING["id"],
        "gateway": "gw",
        "unit_id": 1,
        "interval": "PT1H",
    }
    gateways = [{"id": "gw", "url": "tcp://127.0.0.1:1", "timeout": "PT1S"}]
    folder = write_site(home, [device], places=[BUILDING], gateways=gateways)
    (folder / "tariffs.yaml").write_text(TARIFFS, "utf-8")
    settings = load(folder)
    begin_ms = round(datetime(2025, 1, 1, tzinfo=settings.zone).timestamp() * 1000)
    hours = np.arange(HOURS)
    warm = 16 - 13 * np.cos(2 * np.pi * hours / 8760) - 4 * np.cos(2 * np.pi * hours / 24)
    rng = np.random.default_rng(3)
    used = 12 + 6 * (hours % 24 > 7) + 0.8 * np.maximum(14 - warm, 0) + rng.normal(0, 2, HOURS)
    used[HOURS // 2 :] *= 0.9
    used /= 10  # a room meter cannot count more
    at = begin_ms + np.arange(HOURS + 1, dtype=np.int64) * HOUR_MS
    asyncio.run(_fill(settings, at, np.append(100.0, 100.0 + np.cumsum(used))))
    with (folder / "weather.csv").open("w", encoding="utf-8") as file:
        file.write("at,temperature_c\n")
        for at_ms, degrees in zip(at[:-1].tolist(), warm.tolist(), strict=True):
            moment = datetime.fromtimestamp(at_ms / 1000, settings.zone).isoformat()
            file.write(f"{moment},{degrees:.2f}\n")
    return folder


async def _fill(settings: Settings, at: np.ndarray, values: np.ndarray) -> None:
    async with AsyncExitStack() as stack:
        kept = open_kept(settings, RealClock(), stack, memory=False)
        number = kept.site.numbers[f"{METER}/energy"]
        many = np.full(len(at), number)
        batch = Batch.of(many, at, values, np.zeros(len(at)), int(at[-1]))
        kept.store.append(batch, kept.store.applied() + 1)


async def answer_of(folder: Path, path: str, **params: str) -> dict[str, object]:
    """Ask the hub that runs over its socket."""
    async with local(folder) as http:
        answer = await http.get(path, params=params, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_the_report_of_cost_is_the_answer_of_the_api_and_the_same_from_the_files(
    site: Path, tmp_path: Path
) -> None:
    question = ("report", "cost", "--from", "2025-12", "--to", "2026-01", "--by", "building")
    options = ("--language", "en", "--config", site)
    alone, beside = tmp_path / "alone.csv", tmp_path / "beside.csv"
    assert await command(*question, *options, alone) == 0
    async with hub_of(site):
        assert await command(*question, *options, beside) == 0
        asked = {"start": "2025-12-01", "end": "2026-02-01", "by": "building"}
        answer = await answer_of(site, "/api/v1/cost", **asked)
    assert alone.read_bytes() == beside.read_bytes()
    rows = list(csv.DictReader(io.StringIO(alone.read_text("utf-8-sig"))))
    assert [(row["Version"], row["Line"]) for row in rows] == [
        ("2025", "peak"), ("2025", "valley"), ("2026", "flat")
    ]  # fmt: skip
    assert sum(Decimal(row["Amount"]) for row in rows) == Decimal(answer["total"]["amount"])


async def test_a_past_month_is_priced_by_another_version(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("report", "cost", "--from", "2025-12", "--to", "2025-12", "--language", "en")
    assert await command(*words, "--tariff", "2026", "--format", "csv", "--config", site) == 0
    assert ",2026,flat," in capsys.readouterr().out
    assert await command(*words, "--tariff", "2027", "--config", site) == 2
    assert "'2027' is neither a tariff nor a version of tou" in capsys.readouterr().err


async def test_a_saving_of_a_tenth_is_verified_from_the_files_and_beside_the_hub(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("report", "saving", "--place", "dorm-07", *BASELINE, *REPORTING)
    options = ("--weather", site / "weather.csv", "--config", site)
    assert await command(*words, *options, "--json") == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["verdict"] == "saved"
    assert alone["share_low"] < 0.1 < alone["share_high"]
    assert alone["share"] == pytest.approx(0.1, abs=0.005)
    assert {one["step"]: one["within"] for one in alone["fit"]}["month"]
    async with hub_of(site):
        assert await command(*words, *options, "--json") == 0
        beside = json.loads(capsys.readouterr().out)
        asked = {"start": "2026-01-01", "end": "2026-01-08", "place": "dorm-07"}
        expected = await answer_of(site, "/api/v1/expected", **asked)
    assert beside["measured"] == pytest.approx(alone["measured"], abs=5)
    assert beside["share"] == pytest.approx(alone["share"], abs=1e-4)
    assert expected["enough"]
    assert len(expected["hours"]) == len(expected["usual"]) == 7 * 24
    assert await command(*words, *options) == 0
    assert "verdict    saved" in capsys.readouterr().out


async def test_half_a_year_of_baseline_is_not_enough_and_exits_1(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("report", "saving", "--place", "dorm-07", "--config", site)
    periods = ("--baseline", "2025-01-01/2025-06-30", "--reporting", "2026-01-01/2026-06-30")
    assert await command(*words, *periods) == 1
    assert "baseline: 181 days are measured; it takes 350 of a year" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--baseline", "2025", *REPORTING), "'2025' is no period; write one like"),
        (("--baseline", "2026-12-31/2026-12-01", *REPORTING), "is not after"),
        (("--baseline", "2025-01-01/2026-06-30", *REPORTING), "begins before --baseline ends"),
        ((*BASELINE, *REPORTING, "--confidence", "90"), "from 0.5 to below 1"),
        ((*BASELINE, *REPORTING, "--weather", "nowhere.csv"), "No such file"),
    ],
)
async def test_a_mistake_in_the_question_is_named(
    site: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], what: str
) -> None:
    asked = ("report", "saving", "--place", "dorm-07", "--config", site)
    assert await command(*asked, *words) == 2
    assert what in capsys.readouterr().err


async def test_a_wrong_line_of_the_weather_is_named(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weather.csv"
    asked = ("report", "saving", "--place", "dorm-07", *BASELINE, *REPORTING, "--config", site)
    for text, what in (
        ("at,temperature_c\n2025-01-01T00:00,warm\n", "weather.csv:2: '2025-01-01T00:00,warm'"),
        ("time\n", "weather.csv:1: the header is time; write at,temperature_c"),
    ):
        file.write_text(text, "utf-8")
        assert await command(*asked, "--weather", file) == 2
        assert what in capsys.readouterr().err
