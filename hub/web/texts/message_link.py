"""Words of the page behind the link of a message."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "link-title": ("确认接单", "Acknowledge a ticket"),
    "link-as": ("以 {person} 的身份确认。", "You acknowledge as {person}."),
    "link-press": (
        "打开本页不会改变任何内容。按下按钮才表示您已看到并接手。",
        "Opening this page changed nothing. Press to say that you saw it and take it.",
    ),
    "link-done": ("已于 {time} 响应，无需再操作。", "Acknowledged at {time}; nothing to do."),
    "link-done-by": (
        "{person} 已于 {time} 响应，无需再操作。",
        "{person} acknowledged it at {time}; nothing to do.",
    ),
    "link-closed": ("工单已关闭，无需再操作。", "The ticket is closed; nothing to do."),
    "link-wrong": (
        "此链接不是本系统发出的，或不完整。请从消息中重新打开，或登录后查看工单。",
        "This link is not whole, or not of this hub. Open it from the message, or sign in.",
    ),
    "link-expired": (
        "此链接已过期。请登录后处理工单。",
        "This link is too old. Sign in to work on the ticket.",
    ),
    "link-open": ("登录查看工单", "Sign in and open the ticket"),
}
