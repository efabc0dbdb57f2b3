"""Words of a crew's own pages: their jobs, and what they do to a ticket."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "jobs": ("我的工作", "My jobs"),
    "jobs-mine": ("我的", "Mine"),
    "jobs-free": ("可接的工单", "Open to take"),
    "jobs-others": ("班组其他人的", "With others of my crew"),
    "jobs-none": ("现在没有您的工单。", "There is no job for you now."),
    "jobs-none-mine": ("没有派给您的工单。", "No ticket is given to you."),
    "jobs-unknown": (
        "值班表里没有您，所以没有工单会派给您。请让值班台把您的用户名写进值班表。",
        "You are not in the roster, so no ticket is given to you. Ask the duty desk to enter you.",
    ),
    "next-accept": ("我来处理", "I take it"),
    "next-resume": ("继续处理", "Go on"),
    "paused-for": ("已暂停：{reason}", "paused: {reason}"),
    # whose a ticket is, and why
    "whose": ("负责人", "Whose it is"),
    "nobody-yet": ("还没有人", "nobody yet"),
    "whose-why": ("为什么", "Why"),
    "whose-nobody": ("当时无人值班。", "Nobody was on duty."),
    "whose-nobody-else": ("没有其他人值班。", "Nobody else was on duty."),
    "whose-on-duty": (
        "正在值班（{shift}），当时手上有 {n} 个工单。",
        "On duty ({shift}); had {n} open tickets then.",
    ),
    "whose-skilled": ("班组的专长是{skill}。", "Their crew's trade is {skill}."),
    "whose-other": ("{name} {n} 个", "{name} {n}"),
    "whose-others": (
        "同时值班的其他人手上：{people}。",
        "Others on duty, with their open tickets: {people}.",
    ),
    "whose-declined": ("不接此单：{people}。", "Do not take it: {people}."),
    "whose-assigned": ("{name} 指派。", "Assigned by {name}."),
    "whose-transferred": ("{name} 转交。", "Handed on by {name}."),
    "shift-day": ("白班", "day"),
    "shift-night": ("夜班", "night"),
    "shift-early": ("早班", "early"),
    "shift-late": ("晚班", "late"),
    "shift-call": ("待命", "on call"),
    # what a crew does to a ticket
    "hint-accept": ("点一下表示您接手此单。", "Press to say that you take it."),
    "hint-resume": ("障碍排除后再点。", "Press when what held it up is over."),
    "hint-scan": (
        "到场请扫描门上或设备上的二维码，才算经过证实；只点按钮会记为“未经证实”。",
        "Scan the code on the door or the device: that proves the arrival. A press is unproven.",
    ),
    "photo-before": ("修理前的照片（可不拍）", "Photos before (optional)"),
    "photo-after": ("修好后的照片（可不拍）", "Photos after (optional)"),
    "photo-more": ("照片（可不拍）", "Photos (optional)"),
    "photos-before": ("修理前的照片", "Photo before"),
    "photos-after": ("修好后的照片", "Photo after"),
    "other-things": ("其他操作", "Something else"),
    "do-decline": ("不能接此单", "I cannot take it"),
    "do-decline-why": ("为什么不能接", "Why not"),
    "do-pause": ("暂停", "Pause"),
    "do-pause-reason": ("在等什么", "What it waits for"),
    "do-pause-note": ("说明", "Say more"),
    "do-pause-limit": ("最多 {span}", "at most {span}"),
    "do-transfer": ("转交他人", "Hand it on"),
    "do-transfer-to": ("转交给", "To whom"),
    "do-transfer-why": ("为什么转交", "Why"),
    "on-duty-mark": ("{name}（值班中）", "{name} (on duty)"),
    # lines of the history
    "event-accepted": ("接单", "taken on"),
    "event-declined": ("不接此单", "declined"),
    "event-assigned": ("派给 {whose}", "given to {whose}"),
    "event-transferred": ("转交给 {whose}", "handed on to {whose}"),
    "event-paused": ("暂停", "paused"),
    "event-resumed": ("继续处理", "resumed"),
    "event-pause_over": ("暂停已到上限，继续计时", "the pause was as long as it may be"),
    "event-reclassified": ("改为{severity}", "now {severity}"),
    "event-told": ("按时限提醒：{people}", "told, by the ladder: {people}"),
    "event-undelivered": ("{people} 联系不上", "{people} cannot be reached"),
    "event-breach_withdrawn": (
        "超时撤销：当时已经做到",
        "no breach after all: it was done in time",
    ),
    "event-linked": ("归入问题记录", "joined to a problem"),
    "event-corrected": ("时间更正", "an instant was corrected"),
    "duty-desk": ("值班台", "the duty desk"),
    "nobody": ("无人", "nobody"),
}
