"""Days that outlive a restart: the same figures to the last bit, and never one of before."""

import contextlib
import logging
from datetime import timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.clock import InlineWorker
from hub.energy import kept_days, ledger
from hub.energy.backlog import Backlog, resume
from hub.energy.counter import MeterChange
from hub.energy.kept_days import MARK, KeptDays
from hub.energy.ledger import Ledger
from hub.journal import Journal, Room, open_connection
from hub.model import Batch, Entry, EntryKind
from hub.ports import StoreError
from hub.site import Site
from hub.store.memory import MemoryStore
from tests.hub.test_ledger import DAY, HOUR, MINUTE, PARTS, T0, days_of, life, site_of

DAYS = 5
LONG_AFTER = T0 + 30 * DAY


@pytest.fixture(autouse=True)
def _a_short_year(monkeypatch) -> None:
    monkeypatch.setattr(ledger, "AHEAD_DAYS", 40)


class Killed(BaseException):
    """The power went."""


class LateClock:
    """A clock that stands long after all days."""

    def now_ms(self) -> int:
        return LONG_AFTER

    def worker(self, name: str) -> InlineWorker:
        return InlineWorker()


class Office:
    """A site whose journal and store outlive the hub; ``start`` begins a hub on what they hold."""

    def __init__(self, folder, counters: int = 2, minutes: int = 15) -> None:
        self.site: Site = site_of(counters, interval=timedelta(minutes=minutes))
        self.points = [device.points[0] for device in self.site.devices.values()]
        self.folder = folder
        self.journal = Journal(open_connection(":memory:"))
        self.store = MemoryStore()
        self.changes: dict[int, list[MeterChange]] = {}
        self.start()

    def start(self, key: str = "") -> None:
        self.ledger = Ledger(self.site, self.store)
        self.kept = KeptDays(self.folder, self.ledger.key + key)
        self.used = resume(self.ledger, self.kept, self.journal, self.store)
        self.ledger.change(self.changes)
        self.backlog = Backlog(self.ledger, self.kept, Room(), LateClock())

    def keep(self, rows, *, killed: bool = False) -> None:
        point, at, value, quality = zip(*rows, strict=True)
        batch = Batch.of(point, at, value, quality, max(at))
        seq = self.journal.append([Entry(EntryKind.READINGS, max(at), batch=batch)])
        self.store.append(batch, seq)
        if not killed:
            self.ledger.recorded(batch, seq)

    def change(self, changes) -> None:
        self.changes = changes
        self.ledger.change(changes)

    def work(self) -> None:
        while self.backlog.once():
            pass

    def uses(self, edges):
        return self.ledger.uses(self.points, np.asarray(edges, np.int64))

    def check(self, edges) -> None:
        """Hold the figures against those of a ledger that has nothing kept."""
        afresh = Ledger(self.site, self.store)
        afresh.change(self.changes)
        wanted = afresh.uses(self.points, np.asarray(edges, np.int64))
        found = self.uses(edges)
        for part in PARTS:
            assert np.array_equal(getattr(found, part), getattr(wanted, part)), part
        assert repr(found.findings) == repr(wanted.findings)


def steady(number: int, first: int = T0 - DAY, last: int = T0 + DAYS * DAY + DAY):
    return [(number, at, 500 + (at - T0) / HOUR, 0) for at in range(first, last, 15 * MINUTE)]


class Deaf(MemoryStore):
    """A store that can be told not to answer."""

    deaf = False

    def rollups(self, points, start_ms, end_ms):
        if self.deaf:
            raise AssertionError("the store was asked")
        return super().rollups(points, start_ms, end_ms)


@pytest.fixture
def office(tmp_path) -> Office:
    made = Office(tmp_path / "ledger")
    made.store = Deaf()
    made.start()
    made.keep([*steady(1), *steady(2)])
    return made


def test_what_was_worked_out_is_not_worked_out_again_after_a_restart(office: Office) -> None:
    office.work()
    before = office.uses(days_of(DAYS))
    assert before.used == pytest.approx(24.0)
    office.start()
    office.store.deaf = True
    assert office.used
    after = office.uses(days_of(DAYS))
    assert all(np.array_equal(getattr(after, part), getattr(before, part)) for part in PARTS)


def test_days_of_which_a_store_has_nothing_cost_nothing_either(office: Office) -> None:
    office.work()
    long = [T0 - 9 * DAY, T0 - 2 * DAY, *days_of(DAYS)]
    assert not office.ledger.unread(office.points, np.array(long, np.int64))
    office.store.deaf = True
    assert not office.uses(long).measured[:, 0].any()
    office.store.deaf = False
    office.keep([(1, T0 - 5 * DAY, 5.0, 0)])  # now there is something before
    assert office.ledger.unread(office.points, np.array(long, np.int64))
    office.check(long)


