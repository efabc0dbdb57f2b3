"""Every word of the pages in both languages, side by side so that neither can lack one."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Mapping

from hub.model import Text

_WORDS: Mapping[str, tuple[str, str]] = {
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
        "斜线柱在这一小时里没有读数：用电量按前后表底数平均分摊，属于估算。",
        (
            "Hatched bars were not measured in that hour: the energy between the readings before"
            " and after is spread evenly, an estimate."
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
    # tickets
    "filter-open": ("未关闭", "Open"),
    "filter-closed": ("已关闭", "Closed"),
    "no-closed-tickets": ("还没有关闭的工单。", "No ticket has been closed yet."),
    "small": ("小修", "small"),
    "ordinary": ("普通", "ordinary"),
    "large": ("大修", "large"),
    "state-opened": ("待响应", "waiting for a response"),
    "state-responded": ("已响应", "responded"),
    "state-on_site": ("已到场", "on site"),
    "state-fixed": ("已报修复，待验证", "fix reported, to be proved"),
    "state-closed": ("已关闭", "closed"),
    "clock-respond": ("响应", "Respond"),
    "clock-on_site": ("到场", "On site"),
    "clock-fix": ("修复", "Fix"),
    "clock-crew": ("增援到场", "Extra crew on site"),
    "clock-prove": ("遥测验证", "Proof by telemetry"),
    "left": ("剩余 {span}", "{span} left"),
    "over": ("已超时 {span}", "{span} late"),
    "due": ("{time} 前", "by {time}"),
    "met": ("达标", "met"),
    "missed": ("超时", "missed"),
    "running": ("计时中", "running"),
    "waiting": ("未开始", "not started"),
    "unproved": ("待验证", "not proved yet"),
    "promise": ("服务承诺", "Service promise"),
    "deadline": ("时限", "Deadline"),
    "done-at": ("完成", "Done"),
    "verdict": ("结果", "Result"),
    "next-acknowledge": ("我来处理", "I take it"),
    "next-arrive": ("我已到场", "I am on site"),
    "next-crew": ("增援已到场", "The extra crew is on site"),
    "hint-crew": ("增援队伍到达后再点。", "Press when the extra crew stands in front of it."),
    "fix-at-once": ("已经修好了？", "Already mended?"),
    "next-fix": ("报告已修复", "Report the fix"),
    "hint-acknowledge": ("点一下表示您已看到并接手。", "Press to say that you saw it and take it."),
    "hint-arrive": ("到达现场后再点。", "Press when you stand in front of it."),
    "hint-fix": (
        "修好后填写更换的部件。只有遥测验证恢复正常，工单才会关闭。",
        "Say what you replaced. The ticket closes only when telemetry proves the fix.",
    ),
    "wait-proof": (
        "修复已报告。系统正在用遥测验证；到 {time} 仍未验证，工单会退回现场。",
        (
            "The fix is reported and telemetry is proving it. Without proof by {time} the ticket"
            " goes back on site."
        ),
    ),
    "proof-needs-above": (
        "需要「{point}」连续 {span} 高于 {limit}。",
        "Needed: {point} above {limit} for {span} without a gap.",
    ),
    "proof-needs-below": (
        "需要「{point}」连续 {span} 低于 {limit}。",
        "Needed: {point} below {limit} for {span} without a gap.",
    ),
    "closed-at": ("{time} 关闭，修复已由遥测证实。", "Closed at {time}; telemetry proved the fix."),
    "part": ("更换或修理的部件", "Part replaced or mended"),
    "part-unknown": ("未更换部件", "no part replaced"),
    "note": ("备注", "Note"),
    "note-optional": ("备注（可不填）", "Note (optional)"),
    "add-note": ("添加备注", "Add the note"),
    "what-to-do": ("怎么处理", "What to do"),
    "likely-parts": ("可能要带的部件", "Parts you may need"),
    "evidence": ("证据", "Evidence"),
    "evidence-late": ("暂无历史曲线。", "No history to draw yet."),
    "limit": ("限值 {limit}", "limit {limit}"),
    "opened-here": ("报修", "opened"),
    "now-value": ("现在", "Now"),
    "history": ("经过", "History"),
    "opened-at": ("{time} 报修", "opened {time}"),
    "device": ("设备", "Device"),
    "event-opened": ("工单开出", "ticket opened"),
    "event-raised_again": ("故障再次出现", "the fault came back"),
    "event-alarm_cleared": ("读数恢复正常", "the reading is back to normal"),
    "event-acknowledged": ("已响应", "responded"),
    "event-arrived": ("已到场", "arrived on site"),
    "event-crew_arrived": ("增援已到场", "the extra crew arrived"),
    "event-fix_reported": ("报告已修复", "fix reported"),
    "event-note": ("备注", "note"),
    "event-closed": ("遥测验证通过，工单关闭", "proved by telemetry, closed"),
    "event-unproven": ("遥测未能验证，退回现场", "telemetry did not prove it: back on site"),
    "event-breach": ("超过时限", "deadline missed"),
    "event-value": ("读数 {value}", "reading {value}"),
    "event-silent": ("已 {span} 没有数据", "no data for {span}"),
    "event-part": ("部件：{part}", "part: {part}"),
    "system": ("系统", "the hub"),
    "min": ("最低", "Lowest"),
    "mean": ("平均", "Mean"),
    # lines
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
    # simulators
    "simulators-why": (
        "这些是模拟设备。在这里制造故障或更换部件；中枢只能通过遥测知道。",
        (
            "These are simulated devices. Break or mend them here; the hub learns of it only by"
            " telemetry."
        ),
    ),
    "twin-well": ("正常", "well"),
    "twin-fault": ("故障：{fault}", "fault: {fault}"),
    "start-fault": ("制造故障", "Start fault"),
    "do-repair": ("更换部件", "Replace part"),
    "fault": ("故障", "Fault"),
    "find": ("查找", "Find"),
    "find-device": ("设备编号包含", "Device id contains"),
    "broken": ("有故障的", "With a fault"),
    "kind-boiler": ("锅炉", "Boilers"),
    "kind-meter": ("电表", "Meters"),
    "kind-shower": ("淋浴终端", "Shower terminals"),
    "shown-of": ("显示 {n} / {total}", "{n} of {total} shown"),
    "fault-silent": ("设备失联", "silent"),
    "fault-element_failed": ("加热元件损坏", "heating element failed"),
    "fault-sensor_stuck": ("传感器卡死", "sensor stuck"),
    "fault-counter_reset": ("计数器清零", "counter reset"),
    "fault-leak": ("漏水", "leak"),
    "fault-exception_answer": ("应答异常码", "exception answers"),
    "fault-delay": ("线路：应答延迟", "line: delayed answers"),
    "fault-timeout": ("线路：无应答", "line: no answer"),
    "fault-crc_error": ("线路：校验错误", "line: wrong checksum"),
    "fault-wrong_unit": ("线路：站号错误", "line: another unit answers"),
    "fault-wrong_function": ("线路：功能码错误", "line: another function answers"),
    "fault-stale_answer": ("线路：过期应答", "line: stale answers"),
    "fault-split_frame": ("线路：报文分段", "line: split frames"),
    "fault-dropped_connection": ("线路：连接中断", "line: dropped connections"),
    "fault-one_connection_only": ("线路：只许一个连接", "line: one connection only"),
    "fault-gateway_busy": ("线路：网关忙", "line: gateway busy"),
    "fault-own_transaction_id": ("线路：事务号自编", "line: own transaction ids"),
    "fault-garbage_before": ("线路：报文前有杂波", "line: noise before the answer"),
    "fault-garbage_inside": ("线路：报文中有杂波", "line: noise inside the answer"),
    "fault-garbage_after": ("线路：报文后有杂波", "line: noise after the answer"),
    "fault-frozen": ("线路：数值冻结", "line: frozen values"),
    "fault-link_cut": ("线路：断线", "line: cut"),
    "fault-exception_1": ("线路：异常码 1", "line: exception 1"),
    "fault-exception_2": ("线路：异常码 2", "line: exception 2"),
    "fault-exception_3": ("线路：异常码 3", "line: exception 3"),
    "fault-exception_4": ("线路：异常码 4", "line: exception 4"),
    "fault-exception_5": ("线路：异常码 5", "line: exception 5"),
    "fault-exception_6": ("线路：异常码 6", "line: exception 6"),
    "fault-exception_10": ("线路：异常码 10", "line: exception 10"),
    "fault-exception_11": ("线路：异常码 11", "line: exception 11"),
    "part-line": ("线路", "line"),
    "part-device": ("整台设备", "device"),
    "part-heating-element": ("加热元件", "heating element"),
    "part-heat-pump": ("热泵", "heat pump"),
    "part-circulation-pump": ("循环泵", "circulation pump"),
    "part-sensor": ("传感器", "sensor"),
    "part-meter": ("电表", "meter"),
    "part-pipe": ("管路", "pipe"),
    "part-valve": ("阀门", "valve"),
    "part-controller": ("控制器", "controller"),
    "part-contactor": ("接触器", "contactor"),
    "part-thermostat": ("温控器", "thermostat"),
    "part-relay": ("继电器", "relay"),
    "part-mixing-valve": ("混水阀", "mixing valve"),
    "part-battery": ("电池", "battery"),
    "part-comms-module": ("通信模块", "comms module"),
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
    "problem-422": ("填写有误", "Something in the form is wrong"),
    "problem-422-do": ("请返回上一页改正后再试。", "Go back, correct it and try again."),
    "problem-503": ("数据暂时读不到", "The data cannot be read just now"),
    "problem-503-do": ("请一分钟后再试。", "Try again in a minute."),
    "problem-500": ("中枢出错了", "The hub made a mistake"),
    "problem-500-do": ("请稍后再试；日志中有详情。", "Try again; the log has the details."),
}
TEXTS: Mapping[str, Text] = {key: Text(zh, en) for key, (zh, en) in _WORDS.items()}


def say(key: str, language: str, **names: object) -> str:
    """Return the words for a key in a language, with ``{names}`` filled in.

    >>> say("due", "en", time="19:35")
    'by 19:35'
    """
    return TEXTS[key].in_language(language).format(**names)


def say_code(prefix: str, code: str, language: str) -> str:
    """Return the words for a code of another part; an unknown one is shown as it is.

    >>> say_code("fault", "silent", "en"), say_code("fault", "odd_thing", "en")
    ('silent', 'odd thing')
    """
    key = f"{prefix}-{code}"
    if key in TEXTS:
        return TEXTS[key].in_language(language)
    return code.replace("_", " ").replace("-", " ")
