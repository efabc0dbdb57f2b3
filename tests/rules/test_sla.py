"""The service promise as arithmetic: exact at its limits, and the same in every time zone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rules.service import SEVERITIES, Service
from rules.sla import deadlines, verdict

MINUTE, HOUR = 60_000, 3_600_000
FILE = Path(__file__).parents[2] / "config" / "service.yaml"
PROMISE = Service.model_validate(yaml.safe_load(FILE.read_text()))


def test_the_shipped_promise_is_the_written_one() -> None:
    small, ordinary, large = (deadlines(PROMISE, severity, 0) for severity in SEVERITIES)
    assert small == (5 * MINUTE, 20 * MINUTE, 2 * HOUR, None)
    assert ordinary == (5 * MINUTE, 20 * MINUTE, 12 * HOUR, None)
    assert large == (5 * MINUTE, 20 * MINUTE, None, 48 * HOUR)


@pytest.mark.parametrize(
    ("done", "now", "expected"),
    [
        (None, 100, "running"),
        (None, 101, "breached"),
        (100, 999, "met"),
        (101, 999, "breached"),
    ],
)
def test_a_target_met_at_exactly_its_limit_is_met(done, now, expected) -> None:
    assert verdict(100, done, now) == expected


@given(st.integers(0, 4_102_444_800_000), st.sampled_from(SEVERITIES))
def test_a_deadline_is_true_elapsed_time_from_any_instant(opened_ms, severity) -> None:
    zero, later = deadlines(PROMISE, severity, 0), deadlines(PROMISE, severity, opened_ms)
    assert [by and by - opened_ms for by in later] == list(zero)


@pytest.mark.parametrize(
    "change",
    [
        {"fix": {"small": "PT2H"}},  # ordinary has no target
        {"crew": {"large": "PT48H", "small": "PT1H"}},  # small has two
        {"respond": "PT0S"},
        {"respond": "-PT5M"},
        {"reply": "PT5M"},
        {"version": 2},
        {"fix": {"small": "PT2H", "ordinary": "PT12H", "tiny": "PT1H"}},
    ],
)
def test_a_promise_with_a_mistake_is_refused(change) -> None:
    with pytest.raises(ValidationError):
        Service.model_validate(yaml.safe_load(FILE.read_text()) | change)
