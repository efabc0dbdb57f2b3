"""Words of every page: the frame, signing in, values, what went wrong."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    # the frame
    "hub": ("校园能源中枢", "Campus Hub"),
    "skip": ("跳到正文", "Skip to content"),
    "nav": ("主导航", "Main"),
    "overview": ("总览", "Overview"),
    "tickets": ("工单", "Tickets"),
    "simulators": ("模拟器", "Simulators"),
    "sign-out": ("退出登录", "Sign out"),
    "other-language": ("English", "中文"),
    "as-at": ("截至 {time}", "As at {time}"),
    "live": ("实时更新中", "Updating live"),
    "not-live": ("连接中断，数值已停止更新", "Connection lost: values are not updating"),
    "static-values": ("刷新页面以更新数值", "Reload the page for new values"),
    "back": ("返回", "Back"),
    "more": ("更多", "More"),
    "none": ("无", "None"),
    "time": ("时间", "Time"),
    # what is wrong with keeping readings
    "trouble-disk-full": (
        "磁盘已满：数值和告警照常，但读数暂不保存。请立即腾出磁盘空间，随后会自动恢复。",
        "The disk is full: values and alarms go on, readings are not kept. Make room on it.",
    ),
    "trouble-disk-soon-full": (
        "磁盘将在一天内写满，请腾出空间。",
        "The disk will be full within a day; make room on it.",
    ),
    "trouble-journal-full": (
        "日志已达上限：部分读数不再保存。请检查时序库是否可用。",
        "The journal is at its limit: some readings are not kept. Does the store work?",
    ),
    # sign-in
    "sign-in": ("登录", "Sign in"),
    "user": ("用户名", "User name"),
    "password": ("密码", "Password"),
    "sign-in-hint": (
        "首次启动时，一次性管理员密码显示在启动中枢的终端里。",
        "At the first start the one-time admin password is printed in the hub's terminal.",
    ),
    "wrong-password": (
        "用户名或密码不对。连续出错几次后，要等一分钟才能再试。",
        "User name or password is wrong. After several wrong tries there is a minute to wait.",
    ),
    "old-password": ("当前（一次性）密码", "Current (one-time) password"),
    "new-password-title": ("设置新密码", "Choose a new password"),
    "new-password-why": (
        "一次性密码只能用来登录一次。请现在设置您自己的密码。",
        "The one-time password is only for the first sign-in. Choose your own now.",
    ),
    "new-password": ("新密码（至少 12 个字符）", "New password (at least 12 characters)"),
    "repeat-password": ("再输入一次", "Once more"),
    "save-password": ("保存密码", "Save password"),
    "not-equal": ("两次输入的密码不一致。", "The two passwords differ."),
    "password-refused": (
        "没有保存：当前密码不对，或新密码太短、太常见、与旧密码相同。用一句短话最好。",
        (
            "Not saved: the current password is wrong, or the new one is too short, too common or"
            " the same. A short sentence does well."
        ),
    ),
    # values
    "old": ("旧值", "old"),
    "never-read": ("从未读到", "never read"),
    "bad-value": ("读数无效", "bad reading"),
    "uncertain-value": ("读数存疑", "uncertain"),
    "on": ("开", "on"),
    "off": ("关", "off"),
    "no-data": ("无数据", "no data"),
    "estimated": ("估算", "estimated"),
    # done and refused
    "done-fault": ("已制造故障。", "The fault has started."),
    "done-repair": ("已更换部件。", "The part is replaced."),
    "refused": ("没有执行", "Not done"),
    "problem-403": ("不能这样做", "This is not allowed"),
    "problem-403-do": (
        "您的角色没有这个权限，或页面已过期。请返回上一页刷新后再试。",
        "Your role may not do this, or the page was out of date. Go back, reload and try again.",
    ),
    "problem-404": ("没有这个页面", "There is no such page"),
    "problem-404-do": ("从总览重新开始。", "Start again from the overview."),
    "problem-409": ("没有执行", "Not done"),
    "problem-409-do": ("中枢有意拒绝了这个请求。", "The hub refused this on purpose."),
    "problem-400": ("填写有误", "Something in the form is wrong"),
    "problem-400-do": ("请返回上一页改正后再试。", "Go back, correct it and try again."),
    "problem-413": ("发送的内容太大", "That is too much to send"),
    "problem-413-do": (
        "请返回，少选几张照片或选小一点的照片（每张不超过 8 MB，最多 3 张）。",
        "Go back and choose fewer or smaller photos: at most 3 of up to 8 MB each.",
    ),
    "problem-429": ("请求太频繁", "Too many at once"),
    "problem-429-do": ("请等几分钟再试。", "Wait a few minutes, then try again."),
    "problem-422": ("填写有误", "Something in the form is wrong"),
    "problem-422-do": ("请返回上一页改正后再试。", "Go back, correct it and try again."),
    "problem-503": ("数据暂时读不到", "The data cannot be read just now"),
    "problem-503-do": ("请一分钟后再试。", "Try again in a minute."),
    "problem-500": ("中枢出错了", "The hub made a mistake"),
    "problem-500-do": ("请稍后再试；日志中有详情。", "Try again; the log has the details."),
}
