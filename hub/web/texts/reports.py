"""Words of residents' reports, their progress, and scanned labels."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    # choosing
    "report": ("我要报修", "Report a fault"),
    "report-which-building": ("哪栋楼？", "Which building?"),
    "report-which-room": ("哪一间？", "Which room?"),
    "report-scan-hint": (
        "门上或设备上有二维码时，用手机扫一下，就不用选地点。",
        "Is there a code on the door or the device? Scan it, then you need not choose the place.",
    ),
    "report-other-place": ("换一个地点", "Another place"),
    "report-corridor": ("走廊等公共区域", "Corridor and shared areas"),
    "report-whole": ("{place}：整栋或公共区域", "{place}: all of it, or shared areas"),
    "report-what": ("出了什么问题？", "What is wrong?"),
    "report-other-kind": ("换一个问题", "Something else is wrong"),
    "report-none": (
        "这里暂不接受网上报修，请联系楼管。",
        "Reports are not taken here; please ask the warden.",
    ),
    "report-known": ("这里已经报过的问题", "Already reported here"),
    "report-since": ("{time} 起", "since {time}"),
    "report-people": ("{n} 人报修", "{n} people reported it"),
    "report-known-hint": (
        "您的也是同一个问题？照样可以报：会并到同一张单子，您能看到自己的进度。",
        "Is yours the same? Report it all the same: it joins that job, and you can follow it.",
    ),
    "report-here": ("在这里报修", "Report a fault here"),
    "public-opened": ("已报修", "reported"),
    "public-responded": ("已派人", "somebody is on it"),
    "public-on_site": ("正在维修", "being repaired"),
    "public-fixed": ("已修好，待确认", "mended, to be confirmed"),
    # the form
    "report-words": ("补充说明（可不填）", "In your words (optional)"),
    "report-words-hint": (
        "例如：昨晚开始，靠窗那一个",
        "For instance: since last night, the one by the window",
    ),
    "report-words-most": ("最多 {most} 字。", "At most {most} characters."),
    "report-photo": ("照片（可不加，最多 {most} 张）", "Photos (optional, at most {most})"),
    "report-photo-hint": (
        "每张不超过 8 MB。拍摄的地点和时间会被删除，只保留画面。",
        "Up to 8 MB each. Where and when they were taken is removed; only the picture is kept.",
    ),
    "report-contact": ("联系方式（可不填）", "How to reach you (optional)"),
    "report-contact-hint": (
        "只有维修人员能看到；工单关闭 30 天后删除。",
        "Only the crew sees it; it is erased 30 days after the job is closed.",
    ),
    "report-send": ("提交报修", "Send the report"),
    "report-not-sent": ("还没有提交：", "Not sent yet:"),
    "report-too-long": (
        "文字有 {length} 字，最多 {most} 字，请删短一些。照片请重新选择。",
        (
            "The text has {length} characters, at most {most} are taken. Please shorten it,"
            " and choose the photos again."
        ),
    ),
    "report-too-many": (
        "这个地点刚刚有很多人报修。请 {minutes} 分钟后再试；很可能已经有人报过了。",
        (
            "Many reports of this place have just come in. Try again in {minutes} min; yours"
            " is probably among them."
        ),
    ),
    "report-refused": ("中枢没有接受：{reason}", "The hub did not take it: {reason}"),
    "report-no-words": ("请写几个字说明。", "Please say in a few words why."),
    "report-no-stars": ("请选几颗星。", "Please choose how many stars."),
    "report-not-now": (
        "现在还不能这样做，请刷新页面。",
        "This is not possible now; reload the page.",
    ),
    "photo": ("照片", "Photo"),
    "photo-too-large": (
        "照片超过 8 MB，请选小一点的。",
        "A photo is larger than 8 MB; choose a smaller one.",
    ),
    "photo-no-picture": (
        (
            "有一个文件不是能读的照片。请用 JPEG、PNG 或 WebP；"
            "苹果手机可在“设置-相机-格式”里选“兼容性最佳”。"
        ),
        (
            "A file is no photo that can be read. Send JPEG, PNG or WebP; on an iPhone choose"
            " Settings, Camera, Formats, Most Compatible."
        ),
    ),
    "photo-too-many-pixels": (
        "照片的像素太多，请换小一点的尺寸再拍。",
        "A photo has too many pixels; take it again with a smaller size.",
    ),
    # progress
    "progress": ("报修进度", "Your report"),
    "progress-keep": ("保存这个网址", "Keep this address"),
    "progress-keep-why": (
        "只有知道这个网址的人能看到您的进度并评价。请收藏本页，不要转发。",
        (
            "Only who has this address sees your report and can rate it. Bookmark it; do not"
            " pass it on."
        ),
    ),
    "progress-yours": ("您的报修", "What you reported"),
    "progress-no-words": ("没有补充说明。", "Without further words."),
    "progress-number": ("工单号", "Job number"),
    "progress-known": (
        "这个问题 {time} 已有人报过，您的已并入同一张单子。",
        "This was known since {time}; yours has joined the same job.",
    ),
    "progress-reopened": ("已重新打开 {n} 次。", "Opened again {n} times."),
    "progress-promise": ("承诺最晚 {time} 修好。", "Promised to be mended by {time}."),
    "progress-crew": (
        "属于大修，承诺最晚 {time} 增援到场。",
        "A large repair: an extra crew is promised to be there by {time}.",
    ),
    "progress-usual": (
        "近 30 天同类报修一般 {span} 修好（{n} 件的中位数）。",
        "Of the last 30 days: half of {n} such reports were mended within {span}.",
    ),
    "progress-unusual": (
        "同类报修还太少，估计不了要多久。",
        "There are too few such reports yet to say how long it takes.",
    ),
    "stands-opened": ("已收到，正在派人", "Received; somebody is being sent"),
    "stands-responded": ("已派人，正在赶来", "Somebody is on the way"),
    "stands-on_site": ("师傅已到场，正在维修", "The crew is there and at work"),
    "stands-paused": ("暂停：在等配件或等条件", "Paused: waiting for a part or for access"),
    "stands-fixed": ("已修好，请您确认", "Mended: please confirm"),
    "stands-closed": ("已完成", "Done"),
    "stands-refused": (
        "没有受理：不属于维修范围，详情请问楼管",
        "Not taken on: it is no repair of this service. Please ask the warden",
    ),
    "step-reported": ("已报修", "Reported"),
    "step-responded": ("已响应", "Somebody took it on"),
    "step-on_site": ("已到场", "Crew on site"),
    "step-fixed": ("已修好", "Mended"),
    "step-closed": ("已完成", "Done"),
    "step-waits": ("等待中", "not yet"),
    "progress-works": ("真的修好了吗？", "Does it work again?"),
    "progress-confirm": ("修好了", "Yes, it works"),
    "progress-still": ("没有修好", "No, it does not"),
    "progress-back": ("问题又出现了？", "Is it back again?"),
    "progress-what-still": ("还有什么问题？", "What is still wrong?"),
    "progress-reopen": ("请再来修", "Please come again"),
    "rate": ("评价", "Rate the service"),
    "rate-how": ("您满意吗？", "How was it?"),
    "rate-words": ("想说的话（可不填）", "In your words (optional)"),
    "rate-send": ("提交评价", "Send"),
    "rate-again": ("修改评价", "Change it"),
    "rated": ("谢谢，已收到您的评价。", "Thank you, your rating has arrived."),
    "stars-5": ("非常满意", "very good"),
    "stars-4": ("满意", "good"),
    "stars-3": ("一般", "fair"),
    "stars-2": ("不满意", "poor"),
    "stars-1": ("非常不满意", "very poor"),
    "complain": ("我要投诉", "Complain"),
    "complain-hint": ("投诉会马上通知值班台。", "The duty desk is told at once."),
    "complain-words": ("投诉内容", "What is your complaint?"),
    "complain-send": ("提交投诉", "Send the complaint"),
    "complained-at": (
        "{time} 已投诉，值班台已收到通知。",
        "Complained at {time}; the duty desk has been told.",
    ),
    "report-another": ("再报一个问题", "Report something else"),
    # labels
    "scan": ("扫码到场", "At the label"),
    "scan-hint": (
        "扫码后 15 分钟内点这里，到场记为“扫码证实”。",
        "Press within 15 min of the scan: your arrival counts as proven by the label.",
    ),
    "scan-nothing": ("这里没有未关闭的工单。", "There is no open job here."),
    "scan-sign-in": ("维修人员登录", "Crew: sign in"),
    "scan-no-job": ("这张标签不属于这张工单。", "This label does not belong to this job."),
    "scan-no-job-do": ("请扫设备或房间门上的标签。", "Scan the label of its device or room."),
    "scan-forged": ("这个页面不是为您打开的", "This page was not opened for you"),
    "scan-forged-do": (
        "请用您自己的手机登录后重新扫码。",
        "Sign in on your own phone and scan the label again.",
    ),
    "scan-stale": ("扫码已过 15 分钟", "The scan is more than 15 min old"),
    "scan-stale-do": ("请再扫一次标签。", "Scan the label once more."),
    "label-unknown": ("这不是本校的报修码", "This is no label of this campus"),
    "label-unknown-do": (
        ("二维码可能印坏、过期或是伪造的。不要在别的网页付款或输入密码。需要报修请点下面的按钮。"),
        (
            "The code may be damaged, out of date or forged. Pay nothing and enter no"
            " password on other pages. To report a fault press below."
        ),
    ),
    # on the crew's ticket
    "reports-of": ("住户报修（{n}）", "Reports ({n})"),
    "reports-contact": ("联系方式", "Contact"),
    "event-merged": ("又有人报修", "reported again"),
    "event-reopened": ("重新打开", "opened again"),
    "event-refused": ("不予受理", "not taken on"),
    "event-rated": ("住户评价", "rated"),
    "event-complained": ("住户投诉", "complaint"),
    "event-stars": ("{n} 星（满分 5）", "{n} of 5 stars"),
    "actor-hub": ("系统", "the hub"),
    "actor-reporter": ("住户", "a resident"),
    "proof-scan": ("扫码证实", "proven by its label"),
    "proof-telemetry": ("遥测证实", "proven by telemetry"),
    "proof-none": ("未经证实", "unproven"),
}
