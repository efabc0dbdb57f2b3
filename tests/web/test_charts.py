"""Charts say what was measured and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.web import charts, form
from hub.web.charts import Chart

CHART = Chart(
    title="用电",
    unit="kWh",
    start_ms=1_795_104_000_000,  # 00:00 in Shanghai
    step_ms=form.HOUR_MS,
    values=[1.0, 2.0, None, None, 5.0, 0.0],
    zone=ZoneInfo("Asia/Shanghai"),
    language="zh",
    gap_word="无数据",
)
numbers = st.one_of(st.none(), st.floats(-1e6, 1e6))


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own drawing


def drawn(svg: str, tag: str, kind: str) -> list[ET.Element]:
    return [e for e in parsed(svg).iter() if e.tag == tag and kind in e.get("class", "").split()]


def test_a_missing_hour_is_a_gap_and_not_a_bar_of_zero():
    svg = charts.bars(CHART)
    assert len(drawn(svg, "rect", "bar")) == 4
    (gap,) = drawn(svg, "rect", "gap")
    assert gap.get("x") == "33.33%"
    assert gap.get("width") == "33.33%"
    assert "无数据" in svg


def test_an_estimated_hour_looks_and_says_so():
    chart = replace(CHART, estimated=[False, True], estimated_word="估算")
    guessed = drawn(charts.bars(chart), "rect", "guessed")
    assert len(guessed) == 1
    assert "估算" in guessed[0][0].text


def test_a_curve_breaks_at_a_gap_and_shows_a_lone_reading():
    svg = charts.line(replace(CHART, values=[1.0, 2.0, None, 3.0, None, 1.0]))
    lines = [e.get("points") for e in drawn(svg, "polyline", "curve")]
    assert [len(points.split()) for points in lines] == [2, 2, 2]


def test_the_axis_has_hours_of_the_site_and_round_numbers():
    svg = charts.line(replace(CHART, values=[20.0, 55.0] * 12))
    words = [e.text for e in drawn(svg, "text", "hour")]
    assert words[:4] == ["00:00", "03:00", "06:00", "09:00"]
    assert [e.text for e in drawn(svg, "text", "mark")] == ["10", "20", "30", "40", "50", "60"]
    assert [e.text for e in drawn(svg, "text", "unit")] == ["kWh"]


def test_a_limit_and_the_instant_of_the_ticket_are_drawn():
    chart = replace(CHART, limits=[(50, "限值 50")], mark_ms=CHART.start_ms + form.HOUR_MS)
    svg = charts.line(replace(chart, values=[55.0] * 6))
    (limit,) = drawn(svg, "line", "limit")
    assert 26 < float(limit.get("y1")) < 206
    (mark,) = drawn(svg, "line", "instant")
    assert mark.get("x1") == "16.67%"
    assert not drawn(charts.line(replace(chart, mark_ms=1)), "line", "instant")


@given(st.lists(numbers, max_size=60), st.one_of(st.none(), st.floats(-1e6, 1e6)))
@example([5e-324], None)
@example([-5e-324, 1e-310], 1e-315)
def test_any_values_give_a_well_formed_drawing_inside_its_frame(values, limit):
    for draw in (charts.bars, charts.line):
        svg = draw(replace(CHART, values=values, limits=[] if limit is None else [(limit, "限值")]))
        for shape in parsed(svg).iter("rect"):
            assert float(shape.get("y")) >= 25.9
            assert float(shape.get("y")) + float(shape.get("height")) <= 208
        assert "nan" not in svg.lower()
    assert "nan" not in charts.spark(values, "x").lower()


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9))
def test_ticks_cover_the_values_with_few_round_steps(low, length):
    marks = charts.ticks(low, low + length)
    assert marks[0] <= low + 1e-6 * (abs(low) + length)
    assert marks[-1] >= low + length - 1e-6 * abs(low + length)
    assert 2 <= len(marks) <= 8


def test_words_of_the_site_cannot_break_out_of_the_drawing():
    hostile = '"><script>alert(1)</script>'
    svg = charts.line(replace(CHART, title=hostile, unit=hostile, gap_word=hostile))
    assert "<script" not in svg
    parsed(svg)


def test_no_inline_style_is_used():
    for svg in (charts.bars(CHART), charts.line(CHART), charts.spark(CHART.values, "x")):
        assert not re.search(r"\sstyle=|<style", svg)


@pytest.mark.parametrize(
    ("length_ms", "zh", "en"),
    [
        (0, "0 秒", "0 s"),
        (59_000, "59 秒", "59 s"),
        (300_000, "5 分", "5 min"),
        (3_661_000, "1 小时 1 分", "1 h 1 min"),
        (90_000_000, "1 天 1 小时", "1 d 1 h"),
    ],
)
def test_spans_are_told_in_their_two_largest_parts(length_ms, zh, en):
    assert (form.span(length_ms, "zh"), form.span(length_ms, "en")) == (zh, en)


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (-0.04, 1, "0.0"),
        (-3.0, 0, "-3"),
        (float("nan"), 1, "-"),
        (None, 1, "-"),
        (1e6, 0, "1,000,000"),
    ],
)
def test_numbers_never_show_a_negative_zero_or_nan(value, places, text):
    assert form.number(value, places) == text


def test_days_begin_at_midnight_of_the_site_even_when_clocks_change():
    zone = ZoneInfo("Europe/Berlin")
    noon = 1_792_924_200_000  # 2026-10-25, a day of 25 hours
    start = form.day_start_ms(noon, zone)
    assert form.iso(start, zone) == "2026-10-25T00:00:00.000+02:00"
    assert form.day_start_ms(start + 24 * form.HOUR_MS + 1, zone) == start
