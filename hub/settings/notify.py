"""How people are told: the channels of campus.yaml, and to which hosts messages may go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from hub.ports import Refused
from hub.settings.source import Document, Problem
from hub.settings.written import Spec
from rules.roster_form import RosterFile

DUTY = "duty"
_HOST = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
Host = Annotated[str, StringConstraints(pattern=_HOST, max_length=253)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]


def _open_url(url: str) -> str:
    try:
        password = urlsplit(url).password
    except ValueError:
        raise ValueError(
            f"{url!r} is no URL; write it like jsons://hooks.example.edu/hub"
        ) from None
    if password is not None:
        raise ValueError("a password does not belong in this file; use url_file")
    return url


class ChannelSpec(Spec):
    """One way to tell people: an address of apprise, which a file holds where it is a secret.

    ``{to}`` in it stands for the address of the person who is told.
    """

    url: Annotated[str, AfterValidator(_open_url), Field(min_length=1)] | None = None
    url_file: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _one_of_both(self) -> ChannelSpec:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("write one of url and url_file (the file then holds the url)")
        return self

    def address(self, folder: Path) -> str:
        """Return the URL; raises OSError or UnicodeDecodeError where its file cannot be read."""
        return self.url or (folder / str(self.url_file)).read_text("utf-8").strip()


class NotifySpec(Spec):
    """The channels by their names, and the hosts they may reach; no other host is ever used.

    ``duty`` is the channel of the duty desk. Mail reaches the server and the domains of mailboxes.
    """

    allow: tuple[Host, ...] = ()
    channels: dict[Name, ChannelSpec] = Field(min_length=1)


def wrong_channels(document: Document, notify: NotifySpec, folder: Path) -> Iterator[Problem]:
    """Find channels that cannot be used as they are written."""
    if DUTY not in notify.channels:
        what = f"missing; the duty desk is told by the channel {DUTY}"
        yield document.problem(("notify", "channels", DUTY), what)
    for name, channel in notify.channels.items():
        written = "url" if channel.url else "url_file"
        if wrong := _wrong(channel, notify, folder):
            yield document.problem(("notify", "channels", name, written), wrong)


def wrong_ways(
    document: Document, roster: RosterFile, notify: NotifySpec, folder: Path
) -> Iterator[Problem]:
    """Find people of a roster who cannot be told as it says."""
    for n, one in enumerate(roster.people):
        for k, name in enumerate(one.channels):
            if wrong := _wrong_way(notify, folder, name, one.addresses.get(name, "")):
                yield document.problem(("people", n, "channels", k), wrong)
        for name in one.addresses:
            if name not in one.channels:
                what = f"{name!r} is not one of the channels of {one.id}; add it there"
                yield document.problem(("people", n, "addresses", name), what)


def _wrong_way(notify: NotifySpec, folder: Path, name: str, address: str) -> str | None:
    """Return why somebody cannot be told by a channel, at an address; None when they can."""
    from hub.notify.channel import TO  # noqa: PLC0415 - apprise costs 0.3 s where it is not used

    if name not in notify.channels:
        return f"there is no channel {name!r} in notify of campus.yaml"
    try:
        url = notify.channels[name].address(folder)
    except (OSError, UnicodeDecodeError):
        return None  # said of the channel
    if TO in url and not address:
        return f"channel {name!r} asks for an address of the person; write it to addresses"
    if address and TO not in url:
        return f"channel {name!r} has an address of its own and no {TO}; remove that in addresses"
    return _outside(url, notify, address)


def _wrong(channel: ChannelSpec, notify: NotifySpec, folder: Path) -> str | None:
    from hub.notify.channel import kind_of  # noqa: PLC0415 - as above

    try:
        url = channel.address(folder)
        if kind_of(url).secret and channel.url:
            return "the whole address is a secret; write it to a file, and its name to url_file"
    except (OSError, UnicodeDecodeError) as error:
        return f"the file cannot be read: {error}; write the url to it"
    except Refused as refusal:
        return str(refusal)
    return _outside(url, notify)


def _outside(url: str, notify: NotifySpec, address: str = "") -> str | None:
    from hub.notify.channel import outside  # noqa: PLC0415 - as above

    try:
        host = outside(url, notify.allow, address)
    except Refused as refusal:
        return str(refusal)
    return (
        f"the host {host} is not in notify.allow; add it there, or nobody is told" if host else None
    )


def addresses(notify: NotifySpec, folder: Path) -> Mapping[str, str]:
    """Return the URL of every channel of a checked configuration."""
    return {name: channel.address(folder) for name, channel in notify.channels.items()}
