"""How people are told is checked with the rest: hosts, secrets, addresses, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.ports import ConfigError
from hub.settings import load
from tests.hub.test_settings import CAMPUS, write

NOTIFY = """\
notify:
  allow: [hooks.uni.test, mail.uni.test, uni.test, qyapi.weixin.qq.com]
  channels:
    duty: {url_file: robot}
    mail: {url: "mailtos://mail.uni.test?from=hub@uni.test&to={to}"}
    hook: {url: "jsons://hooks.uni.test/hub"}
"""
ROSTER = """\
version: 1
people:
  - {id: li, name: Li, channels: [mail, hook], addresses: {mail: li@uni.test}}
crews:
  - {id: water, name: {zh: 水, en: Water}, members: [li]}
"""
LINES = CAMPUS.count("\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "robot", "wecombot://12345678901234\n")
    write(tmp_path, "roster.yaml", ROSTER)
    head = CAMPUS.partition("gateways:")[0]
    write(tmp_path, "campus.yaml", head + NOTIFY)
    return tmp_path


def problems(folder: Path, name: str, old: str, new: str) -> list[str]:
    text = (folder / name).read_text("utf-8")
    assert old in text
    write(folder, name, text.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        load(folder)
    return list(error.value.problems)


def test_channels_are_read_and_their_secrets_stay_in_their_files(folder: Path) -> None:
    settings = load(folder)
    assert settings.notify is not None
    assert set(settings.notify.channels) == {"duty", "mail", "hook"}
    assert "12345678901234" not in settings.content
    assert "li@uni.test" not in settings.content


@pytest.mark.parametrize(
    ("old", "new", "where", "said"),
    [
        ("hooks.uni.test, ", "", "12: notify.channels.hook.url", "hooks.uni.test is not in notify"),
        (", qyapi.weixin.qq.com", "", "10: notify.channels.duty.url_file", "qyapi.weixin.qq.com"),
        ("jsons://", "telegram://", "12: notify.channels.hook.url", "no kind of channel"),
        ("jsons://", "jsons://hub:pw@", "12: notify.channels.hook.url", "use url_file"),
        ("{url_file: robot}", '{url: "wecombot://12345678901234"}', "10: ", "is a secret"),
        ("url_file: robot", "url_file: nowhere", "10: ", "cannot be read"),
        ("    duty: {url_file: robot}\n", "", "notify.channels.duty", "duty desk"),
        ("{url_file: robot}", "{}", "10: notify.channels.duty", "one of url and url_file"),
        ("allow: [", "alow: [", "8: notify.alow", "did you mean 'allow'"),
        ("hooks.uni.test,", "'*.uni.test',", "8: notify.allow[0]", ""),
    ],
)
def test_a_channel_that_cannot_be_used_has_its_line(
    folder: Path, old: str, new: str, where: str, said: str
) -> None:
    found = problems(folder, "campus.yaml", old, new)
    assert any(where in one and said in one for one in found), found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("li@uni.test", "li@elsewhere.test", "elsewhere.test is not in notify.allow"),
        ("[mail, hook]", "[mail, sms]", "no channel 'sms'"),
        (", addresses: {mail: li@uni.test}", "", "asks for an address"),
        ("{mail: li@uni.test}", "{mail: li@uni.test, hook: x}", "address of its own"),
        ("li@uni.test", "'li@uni.test, x@uni.test'", "is no address"),
        ("[mail, hook]", "[hook]", "not one of the channels of li"),
    ],
)
def test_a_person_who_cannot_be_told_has_a_line(
    folder: Path, old: str, new: str, said: str
) -> None:
    found = problems(folder, "roster.yaml", old, new)
    assert any(one.startswith("roster.yaml:3: people[0].") and said in one for one in found), found
