"""Words that say why an alarm rose or did not: one sentence for each kind of rule."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, tuple[str, str]] = {
    "rule-high": (
        "「{point}」高于 {limit}（{on}）即为故障；不高于 {clear}（{off}）即恢复。",
        "A fault is: {point} above {limit} ({on}). It is over at or below {clear} ({off}).",
    ),
    "rule-low": (
        "「{point}」低于 {limit}（{on}）即为故障；不低于 {clear}（{off}）即恢复。",
        "A fault is: {point} below {limit} ({on}). It is over at or above {clear} ({off}).",
    ),
    "rule-range": (
        "「{point}」不在 {low} 至 {high} 之间（{on}）即为故障；回到界内 {deadband}（{off}）恢复。",
        (
            "A fault is: {point} outside {low} to {high} ({on}). It is over {deadband} inside"
            " them ({off})."
        ),
    ),
    "rule-stale": (
        "「{point}」没有有效读数（{on}）即为故障；重新有读数（{off}）即恢复。",
        "A fault is: no good reading of {point} ({on}). It is over when they are back ({off}).",
    ),
    "rule-never_seen": (
        "开始监听后从未读到「{point}」（{on}）即为故障；读到（{off}）即恢复。",
        (
            "A fault is: {point} never read since the hub began to listen ({on}). It is over when"
            " it is read ({off})."
        ),
    ),
    "rule-rate": (
        "{window} 内「{point}」每 {per} {change}（{on}）即为故障；不超过 {clear}（{off}）恢复。",
        (
            "A fault is: over {window}, {point} {change} per {per} ({on}). It is over at or below"
            " {clear} ({off})."
        ),
    ),
    "rule-jump": (
        "「{point}」突变超过 {most}，共 {times} 次（{on}）即为故障；不再突变（{off}）即恢复。",
        (
            "A fault is: {point} steps by more than {most}, {times} times ({on}). It is over"
            " without such a step ({off})."
        ),
    ),
    "rule-stuck": (
        "「{point}」几乎不变（{on}{while}）即为故障；之后有 {changes} 个新值（{off}）即恢复。",
        (
            "A fault is: {point} stands still ({on}{while}). It is over after {changes} further"
            " values ({off})."
        ),
    ),
    "rule-backwards": (
        "计数「{point}」倒退，连续 {times} 次低于先前值，即为故障；不再倒退（{off}）即恢复。",
        (
            "A fault is: the counter {point} goes back, {times} readings in a row. It is over when"
            " it has not gone back ({off})."
        ),
    ),
    "rule-mismatch": (
        "{while}应当{must}；不是这样（{on}）即为故障；符合（{off}）即恢复。",
        "A fault is: {while}not so that {must} ({on}). It is over when that holds ({off}).",
    ),
    "rule-code": (
        "「{point}」显示故障码（{codes}；{on}）即为故障；不再显示（{off}）即恢复。",
        "A fault is: {point} shows a fault ({codes}; {on}). It is over when none is shown ({off}).",
    ),
    "rule-cycling": (
        "{starts}：{per} 内开始超过 {limit} 次（{on}）即为故障；不超过 {clear} 次（{off}）恢复。",
        (
            "A fault is: {starts} begins more than {limit} times in {per} ({on}). It is over at"
            " {clear} or fewer ({off})."
        ),
    ),
    "rule-session-no_open": (
        "用水中（{session}）「{point}」低于 {limit}（{on}）即为故障；{good} 次用水有流量即恢复。",
        (
            "A fault is: in a session ({session}) {point} below {limit} ({on}). It is over after"
            " {good} sessions with flow."
        ),
    ),
    "rule-session-no_close": (
        "非用水时（没有{session}）「{point}」高于 {limit}（{on}）即为故障；停止（{off}）即恢复。",
        (
            "A fault is: outside a session (not {session}) {point} above {limit} ({on}). It is"
            " over when that has stopped ({off})."
        ),
    ),
    "rule-spread": (
        "{points} 最小比最大（≥ {floor}）低 {limit} 以上（{on}）为故障；{clear} 内（{off}）恢复。",
        (
            "A fault is: the smallest of {points} lies more than {limit} below the largest, which"
            " is {floor} or more ({on}). It is over at or below {clear} ({off})."
        ),
    ),
    "rule-invalid": (
        "「{point}」连续 {times} 次报出无效值即为故障；连续 {good} 次有效即恢复。",
        (
            "A fault is: {point} says {times} times in a row that its value is none. It is over"
            " after {good} good readings."
        ),
    ),
    "rule-any": (
        "所属{over}中有任何一台{so}（{on}）即为故障；一台也没有（{off}）即恢复。",
        "A fault is: any of its {over} {so} ({on}). It is over when none is ({off}).",
    ),
    "rule-all": (
        "所属{over}全部{so}（{on}）即为故障；不再是全部（{off}）即恢复。",
        "A fault is: all of its {over} {so} ({on}). It is over when not all are ({off}).",
    ),
    "rule-count": (
        "所属{over}中至少 {at_least} 台{so}（{on}）即为故障；减少（{off}）即恢复。",
        "A fault is: at least {at_least} of its {over} {so} ({on}). It is over with fewer ({off}).",
    ),
    "rule-share": (
        "所属{over}中至少 {at_least} {so}（{on}）即为故障；减少（{off}）即恢复。",
        "A fault is: at least {at_least} of its {over} {so} ({on}). It is over with fewer ({off}).",
    ),
    "rule-health": (
        "由中枢自身监测：{about}。",
        "The hub watches over this itself: {about}.",
    ),
    "rule-errors": (
        "线路最近的查询中失败超过 {limit}（{on}）即为故障；不超过 {clear}（{off}）即恢复。",
        (
            "A fault is: more than {limit} of the last polls of the line fail ({on}). It is over at"
            " or below {clear} ({off})."
        ),
    ),
    "rule-peers": (
        "一天的数值与同类的中位数相差超过 {limit} 倍离散度（连续 {nights} 天）即为故障。",
        "A fault is: a day more than {limit} spreads from the median of its like ({nights} days).",
    ),
    "rule-balance": (
        "一天的供出与用去相差超过 {limit}（连续 {nights} 天）即为故障。",
        "A fault is: in a day, given and taken differ by more than {limit} ({nights} days).",
    ),
    "rule-expected": (
        "一天的用量与往常同类日子相差超过 {limit} 倍离散度（连续 {nights} 天）即为故障。",
        "A fault is: a day's use more than {limit} spreads from what is usual ({nights} days).",
    ),
    "rule-night": (
        "夜间用量比往常高出 {limit} 倍离散度（连续 {nights} 晚）即为故障。",
        "A fault is: more use by night than usual, by {limit} spreads ({nights} nights).",
    ),
    "rule-night_flow": (
        "夜里最静的一小时也有超过 {limit} m³/h 的流量（连续 {nights} 晚）即为故障。",
        "A fault is: in its stillest hour water flows at more than {limit} m³/h ({nights} nights).",
    ),
    "rule-efficiency": (
        "制热效率低于同样天气下应有值的 {limit}（连续 {nights} 天）即为故障。",
        "A fault is: less heat of a kWh than {limit} of what the weather lets expect ({nights} d).",
    ),
    "rule-exposure": (
        "「{point}」在 {for} 内一直不够（{limit}）即为故障：军团菌可能滋生。",
        "A fault is: {point} never enough in {for} ({limit}): legionella can grow.",
    ),
}

WORDS: Mapping[str, tuple[str, str]] = {
    **RULES,
    "delay-for": ("持续 {span}", "for {span}"),
    "delay-none": ("立即", "at once"),
    "change-rise": ("上升超过 {value}", "rises by more than {value}"),
    "change-fall": ("下降超过 {value}", "falls by more than {value}"),
    "or": ("或", " or "),
    "plus": ("加", " plus "),
    "jump-hour": ("每小时 {value}", "{value} an hour"),
    "jump-rated": ("额定的 {value} 倍", "{value} times what it can"),
    "while": ("当{condition}时，", "while {condition}, "),
    "while-also": ("，且{condition}", ", while {condition}"),
    "is-above": ("{point}高于 {value}", "{point} is above {value}"),
    "is-below": ("{point}低于 {value}", "{point} is below {value}"),
    "is-equals": ("{point}为 {value}", "{point} is {value}"),
    "is-bits": ("{point}有标志位 {value}", "{point} has a bit of {value}"),
    "less": ("「{point}」减「{minus}」", "{point} less {minus}"),
    "quoted": ("「{point}」", "{point}"),
    "codes-any": ("0 除外", "not 0"),
    "codes-except": ("0、{codes} 除外", "not 0, {codes}"),
    "codes-mask": ("标志位 {mask}", "bits {mask}"),
    "so-silent": ("「{point}」{span} 没有数据", "silent on {point} for {span}"),
    "so-above": ("「{point}」高于 {value}", "above {value} on {point}"),
    "so-below": ("「{point}」低于 {value}", "below {value} on {point}"),
    "over-device": ("设备", "devices"),
    "over-meter": ("电表水表", "meters"),
    "over-boiler": ("锅炉和热泵", "boilers"),
    "over-shower": ("淋浴终端", "shower terminals"),
    "about-disk": ("磁盘空间", "room on the disk"),
    "about-journal": ("日志占用", "room in the journal"),
    "about-broker": ("消息代理连接", "the connection to the broker"),
    "about-uplink": ("中枢的网络出口", "the hub's own uplink"),
    "about-rules": ("规则自身是否出错", "whether its own rules fail"),
    "about-outage": ("计划停机时应来的报警", "alarms expected of a planned outage"),
    "why-reading": ("{time}「{point}」为 {value}", "{point} was {value} at {time}"),
    "why-over": ("，高于限值 {by}", ", {by} above the limit"),
    "why-under": ("，低于限值 {by}", ", {by} below the limit"),
    "why-short": ("，距限值还有 {by}", ", {by} short of the limit"),
    "why-heard": (
        "「{point}」最后一次有效读数在 {time}，{span}前",
        "The last good reading of {point} was at {time}, {span} before",
    ),
    "why-unread": ("还没有读到有效值。", "Nothing was read well yet."),
    "why-members": (
        "{count} 台中有 {concerned} 台如此；达到 {needed} 台即为故障。",
        "{concerned} of {count} are so; {needed} make a fault.",
    ),
    "why-judged": (
        "{day} 的判断：{state}；已连续 {run}/{needed} 天。",
        "Judged for {day}: {state}; {run} of {needed} days in a row.",
    ),
    "judged-fault": ("异常", "a fault"),
    "judged-between": ("介于两者之间", "in between"),
    "judged-fine": ("正常", "fine"),
    "judged-unknown": ("数据不足", "too little data"),
    "why-rose": ("{time} 发出报警。", "The alarm rose at {time}."),
    "why-rose-since": (
        "自 {since} 起一直如此，{time} 发出报警。",
        "It was so since {since}, and the alarm rose at {time}.",
    ),
    "why-errors": (
        "{time} 时，最近 200 次查询有 {share} 失败。",
        "At {time} {share} of the last 200 polls of the line had failed.",
    ),
    "why-errors-of": ("其中 {device}：{share}。", "Of those of {device}: {share}."),
    "why-active": ("故障仍在。", "The fault is still there."),
    "why-active-since": ("故障自 {since} 起一直存在。", "The fault has been there since {since}."),
    "why-pending": (
        "自 {since} 起已符合条件，但还不够久；持续到 {due} 就会报警。",
        "It has been so since {since}, not long enough yet; if it lasts until {due} it is a fault.",
    ),
    "why-clearing": (
        "自 {since} 起已恢复；持续到 {due} 报警才解除。",
        "It has been over since {since}; if that lasts until {due} the fault is over.",
    ),
    "why-calm": ("目前没有故障。", "There is no fault now."),
    "why-failed": (
        "这条规则运行出错，已停用：{error}",
        "This rule failed and is out of work: {error}",
    ),
    "why-next-at": (
        "最迟在 {time} 再次判断；有新读数时更早。",
        "It is looked at again at {time}, or earlier with a reading.",
    ),
    "why-next-reading": (
        "下一次读数到来时再次判断（约每 {span}一次）。",
        "It is looked at again with the next reading, about every {span}.",
    ),
    "why-next-told": (
        "中枢的状态变化时再次判断。",
        "It is looked at again when the hub's own state changes.",
    ),
    "why-next-day": (
        "每天夜里在当天结束后再次判断。",
        "It is looked at again every night, when the day is over.",
    ),
    "hold-suppress": ("已抑制：{reason}", "Suppressed: {reason}"),
    "hold-inhibit": ("由另一故障引起：{reason}", "An effect of another fault: {reason}"),
    "hold-waits": (
        "可能由另一故障引起：先等一等，看原因是否随后出现",
        "It may be an effect of another fault: it waits whether its cause is seen",
    ),
    "hold-shelve": ("已搁置：{reason}", "Shelved: {reason}"),
    "hold-remove": ("已停用：{reason}", "Out of service: {reason}"),
    "hold-until": ("，直到 {time}", ", until {time}"),
    "reason-outage": ("计划停机，{reason}", "planned outage, {reason}"),
    "reason-outside": ("不在规定时段（{hours}）", "outside the hours {hours}"),
    "reason-mode": ("设备状态：{point}为 {value}", "the mode of the device, {point}: {value}"),
    "reason-term": ("学期中", "during term"),
    "reason-vacation": ("假期中", "during the vacation"),
    "reason-its cause may follow": ("等待原因出现", "its cause may follow"),
    "hold-would": ("若现在报警，会被压下。{hold}", "If it rose now it would be held back. {hold}"),
}
