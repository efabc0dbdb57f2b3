"""A roster is checked with the site: what it names must be there, each mistake has its line."""

import json
import shutil
from pathlib import Path

import pytest

from hub.cli import run
from hub.ports import ConfigError
from hub.settings import load, shipped
from hub.settings.recorded import recorded

ROSTER = """\
version: 1
skills:
  - {id: water, name: {zh: 水, en: Water}, kinds: [boiler]}
people:
  - {id: anna, name: Anna, user: anna}
  - {id: bert, name: Bert, user: bert}
crews:
  - {id: duty, name: {zh: 值, en: D}, members: [anna, bert],
     lead: anna, skills: [water], places: [dorm-07]}
rotations:
  - crew: duty
    starts: 2026-01-05
    shifts: [{name: day, from: "08:00", to: "20:00"}, {name: night, from: "20:00", to: "08:00"}]
    order: [[anna], [bert]]
cover:
  - {place: dorm-07, skill: water, hours: hot-water}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name in ("campus.yaml", "calendar.yaml"):
        shutil.copy(shipped() / name, tmp_path / name)
    (tmp_path / "roster.yaml").write_text(ROSTER, "utf-8")
    return tmp_path


def change(site: Path, old: str, new: str) -> None:
    text = (site / "roster.yaml").read_text("utf-8")
    assert old in text
    (site / "roster.yaml").write_text(text.replace(old, new, 1), "utf-8")


def problems(site: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(site)
    return caught.value.problems


def test_a_roster_is_a_file_of_the_site_and_need_not_be_there(site: Path) -> None:
    roster = load(site).roster
    assert roster is not None
    assert [person.id for person in roster.people] == ["anna", "bert"]
    (site / "roster.yaml").unlink()
    assert load(site).roster is None  # the shipped one is an example and calls nobody
    assert "roster" not in json.loads(load(site).content)


def test_the_roster_in_force_stands_in_the_journal_without_telephones(site: Path) -> None:
    change(site, "name: Anna,", 'name: Anna, phone: "139 1234", addresses: {mail: anna@x.edu},')
    settings = load(site)
    assert "139" not in settings.content
    assert "anna@" not in settings.content
    again = recorded(json.loads(settings.content), site)
    assert again.content_hash == settings.content_hash
    assert again.roster is not None
    assert again.roster.rotations == settings.roster.rotations


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lead: anna", "lead: ana", "roster.yaml:9: crews[0].lead: there is no person 'ana'; did"),
        ("[anna, bert]", "[anna, karl, bert]", "roster.yaml:8: crews[0].members[1]: there is no"),
        ("skills: [water]", "skills: [wine]", "roster.yaml:9: crews[0].skills[0]: there is no"),
        ("[dorm-07]", "[dorm-9]", "roster.yaml:9: crews[0].places[0]: there is no place 'dorm-9'"),
        ("crew: duty", "crew: dutty", "roster.yaml:11: rotations[0].crew: there is no crew"),
        ("[bert]]", "[berta]]", "roster.yaml:14: rotations[0].order[1][0]: 'berta' is no member"),
        ("name: night", "name: day", "roster.yaml:13: rotations[0].shifts[1].name: the crew has a"),
        ("hours: hot-water", "hours: tea", "roster.yaml:16: cover[0].hours: there is no hours of"),
        ("id: bert,", "id: anna,", "roster.yaml:6: people[1].id: 'anna' is taken on line 5"),
        ("user: bert", "user: anna", "roster.yaml:6: people[1].user: 'anna' is taken on line 5"),
        ('to: "08:00"', 'to: "8:00"', "roster.yaml:13: rotations[0].shifts[1].to: "),
        ("lead: anna", "boss: anna", "roster.yaml:9: crews[0].boss: unknown key"),
        ('"20:00", to: "08:00"', '"19:00", to: "08:30"', "roster.yaml:11: rotations[0]: 'bert' is"),
    ],
)
def test_what_is_wrong_has_its_line(site: Path, old: str, new: str, said: str) -> None:
    change(site, old, new)
    found = problems(site)
    assert any(one.startswith(said) for one in found), found


def test_mistakes_of_form_do_not_hide_broken_references(site: Path) -> None:
    change(site, "lead: anna", "lead: ana, boss: anna")
    assert len(problems(site)) == 2


def check(site: Path, *more: str) -> int:
    return run(["roster", "check", "--config", str(site), "--from", "2026-03-02", *more])


def test_the_shipped_roster_covers_a_year(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(shipped(), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert found["uncovered_minutes"] == 0
    assert (found["from"], found["to"]) == ("2026-03-02", "2027-03-01")


def test_a_gap_is_said_with_its_times_and_who_is_missing(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(site, 'name: day, from: "08:00"', 'name: day, from: "08:20"')
    assert check(site, "--days", "2") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "roster check: 40 uncovered minutes, 2026-03-02 to 2026-03-03"
    assert lines[1] == (
        "  2026-03-02 08:00 to 2026-03-02 08:20  dorm-07, water: 0 of 1 on duty;"
        " missing: duty (anna, bert)"
    )


@pytest.mark.parametrize("more", [("--from", "soon"), ("--days", "0")])
def test_a_question_that_makes_no_sense_is_refused(
    site: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, str]
) -> None:
    assert check(site, *more) == 2
    assert more[1] in capsys.readouterr().err


def test_a_site_without_a_roster_is_told_so(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "roster.yaml").unlink()
    assert check(site) == 2
    assert "has no roster.yaml" in capsys.readouterr().err
