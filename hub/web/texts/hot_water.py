"""Words of the hot-water page."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "hot-water": ("热水", "Hot water"),
    "hot-water-more": ("热水：吨数、能效、温度", "Hot water: tonnes, efficiency, temperature"),
    "last-day": ("最近 24 小时", "Last 24 hours"),
    "last-week": ("最近 7 天", "Last 7 days"),
    "last-month": ("最近 30 天", "Last 30 days"),
    "not-enough-data": ("数据不足", "not enough data"),
    "rows-of": ("分行", "Rows"),
    "by-plant": ("热水机房", "Plant"),
    "by-terminal": ("淋浴终端", "Shower terminal"),
    "of-capacity": ("供应能力 {capacity} 吨/天的 {share}", "{share} of {capacity} t/d"),
    "expected-value": ("期望 {value}", "{value} expected"),
    "promised-at": ("承诺 ≥ {limit}°C，{hours}", "promised: {limit}°C and more, {hours}"),
    "all-day": ("全天", "all day"),
    "session-volume": (
        "中位数 {median} 升，九成低于 {high} 升",
        "median {median} L, 90 % below {high} L",
    ),
    "trend-grows": (
        "日用量趋势：每年 {slope} 吨/天；约 {days} 天后达到供应能力。",
        "Trend: {slope} t/day per year; the capacity is reached in some {days} days.",
    ),
    "trend-stays": (
        "日用量趋势：每年 {slope} 吨/天；不会达到供应能力。",
        "Trend: {slope} t/day per year; the capacity is not reached.",
    ),
    "trend-none": (
        "用量趋势：数据不足（{days} 个完整的日，至少需要 14 个）。",
        "Trend: not enough data ({days} whole days; 14 are needed).",
    ),
    "too-long-for-readings": (
        "时间太长，未逐条查看读数：温度、热损失与洗浴次数请选更短的时间或一栋楼。",
        "Too long for single readings: for temperatures, losses and sessions choose less at once.",
    ),
    "source-hot_water": ("吨数来自机房热水表。", "Tonnes by the plants' own hot-water meters."),
    "source-make_up_water": ("吨数来自补水表。", "Tonnes by the meters of make-up water."),
    "source-terminals": ("吨数来自淋浴终端。", "Tonnes by the shower terminals."),
    "source-mixed": ("吨数来源因机房而异。", "Tonnes by different meters from plant to plant."),
    "source-none": ("没有可以计吨数的表。", "No meter here counts tonnes."),
    "all-figures": ("全部数据", "All figures"),
    "figure-name": ("项目", "Figure"),
    "value": ("数值", "Value"),
}
