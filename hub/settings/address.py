"""Addresses as people write them in a configuration: of gateways, brokers, services, tables."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit


def _split(url: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{url!r} is no URL; write it like {example}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"the scheme {parts.scheme!r} is not known; write it like {example}")
    if parts.password is not None:
        raise ValueError("a password does not belong in this file; use password_file")
    if not parts.hostname or port == 0:
        raise ValueError(f"{url!r} names no host and port; write it like {example}")
    return parts


def gateway_url(url: str) -> str:
    """Return the address of a gateway; ValueError when it is none."""
    if url.startswith("serial:"):
        if not re.fullmatch(r"serial://(/[^\s?#]+|COM[0-9]+)", url):
            raise ValueError(f"{url!r} names no serial port; write it like serial:///dev/ttyUSB0")
        return url
    schemes, example = ("tcp", "tcp+tls", "rtu+tcp"), "tcp://10.0.7.10:502"
    others = "tcp+tls://gw-07.example.edu:802, rtu+tcp://10.0.7.10:4196 or serial:///dev/ttyUSB0"
    parts = _split(url, schemes, f"{example}, {others}")
    no_port = parts.port is None and parts.scheme != "tcp+tls"
    if no_port or parts.path or parts.query or parts.username:
        raise ValueError(f"{url!r} must be only scheme, host and port, like {example}")
    return url


def mqtt_url(url: str) -> str:
    """Return the address of an MQTT broker; ValueError when it is none."""
    parts = _split(url, ("mqtt", "mqtts"), "mqtt://127.0.0.1:1883 or mqtts://10.0.7.2:8883")
    if parts.path or parts.username or parts.query not in ("", "version=5", "version=3.1.1"):
        raise ValueError(
            "only scheme, host, port and ?version=3.1.1 stand here; the user goes to username"
        )
    return url


def web_url(url: str) -> str:
    """Return the address of a web service; ValueError when it is none."""
    _split(url, ("http", "https"), "http://127.0.0.1:8086")
    return url


def opened_url(url: str) -> str:
    """Return the address that links begin with, without a slash at its end; else ValueError."""
    parts = _split(url, ("http", "https"), "https://hub.example.edu")
    if parts.query or parts.fragment or parts.username:
        raise ValueError(f"{url!r} must be only scheme, host and path")
    return url.rstrip("/")


def tables_url(url: str) -> str:
    """Return where the tables are: sqlite, or PostgreSQL; ValueError when it is neither."""
    if url == "sqlite":
        return url
    parts = urlsplit(url)
    if parts.scheme != "postgresql+psycopg":
        raise ValueError("write sqlite, or a URL like postgresql+psycopg://hub@127.0.0.1/hub")
    if parts.password is not None:
        raise ValueError(
            "a password does not belong in this file; use PGPASSFILE or PGPASSWORD of PostgreSQL"
        )
    return url
