"""A labelled month: its columns are those of the scalar twins, its agenda keeps its promises."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.backtest import Trial
from hub.settings import load
from hub.settings.tree import build_site
from rules.backtest import FEWEST_LABELS, Label, Span, judgeable, scores, unfound
from simulators.agenda import drawn
from simulators.climate import DAY_MS, HOUR_MS
from simulators.columns import seen
from simulators.episode import Episode, write_truth
from simulators.month_plan import CODED, LONG, OF_DEVICES, OF_PLACES, UNDISTURBED
from simulators.month_site import write_site
from simulators.noise import normal, normals, uniform, uniforms
from simulators.registers import value_of, words_of
from simulators.weather import Snap, Weather

CONFIG = Path(__file__).parents[2] / "config"
START_MS = round(datetime.fromisoformat("2026-12-24T00:00:00+08:00").timestamp() * 1000)
SEEDS = st.integers(0, 2**64 - 1)
MOMENTS = st.integers(0, 2**40)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("month")
    write_site(folder, CONFIG)
    return load(folder)


@pytest.fixture(scope="module")
def site(settings):
    return build_site(settings, lambda ids: {id_: n for n, id_ in enumerate(ids, 1)})


@pytest.fixture(scope="module")
def devices(site):
    return list(site.devices.values())


@pytest.fixture(scope="module")
def drawn_of(devices):
    """Return what draws the month of a seed, each once for all tests."""
    return cache(lambda seed: drawn(seed, START_MS, devices))


@given(SEEDS, st.lists(MOMENTS, min_size=1, max_size=50))
def test_columns_of_noise_are_the_numbers_of_the_scalar_twin(seed, indices):
    seeds = np.full(len(indices), seed, np.uint64)
    at = np.array(indices, np.int64)
    assert uniforms(seeds, at).tolist() == [uniform(seed, n) for n in indices]
    wanted = [normal(seed, n) for n in indices]
    assert normals(seeds, at) == pytest.approx(wanted, rel=1e-13, abs=1e-15)


def test_the_tails_of_the_normal_are_those_of_the_scalar_twin():
    at = np.arange(400_000)
    found = normals(np.full(len(at), 5, np.uint64), at)
    extreme = np.argsort(np.abs(found))[-200:]
    assert np.abs(found[extreme]).min() > 3
    for n in extreme.tolist():
        assert found[n] == pytest.approx(normal(5, n), rel=1e-13)


@given(
    st.lists(st.floats(-1e5, 1e8, allow_subnormal=False) | st.just(float("nan")), min_size=1),
)
def test_columns_are_rounded_as_registers_are(settings, wishes):
    for profile_id in ("reference-room-meter", "reference-boiler"):
        profile = settings.profiles[profile_id]
        points = {name: one for name, one in profile.points.items() if one.type != "bool"}
        shown = {name: np.array(wishes) for name in profile.points}
        values, flags = seen(profile, shown)
        for n, (name, point) in enumerate(profile.points.items()):
            for row, wish in enumerate(wishes):
                if name not in points or flags[row, n]:
                    continue
                told = value_of(point, words_of(point, wish))
                assert values[row, n] == pytest.approx(told, rel=1e-12, abs=1e-12)


def test_a_filler_and_a_value_out_of_range_are_bad(settings):
    profile = settings.profiles["reference-room-meter"]
    shown = {name: np.array([1.0, 1.0]) for name in profile.points}
    shown["voltage"] = np.array([np.nan, 6000.0])
    values, flags = seen(profile, shown)
    at = list(profile.points).index("voltage")
    assert np.isnan(values[:, at]).all()
    assert (flags[:, at] & 3).tolist() == [2, 2]
    assert not flags[:, :at].any()


@pytest.mark.parametrize("seed", [1, 2, 20, 101])
def test_a_month_has_five_of_every_fault_and_three_times_as_much_that_looks_alike(drawn_of, seed):
    agenda = drawn_of(seed)
    faults = Counter(one.kind for one in agenda.episodes if one.what == "fault")
    rows = (*LONG, *UNDISTURBED, *OF_PLACES, *OF_DEVICES)
    assert set(faults) == {row.kind for row in rows}
    assert min(row.count for row in rows if row.kind != "supply_cut") >= 5
    assert faults["supply_cut"] >= 5
    alike = sum(one.what == "look_alike" for one in agenda.episodes)
    assert alike >= 3 * sum(faults.values())
    assert all(START_MS <= one.start_ms < one.end_ms for one in agenda.episodes)
    assert max(one.end_ms for one in agenda.episodes) <= START_MS + 30 * DAY_MS
    assert len({one.id for one in agenda.episodes}) == len(agenda.episodes)


@pytest.mark.parametrize("seed", [1, 2, 20])
def test_one_month_has_labels_enough_for_a_verdict_on_every_pack(settings, site, drawn_of, seed):
    trial = Trial(site, settings.packs, settings.promise, settings.calendar)
    agenda = drawn_of(seed)
    labels = [
        Label(one.id, one.kind, one.subject, one.start_ms, one.end_ms, one.what == "look_alike",
              frozenset(one.members))
        for one in agenda.episodes
    ]  # fmt: skip
    span = Span(START_MS, START_MS + 30 * DAY_MS)
    found = judgeable(scores(labels, [], trial.rules, span), trial.rules)
    few = {one.pack: one.whole.labels for one in found if one.whole.labels < FEWEST_LABELS}
    assert [one.pack for one in found] == [
        "boiler", "building", "gateway", "hub", "meter", "room-meter", "shower"
    ]  # fmt: skip
    assert few == {}
    assert unfound(labels, trial.rules) == {}


@pytest.mark.parametrize("seed", [1, 2, 20])
def test_a_dark_building_is_seen_at_its_line_where_it_has_one_only(devices, drawn_of, seed):
    lines: dict[str, set[str | None]] = {}
    for device in devices:
        lines.setdefault(device.place.split("/")[0], set()).add(device.gateway)
    cuts = [one for one in drawn_of(seed).episodes if one.kind == "supply_cut"]
    assert {one.subject for one in cuts} == {"dorm-01", "dorm-07", "dorm-08"}
    for one in cuts:
        named = {name for name in one.members if name.startswith("gw-")}
        assert named == (lines[one.subject] if len(lines[one.subject]) == 1 else set())


@pytest.mark.parametrize("seed", [1, 2, 20])
def test_two_devices_that_are_all_of_a_line_are_never_silent_at_once(drawn_of, seed):
    kinds = ("silent", "exception_answer", "gateway_cut", "bus_cut", "planned_outage")
    of_house = {"dorm-07/main", "dorm-07/boiler-1", "gw-dorm-07-plant", "gw-dorm-07-1"}
    silent = [
        one for one in drawn_of(seed).episodes if one.kind in kinds and one.subject in of_house
    ]
    silent.sort(key=lambda one: one.start_ms)
    assert len({one.subject for one in silent}) > 2
    assert all(one.end_ms < after.start_ms for one, after in pairwise(silent))


@pytest.mark.parametrize("seed", [1, 2, 20])
def test_a_sum_of_a_day_is_well_again_before_it_is_wrong_anew(drawn_of, seed):
    wrong = [
        one for one in drawn_of(seed).episodes
        if one.kind == "scale_wrong" and one.subject.endswith("/main")
    ]  # fmt: skip
    for one, after in pairwise(sorted(wrong, key=lambda one: (one.subject, one.start_ms))):
        if one.subject == after.subject:
            assert after.start_ms - one.end_ms >= 2 * DAY_MS


@pytest.mark.parametrize("seed", [1, 2, 20, 101])
def test_a_device_has_one_fault_at_a_time_and_rests_after_it(devices, drawn_of, seed):
    agenda = drawn_of(seed)
    known = {device.id for device in devices}
    spans: dict[str, list[tuple[int, int]]] = {}
    for one in agenda.episodes:
        if one.what == "fault" and one.subject in known:
            spans.setdefault(one.subject, []).append((one.start_ms, one.end_ms))
    for some in spans.values():
        some.sort()
        for (_, end_ms), (start_ms, _) in pairwise(some):
            assert start_ms - end_ms >= 3 * HOUR_MS


def test_half_of_the_faults_that_a_device_could_notice_it_does_not(drawn_of):
    agenda = drawn_of(3)
    coded = {f"{kind}-{of}".replace("_", "-") for of, kinds in CODED.items() for kind in kinds}
    noticed: dict[str, list[bool]] = {}
    for one in agenda.episodes:
        noticed.setdefault(one.id.rpartition("-")[0], []).append(not one.code_silent)
    assert all(2 <= sum(noticed[kind]) <= len(noticed[kind]) - 2 for kind in coded)
    assert not any(any(noticed[kind]) for kind in set(noticed) - coded)


def test_the_same_seed_is_the_same_agenda_and_another_one_is_not(devices):
    first, again = drawn(7, START_MS, devices), drawn(7, START_MS, devices)
    assert first == again
    assert drawn(8, START_MS, devices).episodes != first.episodes


def test_a_cold_snap_comes_and_goes_within_hours():
    snap = Snap(START_MS + DAY_MS, START_MS + 3 * DAY_MS, 9.0)
    mild, cold = Weather(4, []), Weather(4, [snap])

    def colder(hours: float) -> float:
        at_ms = START_MS + round(hours * HOUR_MS)
        return mild.outdoor(at_ms) - cold.outdoor(at_ms)

    assert [round(colder(hours), 6) for hours in (23, 27, 48, 69, 73)] == [0, 4.5, 9, 4.5, 0]


def test_a_truth_file_has_a_line_about_the_whole_and_one_for_each_episode(tmp_path):
    one = Episode("e1", "fault", "leak", "dorm-07/boiler-1", 1, 3, False, ["a", "b"], 2)
    write_truth(tmp_path / "truth.jsonl", {"scenario": "x", "seed": 1}, [one])
    head, line = (tmp_path / "truth.jsonl").read_text("utf-8").splitlines()
    assert json.loads(head) == {"scenario": "x", "seed": 1}
    assert json.loads(line) == {
        "id": "e1",
        "what": "fault",
        "kind": "leak",
        "subject": "dorm-07/boiler-1",
        "start_ms": 1,
        "end_ms": 3,
        "code_silent": False,
        "members": ["a", "b"],
        "evident_ms": 2,
    }
