"""Counters that are read rarely: each part of a time is told as the whole of it is."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hub.energy import calendar, ledger
from hub.energy.ledger import Ledger
from tests.hub.test_ledger import DAY, FIRST_DAY, HOUR, MINUTE, PARTS, T0, Hub, days_of, site_of


def test_no_reading_is_overlooked_where_days_begin_within_an_hour() -> None:
    zone = ZoneInfo("Asia/Kathmandu")  # a quarter of an hour apart from whole hours
    begin, end = (calendar.day_start(FIRST_DAY + timedelta(n), zone) for n in range(2))
    hub = Hub(site_of(1, zone))
    lonely = begin - 13 * HOUR + 5 * MINUTE  # only the second half of its hour is near the day
    levels = {begin - 3 * DAY: 100.0, lonely: 100.0, begin + 12 * HOUR: 125.0}
    hub.keep([(1, at, level, 0) for at, level in [*levels.items(), (end + DAY, 125.0)]])
    long, short = hub.uses([begin - DAY, begin, end]), hub.uses([begin, end])
    assert short.used[0] == pytest.approx(long.used[0, 1:])
    used_before = 25 * (begin - lonely) / (begin + 12 * HOUR - lonely)
    assert short.used[0] == pytest.approx([25 - used_before])


@pytest.mark.parametrize("every_h", [24, 40])
def test_a_meter_read_once_a_day_is_judged_alike_by_every_span_and_order(
    monkeypatch, every_h: int
) -> None:
    monkeypatch.setattr(ledger, "FEW", 0)
    hub = Hub(site_of(1, interval=timedelta(hours=every_h)))
    ats = range(T0 - 5 * DAY + 8 * HOUR, T0 + 9 * DAY, every_h * HOUR)
    wrong = next(at for at in ats if at > T0 + 2 * DAY)
    edges = days_of(8)
    for at in ats:
        level = 500 + (at - T0) / HOUR + 5000 * (at == wrong)
        hub.keep([(1, at, level, 0)])
        for end in edges[1:]:
            if end < at:
                hub.uses([edges[0], end])
    found, afresh = hub.uses(edges), Ledger(hub.site, hub.store)
    wanted = afresh.uses(hub.points, np.array([T0 - 4 * DAY, *edges], np.int64))
    for part in PARTS:
        assert getattr(found, part)[0] == pytest.approx(getattr(wanted, part)[0, 1:]), part
    assert found.used[0] == pytest.approx(24.0)
    assert {one.kind for _, one in found.findings} == {"glitch"}
