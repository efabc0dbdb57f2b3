"""Words of the lines and what to do about them."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "lines": ("线路", "Lines"),
    "line": ("线路", "Line"),
    "gateway": ("网关", "Gateway"),
    "bus": ("总线", "Bus"),
    "unit": ("单元号", "Unit"),
    "address": ("地址", "Address"),
    "day": ("日期", "Day"),
    "today": ("今天", "Today"),
    "since": ("自 {time} 起", "since {time}"),
    "as-so-since": ("此状态始于", "Like this since"),
    "connection": ("连接", "Connection"),
    "lines-well": ("全部正常", "all well"),
    "lines-weak": ("{n} 条需要查看", "{n} need a look"),
    "lines-attention": ("需要查看的线路", "Lines that need a look"),
    "all-lines": ("全部线路", "All lines"),
    "show-lines": ("{n} 条线路", "{n} lines"),
    "publishing": ("MQTT 设备", "MQTT devices"),
    "answer-time": ("应答时间", "Answer time"),
    "errors": ("失败请求", "Failed requests"),
    "polls-late": ("延迟的轮询", "Polls late"),
    "breaker-open": ("连续失败，暂停重试", "resting after failures"),
    "available-today": ("今日可用率", "Available today"),
    "availability-week": ("最近 7 天可用率", "Availability, last 7 days"),
    "availability-note": (
        "中枢运行期间，线路上的设备有应答的时间所占比例；▲ 低于 95%；- 当天中枢没有运行。",
        (
            "The share of the time in which the hub ran and the devices of a line answered."
            " ▲ below 95%; - no hub ran on that day."
        ),
    ),
    "advice-none": ("一切正常，不用处理。", "All is well: nothing to do."),
    "advice-see-devices": (
        "网关和总线正常；见下面各设备。",
        "Gateway and bus are well; see the devices below.",
    ),
    "advice-gateway": (
        "网关连不上：检查网关的电源、网线和地址（{url}）。",
        "The gateway cannot be reached: check its power, network cable and address ({url}).",
    ),
    "advice-bus": (
        "网关有应答，但后面没有一台设备应答：检查 RS-485 接线（A/B、终端电阻）、供电和波特率。",
        (
            "The gateway answers, but not one unit behind it: check the wiring of the RS-485 bus"
            " (A/B, termination), its power and the baud rate."
        ),
    ),
    "advice-errors": (
        "{share}% 的请求失败：检查接头、屏蔽和终端电阻，看是否有两台设备用同一单元号。",
        (
            "{share} % of the requests fail: check connectors, shield and termination, and whether"
            " two devices have the same unit id."
        ),
    ),
    "advice-not-reached": (
        "上次轮询时网关连不上；网关恢复后等下一次轮询。",
        "Its gateway could not be reached when it was last asked: wait for the next poll.",
    ),
    "advice-silent": (
        "网关有应答，但 {unit} 号设备没有：检查接线、供电或单元号。",
        "The gateway answers, but unit {unit} does not: check its wiring, power or address.",
    ),
    "advice-useless": (
        "设备有应答，但数据不能用：核对型号（配置 {profile}）和单元号；两台设备同号也会这样。",
        (
            "It answers, but with nothing that can be used: check the model (profile {profile}),"
            " the address, and whether two devices have the same."
        ),
    ),
    "advice-frozen": (
        "有应答，但「{points}」已 {span}以上没有变化，像是死机：断电重启；不行就更换。",
        (
            "It answers, but {points} did not change for {span} or longer, as if frozen: switch it"
            " off and on; if that does not help, replace it."
        ),
    ),
    "advice-no-message": (
        "没有消息：检查设备的供电和网络，以及它的 MQTT 设置。",
        "No message comes: check its power, its network and its MQTT settings.",
    ),
    "advice-clock-ahead": (
        "它的时钟快 {span}：校准时钟。在此之前读数按收到的时间记录。",
        "Its clock is {span} ahead: set it. Until then readings count as of their receipt.",
    ),
    "advice-clock-behind": (
        "它的时钟慢 {span}：校准时钟。在此之前读数按收到的时间记录。",
        "Its clock is {span} behind: set it. Until then readings count as of their receipt.",
    ),
}
