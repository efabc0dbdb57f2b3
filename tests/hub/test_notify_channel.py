"""The door to apprise against real servers: what counts as told, what goes out, and where to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from hub.clock import InlineWorker, RealClock
from hub.notify import channel as door
from hub.notify import words
from hub.notify.channel import AppriseChannel, hosts_of, outside
from hub.ports import ChannelError, Refused
from tests.hub.sinks import HttpSink, MailSink, http_sink, mail_sink

KEY = "20261101-ab12cd/3/li"
LOCAL = ("127.0.0.1",)
ROBOTS = {
    "wecombot://12345678901234": ("api_url", "{}"),
    "dingtalk://abcdefgh12345678": ("notify_url", "{}?t={{token}}"),
    "feishu://abcdefgh-1234-5678-abcd-123456789abc": ("notify_url", "{}"),
    "lark://abcdefgh-1234-5678-abcd-123456789abc": ("webhook_url", "{}"),
}


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the sinks time: the machine may be busy."""
    monkeypatch.setattr(door, "CONNECT_S", 60.0)
    monkeypatch.setattr(door, "READ_S", 60.0)


@pytest.fixture(scope="module")
def shared_sinks() -> Iterator[tuple[HttpSink, MailSink]]:
    with http_sink() as http, mail_sink() as mail:
        yield http, mail


@pytest.fixture
def http(shared_sinks: tuple[HttpSink, MailSink]) -> HttpSink:
    sink = shared_sinks[0]
    sink.behaviour = "take"
    sink.posts.clear()
    return sink


@pytest.fixture
def mail(shared_sinks: tuple[HttpSink, MailSink]) -> MailSink:
    sink = shared_sinks[1]
    sink.refuses = False
    sink.mails.clear()
    return sink


def channel(url: str, allow: tuple[str, ...] = LOCAL) -> AppriseChannel:
    return AppriseChannel(url, allow, "jhun", RealClock(), InlineWorker())


def mail_url(sink: MailSink, to: str = "li@uni.test") -> str:
    return f"mailto://127.0.0.1:{sink.port}?from=hub@uni.test&to={to}"


async def test_a_webhook_carries_the_key_and_every_retry_the_same(http: HttpSink) -> None:
    hook = channel(f"json://127.0.0.1:{http.port}/hook")
    for behaviour in ("fail", "drop"):
        http.behaviour = behaviour
        with pytest.raises(ChannelError, match="JSON"):
            await hook.send(KEY, "主题", "正文")
    http.behaviour = "take"
    await hook.send(KEY, "主题", "正文")
    assert http.keys == [KEY] * 3
    assert http.posts[-1].content["title"] == "主题"
    assert http.posts[-1].content["message"] == "正文"


async def test_a_redirect_is_not_followed_and_nobody_was_told(http: HttpSink) -> None:
    http.behaviour = "redirect"
    with pytest.raises(ChannelError, match="307"):
        await channel(f"json://127.0.0.1:{http.port}/hook?redirect=yes").send(KEY, "s", "b")
    assert [post.path for post in http.posts] == ["/hook"]


async def test_a_server_that_never_answers_is_given_up(
    http: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "READ_S", 0.2)
    http.behaviour = "stall"
    hook = channel(f"json://127.0.0.1:{http.port}/hook?rto=900")
    with pytest.raises(ChannelError, match="onnection"):
        await hook.send(KEY, "s", "b")
    assert not http.outlasted


@pytest.mark.parametrize("url", ROBOTS)
async def test_a_robot_that_refuses_in_its_body_has_told_nobody(http: HttpSink, url: str) -> None:
    """WeCom, DingTalk and Feishu answer HTTP 200 to a wrong token and to what comes too often."""
    robot = channel(url, (*LOCAL, *hosts_of(url)))
    service = robot._service_for("")
    name, form = ROBOTS[url]
    setattr(service, name, form.format(f"http://127.0.0.1:{http.port}/robot"))
    http.behaviour = "refuse"
    with pytest.raises(ChannelError, match="45009"):
        await robot.send(KEY, "s", "b")
    http.behaviour = "take"
    robot._free_s = 0.0
    await robot.send(KEY, "主题", "b")
    assert "主题" in str(http.posts[-1].content)


async def test_a_mail_has_our_message_id_the_key_and_the_thread_of_its_ticket(
    mail: MailSink,
) -> None:
    post = channel(mail_url(mail), (*LOCAL, "uni.test"))
    mail.refuses = True
    with pytest.raises(ChannelError):
        await post.send(KEY, "主题", "正文\nhttps://hub.test/tickets/x")
    mail.refuses = False
    for _ in range(2):
        await post.send(KEY, "主题", "正文\nhttps://hub.test/tickets/x")
    for to, message in mail.mails:
        assert to == ["li@uni.test"]
        assert message.get_all("Message-ID") == [f"<{KEY}@jhun>"]
        assert message["References"] == "<20261101-ab12cd@jhun>"
        assert message["Idempotency-Key"] == KEY
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["Subject"] == "主题"
        text = message.get_body(("plain",))
        assert text is not None
        assert text.get_content().split() == ["正文", "https://hub.test/tickets/x"]
    assert len(mail.mails) == 2


