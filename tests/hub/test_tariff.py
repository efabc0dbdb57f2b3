"""tariffs.yaml is read whole: what is wrong has its file and line, holes and overlaps by name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from hub.energy.tariff import TariffsFile
from hub.ports import ConfigError
from hub.settings import load, shipped

CAMPUS = """\
version: 1
site: {id: try, name: {zh: 试, en: Try}, timezone: Asia/Shanghai}
places:
  - {id: dorm-07, kind: building, name: {zh: 北苑7栋, en: North Garden 7}, students: 320}
"""
TARIFFS = """\
version: 1
holidays: [2026-10-01]
workdays: [2026-10-10]
standard: {electricity: tou}
accounts:
  - {place: dorm-07, tariff: tou, contracted_kw: 315}
tariffs:
  - id: tou
    name: {zh: 分时, en: TOU}
    versions:
      - id: v1
        from: 2025-01-01
        source: a test
        prices: {peak: 1.08, valley: 0.27}
        hours:
          - rates:
              peak: ["08:00-22:00"]
              valley: ["22:00-08:00"]
      - id: v2
        from: 2026-01-01
        source: a test
        prices: {flat: 0.5}
"""
FLAT = "prices: {flat: 0.5}"
NOT_RISING = "[{up_to: 9, add: 0}, {up_to: 9, add: 1}, {add: 2}]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "campus.yaml").write_text(CAMPUS, "utf-8")
    (tmp_path / "tariffs.yaml").write_text(TARIFFS, "utf-8")
    return tmp_path


def wrong(folder: Path, old: str, new: str) -> list[str]:
    assert old in TARIFFS
    (folder / "tariffs.yaml").write_text(TARIFFS.replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(folder)
    return list(caught.value.problems)


def test_a_right_file_is_in_force_and_in_the_content_that_is_journaled(folder: Path) -> None:
    settings = load(folder)
    assert settings.tariffs is not None
    assert settings.tariffs.tariff("tou") is not None
    assert '"tariffs"' in settings.content
    before = settings.content_hash
    (folder / "tariffs.yaml").write_text(TARIFFS.replace("1.08", "1.09"), "utf-8")
    assert load(folder).content_hash != before


def test_a_site_without_prices_has_none_and_not_those_of_the_example(folder: Path) -> None:
    (folder / "tariffs.yaml").unlink()
    assert load(folder).tariffs is None


def test_the_shipped_example_is_right_and_names_its_source() -> None:
    tariffs = load(shipped()).tariffs
    assert tariffs is not None
    assert all(version.source for one in tariffs.tariffs for version in one.versions)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ('["22:00-08:00"]', '["22:00-07:00"]', 16, "no rate from 07:00 to 08:00"),
        ('["22:00-08:00"]', '["21:30-08:00"]', 16, "peak and valley both from 21:30 to 22:00"),
        ("- rates:", "- days: [workday]\n            rates:", 11, "no hours on weekend in months"),
        (
            "- rates:",
            "- months: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\n            rates:",
            11,
            "no hours on workday in month 12",
        ),
        ('"08:00-22:00"', '"08:00-22:10"', 17, "'08:00-22:10' is no span of a day on quarters"),
        ('"08:00-22:00"', '"08:00-08:00"', 17, "is no span of a day"),
        ("prices: {flat: 0.5}", "prices: {peak: 0.5}", 19, "no price for flat; add it to prices"),
        ("valley: 0.27}", "valley: 0.27, sharp: 2}", 11, "the price of sharp is never used"),
        ("from: 2026-01-01", "from: 2024-01-01", 8, "v2 must begin after v1; write them in order"),
        (
            "from: 2025-01-01",
            "from: 2025-01-01\n        until: 2025-12-01",
            8,
            "nothing is in force from 2025-12-01 to 2026-01-01",
        ),
        (
            "from: 2025-01-01",
            "from: 2025-01-01\n        until: 2026-02-01",
            8,
            "v1 and v2 are both in force from 2026-01-01 to 2026-02-01",
        ),
        ("id: v2", "id: v1", 8, "version 'v1' stands here twice"),
        ("{electricity: tou}", "{electricity: toe}", 1, "there is no tariff 'toe'; known: tou"),
        ("{electricity: tou}", "{water: tou}", 1, "a tariff of electricity"),
        ("place: dorm-07", "place: dorm-08", 6, "there is no place 'dorm-08'"),
        ("contracted_kw", "contract_kw", 6, "unknown key; did you mean 'contracted_kw'?"),
        ("peak: 1.08", "peak: .nan", 14, "prices.peak"),
        ("peak: 1.08", 'peak: "1,08"', 14, "prices.peak"),
        ("workdays: [2026-10-10]", "workdays: [2026-10-01]", 1, "both a holiday and a workday"),
        ("source: a test\n        prices: {flat", "prices: {flat", 19, "source: missing; add it"),
        (FLAT, f"{FLAT}\n        demand: {{basis: peak, price: 1}}", 23, "must be 'maximum'"),
        (FLAT, f"{FLAT}\n        tiers: {{blocks: [{{up_to: 9, add: 0}}]}}", 23, "every block but"),
        (FLAT, f"{FLAT}\n        tiers: {{blocks: {NOT_RISING}}}", 23, "up_to rises from block"),
    ],
)
def test_a_mistake_has_its_line_and_says_what_is_wrong(
    folder: Path, old: str, new: str, line: int, what: str
) -> None:
    problems = wrong(folder, old, new)
    said = "\n".join(problems)
    assert what in said, said
    assert any(one.startswith(f"tariffs.yaml:{line}: ") for one in problems), said


def test_two_entries_for_the_same_days_are_named(folder: Path) -> None:
    twice = """\
          - months: [3]
            rates: {peak: ["00:00-12:00"], valley: ["12:00-24:00"]}
      - id: v2"""
    (problem,) = wrong(folder, "      - id: v2", twice)
    assert "hours[0] and hours[1] on workday both in month 3" in problem


def test_a_day_is_priced_by_the_version_then_in_force() -> None:
    tariff = example().tariffs[0]
    found = [tariff.on(date(*day)) for day in ((2024, 12, 31), (2025, 12, 31), (2026, 1, 1))]
    assert [one and one.id for one in found] == [None, "v1", "v2"]


def test_a_public_holiday_and_a_moved_working_day_are_what_they_are_declared() -> None:
    file = example()
    days = [date(2026, 10, n) for n in (1, 2, 3, 10)]
    assert [file.kind_of(day) for day in days] == ["holiday", "workday", "weekend", "workday"]


def example() -> TariffsFile:
    import yaml

    return TariffsFile.model_validate(yaml.safe_load(TARIFFS))
