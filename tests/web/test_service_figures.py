"""The figures of the service over the API and on the command line: the same digits."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from hub import cli
from hub.database import effects as kept
from hub.database.connection import open_database
from hub.database.schema import tickets
from hub.kpi.told import TITLES
from hub.settings import load
from tests.hub.fault_site import START
from tests.hub.test_kpi import MENDED, lived
from tests.pages.stage import Stage
from tests.web.conftest import browser
from tests.whole.site import write_site

SPAN = {"from": "2026-11-01T00:00:00", "to": "2027-01-01T00:00:00"}


def one_ticket() -> list:
    (ticket,), events = lived(*MENDED)
    return [ticket, *events]


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    kept.keep(stage.database, one_ticket())
    return stage


async def test_the_api_tells_what_is_known_and_null_for_what_nobody_knows(stage, sign_in):
    async with await sign_in(stage, "duty") as person:
        answer = await person.get("/api/v1/kpi/service", params={**SPAN, "by": "place"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    (row,) = [one for one in told["rows"] if one["id"] == "dorm-07"]
    figures = row["figures"]
    assert figures["response"] == {"value": 1.0, "n": 1, "of": 1}
    assert figures["mttr"] == {"value": 60.0, "of": 1}  # minutes
    assert figures["crew"]["value"] is None
    assert told["total"]["opened"] == sum(one["figures"]["opened"] for one in told["rows"])


async def test_the_figures_are_for_who_may_look(stage, sign_in):
    async with browser(stage) as stranger:
        assert (await stranger.get("/api/v1/kpi/service", params=SPAN)).status_code == 401
    async with await sign_in(stage, "contractor") as person:
        assert (await person.get("/api/v1/kpi/service", params=SPAN)).status_code == 403


async def test_the_page_of_a_month_leads_from_each_group_to_its_tickets(stage, sign_in):
    async with await sign_in(stage, "duty") as person:
        page = await person.get("/service?month=2026-11&by=severity&lang=en")
        link = "/service/tickets?month=2026-11&amp;by=severity&amp;group=ordinary"
        assert page.status_code == 200
        assert link in page.text
        assert TITLES["first_time"].en in page.text
        listed = await person.get(link.replace("&amp;", "&"))
        assert "/tickets/" + one_ticket()[0].id in listed.text
        other = await person.get("/service/tickets?month=2026-11&by=severity&group=large")
        assert "/tickets/" + one_ticket()[0].id not in other.text
        assert (await person.get("/service?month=2026-13")).status_code == 422


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = write_site(tmp_path, [])
    settings = load(folder)
    settings.data.mkdir(parents=True, exist_ok=True)
    database = open_database(str(settings.database_file))
    kept.keep(database, one_ticket())
    database.close()
    return folder


def report(site: Path, *options: str) -> int:
    span = ("--from", "2026-11", "--to", "2026-12")
    return cli.run(["report", "service", *span, "--config", str(site), *options])


def test_every_form_of_the_report_tells_the_same(site, capsys, tmp_path):
    assert report(site, "--format", "json", "--recount") == 0
    told = json.loads(capsys.readouterr().out)["total"]
    assert report(site, "--format", "csv", "--language", "en") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff"))))
    values = {row["Figure"]: row["Value"] for row in rows}
    assert float(values[TITLES["on_site"].en]) == told["on_site"]["value"] * 100
    assert values[TITLES["crew"].en] == ""  # missing is not zero
    assert report(site, "--by", "severity", "--language", "en") == 0
    assert "ordinary" in capsys.readouterr().out
    assert report(site, str(tmp_path / "service.xlsx")) == 0
    assert (tmp_path / "service.xlsx").read_bytes()[:2] == b"PK"


def test_a_row_that_does_not_fit_its_history_is_named(site, capsys):
    database = open_database(str(load(site).database_file))
    with database.write() as connection:
        connection.execute(tickets.update().values(on_site_ms=START))
    database.close()
    assert report(site, "--recount") == 2
    assert "on_site" in capsys.readouterr().err
