"""The report on hot water: from a stopped hub's files, in every form the same digits."""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from hub import cli
from hub.cli.scenarios import find
from hub.cli.virtual import play_virtual
from hub.settings import load
from tests.whole.site import CONFIG

QUESTION = ("--from", "2026-11-21T00:00", "--to", "2026-11-21T00:40")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a site whose hub ran for forty minutes."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(CONFIG / "campus.yaml", folder)
    short = find("normal_day").model_copy(update={"length": timedelta(minutes=41)})
    play_virtual(load(folder), short, 1, memory=False)
    return folder


def report(site: Path, *options: str) -> int:
    return cli.run(["report", "hot-water", *QUESTION, "--config", str(site), *options])


def test_every_form_tells_the_same(site: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert report(site, "--format", "json") == 0
    told = json.loads(capsysbinary.readouterr().out)
    (row,) = told["rows"]
    assert (row["id"], row["source"]) == ("dorm-07/plant", "hot_water")
    energy = row["figures"]["energy"]
    assert energy["value"] > 0
    assert energy["measured"] > 0.9

    assert report(site, "--format", "csv", "--language", "en") == 0
    text = capsysbinary.readouterr().out.decode().removeprefix("\ufeff")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["Id"] for line in lines] == ["dorm-07/plant", "jhun"]
    assert float(lines[0]["Electricity (kWh)"]) == energy["value"]

    assert report(site, "--language", "en") == 0
    table = capsysbinary.readouterr().out.decode()
    assert "COP" in table
    assert "dorm-07/plant" in table


def test_a_file_takes_its_form_from_its_ending(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "water.xlsx"
    assert report(site, "--by", "terminal", str(file)) == 0
    assert file.read_bytes()[:2] == b"PK"


def test_a_place_that_there_is_not_is_one_clear_line(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(site, "--place", "dorm-99") == 2
    assert "no place" in capsys.readouterr().err
