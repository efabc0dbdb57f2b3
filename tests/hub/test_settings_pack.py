"""Packs of rules: what does not fit the profiles or another rule is named with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub.test_settings import METER, SHOWER_RULE, folder, load, problems, write

__all__ = ["folder"]
HEAD = "version: 1\npack: own\napplies_to: {kind: meter, profiles: [try-meter]}\nrules:\n"
WORDS = "severity: small, title: {zh: a, en: a}, guidance: {zh: a, en: a}"


def own(folder: Path, *rules: str, head: str = HEAD) -> None:
    rows = [f"  - {{{rule},\n     {WORDS}}}\n" for rule in rules]
    write(folder, "rules/own.yaml", head + "".join(rows))


def test_rules_that_fit_are_in_force(folder: Path) -> None:
    own(
        folder,
        "id: a, kind: high, point: power, unit: W, limit: 2, clear: 1",
        "id: b, kind: backwards, point: energy, unit: kWh",
        "id: c, kind: mismatch, must: {point: power, below: 2}, while: {point: energy, above: 0}",
    )
    assert "own" in [pack.pack for pack in load(folder).packs]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            "id: b, kind: high, point: power, unit: kW, limit: 2, clear: 1",
            "rules/own.yaml:7: rules[1].unit: 'kW' is not that of power in try-meter: 'W'",
        ),
        (
            "id: b, kind: high, point: powr, limit: 2, clear: 1",
            "rules/own.yaml:7: rules[1].point: no profile try-meter of kind meter has",
        ),
        (
            "id: b, kind: mismatch, must: {point: power, below: 1},\n while: {point: q, bits: 1}",
            "rules/own.yaml:8: rules[1].while.point: no profile try-meter of kind meter has",
        ),
        (
            "id: b, kind: mismatch, must: {point: power,\n     minus: par, below: 1}",
            "rules/own.yaml:8: rules[1].must.minus: no profile try-meter of kind meter has",
        ),
        (
            "id: b, kind: spread, limit: .3, clear: 0, floor: 9, finds: [l],\n points: [power, l]",
            "rules/own.yaml:8: rules[1].points[1]: no profile try-meter of kind meter has",
        ),
        (
            "id: b, kind: code, point: power,\n when: {mode: {point: m, bits: 1}}",
            "rules/own.yaml:8: rules[1].when.mode.point: no profile try-meter of kind meter has",
        ),
        (
            "id: b, kind: jump, point: enrgy, rated: 1",  # said once: not also what it counts
            "rules/own.yaml:7: rules[1].point: no profile try-meter of kind meter has",
        ),
        (
            "id: powr, kind: code, point: powr",  # named where it stands as a point
            "rules/own.yaml:7: rules[1].point: no profile try-meter of kind meter has",
        ),
        (
            "id: b, kind: jump, point: energy,\n     rated: 1.2",
            "rules/own.yaml:8: rules[1].rated: no profile says how much energy counts at most",
        ),
        (
            "id: b, kind: low, point: power, limit: 2, clear: 1",
            "rules/own.yaml:7: rules[1]: clear must not be below limit",
        ),
        (
            "id: b, kind: any, point: power, above: 1, over: {kind: meter}",
            "rules/own.yaml:7: rules[1].kind: rule b: rules of the kinds any, all, count and share",
        ),
        (
            "id: a, kind: high, point: power, limit: 2, clear: 1",
            "rules/own.yaml:7: rules[1].id: two rules have the id a",
        ),
        (
            "id: meter-silent, kind: stale, point: power, on_delay: PT5M",
            "rules/own.yaml:7: rules[1].id: 'meter-silent' is a rule of the pack meter too",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_file_and_line(folder: Path, rule, expected) -> None:
    own(folder, "id: a, kind: high, point: power, limit: 2, clear: 1", rule)
    (line,) = problems(folder)
    assert line.startswith(expected)


def test_a_rule_over_members_names_their_points(folder: Path) -> None:
    head = "version: 1\npack: own\napplies_to: {kind: gateway}\nrules:\n"
    one = "id: a, kind: any, above: 1, unit: W, over: {kind: meter, profiles: [try-meter]}"
    own(folder, f"{one}, point: power", head=head)
    assert load(folder).packs
    own(folder, f"{one},\n     point: flow", head=head)
    (line,) = problems(folder)
    assert line.startswith("rules/own.yaml:6: rules[0].point: no profile try-meter of kind meter")


def test_members_of_any_kind_have_their_points_too(folder: Path) -> None:
    head = "version: 1\npack: own\napplies_to: {kind: gateway}\nrules:\n"
    one = "id: a, kind: any, above: 1, over: {}"
    for point in ("load_limit", "flow"):  # of a meter, and of a shower
        own(folder, f"{one}, point: {point}", head=head)
        assert load(folder).packs
    own(folder, f"{one},\n     point: flwo", head=head)
    (line,) = problems(folder)
    assert line.startswith("rules/own.yaml:6: rules[0].point: no profile has a point 'flwo'")


def test_a_point_that_a_rule_has_without_writing_it_is_named_at_the_rule(folder: Path) -> None:
    own(folder, "id: a, kind: efficiency")
    found = problems(folder)
    assert found
    assert all(line.startswith("rules/own.yaml:5: rules[0].point: no profile") for line in found)


def test_a_rule_about_other_things_may_have_the_id_of_a_shipped_one(folder: Path) -> None:
    own(folder, "id: terminal-silent, kind: stale, point: power, on_delay: PT5M")
    assert load(folder).packs


def test_a_jump_is_rated_where_one_profile_says_what_it_counts(folder: Path) -> None:
    rated = METER.replace("kind: counter", "kind: counter, most_per_h: 5")
    write(folder, "profiles/other-meter.yaml", rated.replace("id: try-meter", "id: other-meter"))
    head = HEAD.replace("[try-meter]", "[try-meter, other-meter]")
    own(folder, "id: a, kind: jump, point: energy, rated: 1.2", head=head)
    assert load(folder).packs


def test_a_gateway_has_no_profile(folder: Path) -> None:
    head = HEAD.replace("kind: meter", "kind: gateway")
    own(folder, "id: a, kind: any, above: 1, point: power, over: {kind: meter}", head=head)
    (line,) = problems(folder)
    assert line.startswith("rules/own.yaml:3: applies_to: a gateway has no profile")


def test_packs_of_other_devices_may_have_rules_of_the_same_id(folder: Path) -> None:
    write(folder, "profiles/other-meter.yaml", METER.replace("id: try-meter", "id: other-meter"))
    other = HEAD.replace("pack: own", "pack: other").replace("[try-meter]", "[other-meter]")
    row = f"  - {{id: a, kind: high, point: power, limit: 2, clear: 1,\n     {WORDS}}}\n"
    write(folder, "rules/other.yaml", other + row)
    own(folder, "id: a, kind: high, point: power, limit: 2, clear: 1")
    assert load(folder).packs
    write(folder, "rules/other.yaml", other.replace("other-meter", "try-meter") + row)
    (line,) = problems(folder)
    assert line.startswith("rules/own.yaml:5: rules[0].id: 'a' is a rule of the pack other too")


def test_a_pack_of_the_site_takes_the_place_of_the_shipped_one(folder: Path) -> None:
    write(folder, "rules/shower.yaml", SHOWER_RULE)
    assert load(folder).packs
