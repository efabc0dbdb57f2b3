"""Words of the overview and the buildings."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    # overview
    "open-tickets": ("未关闭工单", "Open tickets"),
    "late-tickets": ("{n} 张已超时", "{n} past their deadline"),
    "none-late": ("全部在时限内", "all within their deadlines"),
    "devices-online": ("设备在线", "Devices online"),
    "all-online": ("全部在线", "all online"),
    "not-online": ("{n} 台需要查看", "{n} need a look"),
    "use-today": ("今日用电", "Energy today"),
    "since-midnight": ("自 00:00 起", "since 00:00"),
    "use-later": ("用电量还没有算好，请稍后刷新。", "Not worked out yet; reload in a while."),
    "covered": ("数据完整率 {share}%", "{share} % measured"),
    "coldest-tank": ("最低水箱温度", "Coldest tank"),
    "no-boiler": ("没有锅炉数据", "no boiler data"),
    "buildings": ("楼栋", "Buildings"),
    "building": ("楼栋", "Building"),
    "power-now": ("当前功率", "Power now"),
    "tank": ("水箱", "Tank"),
    "use-24h": ("24 小时用电", "Energy, 24 h"),
    "devices": ("设备", "Devices"),
    "no-open-tickets": ("没有未关闭的工单。", "No open tickets."),
    "all-tickets": ("全部工单", "All tickets"),
    "attention": ("需要查看的设备", "Devices that need a look"),
    "all-devices-well": ("所有设备都在应答。", "Every device answers."),
    "lost-line": ("线路 {line}：{n} 台设备", "Line {line}: {n} devices"),
    "last-seen": ("最后应答", "last seen"),
    "and-more": ("还有 {n} 台", "and {n} more"),
    "health-online": ("在线", "online"),
    "health-degraded": ("不稳定", "degraded"),
    "health-offline": ("离线", "offline"),
    "health-never_seen": ("从未应答", "never seen"),
    # building
    "use-chart": ("过去 24 小时用电", "Energy use of the last 24 hours"),
    "chart-table": ("查看数据表", "Show as a table"),
    "hour": ("时段", "Hour"),
    "total-24h": ("合计", "Total"),
    "gap-note": (
        "斜线柱在这一小时里没有读数：前后表底数之差平均分摊，缺口较长时按前几周同一时段分摊，属于估算。",
        (
            "Hatched bars were not measured in that hour: the energy between the readings before"
            " and after is spread evenly, across a long gap as in the weeks before, an estimate."
        ),
    ),
    "hour-not-over": ("本小时未完", "hour not over"),
    "weak-first": ("需要查看", "need a look"),
    "show-all": ("全部 {n} 台", "all {n}"),
    "device-readings": ("设备现在的读数", "The device now"),
    "main-meter": ("总表", "Main meter"),
    "one-boiler": ("热水机组", "Boiler"),
    "one-meter": ("电表", "Meter"),
    "one-shower": ("淋浴终端", "Shower terminal"),
    "rooms": ("房间电表", "Room meters"),
    "showers": ("淋浴终端", "Shower terminals"),
    "room": ("房间", "Room"),
    "terminal": ("终端", "Terminal"),
    "all-points": ("全部测点", "All points"),
    "value-age": ("读数时间", "Age"),
    "state": ("状态", "State"),
    "students": ("{n} 名学生", "{n} students"),
}