def test_what_the_store_kept_before_a_kill_is_forgotten_at_the_start(office: Office) -> None:
    office.work()
    office.keep([(1, T0 + 2 * DAY + 7 * HOUR + 1, 600.0, 0)], killed=True)  # the hub never heard
    stale = office.uses(days_of(DAYS))
    office.start()
    office.check(days_of(DAYS))
    assert repr(office.uses(days_of(DAYS)).findings) != repr(stale.findings)


@pytest.mark.parametrize("writes", range(6))
def test_no_kill_between_two_writes_leaves_a_day_of_before(
    office: Office, monkeypatch, writes: int
) -> None:
    office.work()
    office.keep([(1, T0 + 2 * DAY + 7 * HOUR + 1, 600.0, 0)])
    put, done = kept_days._put, []

    def cut(file, content):
        if len(done) == writes:
            raise Killed
        done.append(file)
        put(file, content)

    monkeypatch.setattr(kept_days, "_put", cut)
    with contextlib.suppress(Killed):
        office.work()
    monkeypatch.undo()
    office.start()
    office.check(days_of(DAYS))


def test_a_journal_that_no_longer_has_all_of_it_means_that_no_day_counts(
    office: Office, caplog
) -> None:
    office.work()
    office.keep([(1, T0 + 2 * DAY + 7 * HOUR + 1, 600.0, 0)], killed=True)
    office.keep([(2, T0 + 9 * DAY, 800.0, 0)], killed=True)
    office.journal.prune(2**62, office.journal.last())
    with caplog.at_level(logging.WARNING):
        office.start()
    assert "worked out again" in caplog.text
    office.check(days_of(DAYS))


def test_a_store_that_went_back_means_that_no_day_counts(office: Office) -> None:
    office.work()
    office.store = Deaf()  # restored from before there was anything
    office.start()
    assert np.isnan(office.uses(days_of(DAYS)).used).all()


@pytest.mark.parametrize("running", [True, False])
def test_a_change_of_a_meter_touches_its_days_also_when_no_hub_ran(
    office: Office, running: bool
) -> None:
    office.work()
    changes = {1: [MeterChange(T0 + DAY, 10.0, 524.0, 40.0)]}
    if running:
        office.change(changes)
        office.work()
    office.changes = changes
    office.start()
    assert office.uses(days_of(DAYS)).used[0, 2] == pytest.approx(24 * 40)
    assert office.uses(days_of(DAYS)).used[1, 2] == pytest.approx(24)
    office.check(days_of(DAYS))


def test_a_change_that_a_kill_and_a_withdrawal_follow_leaves_no_day_behind(
    office: Office, monkeypatch
) -> None:
    office.work()
    office.change({1: [MeterChange(T0 + DAY, 10.0, 524.0, 40.0)]})
    put = kept_days._put

    def cut(file, content):
        if file.name == kept_days.MARK:
            raise Killed
        put(file, content)

    monkeypatch.setattr(kept_days, "_put", cut)
    with pytest.raises(Killed):
        office.work()
    monkeypatch.undo()
    office.changes = {}  # taken back while no hub ran
    office.start()
    office.check(days_of(DAYS))


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "other"])
def test_a_damaged_day_is_named_and_worked_out_anew(office: Office, caplog, damage: str) -> None:
    office.work()
    file = sorted(office.folder.glob("*.day"))[3]
    whole = file.read_bytes()
    flipped = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
    file.write_bytes({"cut": whole[:-9], "bit": flipped, "empty": b"", "other": b"x" * 50}[damage])
    with caplog.at_level(logging.WARNING):
        office.start()
    assert file.name in caplog.text
    office.check(days_of(DAYS))
    office.work()
    caplog.clear()
    office.start()
    assert not caplog.text
    office.store.deaf = True
    assert office.uses(days_of(DAYS)).used == pytest.approx(24.0)


def test_a_damaged_mark_and_other_settings_make_all_days_count_for_nothing(office: Office) -> None:
    office.work()
    mark = office.folder / MARK
    mark.write_bytes(mark.read_bytes().replace(b'"seq"', b'"sea"'))
    office.start()
    assert office.ledger.unread(office.points, np.array(days_of(DAYS), np.int64))
    office.work()
    office.start(key="other")
    assert office.ledger.unread(office.points, np.array(days_of(DAYS), np.int64))
    before_all = np.array([T0 - 9 * DAY, T0 - 2 * DAY], np.int64)
    assert office.ledger.unread(office.points, before_all)
    office.start()  # who only looks takes nothing away
    assert not office.ledger.unread(office.points, np.array(days_of(DAYS), np.int64))