async def test_everybody_gets_mail_at_their_own_address(mail: MailSink) -> None:
    post = channel(mail_url(mail, "{to}"), (*LOCAL, "uni.test"))
    await post.send("t/0/li", "s", "b", "li@uni.test")
    await post.send("t/0/wang", "s", "b", "wang@uni.test")
    assert [to for to, _ in mail.mails] == [["li@uni.test"], ["wang@uni.test"]]
    with pytest.raises(ChannelError, match=r"elsewhere.test is not in notify.allow"):
        await post.send("t/0/li", "s", "b", "li@elsewhere.test")
    assert len(mail.mails) == 2


async def test_a_title_that_holds_a_header_is_one_line_of_a_subject(mail: MailSink) -> None:
    title = "hot\r\nBcc: all@evil.test\x00\u2028X-Evil: yes"
    post = channel(mail_url(mail), (*LOCAL, "uni.test"))
    await post.send(KEY, words.line(title), "b")
    ((to, message),) = mail.mails
    assert to == ["li@uni.test"]
    assert message["Bcc"] is None
    assert message["X-Evil"] is None
    assert message["Subject"].split() == ["hot", "Bcc:", "all@evil.test", "X-Evil:", "yes"]


@pytest.mark.parametrize(
    ("url", "address", "host"),
    [
        ("json://10.0.0.9/x", "", "10.0.0.9"),
        ("mailto://mail.uni.test?from=a@uni.test&to=b@uni.test&smtp=evil.test", "", "evil.test"),
        ("mailto://uni.test?from=a@uni.test&to=b@uni.test&cc=c@evil.test", "", "evil.test"),
        ("mailto://uni.test?from=a@uni.test&to=b@uni.test&bcc=c@evil.test", "", "evil.test"),
        ("mailto://uni.test?from=a@uni.test&to={to}", "b@evil.test", "evil.test"),
        ("wecombot://12345678901234", "", "qyapi.weixin.qq.com"),
        ("ntfy://topic", "", "ntfy.sh"),
        ("ntfys://ntfy.evil.test/{to}", "li", "ntfy.evil.test"),
    ],
)
def test_every_host_that_a_channel_reaches_must_be_allowed(
    url: str, address: str, host: str
) -> None:
    assert outside(url, ("uni.test", "mail.uni.test"), address) == host
    assert outside(url, ("uni.test", "mail.uni.test", host), address) is None


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("telegram://123:abc/1", ""),
        ("file:///etc/passwd", ""),
        ("wecombot://", ""),
        ("mailto://uni.test?from=a@uni.test&to=b@uni.test&pgp=encrypt&wkd=yes", ""),
        ("mailto://uni.test?from=a@uni.test&to={to}", "b@uni.test\r\nBcc: c@uni.test"),
        ("mailto://uni.test?from=a@uni.test&to={to}", "b@uni.test,c@uni.test"),
        ("mailto://uni.test?from=a@uni.test&to={to}", "b@uni.test&bcc=c@uni.test"),
        ("mailto://uni.test?from=a@uni.test&to={to}", "B <b@uni.test>"),
        ("ntfys://ntfy.uni.test/{to}", "a/b"),
        ("ntfys://ntfy.uni.test/{to}", "a?x=y"),
    ],
)
def test_what_is_no_channel_or_no_address_is_refused(url: str, address: str) -> None:
    with pytest.raises(Refused):
        hosts_of(url, address)


async def test_messages_of_a_robot_keep_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    class Clock(RealClock):
        async def sleep(self, seconds: float) -> None:
            slept.append(seconds)

    url = "wecombot://12345678901234"
    robot = AppriseChannel(url, hosts_of(url), "jhun", Clock(), InlineWorker())
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(robot._service_for(""), "notify", lambda **what: sent.append(what) or True)
    for _ in range(3):
        await robot.send(KEY, "s", "啊" * 3000)
    assert [round(one) for one in slept] == [3, 6]
    assert all(len(one["body"].encode()) <= 2000 for one in sent)


async def test_a_failure_says_why_even_when_two_fail_at_once(
    http: HttpSink, mail: MailSink
) -> None:
    http.behaviour = "fail"
    mail.refuses = True
    clock = RealClock()
    channels = [
        AppriseChannel(url, (*LOCAL, "uni.test"), "jhun", clock, clock.worker(f"c{n}"))
        for n, url in enumerate((f"json://127.0.0.1:{http.port}/x", mail_url(mail)))
    ]
    sending = (one.send(KEY, "s", "b") for one in channels)
    said = [str(found) for found in await asyncio.gather(*sending, return_exceptions=True)]
    assert "500" in said[0]
    assert "mail" in said[1].lower()
    assert "mail" not in said[0].lower()
    for one in channels:
        one._worker.close()
