"""Readings as a sheet: each says how good it is, and why it is not simply good."""

from __future__ import annotations

from hub.model import Batch, Quality, Reason, flag
from hub.sheet.readings import readings_sheet
from hub.store.memory import MemoryStore
from tests.hub.test_ledger import HOUR, T0, site_of


def test_every_quality_and_reason_has_its_word() -> None:
    pairs = [(quality, reason) for quality in Quality for reason in Reason]
    ats = [T0 + n * 1000 for n in range(len(pairs))]
    packed = [flag(*pair) for pair in pairs]
    store, site = MemoryStore(), site_of(1)
    store.append(Batch.of([1] * len(ats), ats, [1.0] * len(ats), packed, ats[-1]), 1)
    sheet = readings_sheet(store, site, list(site.points.values()), (T0, T0 + HOUR), "en")
    told = [tuple(row[-2:]) for row in sheet.rows]
    assert told == [(quality.name.lower(), reason.name.lower()) for quality, reason in pairs]