def test_a_folder_that_was_deleted_costs_time_only(office: Office) -> None:
    office.work()
    for file in office.folder.iterdir():
        file.unlink()
    office.folder.rmdir()
    office.check(days_of(DAYS))
    office.keep([(1, T0 + 2 * DAY + 7 * HOUR + 1, 600.0, 0)])
    office.work()
    office.start()
    office.check(days_of(DAYS))


def test_a_store_that_is_away_leaves_the_days_alone(office: Office, monkeypatch) -> None:
    office.work()
    files = {file: file.read_bytes() for file in office.folder.iterdir()}

    def away():
        raise StoreError("influx: no answer")

    monkeypatch.setattr(office.store, "applied", away)
    office.start()
    assert not office.used
    assert {file: file.read_bytes() for file in office.folder.iterdir()} == files


def no_room(*_: object) -> None:
    raise OSError("No space left on device")


def test_days_that_could_not_be_written_are_written_later(office: Office) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_days, "_put", no_room)
        office.work()
    office.work()
    office.start()
    office.store.deaf = True
    assert office.uses(days_of(DAYS)).used == pytest.approx(24.0)


def test_a_day_that_could_not_be_taken_away_is_taken_away_later(office: Office) -> None:
    office.work()
    office.keep([(1, T0 + 2 * DAY + 7 * HOUR + 1, 600.0, 0)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(office.kept, "write", no_room)
        office.backlog.write()
    office.backlog.write()
    office.start()
    office.check(days_of(DAYS))


def test_a_day_that_readings_still_alter_is_not_written_before_it_is_over(office: Office) -> None:
    while office.ledger.work_out(LONG_AFTER):
        pass
    now_ms = T0 + 3 * DAY + 5 * HOUR
    _, early = office.ledger.days.to_write(now_ms)
    assert early
    assert all(day.until_ms < now_ms for day in early.values())
    _, rest = office.ledger.days.to_write(LONG_AFTER)
    assert {T0 + n * DAY for n in range(DAYS)} <= early.keys() | rest.keys()


def test_what_people_read_before_the_first_reading_is_no_time_of_nothing(office: Office) -> None:
    begin = T0 - 9 * DAY  # in another week than the first reading: not worked out with it
    office.change({1: [MeterChange(begin, 10.0, 476.0 - 8 * 24)]})
    office.work()
    assert office.uses([begin, begin + DAY, begin + 2 * DAY]).used[0] == pytest.approx(24)


def test_a_late_reading_of_what_tells_a_pace_touches_the_finding(monkeypatch) -> None:
    """What a counter is held against may come late, too."""
    made = site_of(1)
    monkeypatch.setattr(ledger.stuck, "paces", lambda _: {1: ledger.stuck.Pace(11, 0.001)})
    asked = Ledger(made, MemoryStore())
    while asked.work_out(LONG_AFTER):
        pass
    known = asked.days._state.empty_before.copy()
    asked.recorded(Batch.of([11], [T0], [500.0], [0], T0), 1)
    assert (asked.days._state.empty_before < known).all()


@settings(max_examples=6)
@given(st.integers(0, 10_000), st.sampled_from((15, 5)), st.lists(st.integers(0, 5), max_size=6))
def test_any_history_with_restarts_gives_the_same_figures_to_the_last_bit(
    tmp_path_factory, seed: int, minutes: int, steps: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "FEW", 0)
        folder = tmp_path_factory.mktemp("office") / "ledger"
        made, draw = Office(folder, 3, minutes), Random(seed)
        lives = [life(seed, point.number, DAYS, minutes * MINUTE) for point in made.points]
        rows = [row for readings, _ in lives for row in readings]
        draw.shuffle(rows)
        late, in_time = rows[: len(rows) // 5], sorted(rows[len(rows) // 5 :], key=lambda r: r[1])
        made.keep(in_time)
        for step in (*steps, 5):
            some, late = late[: len(late) // 2], late[len(late) // 2 :]
            if step == 0 and some:
                made.keep(some)
            elif step == 1 and some:
                made.keep(some, killed=True)
                made.start()
            elif step == 2:
                n = draw.randrange(len(lives))
                made.change(made.changes | {n + 1: lives[n][1]})
            elif step == 3:
                made.work()
            elif step == 4:
                made.uses(days_of(DAYS)[draw.randrange(3) :])
            else:
                made.start()
            made.check(days_of(DAYS))
        edges = days_of(DAYS)
        made.check([edges[0], edges[-1]])
        made.check([edges[0] + 777, *edges[1:-1], edges[-1] - 77_777])
