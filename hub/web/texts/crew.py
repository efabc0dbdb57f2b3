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
}
