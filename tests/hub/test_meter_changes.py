"""Changes of meters: entered by people, corrected and never removed, and in force at once."""

import numpy as np
import pytest

from hub.database import audit, meter_changes
from hub.database.connection import MEMORY, open_database
from hub.energy import ledger
from hub.energy.ledger import Ledger
from hub.energy.meter_changes import Change, MeterChanges
from hub.model import Batch
from hub.ports import Refused
from hub.store.memory import MemoryStore
from tests.hub.test_ledger import DAY, HOUR, MINUTE, T0, site_of

METER = "dorm-07/meter-1"
NOW = T0 + 2 * DAY
EDGES = np.array([T0, T0 + DAY], np.int64)


class Office:
    """A meter that is exchanged at noon, 30 kWh of 1 kWh/h in, and those who enter it."""

    def __init__(self) -> None:
        self.site = site_of(1)
        self.database = open_database(MEMORY)
        store = MemoryStore()
        at = np.arange(T0 - DAY, NOW, 15 * MINUTE)
        used = (at - T0) / HOUR
        level = np.where(at < T0 + 12 * HOUR, 500 + used, 1000 + used - 12)
        point = np.full(len(at), 1, np.int32)
        store.append(Batch(point, at, level, np.zeros(len(at), np.uint8), NOW), 1)
        self.ledger = Ledger(self.site, store)
        self.changes = MeterChanges(self.site, self.database, self.ledger)

    def enter(self, *, at_h: float = 11.999, closing=512.0, opening=1000.0, **more):
        more = {"reason": "exchanged"} | more
        change = Change(round(T0 + at_h * HOUR), closing, opening, **more)
        return self.changes.enter(METER, change, "wang", NOW)

    def used(self):
        uses = self.ledger.uses(self.site.devices[METER].points, EDGES)
        return float(uses.used[0, 0]), float(uses.estimated[0, 0]), uses.findings


@pytest.fixture(params=["days that are kept", "read directly"])
def office(request, monkeypatch):
    if request.param == "days that are kept":
        monkeypatch.setattr(ledger, "FEW", 0)
    made = Office()
    yield made
    made.database.close()


def test_a_change_entered_later_makes_an_estimate_exact(office: Office) -> None:
    used, estimated, findings = office.used()
    assert used == pytest.approx(24)
    assert estimated == pytest.approx(0.25)
    assert [one.finding.kind for one in findings] == ["swap"]
    office.enter()
    used, estimated, findings = office.used()
    assert used == pytest.approx(24, abs=1e-3)
    assert estimated == 0
    assert [one.finding.kind for one in findings] == ["change"]


def test_a_record_is_undone_by_another_one_and_both_stay(office: Office) -> None:
    wrong = office.enter(closing=511.0)
    assert office.used()[0] == pytest.approx(24, abs=0.3)
    again = office.enter(corrects=wrong.n, multiplier=10.0)
    assert office.used()[0] == pytest.approx(12 + 120, abs=0.01)
    void = office.enter(corrects=again.n, void=True, reason="no, it was meter-2")
    assert [one.finding.kind for one in office.used()[2]] == ["swap"]
    kept = office.changes.of(METER)
    assert [(one.n, one.corrected_by, one.stands) for one in kept] == [
        (wrong.n, again.n, False),
        (again.n, void.n, False),
        (void.n, None, False),
    ]
    told = audit.latest(office.database)
    assert [line.detail["n"] for line in told] == [void.n, again.n, wrong.n]
    assert {(line.actor, line.action, line.subject) for line in told} == {
        ("wang", "meter change", METER)
    }


def test_changes_outlive_a_restart(office: Office) -> None:
    office.enter()
    again = Ledger(office.site, office.ledger._store)
    points = office.site.devices[METER].points
    assert [one.finding.kind for one in again.uses(points, EDGES).findings] == ["swap"]
    MeterChanges(office.site, office.database, again)
    assert [one.finding.kind for one in again.uses(points, EDGES).findings] == ["change"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"at_h": 49}, "not in the future"),
        ({"at_h": -1e6}, "after 2000"),
        ({"closing": -1.0}, "cannot show -1 as its closing"),
        ({"opening": 1e6}, "cannot show 1e[+]06 as its opening"),
        ({"closing": float("nan")}, "cannot show"),
        ({"opening": float("inf")}, "cannot show"),
        ({"multiplier": 0.0}, "above 0"),
        ({"multiplier": -2.0}, "above 0"),
        ({"multiplier": 1e9}, "at most 100,000"),
        ({"multiplier": float("nan")}, "above 0"),
        ({"reason": "  "}, "say why"),
        ({"point": "power"}, "no counter 'power'; choose one of: energy"),
        ({"corrects": 99}, "no record 99"),
        ({"void": True}, "name it with corrects"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(office: Office, wrong, said: str) -> None:
    with pytest.raises(Refused, match=said):
        office.enter(**wrong)
    assert not meter_changes.of_points(office.database)
    assert not audit.latest(office.database)


def test_two_records_of_one_instant_and_two_corrections_of_one_are_refused(office: Office) -> None:
    first = office.enter()
    with pytest.raises(Refused, match=f"record {first.n} names the same instant"):
        office.enter()
    office.enter(corrects=first.n, at_h=11.9)
    with pytest.raises(Refused, match="corrected already"):
        office.enter(corrects=first.n, at_h=11.8)
    with pytest.raises(Refused, match="no device 'dorm-07/meter-9'"):
        office.changes.enter("dorm-07/meter-9", Change(T0, 1, 0, "why"), "wang", NOW)
