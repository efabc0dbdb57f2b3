"""What explains a figure: told in its unit, what can be mended first, never without end."""

from dataclasses import replace
from typing import get_args

import pytest

from hub.energy import explained, told_findings
from hub.energy.consumption import Consumption
from hub.energy.counter import Finding, FindingKind
from hub.energy.explained import MOST_FINDINGS
from hub.energy.ledger import Ledger
from hub.energy.spread import PointFinding
from hub.energy.told_findings import BRIEF, COLUMNS, DO, NAMES, WHAT
from tests.hub.test_consumption import HOUR, MINUTE, T0, ZONE, Counters

PEAK = 50_000.0


def levels(at: list[int], per_h: float) -> list[float]:
    return [100 + per_h * (one - T0) / HOUR for one in at]


@pytest.fixture
def odd() -> Counters:
    """A room with two peaks and a reset, one whose meter is well, and a terminal in litres."""
    made = Counters()
    at = list(range(T0 - HOUR, T0 + 6 * HOUR, MINUTE))
    shown = levels(at, 0.5)
    for peak in (90, 200):
        shown[peak] = PEAK
    reset = at.index(T0 + 3 * HOUR)
    shown[reset:] = [one - shown[reset] for one in shown[reset:]]
    made.put(10, at, shown)
    made.put(20, at, levels(at, 1.5))
    litres = levels(at, 90.0)
    litres[reset:] = [one - litres[reset] for one in litres[reset:]]
    made.put(70, at, litres)
    return made


def test_figures_say_how_many_findings_explain_them(odd: Counters) -> None:
    table = odd.use(by="room", places=("d7",), step="hour")
    rows = {row.id: row for row in table.rows}
    assert [one.findings for one in rows["d7/3/311"].steps] == [1, 0, 2, 0]
    assert rows["d7/3/311"].total.findings == 3
    assert [one.findings for one in rows["d7/3/312"].steps] == [0] * 4
    whole = odd.use(by="room", places=("d7",))
    assert {row.id: row.total.findings for row in whole.rows} == {
        row.id: row.total.findings for row in table.rows
    }
    assert whole.findings == table.findings
    assert whole.found == 3
    assert not odd.use(by="device", devices=("d7/meter-312",)).findings


def test_what_somebody_can_mend_comes_first(odd: Counters) -> None:
    reset, *peaks = odd.use(by="room", places=("d7",)).findings
    assert (reset.kind, reset.device, reset.point) == ("reset", "d7/meter-311", "energy")
    assert reset.end_ms == T0 + 3 * HOUR
    assert reset.used == pytest.approx(0.5 / 60)
    assert [(one.kind, one.after, one.used) for one in peaks] == [("glitch", PEAK, None)] * 2
    assert peaks[0].start_ms < peaks[1].start_ms


def test_the_effect_is_in_the_unit_of_the_table_and_the_readings_in_their_own(
    odd: Counters,
) -> None:
    table = odd.use(places=("d7/3",), by="device", utility="hot_water")
    (one,) = table.findings
    assert (table.unit, one.shown_unit) == ("m3", "L")
    assert one.before == pytest.approx(100 + 90 * 179 / 60)
    assert one.used == pytest.approx(90 / 60 / 1000)
    said = told_findings.answer(table, ZONE)["findings"][0]
    assert (said["unit"], said["used"]) == ("m3", 0.002)


def test_an_answer_holds_so_many_findings_and_says_how_many_there_are(odd: Counters) -> None:
    table = odd.use(by="room", places=("d7",))
    (meter,) = (one for one in odd.consumption.metering("electricity").counters
                if one.device.id == "d7/meter-312")  # fmt: skip
    nothing = (1.0, 2.0, 0.0, 0.0, 0.0)
    many = [
        PointFinding(meter.point.number, Finding("glitch", T0 + n, T0 + n + 1, *nothing))
        for n in range(600)
    ]
    stuck = PointFinding(meter.point.number, Finding("stuck", T0 + 700, T0 + 800, *nothing))
    told = explained.explained([*many, stuck], [meter])
    assert told[0].kind == "stuck"
    assert len(told) == 601

    class Told(Ledger):
        def uses(self, points, edges):
            return replace(super().uses(points, edges), findings=(*many, stuck))

    whole = Consumption(odd.site, Told(odd.site, odd.store)).use(table.query)
    assert (len(whole.findings), whole.found) == (MOST_FINDINGS, 601)


def test_every_kind_has_its_words() -> None:
    for words in (NAMES, WHAT, DO):
        assert set(words) == set(get_args(FindingKind))
        assert all(one.zh and one.en for one in words.values())
    assert set(BRIEF) <= {column.key for column in COLUMNS}
