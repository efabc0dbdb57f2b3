"""What people report and plan: the kinds of work that no rule raises, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hub.model import Severity, Text


class Kind(NamedTuple):
    """One kind of reported or planned work; ``severity`` is what it mostly is."""

    title: Text
    severity: Severity = "ordinary"


KINDS: Mapping[str, Kind] = {
    "no-hot-water": Kind(Text("没有热水", "No hot water")),
    "water-too-hot": Kind(Text("水温过高", "The water is too hot")),
    "no-water": Kind(Text("停水", "No water")),
    "leak": Kind(Text("漏水", "Water leaks")),
    "drain-blocked": Kind(Text("下水堵塞", "A drain is blocked"), "small"),
    "no-power": Kind(Text("停电", "No power")),
    "light-out": Kind(Text("灯不亮", "A light is out"), "small"),
    "socket-dead": Kind(Text("插座无电", "A socket is dead"), "small"),
    "terminal-broken": Kind(Text("淋浴终端故障", "The shower terminal does not work"), "small"),
    "meter-wrong": Kind(Text("电表异常", "The meter is wrong"), "small"),
    "heating-cold": Kind(Text("暖气不热", "The heating is cold")),
    "air-conditioner": Kind(Text("空调故障", "The air conditioner does not work")),
    "door-lock": Kind(Text("门锁故障", "A door or its lock is broken"), "small"),
    "window": Kind(Text("窗户损坏", "A window is broken"), "small"),
    "furniture": Kind(Text("家具损坏", "Furniture is broken"), "small"),
    "network": Kind(Text("网络故障", "The network does not work"), "small"),
    "danger": Kind(Text("安全隐患", "Something is dangerous")),
    "complaint": Kind(Text("服务投诉", "A complaint"), "small"),
    "other": Kind(Text("其他", "Something else")),
    "round-finding": Kind(Text("巡检发现", "Found on a round")),
    "round-missed": Kind(Text("漏检", "A round was missed"), "small"),
    "planned-work": Kind(Text("计划维修", "Planned work")),
}
